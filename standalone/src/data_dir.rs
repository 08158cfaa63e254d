//! The directory that holds everything a single process owns: secrets, database, spool.
//!
//! Invariant: one process at a time. The lock lives as long as [`DataDir`], and a second process is told who
//! holds it instead of corrupting the spool.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

// === impl DataDir ===

impl DataDir {
    /// Creates the directory if it is missing, readable by its owner alone, and locks it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let at = |error: io::Error| anyhow::anyhow!("data directory {}: {error}", path.display());
        fs::create_dir_all(path).map_err(at)?;
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(at)?;
        let path = path.canonicalize().map_err(at)?;
        let lock = File::create(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "another omniroute uses the data directory {}: stop it, or start this one with another --data-dir",
                path.display()
            ),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_refused_and_told_why() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("data");
        let held = DataDir::open(&path).unwrap();
        let refusal = DataDir::open(&path).unwrap_err().to_string();
        assert!(refusal.contains("another omniroute uses"), "{refusal}");
        drop(held);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn only_the_owner_may_look_inside() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&scratch.path().join("data")).unwrap();
        assert_eq!(
            fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
}
