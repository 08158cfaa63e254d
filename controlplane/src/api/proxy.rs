//! Proxies that calls to providers go through.
//!
//! `GET PUT PATCH DELETE /api/settings/proxy` · `POST /api/settings/proxy/test`
//!
//! The proxy of a connection comes before that of a combo that a request came through, that before the provider's,
//! and that before the global one. The level of connections is called `key` here, as clients know it; `connection` is
//! taken as well.

mod body;
mod sql;
mod test;

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    body::{Change, ProxyBody},
    sql::Place,
};
use super::guard;
use crate::{
    api::Ctx,
    db::{Audit, Committed},
    error::{ApiError, Violation},
    http::{AdminOrKey, Json as JsonBody, Query, Reader, Wait, WaitQuery, uuid_or_missing},
    proxies::{self, StoredProxy},
};

const WHAT: &str = "proxy";
/// Stands for every stored password.
const MASK: &str = "********";

#[derive(Debug, Serialize, ToSchema)]
struct ProxyView {
    /// `http`, `https` or `socks5`.
    r#type: String,
    host: String,
    port: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// A mask, if there is one. Sent back, it keeps the stored one.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'static str>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
struct ProxyConfigView {
    global: Option<ProxyView>,
    /// By provider.
    providers: BTreeMap<String, ProxyView>,
    /// By id of the combo.
    combos: BTreeMap<String, ProxyView>,
    /// By id of the connection.
    keys: BTreeMap<String, ProxyView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LevelView {
    level: String,
    id: Option<String>,
    proxy: Option<ProxyView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ResolvedView {
    proxy: Option<ProxyView>,
    /// `key`, `provider`, `global`, or `direct`: as the environment of the process says.
    level: String,
    level_id: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ReadQuery {
    /// Only this one: `global`, `provider`, `combo` or `key`.
    level: Option<String>,
    /// Of what the proxy is for.
    id: Option<String>,
    /// Which proxy this connection's calls go through.
    resolve: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    level: Option<String>,
    id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ProxyAnswer)]
enum Answer {
    All(ProxyConfigView),
    Level(LevelView),
    Resolved(ResolvedView),
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(read, change, delete))
        .routes(routes!(test::test))
}

// === impl ProxyView ===

impl From<StoredProxy> for ProxyView {
    fn from(stored: StoredProxy) -> Self {
        Self {
            r#type: stored.r#type,
            host: stored.host,
            port: stored.port,
            username: stored.username,
            password: stored.password.map(|_| MASK),
        }
    }
}

// === impl ProxyConfigView ===

impl ProxyConfigView {
    fn of(rows: Vec<StoredProxy>) -> Self {
        let mut view = Self::default();
        for row in rows {
            let id = row.target_id.clone();
            let proxy = ProxyView::from(row.clone());
            match row.level.as_str() {
                "provider" => drop(view.providers.insert(id, proxy)),
                "combo" => drop(view.combos.insert(id, proxy)),
                "connection" => drop(view.keys.insert(id, proxy)),
                _ => view.global = Some(proxy),
            }
        }
        view
    }
}

/// All proxies; one of them with `level`; which one a connection's calls go through with `resolve`.
#[utoipa::path(get, path = "/api/settings/proxy", tag = "settings", params(ReadQuery),
    responses((status = 200, body = Answer), (status = 400), (status = 404)))]
async fn read(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<ReadQuery>,
) -> Result<Json<Answer>, ApiError> {
    if let Some(connection) = query.resolve {
        return Ok(Json(Answer::Resolved(resolve(&ctx, &connection).await?)));
    }
    if let Some(level) = query.level {
        let mut conn = ctx.db.pool().acquire().await?;
        let place = Place::find(&mut conn, "id", &level, query.id.as_deref()).await?;
        let stored = sql::find(&mut *conn, &place).await?;
        let view = LevelView {
            level,
            id: Some(place.target).filter(|id| !id.is_empty()),
            proxy: stored.map(ProxyView::from),
        };
        return Ok(Json(Answer::Level(view)));
    }
    Ok(Json(Answer::All(ProxyConfigView::of(
        sql::all(ctx.db.pool()).await?,
    ))))
}

async fn resolve(ctx: &Ctx, connection: &str) -> Result<ResolvedView, ApiError> {
    const CONNECTION: &str = "connection";
    let id = uuid_or_missing(CONNECTION, connection)?;
    let provider = sqlx::query_scalar!("select provider from provider_connection where id = $1", id)
        .fetch_optional(ctx.db.pool())
        .await?
        .ok_or_else(|| ApiError::not_found(CONNECTION, connection))?;
    let stored = proxies::of_connection(ctx.db.pool(), Some(id), &provider).await?;
    let level = match stored.as_ref().map(|stored| stored.level.as_str()) {
        None => "direct",
        Some("connection") => "key",
        Some(level) => level,
    };
    Ok(ResolvedView {
        level: level.to_owned(),
        level_id: stored
            .as_ref()
            .map(|stored| stored.target_id.clone())
            .filter(|id| !id.is_empty()),
        proxy: stored.map(ProxyView::from),
    })
}

/// Sets and removes proxies: one with `level`, `id` and `proxy`, or several with `global`, `providers`, `combos` and
/// `keys`. `null` and `false` remove.
#[utoipa::path(method(put, patch), path = "/api/settings/proxy", tag = "settings", request_body = ProxyBody,
    params(WaitQuery), responses((status = 200, body = ProxyConfigView), (status = 400), (status = 404),
        (status = 422)))]
async fn change(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    wait: Wait,
    JsonBody(body): JsonBody<ProxyBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    let mut audited = Vec::new();
    let mut sets = false;
    for Change {
        field,
        level,
        id,
        proxy,
    } in body.changes()
    {
        let place = Place::find(tx.conn(), &field, &level, id.as_deref()).await?;
        let Some(given) = proxy else {
            sql::delete(tx.conn(), &place).await?;
            audited.push(json!({ "level": place.level, "id": place.target, "host": null }));
            continue;
        };
        sets = true;
        if given.is_socks() && !sql::allows_socks(tx.conn()).await? {
            return Err(socks_is_off(&field));
        }
        let before = sql::find(&mut *tx.conn(), &place).await?;
        let stored = match given.over(&field, &place, before, &ctx.vault) {
            Ok(stored) => stored,
            Err(error) => {
                drop(tx);
                return Err(guard::recorded(&ctx, &admin.origin, error).await);
            }
        };
        sql::save(tx.conn(), &stored).await?;
        audited.push(json!({ "level": place.level, "id": place.target, "host": stored.host }));
    }
    let action = if sets {
        "settings.proxy.updated"
    } else {
        "settings.proxy.deleted"
    };
    let view = ProxyConfigView::of(sql::all(&mut *tx.conn()).await?);
    let audit = Audit::of(action).details(json!({ "proxies": audited }));
    Ok(wait.answer(StatusCode::OK, tx.commit(audit, view).await?).await)
}

/// Removes one proxy. One that does not exist is no error.
#[utoipa::path(delete, path = "/api/settings/proxy", tag = "settings", params(DeleteQuery, WaitQuery),
    responses((status = 200, body = ProxyConfigView), (status = 400), (status = 404)))]
async fn delete(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    Query(query): Query<DeleteQuery>,
    wait: Wait,
) -> Result<Response, ApiError> {
    let missing = || ApiError::Invalid(vec![Violation::missing("level")]);
    let level = query.level.ok_or_else(missing)?;
    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    let place = Place::find(tx.conn(), "id", &level, query.id.as_deref()).await?;
    let removed = sql::delete(tx.conn(), &place).await?;
    let view = ProxyConfigView::of(sql::all(&mut *tx.conn()).await?);
    let Some(host) = removed else {
        return Ok(Json(view).into_response());
    };
    let audit = Audit::of("settings.proxy.deleted")
        .target(WHAT, place.id())
        .details(json!({ "host": host }));
    let committed: Committed<ProxyConfigView> = tx.commit(audit, view).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

fn socks_is_off(field: &str) -> ApiError {
    let text = "socks5 is switched off: set enableSocks5Proxy in /api/settings first";
    ApiError::invalid(body::join(field, "type"), text)
}
