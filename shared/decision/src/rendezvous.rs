//! Which account a session belongs to: the one whose hash together with the session is the highest.
//!
//! Thaler, Ravishankar: "Using name-based mappings to increase hit rates", 1998. Every data plane computes the same
//! without asking, and an account that comes or goes moves only the sessions that are its own.

/// FNV-1a's.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// The weight of an account for a session.
pub fn weight(session: &[u8], connection_id: &str) -> u64 {
    finish(fold(fold(OFFSET, session), connection_id.as_bytes()))
}

/// The session of one tenant: two tenants that use the same word have two sessions.
pub fn session_hash(tenant: &str, session: &str) -> [u8; 8] {
    // the length keeps ("ab", "c") and ("a", "bc") apart
    let length = (tenant.len() as u64).to_le_bytes();
    let hash = fold(fold(fold(OFFSET, &length), tenant.as_bytes()), session.as_bytes());
    finish(hash).to_be_bytes()
}

fn fold(hash: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// FNV alone leaves the high bits of short texts alike, and the comparison is about those: the finalizer of
/// SplitMix64.
fn finish(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
