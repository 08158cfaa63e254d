//! Ids of a response and its items. An item keeps its id in every event, and two items never share one.

/// `resp_` and 48 hex digits, as the vendor's are made.
pub fn response(seed: &str) -> String {
    format!("resp_{seed}{:016x}", 0)
}

/// The id of the item at this place of the output.
pub fn item(prefix: &str, seed: &str, output_index: usize) -> String {
    format!("{prefix}{seed}{:016x}", output_index + 1)
}
