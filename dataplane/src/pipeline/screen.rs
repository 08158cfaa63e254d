//! The guard's look at a request, before it is known where the request goes.

use super::{Arrival, Gateway};
use llm::Ask;
use llm::guard::{Blocked, Findings};

/// The request as it may go on. Whatever was found is logged by name; what was written is nowhere in the log.
pub fn screened(gateway: &Gateway, arrival: &Arrival, ask: Ask) -> Result<Ask, Blocked> {
    let Some(guard) = &gateway.guard else {
        return Ok(ask);
    };
    let Findings {
        patterns,
        personal,
        verdict,
    } = guard.inspect(ask);
    if !patterns.is_empty() || !personal.is_empty() {
        let patterns = list(patterns.iter().map(|pattern| pattern.name));
        let personal = list(personal.iter().map(|kind| kind.name()));
        let (request_id, blocked) = (arrival.request_id(), verdict.is_err());
        tracing::warn!(
            request_id,
            patterns,
            personal,
            blocked,
            "suspicious content in a request"
        );
    }
    verdict
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(",")
}
