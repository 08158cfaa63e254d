//! A question that an operator puts to a model: whole, in any dialect, and with the text of the answer as the point of
//! it. No key is charged, no cache is asked, nothing is written down, and no account is punished for what it says.

use super::Gateway;
use super::authenticate::Caller;
use super::choose::{self, Rotation, Step};
use super::exchange::{Exchange, Reply, Sent};
use super::lease::{Held, Lease};
use super::media::Media;
use super::plan::{self, Plan};
use crate::routing::{Route, Table};
use bytes::Bytes;
use chrono::Utc;
use http::HeaderMap;
use llm::translate::CallError;
use llm::{Address, Ask, Dialect, ErrorKind, Framing, ModelCaps, ReplySeed, Target, UpstreamError};
use proto::v1::{self, Asked};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// When the operator does not say how long to wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// Accounts that are tried for one question.
const ACCOUNTS: usize = 3;
/// What one command can bring back.
const ANSWER_BYTES: usize = 1024 * 1024;

/// A whole answer in the dialect of the question, and where it comes from.
pub(super) struct Answer {
    pub body: Bytes,
    pub route: Route,
}

/// Why there is none.
pub(super) struct Failure {
    /// The provider's, if one was asked and had one; 400 where the question itself cannot be put to anybody.
    pub status: u16,
    pub message: String,
    /// The last one that was asked.
    pub provider: Option<String>,
}

/// Puts a question to the accounts that its model stands for, one after the other.
pub async fn question(gateway: &Arc<Gateway>, asked: v1::Ask) -> Asked {
    let began = Instant::now();
    let patience = patience(asked.timeout_ms);
    let outcome = timeout(patience, answer(gateway, asked, began + patience)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(Failure::of("the provider did not answer in time")));
    let latency_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
    match outcome {
        Ok(Answer { body, route }) => Asked {
            ok: true,
            http_status: 200,
            body: body.into(),
            error: String::new(),
            latency_ms,
            provider: route.provider.id.to_string(),
            model: route.model.to_string(),
        },
        Err(failure) => Asked {
            ok: false,
            http_status: failure.status.into(),
            error: failure.message,
            latency_ms,
            provider: failure.provider.unwrap_or_default(),
            ..Asked::default()
        },
    }
}

async fn answer(gateway: &Gateway, asked: v1::Ask, until: Instant) -> Result<Answer, Failure> {
    let table = running(gateway)?;
    let dialect = Dialect::named(&asked.dialect)
        .ok_or_else(|| Failure::impossible(format!("there is no dialect `{}`", asked.dialect)))?;
    let key = match asked.api_key_id.as_str() {
        "" => None,
        id => Some(
            table
                .key_by_id(id)
                .cloned()
                .ok_or_else(|| Failure::impossible("there is no such API key"))?,
        ),
    };
    let ask = match dialect {
        // its address names the model, and whether the answer comes in one piece
        Dialect::Gemini => {
            let address = Address {
                model: asked.model,
                stream: false,
                framing: Framing::Native,
            };
            Ask::read_at(dialect, address, asked.body.into())
        }
        _ => Ask::read(dialect, asked.body.into()),
    };
    let ask = ask.map_err(Failure::impossible)?;
    if ask.stream() {
        return Err(Failure::impossible(
            "only a whole answer can be had: set stream to false",
        ));
    }
    let plan = plan::candidates(&table, Caller { key }, ask.model(), None).map_err(Failure::impossible)?;
    let mut failure = Failure::of("there is no account to ask");
    for step in steps(&plan, &table).into_iter().take(ACCOUNTS) {
        let provider = &plan.resolution.routes()[step.route].provider.id;
        match put(gateway, &plan, step, &ask, until).await {
            Ok(answer) => return Ok(answer),
            Err(last) => {
                failure = Failure {
                    provider: Some(provider.to_string()),
                    ..last
                }
            }
        }
    }
    Err(failure)
}

pub(super) fn running(gateway: &Gateway) -> Result<Arc<Table>, Failure> {
    let table = gateway.routing.load();
    table.ok_or_else(|| Failure::of("this data plane has no configuration yet"))
}

pub(super) fn patience(timeout_ms: u32) -> Duration {
    match timeout_ms {
        0 => PATIENCE,
        ms => Duration::from_millis(ms.into()),
    }
}

/// The accounts in the order in which a request would try them. Without any that works, the first one there is:
/// whether it answers again may be the question.
pub(super) fn steps(plan: &Plan, table: &Table) -> Vec<Step> {
    let chosen = choose::choose(plan, table.choice(), &[], Rotation::Peek);
    if !chosen.steps.is_empty() {
        return chosen.steps;
    }
    let first = plan
        .routes()
        .find(|(_, route)| !route.provider.connections.is_empty());
    first
        .map(|(route, _)| Step { route, connection: 0 })
        .into_iter()
        .collect()
}

/// Puts a question to one account.
pub(super) async fn put(
    gateway: &Gateway,
    plan: &Plan,
    step: Step,
    ask: &Ask,
    until: Instant,
) -> Result<Answer, Failure> {
    let route = &plan.resolution.routes()[step.route];
    let connection = &route.provider.connections[step.connection];
    let target = Target {
        dialect: connection.dialect,
        model: route.model.to_string(),
        caps: ModelCaps::of(connection.dialect, &route.model),
    };
    let call = match Media::default().call(gateway, ask, &target, until).await {
        Ok(call) => call,
        Err(CallError::Decode(error)) => return Err(Failure::of(error)),
        Err(CallError::Encode(error)) => return Err(Failure::of(error)),
    };
    let exchange = Exchange {
        gateway,
        sent: Sent {
            ask,
            headers: &HeaderMap::new(),
            files: &[],
        },
        seed: ReplySeed {
            id: Uuid::now_v7().simple().to_string(),
            created: u64::try_from(Utc::now().timestamp()).unwrap_or(0),
            model: ask.model().to_owned(),
            ..ReplySeed::default()
        },
        until,
    };
    let seats = plan.resolution.seats(step.route);
    let lease = Lease::new(connection, route, seats, None, Held::default());
    match exchange.attempt(&call, &lease).await? {
        Reply::Whole { body, .. } if body.len() > ANSWER_BYTES => Err(Failure::of(format!(
            "the answer is larger than {ANSWER_BYTES} bytes"
        ))),
        Reply::Whole { body, .. } => Ok(Answer {
            body,
            route: route.clone(),
        }),
        Reply::Stream { .. } => {
            Err(UpstreamError::new(ErrorKind::Upstream5xx, "the answer is a stream").into())
        }
    }
}

// === impl Failure ===

impl Failure {
    pub(super) fn of(message: impl Display) -> Self {
        Self {
            status: 0,
            message: message.to_string(),
            provider: None,
        }
    }

    fn impossible(message: impl Display) -> Self {
        Self {
            status: 400,
            ..Self::of(message)
        }
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        Self {
            status: error.status.unwrap_or(0),
            message: error.message,
            provider: None,
        }
    }
}
