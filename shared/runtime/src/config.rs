//! Boot settings: defaults < file < environment < flags, one struct per plane.
//!
//! Environment values arrive as text and are read as what the setting needs, so a password of digits stays a
//! password; an empty value is none, as shells and Compose files write it. Unknown keys are errors, in the file
//! and among the plane's own environment names: a setting that is silently ignored is worse than one that stops
//! the start. Error texts name the source and never the value.

use figment::error::Kind;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The tables one settings file may have: it serves every program.
const TABLES: [&str; 3] = ["controlplane", "dataplane", "standalone"];

/// Where a plane's settings come from.
pub struct Sources<P> {
    /// A TOML file; missing is an error when it was named.
    pub file: Option<PathBuf>,
    /// Of the environment names that map by `__` to nested keys, e.g. `OMNIROUTE_DATAPLANE__`.
    pub prefix: &'static str,
    /// The table of the file that belongs to this plane.
    pub section: &'static str,
    /// Documented environment names without a prefix, and the dotted key each of them sets. A prefixed name wins.
    pub flat: &'static [(&'static str, &'static str)],
    /// What the command line says.
    pub flags: P,
}

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("settings file {}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("environment variable {name} is not UTF-8 text")]
    NotText { name: String },
    #[error("{0}")]
    Setting(String),
}

/// Values and the name of the place they came from.
struct Source {
    name: String,
    values: Dict,
}

/// Reads every source of this process.
pub fn load<T: DeserializeOwned>(sources: Sources<impl Provider>) -> Result<T, ConfigError> {
    load_from(sources, std::env::vars_os())
}

/// Like [`load`], with the environment given as values.
pub fn load_from<T: DeserializeOwned>(
    sources: Sources<impl Provider>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<T, ConfigError> {
    let mut figment = Figment::new();
    if let Some(path) = sources.file {
        let name = format!("settings file {}", path.display());
        let values =
            read_section(&path, sources.section).map_err(|reason| ConfigError::File { path, reason })?;
        figment = figment.merge(Source { name, values });
    }
    let (flat, prefixed) = pick(environment, sources.prefix, sources.flat)?;
    for source in flat.into_iter().chain(prefixed) {
        figment = figment.merge(source);
    }
    figment
        .merge(sources.flags)
        .extract_lossy()
        .map_err(|error| ConfigError::Setting(describe(&error)))
}

/// The plane's table of the file; a file without it sets nothing.
fn read_section(path: &Path, section: &str) -> Result<Dict, String> {
    let mut tables: Dict = Figment::from(Toml::file_exact(path))
        .extract()
        .map_err(|error| describe(&error))?;
    let stray = tables
        .keys()
        .find(|key| *key != section && !TABLES.contains(&key.as_str()));
    if let Some(key) = stray {
        return Err(format!(
            "unknown table or key `{key}`; settings belong below [{section}]"
        ));
    }
    match tables.remove(section) {
        Some(Value::Dict(_, table)) => Ok(table),
        Some(_) => Err(format!("`{section}` must be a table")),
        None => Ok(Dict::new()),
    }
}

/// The variables that are settings, one source each: first those with flat names, then those with the prefix.
fn pick(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    prefix: &str,
    flat: &[(&str, &str)],
) -> Result<(Vec<Source>, Vec<Source>), ConfigError> {
    let (mut by_flat_name, mut by_prefix) = (Vec::new(), Vec::new());
    for (name, value) in environment {
        // other programs' variables may be anything
        let Ok(name) = name.into_string() else { continue };
        let nested = name
            .strip_prefix(prefix)
            .map(|key| key.to_ascii_lowercase().replace("__", "."));
        let named = flat
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, key)| (*key).to_owned());
        let (into, key) = match (nested, named) {
            (Some(key), _) => (&mut by_prefix, key),
            (None, Some(key)) => (&mut by_flat_name, key),
            (None, None) => continue,
        };
        let Ok(value) = value.into_string() else {
            return Err(ConfigError::NotText { name });
        };
        if value.is_empty() {
            continue;
        }
        into.push(Source {
            name: format!("environment variable {name}"),
            values: nest(&key, &value),
        });
    }
    Ok((by_flat_name, by_prefix))
}

/// `edge.idle_ms` as a table in a table. The value stays text.
fn nest(key: &str, value: &str) -> Dict {
    let (first, value) = match key.split_once('.') {
        Some((first, rest)) => (first, Value::Dict(Tag::Default, nest(rest, value))),
        None => (key, Value::from(value)),
    };
    Dict::from([(first.to_owned(), value)])
}

/// What is wrong, where it came from, and nothing of the value: it may be a secret.
fn describe(error: &figment::Error) -> String {
    let key = error.path.join(".");
    let problem = match &error.kind {
        Kind::InvalidType(_, expected)
        | Kind::InvalidValue(_, expected)
        | Kind::InvalidLength(_, expected) => format!("`{key}` must be {}", in_words(expected)),
        Kind::UnknownVariant(_, known) => format!("`{key}` must be one of: {}", known.join(", ")),
        // the path ends with the unknown key itself
        Kind::UnknownField(_, known) => format!("unknown setting `{key}`; known here: {}", known.join(", ")),
        Kind::MissingField(name) if key.is_empty() => format!("setting `{name}` is missing"),
        Kind::MissingField(name) => format!("setting `{key}.{name}` is missing"),
        Kind::Message(message) if key.is_empty() => message.clone(),
        Kind::Message(message) => format!("`{key}`: {message}"),
        _ => format!("`{key}` is not valid"),
    };
    match error.metadata.as_ref().map(|metadata| metadata.name.as_ref()) {
        Some(source) => format!("{problem} (from {source})"),
        None => problem,
    }
}

/// Serde's words for what it expected, where they are names of Rust types.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative and not too large",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number, not too large",
        "f32" | "f64" => "a number",
        "bool" | "a boolean" => "true or false",
        other => other,
    }
}

// === impl Source ===

impl Provider for Source {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        // serialised once more, so that values lose the tags of an earlier reading, which would hide this source
        Serialized::defaults(&self.values).data()
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
        mode: Mode,
        edge: Edge,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        #[default]
        Quiet,
        Loud,
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

    fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    fn refusal(file: Option<PathBuf>, pairs: &[(&str, &str)]) -> String {
        load_from::<Settings>(sources(file), environment(pairs))
            .unwrap_err()
            .to_string()
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
            file("[gateway]\nlisten = \"a\"\nport = 1\n[gateway.edge]\nidle_ms = 5\n[dataplane]\nx = 1\n");
        let given = environment(&[
            ("PORT", "2"),
            ("GATEWAY__EDGE__IDLE_MS", "7"),
            ("REQUIRE_KEY", "true"),
            ("GATEWAY__MODE", "loud"),
            ("HOME", "/root"),
        ]);
        let settings: Settings = load_from(sources(Some(path)), given).unwrap();
        assert_eq!((settings.listen.as_str(), settings.port), ("a", Some(2)));
        assert_eq!((settings.edge.idle_ms, settings.edge.require_key), (7, true));
        assert_eq!(settings.mode, Mode::Loud);
    }

    #[test]
    fn a_prefixed_name_wins_over_a_flat_one_and_a_flag_over_both() {
        let given = [("GATEWAY__PORT", "3"), ("PORT", "2")];
        let settings: Settings = load_from(sources(None), environment(&given)).unwrap();
        assert_eq!(settings.port, Some(3));
        let flagged = Sources {
            flags: Serialized::globals(Dict::from([("port".to_owned(), Value::from(4))])),
            ..sources(None)
        };
        let settings: Settings = load_from(flagged, environment(&given)).unwrap();
        assert_eq!(settings.port, Some(4));
    }

    #[test]
    fn a_password_of_digits_stays_text() {
        let settings: Settings = load_from(sources(None), environment(&[("PASSWORD", "0071")])).unwrap();
        assert_eq!(settings.password.expose(), "0071");
    }

    #[test]
    fn an_empty_variable_sets_nothing() {
        let given = environment(&[("PORT", ""), ("GATEWAY__EDGE__IDLE_MS", "")]);
        let settings: Settings = load_from(sources(None), given).unwrap();
        assert_eq!((settings.port, settings.edge.idle_ms), (None, 0));
    }

    #[test]
    fn a_variable_that_is_not_text_matters_only_if_it_is_ours() {
        use std::os::unix::ffi::OsStringExt;
        let raw = || OsString::from_vec(vec![0xff]);
        load_from::<Settings>(sources(None), [("THEIRS".into(), raw()), (raw(), raw())]).unwrap();
        let error = load_from::<Settings>(sources(None), [("PASSWORD".into(), raw())]).unwrap_err();
        assert!(error.to_string().contains("PASSWORD"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_source_and_without_its_value() {
        // (variable, value, all that the message says)
        let table = [
            (
                "PORT",
                "sk-secret",
                "`port` must be a whole number, not negative and not too large (from environment variable PORT)",
            ),
            (
                "GATEWAY__MODE",
                "sk-secret",
                "`mode` must be one of: quiet, loud (from environment variable GATEWAY__MODE)",
            ),
            (
                "GATEWAY__EDGE__IDLE",
                "sk-secret",
                "unknown setting `edge.idle`; known here: require_key, idle_ms (from environment variable GATEWAY__EDGE__IDLE)",
            ),
            (
                "GATEWAY__PORTT",
                "sk-secret",
                "unknown setting `portt`; known here: listen, port, password, mode, edge (from environment variable GATEWAY__PORTT)",
            ),
        ];
        for (name, value, expected) in table {
            assert_eq!(refusal(None, &[(name, value)]), expected);
        }
    }

    #[test]
    fn unknown_keys_of_the_file_are_refused_and_named() {
        let (_scratch, path) = file("[gateway]\nlissten = \"a\"\n");
        let error = refusal(Some(path.clone()), &[]);
        assert!(error.contains("`lissten`") && error.contains("listen"), "{error}");
        assert!(
            error.ends_with(&format!("(from settings file {})", path.display())),
            "{error}"
        );
        for text in ["[gatewai]\nport = 1\n", "port = 1\n"] {
            let (_scratch, path) = file(text);
            let error = refusal(Some(path), &[]);
            assert!(error.contains("[gateway]"), "{error}");
        }
    }

    #[test]
    fn a_named_file_that_is_missing_or_broken_is_an_error() {
        let error = load_from::<Settings>(sources(Some("/nowhere/omniroute.toml".into())), []).unwrap_err();
        assert!(matches!(error, ConfigError::File { .. }), "{error}");
        let (_scratch, path) = file("gateway = 3\n");
        let error = refusal(Some(path), &[]);
        assert!(error.contains("must be a table"), "{error}");
        let (_scratch, path) = file("[gateway\n");
        let error = load_from::<Settings>(sources(Some(path)), []).unwrap_err();
        assert!(matches!(error, ConfigError::File { .. }), "{error}");
    }
}
