//! Deciding again from a record.

use crate::{DecideError, Decision, decide};
use prost::Message;
use thiserror::Error;

/// A record from which the same decision does not come out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Divergence {
    #[error("the recorded decision cannot be made again: {0}")]
    Incomplete(#[from] DecideError),
    #[error("the record has the order {recorded:?}, and the same inputs now give {replayed:?}")]
    Order { recorded: Vec<u32>, replayed: Vec<u32> },
    #[error("the record was changed after it was made: its checksum does not match")]
    Altered,
    #[error(
        "the record was too long to be kept whole: {omitted} accounts are not in it, so nothing can be decided from it"
    )]
    Shortened { omitted: u32 },
}

/// Decides, and makes the decision a record: with its order, and a checksum over everything in it.
pub fn record(decision: &mut Decision) -> Result<(), DecideError> {
    decision.order = decide(decision)?;
    decision.checksum = checksum(decision);
    Ok(())
}

/// Decides again from what was recorded. Fails loudly when the record lacks an input, another order comes out, or
/// anything in it is not as it was.
pub fn replay(decision: &Decision) -> Result<(), Divergence> {
    if let Some(omitted) = decision.omitted_accounts {
        return Err(match is_intact(decision) {
            true => Divergence::Shortened { omitted },
            false => Divergence::Altered,
        });
    }
    let replayed = decide(decision)?;
    if replayed != decision.order {
        return Err(Divergence::Order {
            recorded: decision.order.clone(),
            replayed,
        });
    }
    match is_intact(decision) {
        true => Ok(()),
        false => Err(Divergence::Altered),
    }
}

fn is_intact(decision: &Decision) -> bool {
    let mut bare = decision.clone();
    bare.checksum = 0;
    checksum(&bare) == decision.checksum
}

/// Of a decision whose checksum is 0, which does not travel.
pub(crate) fn checksum(decision: &Decision) -> u32 {
    crc32c::crc32c(&decision.encode_to_vec())
}
