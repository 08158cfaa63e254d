//! The files: `db_2026-02-11T14-00-00-000Z_manual.sqlite`, readable by their owner alone.
//!
//! A name is all that is known of a file before it is opened, and nothing else is ever opened: whoever asks for a
//! backup can name no other file.

use std::{
    collections::HashSet,
    fmt, fs,
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::PathBuf,
    str::FromStr,
};

use chrono::{DateTime, Datelike, Duration, NaiveDateTime, Utc};
use thiserror::Error;

/// What is kept in any case.
const NEWEST: usize = 20;
/// The newest one of so many days, and of so many weeks.
const DAYS: usize = 7;
const WEEKS: usize = 4;

const TIME: &str = "%Y-%m-%dT%H-%M-%S-%3fZ";
const EXTENSION: &str = ".sqlite";

#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

/// The name of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupId(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must match ^db_[0-9TZ:-]+_[a-z-]+\\.sqlite$")]
pub struct NoBackupId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Manual,
    Auto,
    /// Of the first version.
    PreWrite,
    PreRestore,
    PreImport,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub id: BackupId,
    pub created_at: DateTime<Utc>,
    pub reason: Reason,
    pub size: u64,
}

// === impl BackupId ===

impl BackupId {
    fn new(at: DateTime<Utc>, reason: Reason) -> Self {
        Self(format!("db_{}_{}{EXTENSION}", at.format(TIME), reason.as_str()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> Option<(&str, &str)> {
        self.0
            .strip_prefix("db_")?
            .strip_suffix(EXTENSION)?
            .split_once('_')
    }

    fn created_at(&self) -> Option<DateTime<Utc>> {
        let (time, _) = self.parts()?;
        let time = NaiveDateTime::parse_from_str(time, TIME).ok()?;
        Some(time.and_utc())
    }

    fn reason(&self) -> Reason {
        let name = self.parts().map_or("", |(_, reason)| reason);
        let known = [
            Reason::Auto,
            Reason::PreWrite,
            Reason::PreRestore,
            Reason::PreImport,
        ];
        known
            .into_iter()
            .find(|reason| reason.as_str() == name)
            .unwrap_or(Reason::Manual)
    }
}

impl FromStr for BackupId {
    type Err = NoBackupId;

    fn from_str(text: &str) -> Result<Self, NoBackupId> {
        let id = Self(text.to_owned());
        let (time, reason) = id.parts().ok_or(NoBackupId)?;
        let in_time = |c: char| c.is_ascii_digit() || matches!(c, 'T' | 'Z' | ':' | '-');
        let in_reason = |c: char| c.is_ascii_lowercase() || c == '-';
        let legal = !time.is_empty() && !reason.is_empty();
        match legal && time.chars().all(in_time) && reason.chars().all(in_reason) {
            true => Ok(id),
            false => Err(NoBackupId),
        }
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Reason ===

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Auto => "auto",
            Self::PreWrite => "pre-write",
            Self::PreRestore => "pre-restore",
            Self::PreImport => "pre-import",
        }
    }
}

// === impl Directory ===

impl Directory {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Newest first; nothing where there is no directory yet.
    pub fn list(&self) -> io::Result<Vec<Entry>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let about = entry.metadata()?;
            if about.is_file() {
                found.push(Entry::of(id, &about)?);
            }
        }
        found.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok(found)
    }

    pub fn read(&self, id: &BackupId) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(id.as_str()))
    }

    /// Under a name that nobody has: two in one millisecond get two.
    pub fn write(&self, at: DateTime<Utc>, reason: Reason, bytes: &[u8]) -> io::Result<Entry> {
        fs::create_dir_all(&self.0)?;
        fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700))?;
        let mut at = at;
        let (id, path) = loop {
            let id = BackupId::new(at, reason);
            let path = self.0.join(id.as_str());
            if !path.exists() {
                break (id, path);
            }
            at += Duration::milliseconds(1);
        };
        // a name stands for a whole file, whenever the machine stops
        let unfinished = path.with_extension("part");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        Entry::of(id, &file.metadata()?)
    }

    pub fn remove(&self, id: &BackupId) -> io::Result<()> {
        fs::remove_file(self.0.join(id.as_str()))
    }

    /// Keeps the newest twenty, and beside them one of each of the last seven days and four weeks that have any.
    pub fn forget_old(&self) -> io::Result<usize> {
        let entries = self.list()?;
        let kept = kept(&entries);
        self.remove_all(entries.iter().filter(|entry| !kept.contains(entry.id.as_str())))
    }

    /// Removes what is beyond the newest `keep`, and what is older than `days`.
    pub fn forget(&self, keep: Option<usize>, days: Option<u32>, now: DateTime<Utc>) -> io::Result<usize> {
        let entries = self.list()?;
        let oldest = days.map(|days| now - Duration::days(days.into()));
        let too_many = |place: usize| keep.is_some_and(|keep| place >= keep);
        let too_old = |entry: &Entry| oldest.is_some_and(|oldest| entry.created_at < oldest);
        let gone = entries.iter().enumerate();
        let gone = gone.filter(|(place, entry)| too_many(*place) || too_old(entry));
        self.remove_all(gone.map(|(_, entry)| entry))
    }

    fn remove_all<'a>(&self, entries: impl Iterator<Item = &'a Entry>) -> io::Result<usize> {
        let mut removed = 0;
        for entry in entries {
            match self.remove(&entry.id) {
                Ok(()) => removed += 1,
                // another control plane was faster
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }
}

// === impl Entry ===

impl Entry {
    fn of(id: BackupId, about: &fs::Metadata) -> io::Result<Self> {
        let created_at = match id.created_at() {
            Some(at) => at,
            None => about.modified()?.into(),
        };
        Ok(Self {
            created_at,
            reason: id.reason(),
            size: about.len(),
            id,
        })
    }
}

/// Of entries that are in order, the newest first.
fn kept(entries: &[Entry]) -> HashSet<&str> {
    let mut kept: HashSet<&str> = entries
        .iter()
        .take(NEWEST)
        .map(|entry| entry.id.as_str())
        .collect();
    let day = |entry: &Entry| i64::from(entry.created_at.num_days_from_ce());
    let week = |entry: &Entry| {
        let week = entry.created_at.iso_week();
        i64::from(week.year()) * 100 + i64::from(week.week())
    };
    kept.extend(newest_of_each(entries, DAYS, day));
    kept.extend(newest_of_each(entries, WEEKS, week));
    kept
}

fn newest_of_each(entries: &[Entry], count: usize, period: impl Fn(&Entry) -> i64) -> Vec<&str> {
    let mut periods = HashSet::new();
    let newest = entries.iter().filter(|entry| periods.insert(period(entry)));
    newest.take(count).map(|entry| entry.id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_says_when_and_why_and_leads_nowhere_else() {
        let id: BackupId = "db_2026-02-11T14-00-00-000Z_pre-import.sqlite".parse().unwrap();
        assert_eq!(id.created_at(), Some(at("2026-02-11T14:00:00Z")));
        assert_eq!(id.reason(), Reason::PreImport);
        assert_eq!(BackupId::new(at("2026-02-11T14:00:00Z"), Reason::PreImport), id);
        for bad in [
            "",
            "db_.sqlite",
            "db_2026_manual.json",
            "db_2026_../../x.sqlite",
            "../db_2026_manual.sqlite",
            "db_2026/../_manual.sqlite",
            "db_2026_manual.sqlite/..",
            "db_2026_manual.sqlite\n",
            "db_2026_MANUAL.sqlite",
        ] {
            assert_eq!(bad.parse::<BackupId>(), Err(NoBackupId), "{bad}");
        }
    }

    #[test]
    fn files_are_for_their_owner_and_two_of_one_moment_have_two_names() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::new(place.path().join("db_backups"));
        assert!(directory.list().unwrap().is_empty());
        let now = at("2026-02-11T14:00:00Z");
        let first = directory.write(now, Reason::Manual, b"one").unwrap();
        let second = directory.write(now, Reason::Manual, b"two").unwrap();
        assert_ne!(first.id, second.id);
        assert_eq!(directory.read(&first.id).unwrap(), b"one");
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(directory.0.join(first.id.as_str())), 0o600);
        assert_eq!(mode(directory.0.clone()), 0o700);
        assert_eq!(
            fs::read_dir(&directory.0).unwrap().count(),
            2,
            "nothing unfinished stays"
        );
    }

    #[test]
    fn twenty_are_kept_and_beside_them_one_of_each_of_seven_days_and_four_weeks() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::new(place.path().to_owned());
        let now = at("2026-02-25T12:00:00Z");
        for hour in 0..30 * 24 {
            directory
                .write(now - Duration::hours(hour), Reason::Auto, b"x")
                .unwrap();
        }
        assert_eq!(directory.forget_old().unwrap(), 30 * 24 - 20 - 5 - 2);
        let left = directory.list().unwrap();
        let days: HashSet<_> = left.iter().map(|entry| entry.created_at.date_naive()).collect();
        for back in 0..7 {
            assert!(
                days.contains(&(now - Duration::days(back)).date_naive()),
                "{back}"
            );
        }
        assert!(
            days.contains(&at("2026-02-15T00:00:00Z").date_naive()),
            "the Sunday of a week before"
        );
        assert_eq!(directory.forget_old().unwrap(), 0);
        assert_eq!(directory.forget(Some(3), None, now).unwrap(), 24);
        assert_eq!(directory.forget(None, Some(0), now).unwrap(), 2);
    }
}
