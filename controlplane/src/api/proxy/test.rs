//! Whether a proxy leads anywhere: a service that says who calls it is called through it.

use std::{
    error::Error,
    net::IpAddr,
    time::{Duration, Instant},
};

use axum::{Json, extract::State};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use reqwest::StatusCode;
use runtime::egress::{CallError, ConnectTimeout, EgressError, Proxy, ProxyFailed};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use utoipa::ToSchema;

use super::{
    MASK, WHAT,
    body::ProxyFields,
    socks_is_off,
    sql::{self, Place},
};
use crate::{
    api::{Ctx, guard},
    db::{Audit, Outcome},
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Violations},
};

const LIMIT: Duration = Duration::from_secs(10);
/// An address needs less.
const ANSWER_BYTES: usize = 4096;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProxyTestBody)]
pub struct TestBody {
    /// One that need not be stored.
    proxy: Option<ProxyFields>,
    /// A stored one: `global`, `provider`, `combo` or `key`.
    level: Option<String>,
    id: Option<String>,
    /// Who calls through it: `cp`, this control plane.
    via: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProxyTestView)]
pub struct TestView {
    success: bool,
    /// As the world sees calls through it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    public_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    latency_ms: u64,
    /// Without credentials.
    proxy_url: String,
}

// === impl TestBody ===

impl Body for TestBody {
    fn check(&self, violations: &mut Violations) {
        match (&self.proxy, &self.level) {
            (Some(proxy), None) => {
                proxy.check("proxy", violations);
                if proxy.password().is_some_and(|password| password.expose() == MASK) {
                    violations.add(
                        "proxy.password",
                        "is a mask: name a stored proxy by level and id instead",
                    );
                }
            }
            (None, Some(_)) => {}
            _ => violations.add("", "send a proxy, or level and id of a stored one"),
        }
        if let Some(via) = &self.via {
            violations.one_of("via", via, &["cp"]);
        }
    }
}

/// Calls a service that echoes the caller's address through a proxy.
#[utoipa::path(post, path = "/api/settings/proxy/test", tag = "settings", request_body = TestBody,
    responses((status = 200, body = TestView), (status = 400), (status = 404), (status = 422)))]
pub(super) async fn test(
    State(ctx): State<Ctx>,
    operator: Operator,
    JsonBody(body): JsonBody<TestBody>,
) -> Result<Json<TestView>, ApiError> {
    let proxy = match proxy(&ctx, &body).await {
        Ok(proxy) => proxy,
        Err(error) => return Err(guard::recorded(&ctx, &operator.origin, error).await),
    };
    let started = Instant::now();
    let outcome = match tokio::time::timeout(LIMIT, echo(&ctx, &proxy)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    };
    let audit = Audit::of("settings.proxy.tested")
        .target(WHAT, proxy.host())
        .outcome(if outcome.is_ok() {
            Outcome::Success
        } else {
            Outcome::Failed
        })
        .details(json!({ "error": outcome.as_ref().err() }));
    ctx.db.record(&operator.origin, audit).await?;
    Ok(Json(TestView {
        success: outcome.is_ok(),
        public_ip: outcome.as_ref().ok().copied(),
        error: outcome.err(),
        latency_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        proxy_url: proxy.to_string(),
    }))
}

async fn proxy(ctx: &Ctx, body: &TestBody) -> Result<Proxy, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    if let Some(fields) = &body.proxy {
        if fields.is_socks() && !sql::allows_socks(&mut conn).await? {
            return Err(socks_is_off("proxy"));
        }
        return fields.usable("proxy", fields.password());
    }
    let level = body.level.as_deref().unwrap_or_default();
    let place = Place::find(&mut conn, "id", level, body.id.as_deref()).await?;
    let stored = sql::find(&mut *conn, &place).await?;
    stored
        .ok_or_else(|| ApiError::not_found(WHAT, place.id()))?
        .usable(&ctx.vault)
}

/// In words for an operator, who may read what a proxy of theirs says.
async fn echo(ctx: &Ctx, proxy: &Proxy) -> Result<IpAddr, String> {
    let text = &ctx.config.proxy_test_echo_url;
    let odd = || "PROXY_TEST_ECHO_URL is no http or https address".to_owned();
    let url = Url::parse(text).map_err(|_| odd())?;
    ctx.egress.check(&url, false).map_err(|error| error.to_string())?;
    let request = http::Request::get(text)
        .body(Full::new(Bytes::new()))
        .map_err(|_| odd())?;
    let answer = ctx.egress.call(request, false, Some(proxy)).await;
    let answer = answer.map_err(|error| explain(&error))?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            return Err("the proxy asks for other credentials".to_owned());
        }
        status => {
            return Err(format!(
                "the echo service answered with status {}",
                status.as_u16()
            ));
        }
    }
    let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
    let body = body
        .map_err(|_| "the answer of the echo service broke off".to_owned())?
        .to_bytes();
    address_in(&body).ok_or_else(|| "the echo service does not say an address".to_owned())
}

/// `{"ip":"…"}`, or the address alone.
fn address_in(body: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(body).ok()?;
    let value: Option<Value> = serde_json::from_str(text).ok();
    let named = value.as_ref().and_then(|value| value["ip"].as_str());
    named.unwrap_or(text).trim().parse().ok()
}

fn explain(error: &CallError) -> String {
    for cause in causes(error) {
        if cause.is::<EgressError>() || cause.is::<ConnectTimeout>() {
            return cause.to_string();
        }
        if cause.is::<ProxyFailed>()
            && let Some(last) = causes(cause).last()
        {
            return format!("{cause}: {last}");
        }
    }
    error.to_string()
}

/// The error itself first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_says_an_address_in_json_or_plainly() {
        for (body, expected) in [
            (r#"{"ip":"203.0.113.9"}"#, Some("203.0.113.9")),
            ("203.0.113.9\n", Some("203.0.113.9")),
            ("2606:4700::1", Some("2606:4700::1")),
            ("<html>hello</html>", None),
            (r#"{"address":"203.0.113.9"}"#, None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(address_in(body.as_bytes()), expected, "{body}");
        }
    }
}
