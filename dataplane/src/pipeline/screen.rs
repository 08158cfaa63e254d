//! The guard's look at a request, before it is known where the request goes, and what its look at the reply found.
//!
//! Whatever was found is logged by name; what was written is nowhere in the log.

use super::{Arrival, Gateway};
use llm::guard::{Blocked, Findings, Personal};
use llm::{Ask, Progress};

/// The request as it may go on.
pub fn screened(gateway: &Gateway, arrival: &Arrival, ask: Ask) -> Result<Ask, Blocked> {
    // the guard reads conversations
    let Some(guard) = gateway.guard.as_ref().filter(|_| ask.is_chat()) else {
        return Ok(ask);
    };
    let Findings {
        patterns,
        personal,
        quiet,
        verdict,
    } = guard.inspect(ask);
    if patterns.is_empty() && personal.is_empty() {
        return verdict;
    }
    let patterns = list(patterns.iter().map(|pattern| pattern.name));
    let (request_id, personal, blocked) = (arrival.request_id(), names(&personal), verdict.is_err());
    let text = "suspicious content in a request";
    if quiet && !blocked {
        tracing::info!(request_id, patterns, personal, blocked, "{text}");
    } else {
        tracing::warn!(request_id, patterns, personal, blocked, "{text}");
    }
    verdict
}

/// Once per reply, when it is over.
pub fn note_reply(request_id: &str, progress: &Progress) {
    if !progress.personal.is_empty() {
        let personal = names(&progress.personal);
        tracing::warn!(request_id, personal, "personal data in a reply");
    }
}

fn names(personal: &[Personal]) -> String {
    list(personal.iter().map(|kind| kind.name()))
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(",")
}
