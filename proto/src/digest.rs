//! One number that says whether two planes hold the same configuration.

use prost::Message;

use crate::v1::{Resource, ResourceKey};

/// BLAKE3-256 over entries of one configuration, whatever their order, as `kind | id | bytes` with lengths before
/// the variable parts, so that no two different configurations hash the same bytes.
pub fn digest(resources: &[Resource]) -> [u8; 32] {
    let mut entries: Vec<_> = resources
        .iter()
        .map(|resource| (resource.key(), resource.encode_to_vec()))
        .collect();
    entries.sort_unstable();
    of_sorted(entries.iter().map(|(key, bytes)| (key, bytes.as_slice())))
}

/// Entries have to come in the order of their keys.
pub(crate) fn of_sorted<'a>(entries: impl Iterator<Item = (&'a ResourceKey, &'a [u8])>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for (key, bytes) in entries {
        hasher.update(&key.kind.to_le_bytes());
        hasher.update(&(key.id.len() as u64).to_le_bytes());
        hasher.update(key.id.as_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    hasher.finalize().into()
}
