//! Taking over a file of this version, or of the first one.

use axum::{
    extract::{
        Multipart, State,
        multipart::{Field, MultipartError, MultipartRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use runtime::secret::Secret;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::settle;
use crate::{
    api::Ctx,
    backup::{Mode, Reason, TakeOver},
    bundle::{Counts, MAX_BYTES, MIN_BYTES},
    db::Committed,
    error::{ApiError, Violation},
    http::{Admin, Violations, Wait, WaitQuery},
};

/// Of a field that is no file.
const FIELD_BYTES: usize = 1_000;
const NAME_CHARS: usize = 255;

/// For the description only.
#[derive(Debug, ToSchema)]
#[schema(as = ImportForm)]
#[expect(dead_code, reason = "describes what is read field by field")]
pub struct Form {
    /// A SQLite file of 4 KiB to 100 MiB whose name ends in `.sqlite`.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    mode: Option<Mode>,
    /// The `STORAGE_ENCRYPTION_KEY` of the installation that wrote the file, where it is another one.
    #[schema(rename = "encryptionKey")]
    encryption_key: Option<String>,
    passphrase: Option<String>,
    /// Find out what would be, and change nothing.
    #[schema(rename = "dryRun")]
    dry_run: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BundleImported)]
struct Imported {
    /// `false` after a dry run.
    imported: bool,
    filename: String,
    /// Of all there is now, or would be.
    #[serde(flatten)]
    counts: Counts,
    /// Secrets that do not open: their connections are switched off until they are given again.
    undecryptable: u32,
    /// What could be taken over only in part.
    warnings: Vec<String>,
    config_revision: u64,
}

#[derive(Default)]
struct Upload {
    filename: String,
    file: Option<Vec<u8>>,
    mode: Mode,
    encryption_key: Option<Secret<String>>,
    passphrase: Option<Secret<String>>,
    dry_run: bool,
}

/// Takes a file over: `replace` makes it the configuration, `merge` puts it on top of what is there.
#[utoipa::path(post, path = "/api/db-backups/import", tag = "backups",
    request_body(content = Form, content_type = "multipart/form-data"), params(WaitQuery),
    responses((status = 200, body = Imported), (status = 400), (status = 409), (status = 413), (status = 415),
        (status = 503)))]
pub async fn import(
    State(ctx): State<Ctx>,
    admin: Admin,
    wait: Wait,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, ApiError> {
    let upload = Upload::read(form.map_err(|_| ApiError::NotMultipart)?).await?;
    let bytes = upload.file.unwrap_or_default();
    let read = ctx
        .backups
        .read(bytes, upload.encryption_key, upload.passphrase)
        .await?;
    let what = TakeOver {
        read,
        mode: upload.mode,
        reason: Reason::PreImport,
        action: "backup.imported",
        source: upload.filename.clone(),
        dry_run: upload.dry_run,
    };
    let Committed { revision, value } = ctx.backups.take_over(&admin.origin, what).await?;
    let answer = Imported {
        imported: !upload.dry_run,
        filename: upload.filename,
        counts: value.counts,
        undecryptable: value.undecryptable,
        warnings: value.warnings.clone(),
        config_revision: revision,
    };
    if upload.dry_run {
        return Ok(axum::Json(json!(answer)).into_response());
    }
    settle(ctx, &value.gone).await;
    let committed = Committed {
        revision,
        value: answer,
    };
    Ok(wait.answer(StatusCode::OK, committed).await)
}

// === impl Upload ===

impl Upload {
    async fn read(mut form: Multipart) -> Result<Self, ApiError> {
        let mut upload = Self::default();
        while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
            let name = field.name().unwrap_or_default().to_owned();
            match name.as_str() {
                "file" => {
                    field
                        .file_name()
                        .unwrap_or_default()
                        .clone_into(&mut upload.filename);
                    check_name(&upload.filename)?;
                    upload.file = Some(bytes(field, MAX_BYTES).await?);
                }
                "mode" => {
                    upload.mode = match text(field).await?.as_str() {
                        "" | "replace" => Mode::Replace,
                        "merge" => Mode::Merge,
                        _ => return Err(ApiError::invalid("mode", "must be one of replace, merge")),
                    }
                }
                "dryRun" => {
                    upload.dry_run = match text(field).await?.as_str() {
                        "true" | "1" => true,
                        "" | "false" | "0" => false,
                        _ => return Err(ApiError::invalid("dryRun", "must be true or false")),
                    }
                }
                "encryptionKey" => upload.encryption_key = secret(text(field).await?),
                "passphrase" => upload.passphrase = secret(text(field).await?),
                _ => {
                    return Err(ApiError::invalid(
                        name,
                        "is not known: file, mode, encryptionKey, passphrase and dryRun are",
                    ));
                }
            }
        }
        match &upload.file {
            None => Err(ApiError::Invalid(vec![Violation::missing("file")])),
            Some(file) if file.len() < MIN_BYTES => Err(ApiError::invalid(
                "file",
                format!("is smaller than {MIN_BYTES} bytes: it is no database of this gateway"),
            )),
            Some(_) => Ok(upload),
        }
    }
}

/// It names the file in the audit trail, and nothing on this machine.
fn check_name(name: &str) -> Result<(), ApiError> {
    let mut violations = Violations::default();
    violations.length("file", name, 1..=NAME_CHARS);
    if !name.to_lowercase().ends_with(".sqlite") {
        violations.add("file", "must have a name that ends in .sqlite");
    }
    if name.chars().any(|c| matches!(c, '/' | '\\') || c.is_control()) || name.contains("..") {
        violations.add("file", "must have a name without a path");
    }
    violations.into_result()
}

async fn bytes(mut field: Field<'_>, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len() + chunk.len() > limit {
            return Err(ApiError::BodyTooLarge { limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn text(field: Field<'_>) -> Result<String, ApiError> {
    let name = field.name().unwrap_or_default().to_owned();
    let bytes = bytes(field, FIELD_BYTES).await?;
    let text = String::from_utf8(bytes).map_err(|_| ApiError::invalid(name, "must be UTF-8 text"))?;
    Ok(text)
}

fn secret(text: String) -> Option<Secret<String>> {
    (!text.is_empty()).then(|| Secret::new(text))
}

fn broken(error: &MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge { limit: MAX_BYTES },
        _ => ApiError::invalid("", "the form cannot be read to its end"),
    }
}
