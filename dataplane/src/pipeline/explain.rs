//! What operators ask a running data plane about its routing: where a request would go now, and whether models
//! answer. Neither is a client's request: no key is spent, nothing is counted or written down.

use super::Gateway;
use super::authenticate::Caller;
use super::choose::{self, Rotation};
use super::plan;
use super::question::{self, Failure};
use futures::stream::{self, StreamExt};
use llm::{Ask, Dialect};
use proto::v1::{Explain, Explained, Probe, Probed, probed::Answer};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Models that are asked at the same time.
const AT_ONCE: usize = 4;
/// Enough for a word.
const TOKENS: u32 = 5;

/// Decides without sending anything, and without taking anybody's turn.
pub fn explain(gateway: &Gateway, data_plane_id: &str, asked: &Explain) -> Explained {
    let refused = |refusal: String| Explained {
        refusal,
        data_plane_id: data_plane_id.to_owned(),
        ..Explained::default()
    };
    let Some(table) = gateway.routing.load() else {
        return refused("this data plane has no configuration yet".to_owned());
    };
    let config_revision = table.version().revision;
    let key = match asked.api_key_id.as_str() {
        "" => None,
        id => match table.key_by_id(id) {
            Some(key) => Some(key.clone()),
            None => return refused(format!("there is no API key with the id {id}")),
        },
    };
    let plan = match plan::candidates(&table, Caller { key }, &asked.model, None) {
        Ok(plan) => plan,
        Err(error) => {
            return Explained {
                config_revision,
                ..refused(error.to_string())
            };
        }
    };
    let session = match asked.session.as_str() {
        "" => Vec::new(),
        word => decision::session_hash(plan.tenant(), word).to_vec(),
    };
    let chosen = choose::choose(&plan, table.choice(), &session, Rotation::Peek);
    Explained {
        decision: Some(chosen.decision),
        refusal: String::new(),
        config_revision,
        data_plane_id: data_plane_id.to_owned(),
    }
}

/// Asks each model for a word, at its first account.
pub async fn probe(gateway: &Arc<Gateway>, asked: Probe) -> Probed {
    let patience = question::patience(asked.timeout_ms);
    let answers = stream::iter(asked.models).map(|model| answer(gateway, model, patience));
    Probed {
        answers: answers.buffered(AT_ONCE).collect().await,
    }
}

async fn answer(gateway: &Gateway, model: String, patience: Duration) -> Answer {
    let began = Instant::now();
    let outcome = match timeout(patience, ask(gateway, &model, began + patience)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::of("the provider did not answer in time")),
    };
    let latency_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
    match outcome {
        Ok(()) => Answer {
            model,
            ok: true,
            http_status: 200,
            error: String::new(),
            latency_ms,
        },
        Err(Failure { status, message, .. }) => Answer {
            model,
            ok: false,
            http_status: status.into(),
            error: message,
            latency_ms,
        },
    }
}

async fn ask(gateway: &Gateway, model: &str, until: Instant) -> Result<(), Failure> {
    let table = question::running(gateway)?;
    let plan = plan::candidates(&table, Caller { key: None }, model, None).map_err(Failure::of)?;
    let body = serde_json::json!({
        "model": model,
        "messages": [{ "role": "user", "content": "Reply with the word OK." }],
        "max_tokens": TOKENS,
    });
    let ask = Ask::read(Dialect::OpenAiChat, body.to_string().into()).map_err(Failure::of)?;
    let steps = question::steps(&plan, &table);
    let first = steps
        .first()
        .ok_or_else(|| Failure::of("there is no account to ask"))?;
    question::put(gateway, &plan, *first, &ask, until).await.map(drop)
}
