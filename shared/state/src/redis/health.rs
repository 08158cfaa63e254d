//! Transitions in Redis: a hash of subjects with a version, an index of it by version, and one of when to forget.

use super::{RedisStore, joined, milliseconds, within};
use crate::StoreError;
use crate::health::{HealthChanges, OPEN_REMEMBERED, REMEMBERED, Standing, Subject, Transition};
use redis::Script;
use std::sync::LazyLock;
use std::time::Duration;

static NOTE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("health.lua"),
        include_str!("health_note.lua")
    ))
});
static SINCE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("health.lua"),
        include_str!("health_since.lua")
    ))
});
static RELEASE_PROBE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("probe_release.lua")));

/// Scope, provider, connection, model; standing, milliseconds left, level or failures, limited, reason; since.
type Row = (
    String,
    String,
    String,
    String,
    String,
    u64,
    u32,
    bool,
    String,
    i64,
);

pub(super) async fn note(store: &RedisStore, transitions: &[Transition]) -> Result<(), StoreError> {
    if transitions.is_empty() {
        return Ok(());
    }
    let [health, order, forget] = keys(store);
    let mut call = NOTE.key(health);
    call.key(order).key(forget);
    for Transition {
        subject, standing, ..
    } in transitions
    {
        let (scope, provider, connection, model) = subject_parts(subject);
        let (name, number, limited, reason) = standing_parts(standing);
        let remembered = match standing {
            Standing::Open { .. } => OPEN_REMEMBERED,
            Standing::Fine | Standing::Resting { .. } => REMEMBERED,
        };
        call.arg(joined(&[scope, provider, connection, model]))
            .arg(scope)
            .arg(provider)
            .arg(connection)
            .arg(model)
            .arg(name)
            .arg(standing.left_ms())
            .arg(number)
            .arg(u8::from(limited))
            .arg(reason)
            .arg(milliseconds(remembered));
    }
    store.invoke(call).await
}

pub(super) async fn since(store: &RedisStore, version: u64) -> Result<HealthChanges, StoreError> {
    let [health, order, forget] = keys(store);
    let mut call = SINCE.key(health);
    call.key(order).key(forget).arg(version);
    let (version, complete, rows): (u64, bool, Vec<Row>) = store.invoke(call).await?;
    Ok(HealthChanges {
        version,
        complete,
        transitions: rows.into_iter().filter_map(transition).collect(),
    })
}

/// Waited for by a request, unlike the rest here.
pub(super) async fn claim_probe(
    store: &RedisStore,
    provider: &str,
    holder: &str,
    lease: Duration,
) -> Result<bool, StoreError> {
    let mut connection = store.connection.clone();
    let mut command = redis::cmd("SET");
    command
        .arg(probe_key(store, provider))
        .arg(holder)
        .arg("NX")
        .arg("PX")
        .arg(milliseconds(lease));
    let set: Option<String> = within(store.deadline, command.query_async(&mut connection)).await?;
    Ok(set.is_some())
}

pub(super) async fn release_probe(
    store: &RedisStore,
    provider: &str,
    holder: &str,
) -> Result<(), StoreError> {
    let mut call = RELEASE_PROBE.key(probe_key(store, provider));
    call.arg(holder);
    store.invoke(call).await
}

fn keys(store: &RedisStore) -> [String; 3] {
    ["{health}", "{health}:order", "{health}:forget"].map(|name| store.key(name))
}

fn probe_key(store: &RedisStore, provider: &str) -> String {
    store.key(&format!("probe:{provider}"))
}

fn subject_parts(subject: &Subject) -> (&'static str, &str, &str, &str) {
    match subject {
        Subject::Connection { provider, connection } => ("connection", provider, connection, ""),
        Subject::Model {
            provider,
            connection,
            model,
        } => ("model", provider, connection, model),
        Subject::Provider { provider } => ("provider", provider, "", ""),
    }
}

fn standing_parts(standing: &Standing) -> (&'static str, u32, bool, &str) {
    match standing {
        Standing::Fine => ("fine", 0, false, ""),
        Standing::Resting {
            limited,
            level,
            reason,
            ..
        } => ("resting", *level, *limited, reason),
        Standing::Open { failures, .. } => ("open", *failures, false, ""),
    }
}

/// None for what a newer version of this program noted and this one does not know.
fn transition(row: Row) -> Option<Transition> {
    let (scope, provider, connection, model, standing, left, number, limited, reason, since_ms) = row;
    let subject = match scope.as_str() {
        "connection" => Subject::Connection { provider, connection },
        "model" => Subject::Model {
            provider,
            connection,
            model,
        },
        "provider" => Subject::Provider { provider },
        _ => return None,
    };
    let left = Duration::from_millis(left);
    let standing = match standing.as_str() {
        "fine" => Standing::Fine,
        "resting" => Standing::Resting {
            left,
            limited,
            level: number,
            reason,
        },
        "open" => Standing::Open {
            left,
            failures: number,
        },
        _ => return None,
    };
    Some(Transition {
        subject,
        standing,
        since_ms,
    })
}
