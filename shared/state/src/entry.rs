//! How a request, or the answer to one, is named in the store.

use std::fmt::Write;

/// Names something of one tenant's. There is no key without a tenant, so no caller can find what is another's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryKey {
    /// What is of another generation is not found: clearing everything is the step to the next one.
    pub generation: u64,
    /// The id of an API key, or whatever else tells one caller from another.
    pub tenant: String,
    /// Of everything else that tells two entries apart.
    pub hash: [u8; 32],
}

// === impl EntryKey ===

impl EntryKey {
    /// One name for all three, whatever is in the tenant's.
    pub fn name(&self) -> String {
        let mut name = String::with_capacity(96 + self.tenant.len());
        let written = write!(name, "{}:", self.generation);
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        for byte in self.hash {
            name.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or_default());
            name.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or_default());
        }
        name.push(':');
        name.push_str(&self.tenant);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_generation_hash_and_tenant_apart() {
        let key = |generation, tenant: &str, byte| EntryKey {
            generation,
            tenant: tenant.to_owned(),
            hash: [byte; 32],
        };
        assert_eq!(key(7, "k1", 0xa5).name(), format!("7:{}:k1", "a5".repeat(32)));
        let names = [key(1, "a", 0), key(2, "a", 0), key(1, "b", 0), key(1, "a", 1)].map(|key| key.name());
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }
}
