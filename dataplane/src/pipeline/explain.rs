//! What operators ask a running data plane about its routing: where a request would go now, and whether models
//! answer. Neither is a client's request: no key is spent, nothing is counted or written down.

use super::Gateway;
use super::authenticate::Caller;
use super::choose::{self, Rotation};
use super::exchange::Exchange;
use super::lease::{Held, Lease};
use super::media::Media;
use super::plan::{self, Plan};
use crate::routing::Table;
use futures::stream::{self, StreamExt};
use http::HeaderMap;
use llm::translate::CallError;
use llm::{Ask, Dialect, ModelCaps, ReplySeed, Target};
use proto::v1::{Explain, Explained, Probe, Probed, probed::Answer};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Models that are asked at the same time.
const AT_ONCE: usize = 4;
/// When the operator does not say how long to wait.
const PATIENCE: Duration = Duration::from_secs(15);
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
    let patience = match asked.timeout_ms {
        0 => PATIENCE,
        ms => Duration::from_millis(ms.into()),
    };
    let answers = stream::iter(asked.models).map(|model| answer(gateway, model, patience));
    Probed {
        answers: answers.buffered(AT_ONCE).collect().await,
    }
}

async fn answer(gateway: &Gateway, model: String, patience: Duration) -> Answer {
    let began = Instant::now();
    let outcome = match timeout(patience, ask(gateway, &model, patience)).await {
        Ok(outcome) => outcome,
        Err(_) => Err((0, "the provider did not answer in time".to_owned())),
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
        Err((status, error)) => Answer {
            model,
            ok: false,
            http_status: status.into(),
            error,
            latency_ms,
        },
    }
}

async fn ask(gateway: &Gateway, model: &str, patience: Duration) -> Result<(), (u16, String)> {
    let said = |error: &dyn std::fmt::Display| (0, error.to_string());
    let table: Arc<Table> = gateway
        .routing
        .load()
        .ok_or((0, "this data plane has no configuration yet".to_owned()))?;
    let plan = plan::candidates(&table, Caller { key: None }, model, None).map_err(|error| said(&error))?;
    let body = serde_json::json!({
        "model": model,
        "messages": [{ "role": "user", "content": "Reply with the word OK." }],
        "max_tokens": TOKENS,
    });
    let ask = Ask::read(Dialect::OpenAiChat, body.to_string().into()).map_err(|error| said(&error))?;
    let chosen = choose::choose(&plan, table.choice(), &[], Rotation::Peek);
    // an account that rests is asked too: whether it answers again is the question
    let (route, connection) = chosen
        .steps
        .first()
        .map_or_else(|| first(&plan), |step| Some((step.route, step.connection)))
        .ok_or((0, "there is no account to ask".to_owned()))?;
    let route = &plan.resolution.routes()[route];
    let connection = &route.provider.connections[connection];
    let target = Target {
        dialect: connection.dialect,
        model: route.model.to_string(),
        caps: ModelCaps::of(connection.dialect, &route.model),
    };
    let until = Instant::now() + patience;
    let call = match Media::default().call(gateway, &ask, &target, until).await {
        Ok(call) => call,
        Err(CallError::Decode(error)) => return Err(said(&error)),
        Err(CallError::Encode(error)) => return Err(said(&error)),
    };
    let exchange = Exchange {
        gateway,
        ask: &ask,
        client_headers: &HeaderMap::new(),
        seed: ReplySeed {
            id: "probe".to_owned(),
            model: model.to_owned(),
            ..ReplySeed::default()
        },
        until,
    };
    let lease = Lease::new(connection, route, &[], None, Held::default());
    match exchange.attempt(&call, &lease).await {
        Ok(_) => Ok(()),
        Err(error) => Err((error.status.unwrap_or(0), error.message)),
    }
}

fn first(plan: &Plan) -> Option<(usize, usize)> {
    plan.routes()
        .find(|(_, route)| !route.provider.connections.is_empty())
        .map(|(route, _)| (route, 0))
}
