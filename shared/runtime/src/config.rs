//! Boot settings: defaults < file < environment < flags, one struct per plane.
//!
//! Environment values arrive as text and are read as what the setting needs, so a password of digits stays a
//! password. Unknown keys are errors, in the file and among the plane's own environment names: a setting that
//! is silently ignored is worse than one that stops the start. Error texts name the source and never the value.

use figment::error::Kind;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Where a plane's settings come from.
pub struct Sources<P> {
    /// A TOML file; missing is an error when it was named.
    pub file: Option<PathBuf>,
    /// Of the environment names that map by `__` to nested keys, e.g. `OMNIROUTE_DATAPLANE__`.
    pub prefix: &'static str,
    /// The table of the file that belongs to this plane.
    pub section: &'static str,
    /// Documented environment names without a prefix, and the dotted key each of them sets.
    pub flat: &'static [(&'static str, &'static str)],
    /// What the command line says.
    pub flags: P,
}

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("settings file {}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("{0}")]
    Setting(String),
}

/// Environment variables as a provider that keeps every value as text.
struct Environment {
    name: &'static str,
    values: Vec<(String, String)>,
}

/// Reads every source of this process.
pub fn load<T: DeserializeOwned>(sources: Sources<impl Provider>) -> Result<T, ConfigError> {
    load_from(sources, std::env::vars())
}

/// Like [`load`], with the environment given as values.
pub fn load_from<T: DeserializeOwned>(
    sources: Sources<impl Provider>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let mut flat = Vec::new();
    let mut prefixed = Vec::new();
    for (name, value) in environment {
        if let Some(key) = name.strip_prefix(sources.prefix) {
            prefixed.push((key.to_ascii_lowercase().replace("__", "."), value));
            continue;
        }
        if let Some((_, key)) = sources.flat.iter().find(|(known, _)| *known == name) {
            flat.push(((*key).to_owned(), value));
        }
    }

    let mut figment = Figment::new();
    if let Some(path) = sources.file {
        let section = read_section(&path, sources.section).map_err(|error| ConfigError::File {
            path,
            reason: describe(&error),
        })?;
        figment = figment.merge(Serialized::defaults(section));
    }
    figment
        .merge(Environment {
            name: "environment",
            values: flat,
        })
        .merge(Environment {
            name: "environment",
            values: prefixed,
        })
        .merge(sources.flags)
        .extract_lossy()
        .map_err(|error| ConfigError::Setting(describe(&error)))
}

/// The plane's table of the file; a file without it sets nothing.
fn read_section(path: &Path, section: &str) -> Result<Dict, Box<figment::Error>> {
    let mut tables: Dict = Figment::from(Toml::file_exact(path))
        .extract()
        .map_err(Box::new)?;
    match tables.remove(section) {
        Some(Value::Dict(_, table)) => Ok(table),
        Some(_) => Err(Box::new(figment::Error::from(format!(
            "`{section}` must be a table"
        )))),
        None => Ok(Dict::new()),
    }
}

/// What is wrong, where it came from, and nothing of the value: it may be a secret.
fn describe(error: &figment::Error) -> String {
    let key = error.path.join(".");
    let problem = match &error.kind {
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            format!("`{key}` must be {expected}")
        }
        Kind::UnknownField(name, known) => {
            let place = if key.is_empty() {
                name.clone()
            } else {
                format!("{key}.{name}")
            };
            format!(
                "unknown setting `{}`; known here: {}",
                place.replace("..", "."),
                known.join(", ")
            )
        }
        Kind::MissingField(name) => format!("setting `{name}` is missing"),
        Kind::Message(message) if key.is_empty() => message.clone(),
        Kind::Message(message) => format!("`{key}`: {message}"),
        _ => format!("`{key}` is not valid"),
    };
    match error.metadata.as_ref().map(|metadata| metadata.name.as_ref()) {
        Some(source) => format!("{problem} (from {source})"),
        None => problem,
    }
}

// === impl Environment ===

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut root = Dict::new();
        for (key, value) in &self.values {
            insert(&mut root, key, value);
        }
        Ok(Map::from([(Profile::Default, root)]))
    }
}

fn insert(dict: &mut Dict, key: &str, value: &str) {
    let Some((first, rest)) = key.split_once('.') else {
        dict.insert(key.to_owned(), Value::from(value));
        return;
    };
    let child = dict
        .entry(first.to_owned())
        .or_insert_with(|| Value::Dict(Tag::Default, Dict::new()));
    if let Value::Dict(_, child) = child {
        insert(child, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        listen: String,
        port: Option<u16>,
        password: Secret<String>,
        edge: Edge,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Edge {
        require_key: bool,
        idle_ms: u64,
    }

    fn sources(file: Option<PathBuf>) -> Sources<Serialized<Dict>> {
        Sources {
            file,
            prefix: "GATEWAY__",
            section: "gateway",
            flat: &[
                ("PORT", "port"),
                ("PASSWORD", "password"),
                ("REQUIRE_KEY", "edge.require_key"),
            ],
            flags: Serialized::globals(Dict::new()),
        }
    }

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("omniroute.toml");
        std::fs::write(&path, text).unwrap();
        (scratch, path)
    }

    #[test]
    fn the_environment_wins_over_the_file_and_nests_by_double_underscore() {
        let (_scratch, path) =
            file("[gateway]\nlisten = \"a\"\nport = 1\n[gateway.edge]\nidle_ms = 5\n[other]\nx = 1\n");
        let given = environment(&[
            ("PORT", "2"),
            ("GATEWAY__EDGE__IDLE_MS", "7"),
            ("REQUIRE_KEY", "true"),
        ]);
        let settings: Settings = load_from(sources(Some(path)), given).unwrap();
        assert_eq!((settings.listen.as_str(), settings.port), ("a", Some(2)));
        assert_eq!((settings.edge.idle_ms, settings.edge.require_key), (7, true));
    }

    #[test]
    fn a_password_of_digits_stays_text() {
        let settings: Settings = load_from(sources(None), environment(&[("PASSWORD", "0071")])).unwrap();
        assert_eq!(settings.password.expose(), "0071");
    }

    #[test]
    fn unknown_keys_are_refused_and_named() {
        let (_scratch, path) = file("[gateway]\nlissten = \"a\"\n");
        let error = load_from::<Settings>(sources(Some(path)), [])
            .unwrap_err()
            .to_string();
        assert!(error.contains("lissten") && error.contains("listen"), "{error}");
        let given = environment(&[("GATEWAY__EDGE__IDLE", "7")]);
        let error = load_from::<Settings>(sources(None), given)
            .unwrap_err()
            .to_string();
        assert!(error.contains("idle") && error.contains("idle_ms"), "{error}");
    }

    #[test]
    fn a_wrong_value_is_named_but_not_printed() {
        let error = load_from::<Settings>(sources(None), environment(&[("PORT", "sk-secret")]))
            .unwrap_err()
            .to_string();
        assert!(error.contains("port") && error.contains("environment"), "{error}");
        assert!(!error.contains("sk-secret"), "{error}");
    }

    #[test]
    fn a_named_file_that_is_missing_or_broken_is_an_error() {
        let error = load_from::<Settings>(sources(Some("/nowhere/omniroute.toml".into())), []).unwrap_err();
        assert!(matches!(error, ConfigError::File { .. }), "{error}");
        let (_scratch, path) = file("gateway = 3\n");
        let error = load_from::<Settings>(sources(Some(path)), [])
            .unwrap_err()
            .to_string();
        assert!(error.contains("must be a table"), "{error}");
        let (_scratch, path) = file("[gateway\n");
        let error = load_from::<Settings>(sources(Some(path)), []).unwrap_err();
        assert!(matches!(error, ConfigError::File { .. }), "{error}");
    }
}
