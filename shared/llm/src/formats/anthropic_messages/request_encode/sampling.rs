//! How the next token is chosen, and where the answer ends.

use crate::note::Notes;
use crate::request::Request;
use crate::translate::Target;

pub struct Sampling {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u64>,
}

pub fn sampling(request: &Request, target: &Target, thinks: bool, notes: &mut Notes) -> Sampling {
    let caps = &target.caps;
    let asked = &request.sampling;
    let mut kept = Sampling {
        temperature: asked.temperature,
        top_p: asked.top_p,
        top_k: asked.top_k,
    };
    if !caps.sampling_ok {
        drop_sampling(
            &mut kept.temperature,
            "temperature",
            "not accepted by this model",
            notes,
        );
        drop_sampling(&mut kept.top_p, "top_p", "not accepted by this model", notes);
        drop_sampling(&mut kept.top_k, "top_k", "not accepted by this model", notes);
        return kept;
    }
    if thinks {
        drop_sampling(
            &mut kept.temperature,
            "temperature",
            "not accepted while thinking",
            notes,
        );
        drop_sampling(&mut kept.top_k, "top_k", "not accepted while thinking", notes);
        // the vendor's documented range with extended thinking is 0.95 to 1
        if kept.top_p.is_some_and(|p| p < 0.95) {
            drop_sampling(
                &mut kept.top_p,
                "top_p",
                "below 0.95, not accepted while thinking",
                notes,
            );
        }
    }
    if kept.temperature.is_some() && !caps.temp_and_top_p_ok {
        drop_sampling(
            &mut kept.top_p,
            "top_p",
            "not accepted together with temperature",
            notes,
        );
    }
    if let Some(temperature) = kept.temperature.filter(|t| !(0.0..=1.0).contains(t)) {
        kept.temperature = Some(temperature.clamp(0.0, 1.0));
        notes.loss("temperature", format!("{temperature} is outside 0 to 1"));
    }
    kept
}

/// The API refuses blank entries.
pub fn stop_sequences<'a>(stop: &'a [String], notes: &mut Notes) -> Vec<&'a str> {
    let mut kept: Vec<&str> = Vec::with_capacity(stop.len());
    for sequence in stop {
        if sequence.trim().is_empty() {
            notes.loss("stop", "a blank stop sequence is not accepted");
        } else if !kept.contains(&sequence.as_str()) {
            kept.push(sequence);
        }
    }
    kept
}

// === functions ===

fn drop_sampling<T>(slot: &mut Option<T>, field: &str, why: &str, notes: &mut Notes) {
    if slot.take().is_some() {
        notes.loss(field, why);
    }
}
