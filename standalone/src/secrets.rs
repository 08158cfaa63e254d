//! The secrets of a single process: taken from the environment, else from the data directory, else made once.
//!
//! Losing the file means losing every stored credential and session, so it is written whole (temporary file,
//! then rename) and never rewritten once it holds a value, except for another storage key when somebody asks for one.

use runtime::crypto;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What both planes ask for, by the names of their environment variables.
const NAMES: [&str; 4] = [
    "CLUSTER_SECRET",
    "JWT_SECRET",
    "API_KEY_SECRET",
    STORAGE_ENCRYPTION_KEY,
];
const STORAGE_ENCRYPTION_KEY: &str = "STORAGE_ENCRYPTION_KEY";

const LENGTH: usize = 48;

/// Secret values by environment name. Not `Debug`: it would print them.
#[derive(Default, Serialize, Deserialize)]
pub struct Secrets(BTreeMap<String, String>);

// === impl Secrets ===

impl Secrets {
    /// The secrets for a data directory; `environment` wins over the file, and what is in neither is made.
    pub fn load(file: &Path, environment: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let mut stored = Self::read(file)?;
        let before = stored.0.len();
        for name in NAMES {
            if environment(name).is_none() {
                stored
                    .0
                    .entry(name.to_owned())
                    .or_insert_with(|| crypto::random_token(LENGTH));
            }
        }
        if stored.0.len() != before {
            stored.write(file)?;
        }
        for name in NAMES {
            if let Some(value) = environment(name) {
                stored.0.insert(name.to_owned(), value);
            }
        }
        Ok(stored)
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).expect("load fills in every name")
    }

    /// What `file` has, but for another storage key; written down beside it and not yet instead of it. One that is there
    /// already was begun with before, and is gone on with.
    pub fn with_new_storage_key(file: &Path) -> anyhow::Result<Self> {
        let next = next(file);
        if next.exists() {
            return Self::read(&next);
        }
        let mut secrets = Self::read(file)?;
        let key = crypto::random_token(LENGTH);
        secrets.0.insert(STORAGE_ENCRYPTION_KEY.to_owned(), key);
        secrets.write(&next)?;
        Ok(secrets)
    }

    /// From now on the file is what [`Secrets::with_new_storage_key`] wrote.
    pub fn commit(file: &Path) -> anyhow::Result<()> {
        Ok(fs::rename(next(file), file)?)
    }

    /// Empty when there is no such file.
    fn read(file: &Path) -> anyhow::Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| {
                anyhow::anyhow!(
                    "{} is damaged ({error}): restore it from a backup",
                    file.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => anyhow::bail!("{}: {error}", file.display()),
        }
    }

    fn write(&self, file: &Path) -> anyhow::Result<()> {
        let temporary = file.with_extension("new");
        let mut out = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        out.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        out.sync_all()?;
        fs::rename(&temporary, file)?;
        Ok(())
    }
}

fn next(file: &Path) -> PathBuf {
    file.with_extension("next.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn made_once_and_found_again() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("secrets.json");
        let first = Secrets::load(&file, |_| None).unwrap();
        let second = Secrets::load(&file, |_| None).unwrap();
        for name in NAMES {
            assert_eq!(first.get(name), second.get(name));
            assert_eq!(first.get(name).len(), LENGTH);
        }
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_environment_wins_and_is_not_written_down() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("secrets.json");
        let given =
            |name: &str| (name == "JWT_SECRET").then(|| "given by the operator, long enough".to_owned());
        let secrets = Secrets::load(&file, given).unwrap();
        assert_eq!(secrets.get("JWT_SECRET"), "given by the operator, long enough");
        assert!(
            !fs::read_to_string(&file)
                .unwrap()
                .contains("given by the operator")
        );
    }

    #[test]
    fn a_damaged_file_is_not_replaced() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("secrets.json");
        fs::write(&file, "{").unwrap();
        let refusal = Secrets::load(&file, |_| None).err().unwrap().to_string();
        assert!(refusal.contains("restore it from a backup"), "{refusal}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "{");
    }
}
