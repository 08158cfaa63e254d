//! Who is let in by address, on every plane: two lists, and bans that end by themselves.
//!
//! `GET PUT PATCH /api/settings/ip-filter`
//!
//! The lists are configuration. Bans are in the state store, which every plane follows, so that they hold at once;
//! without it nobody can be banned, and whoever tries is told.

mod body;
mod sql;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{TimeZone, Utc};
use runtime::ip_filter::IpFilter;
use serde::Serialize;
use serde_json::json;
use state::Ban;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{body::IpFilterBody, sql::Lists};
use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{AdminOrKey, Json as JsonBody, Reader, Stamp, Wait, WaitQuery, edge::X_DEGRADED},
};

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct IpFilterView {
    #[serde(flatten)]
    lists: Lists,
    temp_bans: Vec<BanView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BanView {
    ip: String,
    until: Option<Stamp>,
    reason: String,
    remaining_ms: u64,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, change))
}

// === impl IpFilterView ===

impl IpFilterView {
    /// With the bans as this plane knows them.
    fn of(lists: Lists, ctx: &Ctx) -> Self {
        Self {
            lists,
            temp_bans: ctx.gate.banned.all().into_iter().map(BanView::from).collect(),
        }
    }
}

// === impl BanView ===

impl From<Ban> for BanView {
    fn from(ban: Ban) -> Self {
        Self {
            ip: ban.ip.to_string(),
            until: Utc.timestamp_millis_opt(ban.until_ms).single().map(Stamp),
            reason: ban.reason,
            remaining_ms: u64::try_from(ban.left.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The lists, what they mean, and who is banned now.
#[utoipa::path(get, path = "/api/settings/ip-filter", tag = "settings",
    responses((status = 200, body = IpFilterView)))]
async fn read(State(ctx): State<Ctx>, _: Reader) -> Result<Response, ApiError> {
    let lists = Lists::load(ctx.db.pool()).await?;
    let current = ctx.gate.banned.refresh(&*ctx.store).await;
    let view = Json(IpFilterView::of(lists, &ctx));
    Ok(match current {
        Ok(()) => view.into_response(),
        // what is known goes on to hold, but may not be all there is
        Err(_) => ([(X_DEGRADED, HeaderValue::from_static("bans"))], view).into_response(),
    })
}

/// Changes what the body names; bans an address, or lets one in again.
#[utoipa::path(method(put, patch), path = "/api/settings/ip-filter", tag = "settings",
    request_body = IpFilterBody, params(WaitQuery),
    responses((status = 200, body = IpFilterView), (status = 400), (status = 409), (status = 503)))]
async fn change(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    wait: Wait,
    JsonBody(body): JsonBody<IpFilterBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    let before = Lists::load(&mut *tx.conn()).await?;
    let after = body.over(before.clone())?;
    if !body.force {
        refuse_lockout(&ctx, &admin, &body, &after)?;
    }
    let bans = carry_out(&ctx, &body).await?;

    let committed = if body.changes_lists() {
        after.store(tx.conn()).await?;
        let audit = Audit::of("settings.ipFilter.updated").details(before.differences(&after));
        Some(tx.commit(audit, IpFilterView::of(after, &ctx)).await?)
    } else {
        drop(tx);
        None
    };
    for audit in bans {
        ctx.db.record(&admin.origin, audit).await?;
    }
    Ok(match committed {
        Some(committed) => wait.answer(StatusCode::OK, committed).await,
        None => Json(IpFilterView::of(before, &ctx)).into_response(),
    })
}

/// Whether the caller could call again, if it were not for the machine itself that is always let in.
fn refuse_lockout(
    ctx: &Ctx,
    caller: &AdminOrKey,
    body: &IpFilterBody,
    after: &Lists,
) -> Result<(), ApiError> {
    let (true, Some(ip)) = (after.enabled, caller.origin.ip) else {
        return Ok(());
    };
    let banned = ctx.gate.banned.find(ip).is_some() && body.lets_in() != Some(ip);
    if banned || body.bans() == Some(ip) {
        let why = "temporarily banned".to_owned();
        return Err(ApiError::SelfLockout { ip, why });
    }
    let (filter, _) = IpFilter::read(&after.mode, &after.blacklist, &after.whitelist);
    filter.check(ip).map_err(|refusal| ApiError::SelfLockout {
        ip,
        why: refusal.to_string(),
    })
}

/// Bans and lets in, and says what there is to record.
async fn carry_out(ctx: &Ctx, body: &IpFilterBody) -> Result<Vec<Audit>, ApiError> {
    let mut done = Vec::new();
    if let Some(ban) = &body.temp_ban {
        let (ip, reason, lasts) = (ban.ip.0, ban.reason(), ban.lasts());
        ctx.store.ban(ip, reason, lasts).await?;
        let details = json!({ "reason": reason, "durationMs": ban.duration_ms() });
        done.push(Audit::of("security.ip.banned").target("ip", ip).details(details));
    }
    if let Some(ip) = body.lets_in()
        && ctx.store.unban(ip).await?
    {
        done.push(Audit::of("security.ip.unbanned").target("ip", ip));
    }
    if body.temp_ban.is_some() || body.remove_ban.is_some() {
        ctx.gate.banned.refresh(&*ctx.store).await?;
    }
    Ok(done)
}
