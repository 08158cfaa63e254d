//! Whether a proxy leads anywhere: a service that says who calls it is called through it, from here or from where a
//! data plane is, for their networks may differ.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use axum::{Json, extract::State};
use proto::v1::TryProxy;
use runtime::egress::Proxy;
use serde::{Deserialize, Serialize};
use serde_json::json;
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
/// For a data plane to tell of it.
const SLACK: Duration = Duration::from_secs(5);
const VIA: [&str; 2] = ["cp", "dp"];

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProxyTestBody)]
pub struct TestBody {
    /// One that need not be stored.
    proxy: Option<ProxyFields>,
    /// A stored one: `global`, `provider`, `combo` or `key`.
    level: Option<String>,
    id: Option<String>,
    /// Who calls through it: `cp`, this control plane, unless told otherwise; or `dp`, a data plane, through a stored
    /// one.
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

/// The proxy, and its id if it is stored.
struct Subject {
    proxy: Proxy,
    id: Option<String>,
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
                if self.via.as_deref() == Some(VIA[1]) {
                    violations.add("via", "data planes try stored proxies: store it first");
                }
            }
            (None, Some(_)) => {}
            _ => violations.add("", "send a proxy, or level and id of a stored one"),
        }
        if let Some(via) = &self.via {
            violations.one_of("via", via, &VIA);
        }
    }
}

/// Calls a service that echoes the caller's address through a proxy.
#[utoipa::path(post, path = "/api/settings/proxy/test", tag = "settings", request_body = TestBody,
    responses((status = 200, body = TestView), (status = 400), (status = 404), (status = 422), (status = 503)))]
pub(super) async fn test(
    State(ctx): State<Ctx>,
    operator: Operator,
    JsonBody(body): JsonBody<TestBody>,
) -> Result<Json<TestView>, ApiError> {
    let Subject { proxy, id } = match subject(&ctx, &body).await {
        Ok(subject) => subject,
        Err(error) => return Err(guard::recorded(&ctx, &operator.origin, error).await),
    };
    let started = Instant::now();
    let echo = ctx.config.proxy_test_echo_url.as_str();
    let outcome = match id.filter(|_| body.via.as_deref() == Some(VIA[1])) {
        Some(id) => elsewhere(&ctx, id, echo).await?,
        None => ctx.egress.echo(echo, &proxy, LIMIT).await,
    };
    let audit = Audit::of("settings.proxy.tested")
        .target(WHAT, proxy.host())
        .outcome(if outcome.is_ok() {
            Outcome::Success
        } else {
            Outcome::Failed
        })
        .details(json!({ "via": body.via.as_deref().unwrap_or(VIA[0]), "error": outcome.as_ref().err() }));
    ctx.db.record(&operator.origin, audit).await?;
    Ok(Json(TestView {
        success: outcome.is_ok(),
        public_ip: outcome.as_ref().ok().copied(),
        error: outcome.err(),
        latency_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        proxy_url: proxy.to_string(),
    }))
}

async fn subject(ctx: &Ctx, body: &TestBody) -> Result<Subject, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    if let Some(fields) = &body.proxy {
        if fields.is_socks() && !sql::allows_socks(&mut conn).await? {
            return Err(socks_is_off("proxy"));
        }
        let proxy = fields.usable("proxy", fields.password())?;
        return Ok(Subject { proxy, id: None });
    }
    let level = body.level.as_deref().unwrap_or_default();
    let place = Place::find(&mut conn, "id", level, body.id.as_deref()).await?;
    let stored = sql::find(&mut *conn, &place).await?;
    let stored = stored.ok_or_else(|| ApiError::not_found(WHAT, place.id()))?;
    Ok(Subject {
        proxy: stored.usable(&ctx.vault)?,
        id: Some(place.id()),
    })
}

/// From where a data plane is.
async fn elsewhere(ctx: &Ctx, id: String, echo_url: &str) -> Result<Result<IpAddr, String>, ApiError> {
    let question = TryProxy {
        id,
        echo_url: echo_url.to_owned(),
        timeout_ms: u32::try_from(LIMIT.as_millis()).unwrap_or(u32::MAX),
    };
    let tried = ctx.fleet.try_proxy(question, LIMIT + SLACK).await?;
    let address = tried.public_ip.parse();
    Ok(address.map_err(|_| tried.error))
}
