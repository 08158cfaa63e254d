//! What was used, for an export that asks for it. It is handed out and never taken over.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// The newest so many requests; a log without an end has no place in one file.
const EVENTS: i64 = 250_000;

#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Fill the table of usage.
    pub history: bool,
    /// Fill the table of requests.
    pub logs: bool,
    pub events: Vec<Event>,
    pub costs: Vec<Cost>,
    /// There are more than that.
    pub truncated: bool,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub request_id: Uuid,
    pub started_at: DateTime<Utc>,
    pub duration_ms: i32,
    pub key_id: Option<Uuid>,
    pub key_name: Option<String>,
    pub endpoint: String,
    pub client_dialect: String,
    pub upstream_dialect: Option<String>,
    pub model: String,
    pub provider: Option<String>,
    pub connection_id: Option<Uuid>,
    pub account: Option<String>,
    pub combo: Option<String>,
    pub http_status: i32,
    pub outcome: String,
    pub error_code: Option<String>,
    pub input: i64,
    pub cache_read: i64,
    pub cache_write: i64,
    pub output: i64,
    pub reasoning: i64,
    /// It counts, and is not shown by itself.
    pub no_log: bool,
}

/// Of one key, in a quarter of an hour.
#[derive(Clone, Debug)]
pub struct Cost {
    pub key_id: Uuid,
    pub quarter: DateTime<Utc>,
    pub cost_nano: i64,
}

// === impl Usage ===

impl Usage {
    pub async fn load(conn: &mut PgConnection, history: bool, logs: bool) -> Result<Self, sqlx::Error> {
        if !history && !logs {
            return Ok(Self::default());
        }
        let mut events = sqlx::query_as!(
            Event,
            r#"select request_id, started_at, duration_ms, key_id, key_name, endpoint, client_dialect,
                      upstream_dialect, coalesce(model_served, model_requested) as "model!", usage_event.provider,
                      connection_id, coalesce(c.name, c.display_name, c.email) as account, combo, http_status,
                      outcome, usage_event.error_code, input_uncached as input, input_cache_read as cache_read,
                      input_cache_write as cache_write, output_visible as output, output_reasoning as reasoning,
                      no_log is true as "no_log!"
               from usage_event left join provider_connection c on c.id = connection_id
               order by started_at desc, request_id desc limit $1"#,
            EVENTS + 1,
        )
        .fetch_all(&mut *conn)
        .await?;
        let truncated = events.len() > usize::try_from(EVENTS).unwrap_or(usize::MAX);
        events.truncate(usize::try_from(EVENTS).unwrap_or(usize::MAX));
        let costs = match history {
            true => {
                sqlx::query_as!(
                    Cost,
                    "select key_id, quarter, cost_nano from spending order by quarter, key_id"
                )
                .fetch_all(conn)
                .await?
            }
            false => Vec::new(),
        };
        Ok(Self {
            history,
            logs,
            events,
            costs,
            truncated,
        })
    }
}
