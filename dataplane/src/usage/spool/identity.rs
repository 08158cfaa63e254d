//! The id of a spool: made with its directory, the same as long as its sequences go on.

use super::SpoolError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use uuid::Uuid;

pub(super) const ID_FILE: &str = "id";

pub(super) fn read(dir: &Path) -> Result<Uuid, SpoolError> {
    let path = dir.join(ID_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Uuid::try_parse(text.trim()).map_err(|_| SpoolError::Id(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => renew(dir),
        Err(source) => Err(SpoolError::Io { path, source }),
    }
}

/// Gives the spool a new id. Durable before anything is sent under it.
pub(super) fn renew(dir: &Path) -> Result<Uuid, SpoolError> {
    let id = Uuid::now_v7();
    let path = dir.join(ID_FILE);
    let write = || {
        let temporary = dir.join("id.tmp");
        let mut file = File::create(&temporary)?;
        writeln!(file, "{id}")?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|source| SpoolError::Io {
        path: path.clone(),
        source,
    })?;
    Ok(id)
}
