//! A hash over fields that are kept apart by their lengths.

pub struct Fields(blake3::Hasher);

// === impl Fields ===

impl Fields {
    pub fn new(context: &str) -> Self {
        Self(blake3::Hasher::new_derive_key(context))
    }

    pub fn field(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }

    pub fn finish(self) -> blake3::Hash {
        self.0.finalize()
    }
}
