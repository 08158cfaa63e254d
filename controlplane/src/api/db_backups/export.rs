//! The configuration as a file to take away.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use runtime::secret::Secret;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use crate::{
    api::Ctx,
    backup::Include,
    bundle::SecretMode,
    db::{Audit, Outcome},
    error::{ApiError, Violation},
    http::{AdminOrKey, Query},
};

const X_EXPORT_CONFIRM: HeaderName = HeaderName::from_static("x-export-confirm");
const X_EXPORT_PASSPHRASE: HeaderName = HeaderName::from_static("x-export-passphrase");
const MIN_PASSPHRASE: usize = 12;
const PARTS: [&str; 3] = ["config", "usage", "logs"];

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// `encrypted` under the `STORAGE_ENCRYPTION_KEY` of this installation, `omit`, or `passphrase`: the one in the
    /// header `X-Export-Passphrase`, at least 12 characters.
    #[serde(default)]
    #[param(inline)]
    secrets: SecretMode,
    /// Some of `config`, `usage` and `logs`, separated by commas. The configuration is always there, and of requests
    /// the newest 250000.
    include: Option<String>,
}

/// The configuration as a SQLite file, in the tables of the first version. A program, with a key or a
/// token, has to send `X-Export-Confirm: 1`.
#[utoipa::path(get, path = "/api/db-backups/export", tag = "backups", params(ExportQuery),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 400),
        (status = 403)))]
pub async fn export(
    State(ctx): State<Ctx>,
    operator: AdminOrKey,
    headers: HeaderMap,
    Query(query): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    let confirmed = headers.get(X_EXPORT_CONFIRM).is_some_and(|value| value == "1");
    if !operator.is_admin && !confirmed {
        let audit = Audit::of("backup.exported").outcome(Outcome::Denied);
        ctx.db.record(&operator.origin, audit).await?;
        return Err(ApiError::Forbidden(
            "a program has to send X-Export-Confirm: 1 to be handed all of the configuration".into(),
        ));
    }
    let passphrase = passphrase(&headers, query.secrets)?;
    let include = parts(query.include.as_deref())?;
    let (contents, bytes) = ctx.backups.export(query.secrets, passphrase, include).await?;
    let counts = contents.counts();
    let audit = Audit::of("backup.exported").details(json!({
        "secrets": query.secrets, "usage": include.usage, "logs": include.logs,
        "connections": counts.connection_count, "apiKeys": counts.api_key_count,
    }));
    // whoever is handed a copy is on record before they have it
    ctx.db.record(&operator.origin, audit).await?;
    let name = format!(
        "omniroute-backup-{}.sqlite",
        Utc::now().format("%Y-%m-%dT%H-%M-%S-%3fZ")
    );
    Ok(attachment(
        &name,
        "application/octet-stream",
        Some(bytes.len()),
        Body::from(bytes),
    ))
}

/// `length` unless nobody knows yet.
pub fn attachment(name: &str, media: &'static str, length: Option<usize>, body: Body) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition).expect("a name of ours is a header value"),
    );
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

fn passphrase(headers: &HeaderMap, mode: SecretMode) -> Result<Option<Secret<String>>, ApiError> {
    if mode != SecretMode::Passphrase {
        return Ok(None);
    }
    let given = headers.get(X_EXPORT_PASSPHRASE);
    let given = given.ok_or_else(|| ApiError::Invalid(vec![Violation::missing("X-Export-Passphrase")]))?;
    // header values are bytes, and browsers send what they are given in UTF-8
    let text = std::str::from_utf8(given.as_bytes())
        .map_err(|_| ApiError::invalid("X-Export-Passphrase", "must be UTF-8 text"))?;
    if text.chars().count() < MIN_PASSPHRASE {
        let problem = format!("must have at least {MIN_PASSPHRASE} characters");
        return Err(ApiError::invalid("X-Export-Passphrase", problem));
    }
    Ok(Some(Secret::new(text.to_owned())))
}

fn parts(given: Option<&str>) -> Result<Include, ApiError> {
    let mut include = Include::default();
    for part in given.unwrap_or_default().split(',').map(str::trim) {
        match part {
            "" | "config" => {}
            "usage" => include.usage = true,
            "logs" => include.logs = true,
            _ => {
                return Err(ApiError::invalid(
                    "include",
                    format!("must be some of {}, separated by commas", PARTS.join(", ")),
                ));
            }
        }
    }
    Ok(include)
}
