//! The configuration of an installation as one portable SQLite file: what a backup is, what an export hands out and
//! what an import reads.
//!
//! Tables and columns are those of the first version's own database, so that it can open what is written here, and its
//! files can be read. Facts it has no place for lie in columns and tables called `omniroute_…`, which it ignores.
//!
//! What an installation is beside its configuration is never part of it: the administrator's password, sessions, who
//! must log in, the audit trail, the data planes it has heard of.

mod contents;
mod field_key;
mod file;
mod foreign;
mod load;
mod merge;
mod read;
mod schema;
mod store;
mod usage;
mod write;

use thiserror::Error;

pub use self::{
    contents::{Contents, Counts, Credential},
    field_key::FieldKey,
    load::load,
    read::{Keys, Read, manifest_of, read},
    store::{Sealed, store},
    usage::Usage,
    write::{Manifest, SecretMode, Secrets, fingerprint, write},
};

/// What `omniroute_bundle` calls the layout.
pub const FORMAT: &str = "pg-bundle-v1";

/// A smaller file holds no database of ours: its schema alone is larger.
pub const MIN_BYTES: usize = 4096;
pub const MAX_BYTES: usize = 100 * 1024 * 1024;

#[derive(Debug, Error)]
pub enum BundleError {
    #[error("the file is no SQLite database")]
    NotSqlite,
    #[error("the file is smaller than 4096 bytes: it is no database of this gateway")]
    TooSmall,
    #[error("the file is damaged: SQLite's integrity check finds `{0}`")]
    Damaged(String),
    #[error("the file has no table `{0}`: it is no database of this gateway")]
    MissingTable(&'static str),
    #[error("the table `{0}` has more than a million rows")]
    TooManyRows(&'static str),
    #[error("the file was written as `{0}`, which this version does not know: use a newer one")]
    Format(String),
    #[error("the content is not what its checksum says: the file was changed after it was written")]
    Checksum,
    #[error("{table} `{id}`: {problem}")]
    Row {
        table: &'static str,
        id: String,
        problem: String,
    },
    #[error("the file cannot be read: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("a value cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}
