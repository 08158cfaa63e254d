//! Passwords of the administrator: Argon2id, on the blocking pool, two at a time.
//!
//! One hash takes 19 MiB and tens of milliseconds; the cap keeps a flood of logins from taking the machine.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use runtime::secret::Secret;
use thiserror::Error;
use tokio::sync::Semaphore;

/// Argon2id m=19 MiB, t=2, p=1: the first choice of the OWASP password storage cheat sheet.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

const CONCURRENT_HASHES: usize = 2;

#[derive(Debug, Error)]
pub enum PasswordError {
    #[error("cannot hash the password: {0}")]
    Hash(argon2::password_hash::Error),
    #[error("the stored password hash is unreadable: set the password again")]
    Stored(argon2::password_hash::phc::Error),
    #[error("the hashing thread ended early")]
    Thread(#[from] tokio::task::JoinError),
}

/// Hashes and verifies. Cheap to clone; clones share the cap.
#[derive(Clone, Debug)]
pub struct Passwords {
    permits: Arc<Semaphore>,
}

// === impl Passwords ===

impl Default for Passwords {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(CONCURRENT_HASHES)),
        }
    }
}

impl Passwords {
    /// The PHC string of `password` under a fresh salt.
    pub async fn hash(&self, password: &Secret<String>) -> Result<String, PasswordError> {
        let password = password.clone();
        self.blocking(move || {
            let hash = argon2id()
                .hash_password(password.expose().as_bytes())
                .map_err(PasswordError::Hash)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` is the one `stored` was made from.
    pub async fn verify(&self, password: &Secret<String>, stored: &str) -> Result<bool, PasswordError> {
        let password = password.clone();
        let stored = stored.to_owned();
        self.blocking(move || {
            let hash = PasswordHash::new(&stored).map_err(PasswordError::Stored)?;
            Ok(argon2id()
                .verify_password(password.expose().as_bytes(), &hash)
                .is_ok())
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        // The permit moves along: a caller that goes away must not let a third hash start.
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        })
        .await?
    }
}

fn argon2id() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("constants within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_verifies_its_own_password_only_and_names_its_parameters() {
        let passwords = Passwords::default();
        let right = Secret::new("correct horse".to_owned());
        let hash = passwords.hash(&right).await.unwrap();

        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify(&right, &hash).await.unwrap());
        assert!(
            !passwords
                .verify(&Secret::new("correct hors".to_owned()), &hash)
                .await
                .unwrap()
        );
        assert_ne!(
            hash,
            passwords.hash(&right).await.unwrap(),
            "every hash has its own salt"
        );
    }

    #[tokio::test]
    async fn an_unreadable_stored_hash_is_an_error_and_no_match() {
        let result = Passwords::default()
            .verify(&Secret::new("x".to_owned()), "plain text")
            .await;
        assert!(matches!(result, Err(PasswordError::Stored(_))));
    }
}
