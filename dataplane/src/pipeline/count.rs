//! How many tokens a request would have. Nothing is answered, nothing is paid for, nothing is written down.
//!
//! A provider that counts knows best. Counting is a courtesy to clients that pack their context by it, so it never
//! waits long and never fails because a provider does: the estimate steps in.

use super::plan::{self, Plan};
use super::{Arrival, Gateway, address, authenticate};
use crate::error::GatewayError;
use crate::routing::{Connection, Outlet, Route};
use crate::upstream::{self, Outgoing};
use bytes::Bytes;
use http::{HeaderMap, Method};
use llm::head::Head;
use llm::{DecodeError, Dialect, ModelCaps, Rewrite, Target, estimate, formats};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a provider may take to count.
const PATIENCE: Duration = Duration::from_secs(3);
/// A count is one number.
const MAX_BODY: usize = 64 * 1024;

/// What a client wants counted.
struct Question {
    dialect: Dialect,
    body: Bytes,
    /// What the configuration does to every request.
    rewrite: Option<Arc<Rewrite>>,
}

/// The input tokens of the request that arrived.
pub async fn count(gateway: &Arc<Gateway>, arrival: &mut Arrival) -> Result<u64, GatewayError> {
    let table = address::configuration(gateway, &arrival.parts)?;
    let caller = authenticate::caller(&table, &arrival.parts, gateway.asks_for_keys(&table))?;
    let body = arrival.read_body(&gateway.edge).await?;
    // what cannot be read is refused in the words of the client's own body
    let estimate = estimate::input_tokens(&body)?;
    let question = Question {
        dialect: arrival.endpoint.dialect,
        body,
        rewrite: table.rewrite().cloned(),
    };
    let estimate = match &question.rewrite {
        Some(_) => estimate::input_tokens(&question.body_for(&question.target(""))?)?,
        None => estimate,
    };
    let Some(model) = model(arrival, &question.body)? else {
        return Ok(estimate);
    };
    let plan = plan::candidates(&table, caller, &model, None)?;
    let asked = question.ask_provider(gateway, &arrival.parts.headers, &plan);
    let counted = timeout(PATIENCE, asked).await;
    Ok(counted.ok().flatten().unwrap_or(estimate))
}

// === impl Question ===

impl Question {
    /// Where the request would go first, asked in the client's own words: anything else would count other words.
    async fn ask_provider(&self, gateway: &Gateway, client_headers: &HeaderMap, plan: &Plan) -> Option<u64> {
        let (position, route) = plan.routes().next()?;
        let connection = first_account(plan, route)?;
        if connection.dialect != self.dialect {
            return None;
        }
        let url = connection.count_url(&route.model)?;
        let format = formats::of(self.dialect);
        let target = self.target(&route.model);
        let client = |name: &'static str| client_headers.get(name)?.to_str().ok().map(str::to_owned);
        let mut dialect_headers = vec![
            ("content-type", "application/json".to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        dialect_headers.extend(format.request_headers(&client));
        let body = self.body_for(&target).ok()?;
        let mut body = format.patch_request(&body, &target).ok()?;
        if let Some(platform) = connection.spec.platform {
            body = platform.dress_counted(&body, &mut dialect_headers);
        }
        let allow_private = connection.allow_private_address;
        let outlet = connection.outlet(plan.resolution.seats(position));
        let proxy = outlet.map(Outlet::proxy);
        let bearer = match &connection.grant {
            Some(grant) => {
                let path = upstream::Path { allow_private, proxy };
                Some(upstream::bearer(&gateway.egress, grant, path, None).await.ok()?)
            }
            None => None,
        };
        let outgoing = Outgoing {
            method: Method::POST,
            url: &url,
            headers: &connection.headers,
            dialect_headers,
            bearer: bearer.as_ref(),
            body: body.into(),
            allow_private,
            proxy,
        };
        let response = upstream::send(&gateway.egress, outgoing).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let answer = upstream::read_whole(response.into_body(), MAX_BODY).await.ok()?;
        let answer: Value = serde_json::from_slice(&answer).ok()?;
        ["input_tokens", "totalTokens"]
            .iter()
            .find_map(|name| answer.get(name)?.as_u64())
    }

    /// With the operator's instructions, which the request would have too.
    fn body_for(&self, target: &Target) -> Result<Bytes, DecodeError> {
        match &self.rewrite {
            Some(rewrite) => rewrite.counted(&self.body, target),
            None => Ok(self.body.clone()),
        }
    }

    fn target(&self, model: &str) -> Target {
        Target {
            dialect: self.dialect,
            model: model.to_owned(),
            caps: ModelCaps::of(self.dialect, model),
        }
    }
}

// === functions ===

fn first_account<'a>(plan: &Plan, route: &'a Route) -> Option<&'a Arc<Connection>> {
    route
        .provider
        .connections
        .iter()
        .find(|connection| plan.may_use(connection) && connection.account.cooling(&route.model).is_none())
}

fn model(arrival: &Arrival, body: &[u8]) -> Result<Option<String>, DecodeError> {
    if let Some(address) = &arrival.address {
        return Ok(Some(address.model.clone()));
    }
    let Some(model) = Head::read(body)?.get("model") else {
        return Ok(None);
    };
    serde_json::from_str(model.get()).map_err(|_| DecodeError::at("model", "model must be a string"))
}
