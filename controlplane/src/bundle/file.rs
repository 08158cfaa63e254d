//! A SQLite file that somebody sent: opened so that it can do nothing but be read.
//!
//! It lies in memory, cannot be written, runs no trigger, no view and no function that its schema names, and every
//! statement ends after a while, however the file is made.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, NaiveDateTime, Utc};
use rusqlite::{Connection, ErrorCode, MAIN_DB, config::DbConfig, limits::Limit, types::ValueRef};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::{BundleError, MIN_BYTES, field_key::hex, schema::REQUIRED};

const MAGIC: &[u8] = b"SQLite format 3\0";
/// File format versions, for reading and for writing: 2 is write-ahead logging.
const VERSIONS: [usize; 2] = [18, 19];
const WITHOUT_WAL: u8 = 1;

const MAX_ROWS: i64 = 1_000_000;
/// What a value, and a row, may have.
const VALUE_BYTES: i32 = 1 << 20;
/// A case of a suite may be as large as the request that made it.
const LARGE_VALUE_BYTES: i32 = 16 << 20;
/// Instructions of SQLite's machine between two looks at the clock.
const INSTRUCTIONS: i32 = 100_000;
const PATIENCE: Duration = Duration::from_secs(60);

pub struct File {
    conn: Connection,
}

/// A row, by the names of its columns.
pub struct Record {
    table: &'static str,
    values: HashMap<String, Value>,
}

#[derive(Clone, Debug)]
enum Value {
    Integer(i64),
    Real(f64),
    Text(String),
}

// === impl File ===

impl File {
    pub fn open(mut bytes: Vec<u8>) -> Result<Self, BundleError> {
        if bytes.len() < MIN_BYTES {
            return Err(BundleError::TooSmall);
        }
        if !bytes.starts_with(MAGIC) {
            return Err(BundleError::NotSqlite);
        }
        // a copy of a database in this mode is complete, but memory has no room for a log beside it
        for at in VERSIONS {
            bytes[at] = WITHOUT_WAL;
        }
        let mut conn = Connection::open_in_memory()?;
        conn.deserialize_read_exact(MAIN_DB, bytes.as_slice(), bytes.len(), true)?;
        drop(bytes);
        harden(&conn)?;
        let file = Self { conn };
        file.check().map_err(|error| match error {
            BundleError::Sqlite(error) => read_error(error),
            other => other,
        })?;
        Ok(file)
    }

    fn check(&self) -> Result<(), BundleError> {
        let found: String = self
            .conn
            .query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            return Err(BundleError::Damaged(found));
        }
        for table in REQUIRED {
            if !self.has(table)? {
                return Err(BundleError::MissingTable(table));
            }
        }
        Ok(())
    }

    /// An ordinary table: a virtual one or a view of that name is none.
    pub fn has(&self, table: &str) -> Result<bool, BundleError> {
        let is_there = self.conn.query_row(
            "select exists (select 1 from sqlite_schema
                            where type = 'table' and name = ?1 and rootpage > 0)",
            [table],
            |row| row.get(0),
        );
        Ok(is_there?)
    }

    /// All rows, in the order in which they were written; none of a table that is not there.
    pub fn rows(&self, table: &'static str) -> Result<Vec<Record>, BundleError> {
        self.rows_up_to(table, VALUE_BYTES)
    }

    pub fn large_rows(&self, table: &'static str) -> Result<Vec<Record>, BundleError> {
        self.rows_up_to(table, LARGE_VALUE_BYTES)
    }

    fn rows_up_to(&self, table: &'static str, value_bytes: i32) -> Result<Vec<Record>, BundleError> {
        if !self.has(table)? {
            return Ok(Vec::new());
        }
        let before = self.conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, value_bytes)?;
        let records = self.read(table);
        self.conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, before)?;
        records
    }

    fn read(&self, table: &'static str) -> Result<Vec<Record>, BundleError> {
        let count: i64 = self
            .conn
            .query_row(&format!("select count(*) from {table}"), [], |row| row.get(0))
            .map_err(read_error)?;
        if count > MAX_ROWS {
            return Err(BundleError::TooManyRows(table));
        }
        let mut statement = self
            .conn
            .prepare(&format!("select * from {table}"))
            .map_err(read_error)?;
        let names: Vec<String> = statement
            .column_names()
            .into_iter()
            .map(str::to_lowercase)
            .collect();
        let mut rows = statement.query([]).map_err(read_error)?;
        let mut records = Vec::new();
        while let Some(row) = rows.next().map_err(read_error)? {
            let mut values = HashMap::with_capacity(names.len());
            for (index, name) in names.iter().enumerate() {
                let value = match row.get_ref(index)? {
                    ValueRef::Null => continue,
                    ValueRef::Integer(value) => Value::Integer(value),
                    ValueRef::Real(value) => Value::Real(value),
                    ValueRef::Text(text) => Value::Text(readable(table, name, text)?),
                    // no column of ours is one
                    ValueRef::Blob(_) => continue,
                };
                values.insert(name.clone(), value);
            }
            records.push(Record { table, values });
        }
        Ok(records)
    }

    /// What `omniroute_bundle` says; nothing in a file that is not ours.
    pub fn manifest(&self) -> Result<HashMap<String, String>, BundleError> {
        let rows = self.rows("omniroute_bundle")?;
        let pair = |row: &Record| Some((row.text("key")?, row.text("value")?));
        Ok(rows.iter().filter_map(pair).collect())
    }

    pub fn checksum(&self) -> Result<String, BundleError> {
        checksum(&self.conn).map_err(read_error)
    }
}

// === impl Record ===

impl Record {
    /// Nothing for an empty one.
    pub fn text(&self, column: &str) -> Option<String> {
        let text = match self.values.get(column)? {
            Value::Text(text) => text.trim().to_owned(),
            Value::Integer(value) => value.to_string(),
            Value::Real(value) => value.to_string(),
        };
        Some(text).filter(|text| !text.is_empty())
    }

    pub fn integer(&self, column: &str) -> Option<i64> {
        match self.values.get(column)? {
            Value::Integer(value) => Some(*value),
            Value::Real(_) => None,
            Value::Text(text) => text.trim().parse().ok(),
        }
    }

    pub fn small(&self, column: &str) -> Option<i32> {
        self.integer(column).and_then(|value| value.try_into().ok())
    }

    pub fn real(&self, column: &str) -> Option<f64> {
        let value = match self.values.get(column)? {
            Value::Integer(value) => *value as f64,
            Value::Real(value) => *value,
            Value::Text(text) => text.trim().parse().ok()?,
        };
        value.is_finite().then_some(value)
    }

    pub fn flag(&self, column: &str) -> Option<bool> {
        match self.text(column)?.as_str() {
            "0" | "false" => Some(false),
            "1" | "true" => Some(true),
            _ => None,
        }
    }

    /// Written by either version, by SQLite itself, or as milliseconds.
    pub fn stamp(&self, column: &str) -> Option<DateTime<Utc>> {
        if let Some(millis) = self.integer(column) {
            return DateTime::from_timestamp_millis(millis);
        }
        let text = self.text(column)?;
        let plain = || NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").ok();
        DateTime::parse_from_rfc3339(&text)
            .map(|stamp| stamp.to_utc())
            .ok()
            .or_else(|| plain().map(|stamp| stamp.and_utc()))
    }

    /// The JSON in a column; nothing if the column is empty.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, BundleError> {
        let Some(text) = self.text(column) else {
            return Ok(None);
        };
        let parsed = serde_json::from_str(&text);
        parsed
            .map(Some)
            .map_err(|error| self.wrong(format!("`{column}` cannot be read: {}", without_value(&error))))
    }

    pub fn object(&self, column: &str) -> Result<Json, BundleError> {
        let value: Option<Json> = self.json(column)?;
        Ok(value
            .filter(Json::is_object)
            .unwrap_or_else(|| Json::Object(serde_json::Map::new())))
    }

    /// A text that has to be there.
    pub fn needed(&self, column: &'static str) -> Result<String, BundleError> {
        self.text(column)
            .ok_or_else(|| self.wrong(format!("`{column}` is empty")))
    }

    pub fn wrong(&self, problem: String) -> BundleError {
        let id = ["id", "key", "model", "api_key_id"];
        BundleError::Row {
            table: self.table,
            id: id.iter().find_map(|column| self.text(column)).unwrap_or_default(),
            problem,
        }
    }
}

/// Of everything but the table that holds it.
pub fn checksum(conn: &Connection) -> Result<String, rusqlite::Error> {
    let mut tables = conn.prepare(
        "select name from sqlite_schema
         where type = 'table' and rootpage > 0 and name <> 'omniroute_bundle' and name not like 'sqlite!_%' escape '!'
         order by name",
    )?;
    let names: Vec<String> = tables
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut digest = Sha256::new();
    let mut part = |kind: u8, bytes: &[u8]| {
        digest.update([kind]);
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    for name in names {
        part(b'T', name.as_bytes());
        let mut statement = conn.prepare(&format!("select * from \"{}\"", name.replace('"', "\"\"")))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Null => part(b'n', &[]),
                    ValueRef::Integer(value) => part(b'i', &value.to_le_bytes()),
                    ValueRef::Real(value) => part(b'r', &value.to_le_bytes()),
                    ValueRef::Text(text) => part(b't', text),
                    ValueRef::Blob(blob) => part(b'b', blob),
                }
            }
        }
    }
    Ok(hex(&digest.finalize()))
}

fn harden(conn: &Connection) -> Result<(), BundleError> {
    let off = [
        DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
        DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
        DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW,
        DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER,
        DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE,
        DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE,
        DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA,
    ];
    for config in off {
        conn.set_db_config(config, false)?;
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    let deadline = Instant::now() + PATIENCE;
    conn.progress_handler(INSTRUCTIONS, Some(move || Instant::now() > deadline))?;
    Ok(())
}

/// SQLite finds some damage only when it comes by.
fn read_error(error: rusqlite::Error) -> BundleError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => BundleError::NotSqlite,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::CannotOpen) => {
            BundleError::Damaged("database disk image is malformed".to_owned())
        }
        Some(ErrorCode::TooBig) => BundleError::Damaged("a value is larger than it may be".to_owned()),
        Some(ErrorCode::OperationInterrupted) => {
            BundleError::Damaged("reading it takes longer than a minute".to_owned())
        }
        _ => BundleError::Sqlite(error),
    }
}

fn readable(table: &'static str, column: &str, text: &[u8]) -> Result<String, BundleError> {
    let text = std::str::from_utf8(text).map_err(|_| BundleError::Row {
        table,
        id: String::new(),
        problem: format!("`{column}` is no UTF-8 text"),
    })?;
    // Postgres has no place for it
    Ok(text.replace('\0', ""))
}

/// Serde quotes what it did not expect, and that may be a secret.
fn without_value(error: &serde_json::Error) -> String {
    format!("no JSON of this kind at column {}", error.column())
}
