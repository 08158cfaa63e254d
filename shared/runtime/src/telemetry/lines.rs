//! The last lines of this process's log, for operators who cannot look at its standard error.

use parking_lot::Mutex;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::fmt::{Debug, Display};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines that are kept.
const KEPT: usize = 2_000;
/// Of one text.
const CHARS: usize = 2_000;

/// Names of levels, the most severe first.
pub const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
/// Older lines are of no interest.
const SINCE: Duration = Duration::from_secs(3600);

/// A handle on the lines; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<VecDeque<Line>>>);

#[derive(Clone, Debug)]
pub struct Line {
    pub at: SystemTime,
    pub level: Level,
    /// The module that wrote it.
    pub target: String,
    pub message: String,
    pub fields: Map<String, Value>,
}

/// Which lines to show.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// One of [`LEVELS`], or worse; anything else is any level.
    pub level: String,
    /// A part of the program, such as `controlplane::publish`, with all below it; empty is all of it.
    pub component: String,
    pub limit: usize,
}

/// Takes an event apart.
#[derive(Default)]
struct Parts {
    message: String,
    fields: Map<String, Value>,
}

// === impl Lines ===

impl Lines {
    pub fn push(&self, line: Line) {
        let mut lines = self.0.lock();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The newest of those that are wanted, of the last hour, oldest first.
    pub fn newest(&self, wanted: &Wanted) -> Vec<Line> {
        let since = SystemTime::now().checked_sub(SINCE);
        let lines = self.0.lock();
        let mut newest: Vec<Line> = lines
            .iter()
            .rev()
            .filter(|line| since.is_none_or(|since| line.at >= since) && wanted.includes(line))
            .take(wanted.limit)
            .cloned()
            .collect();
        newest.reverse();
        newest
    }
}

// === impl Wanted ===

impl Wanted {
    fn includes(&self, line: &Line) -> bool {
        let rank = |name: &str| LEVELS.iter().position(|level| level.eq_ignore_ascii_case(name));
        let severe = match (rank(&self.level), rank(line.level.as_str())) {
            (Some(wanted), Some(found)) => found <= wanted,
            _ => true,
        };
        let below = line
            .target
            .strip_prefix(&self.component)
            .is_some_and(|rest| self.component.is_empty() || rest.is_empty() || rest.starts_with("::"));
        severe && below
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut parts = Parts::default();
        event.record(&mut parts);
        self.push(Line {
            at: SystemTime::now(),
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            message: parts.message,
            fields: parts.fields,
        });
    }
}

// === impl Parts ===

impl Parts {
    fn text(&mut self, field: &Field, text: impl Display) {
        let text: String = text.to_string().chars().take(CHARS).collect();
        match field.name() {
            "message" => self.message = text,
            name => drop(self.fields.insert(name.to_owned(), text.into())),
        }
    }

    fn value(&mut self, field: &Field, value: Value) {
        self.fields.insert(field.name().to_owned(), value);
    }
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.value(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.value(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.value(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.value(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn the_newest_lines_are_kept_with_their_fields() {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..KEPT + 5 {
                tracing::info!(number, "counted");
            }
            tracing::warn!(who = "me", error = %"broken", left = -1, "it {}", "failed");
        });
        let wanted = |limit: usize, level: &str| Wanted {
            level: level.to_owned(),
            limit,
            ..Wanted::default()
        };
        let found = lines.newest(&wanted(2, ""));
        assert_eq!(found[0].fields["number"], KEPT + 4);
        assert_eq!(
            (found[1].message.as_str(), found[1].level),
            ("it failed", Level::WARN)
        );
        let fields = serde_json::json!({ "who": "me", "error": "broken", "left": -1 });
        assert_eq!(Value::Object(found[1].fields.clone()), fields);
        assert!(found[1].target.ends_with("lines::tests"), "{}", found[1].target);
        assert_eq!(lines.newest(&wanted(usize::MAX, "trace")).len(), KEPT);
        assert_eq!(lines.newest(&wanted(5, "warn")).len(), 1);
    }
}
