//! The id of a spool: made with its directory, the same as long as its sequences can only go on.
//!
//! Records are written and not synced, because a sync holds up every request that appends meanwhile. What the
//! kernel holds survives the process, so sequences go on over a restart; it does not survive the machine, and then a
//! sequence that a control plane has seen could be given to another event. So the id is kept together with the boot
//! it belongs to and changes with it: after a power loss everything in the directory is sent again under a new id,
//! and control planes know requests they have by the request's own id.

use super::SpoolError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use uuid::Uuid;

pub(super) const ID_FILE: &str = "id";

/// Linux: random per boot. <https://docs.kernel.org/admin-guide/sysctl/kernel.html#random>
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The boot of this machine; empty where it cannot be told, which is no boot that an id belongs to.
pub(super) fn boot() -> String {
    fs::read_to_string(BOOT_ID).map_or_else(|_| String::new(), |text| text.trim().to_owned())
}

/// The id of the directory, a new one if it was made under another boot.
pub(super) fn read(dir: &Path, boot: &str) -> Result<Uuid, SpoolError> {
    let path = dir.join(ID_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return renew(dir, boot),
        Err(source) => return Err(SpoolError::Io { path, source }),
    };
    let mut lines = text.lines();
    let id = lines.next().and_then(|line| Uuid::try_parse(line.trim()).ok());
    let id = id.ok_or(SpoolError::Id(path))?;
    if !boot.is_empty() && lines.next() == Some(boot) {
        return Ok(id);
    }
    renew(dir, boot)
}

/// Gives the spool a new id. Durable before anything is sent under it.
pub(super) fn renew(dir: &Path, boot: &str) -> Result<Uuid, SpoolError> {
    let id = Uuid::now_v7();
    let path = dir.join(ID_FILE);
    let write = || {
        let temporary = dir.join("id.tmp");
        let mut file = File::create(&temporary)?;
        writeln!(file, "{id}\n{boot}")?;
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
