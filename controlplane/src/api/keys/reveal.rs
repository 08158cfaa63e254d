//! Showing a key again, where the installation is started so that it can be.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::WHAT;
use crate::{
    api::Ctx,
    db::{Audit, Outcome},
    error::ApiError,
    http::{Admin, uuid_or_missing},
    vault::Cell,
};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RevealedKey)]
pub struct Revealed {
    key: String,
}

/// The sealed copy of a new key, if one is to be kept.
pub fn kept(ctx: &Ctx, id: Uuid, key: &str) -> Option<Vec<u8>> {
    let sealed = || ctx.vault.seal(Cell::api_key(&id.to_string()), key);
    ctx.config.api_key_reveal.then(sealed)
}

/// A whole key. Refused unless the control plane was started with `API_KEY_REVEAL=true`.
#[utoipa::path(get, path = "/api/keys/{id}/reveal", tag = "keys",
    responses((status = 200, body = Revealed), (status = 403), (status = 404), (status = 409)))]
pub async fn reveal(
    State(ctx): State<Ctx>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Json<Revealed>, ApiError> {
    let uuid = uuid_or_missing(WHAT, &id)?;
    let audit = Audit::of("apiKey.revealed").target("key", uuid);
    if !ctx.config.api_key_reveal {
        ctx.db
            .record(&admin.origin, audit.outcome(Outcome::Denied))
            .await?;
        return Err(ApiError::Forbidden(
            "keys are not shown again: start the control plane with API_KEY_REVEAL=true, then make a new one"
                .into(),
        ));
    }
    let row = sqlx::query!("select key_sealed from api_key where id = $1", uuid)
        .fetch_optional(ctx.db.pool())
        .await?
        .ok_or_else(|| ApiError::not_found(WHAT, &id))?;
    let sealed = row.key_sealed.ok_or_else(|| {
        ApiError::conflict("of this key no copy is kept: it was made without API_KEY_REVEAL=true")
    })?;
    let key = ctx.vault.open(Cell::api_key(&uuid.to_string()), &sealed)?;
    // whoever is shown a key is on record before they see it
    ctx.db.record(&admin.origin, audit).await?;
    Ok(Json(Revealed {
        key: key.expose().clone(),
    }))
}
