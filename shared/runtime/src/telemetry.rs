//! Logs: one subscriber per process, to standard error, with a filter that can be changed while it runs. Traces and
//! metrics: to a collector, if there is one.

mod lines;
mod measures;
mod traces;

pub use lines::{LEVELS, Line, Lines, Wanted};
pub use measures::{Measures, MeasuresConfig, MeasuresError};
pub use traces::{Traces, TracesConfig, TracesError};

use serde::Deserialize;
use std::io::{self, IsTerminal};
use thiserror::Error;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Directives as in `info,dataplane=debug`.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

#[derive(Debug, Error)]
pub enum TelemetryError {
    #[error("log filter `{filter}` is not valid; write levels as in `info,dataplane=debug`")]
    Filter { filter: String },
    #[error("logging was set up twice")]
    Twice,
}

/// Holds the way to change the filter.
#[derive(Clone)]
pub struct TelemetryGuard {
    filter: reload::Handle<EnvFilter, Registry>,
    lines: Lines,
}

// === impl TelemetryConfig ===

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            json: false,
        }
    }
}

// === impl TelemetryGuard ===

impl TelemetryGuard {
    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Replaces the filter from now on; one that cannot be read leaves the old one.
    pub fn set_filter(&self, filter: &str) -> Result<(), TelemetryError> {
        self.filter
            .reload(parse(filter)?)
            .map_err(|_| TelemetryError::Filter {
                filter: filter.to_owned(),
            })
    }
}

/// From here on, what passes the filter is written to standard error, and the last of it is kept.
pub fn init(config: &TelemetryConfig) -> Result<TelemetryGuard, TelemetryError> {
    let (filter, handle) = reload::Layer::new(parse(&config.filter)?);
    let lines = Lines::default();
    let registry = tracing_subscriber::registry().with(filter).with(lines.clone());
    let done = if config.json {
        registry
            .with(fmt::layer().json().with_writer(io::stderr))
            .try_init()
    } else {
        // colours in a file or a container's log are noise that breaks searching
        let text = fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal());
        registry.with(text).try_init()
    };
    done.map_err(|_| TelemetryError::Twice)?;
    Ok(TelemetryGuard {
        filter: handle,
        lines,
    })
}

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter).map_err(|_| TelemetryError::Filter {
        filter: filter.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_with_an_example() {
        let error = parse("dataplane=loud").unwrap_err().to_string();
        assert!(error.contains("dataplane=debug"), "{error}");
    }

    #[test]
    fn the_filter_changes_while_the_process_runs() {
        let config = TelemetryConfig {
            filter: "error".to_owned(),
            json: true,
        };
        let guard = init(&config).unwrap();
        assert!(!tracing::enabled!(tracing::Level::DEBUG));
        guard.set_filter("debug").unwrap();
        assert!(tracing::enabled!(tracing::Level::DEBUG));
        guard.set_filter("runtime=loud").unwrap_err();
        assert!(tracing::enabled!(tracing::Level::DEBUG));
        guard.set_filter("error").unwrap();
        assert!(!tracing::enabled!(tracing::Level::DEBUG));
        assert!(matches!(init(&config), Err(TelemetryError::Twice)));
    }
}
