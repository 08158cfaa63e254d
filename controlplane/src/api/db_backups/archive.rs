//! All of it in one archive, for people: the SQLite file, and what is in it as JSON without any secret.

use std::{
    io::{self, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    body::{Body, Bytes},
    extract::State,
    response::Response,
};
use chrono::{DateTime, Utc};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::export::attachment;
use crate::{
    api::Ctx,
    backup::Include,
    bundle::{Contents, SecretMode},
    db::Audit,
    error::ApiError,
    http::{Admin, Stamp},
};

const FORMAT: &str = "omniroute-full-backup-v1";
/// Pieces on their way to the client; whoever reads slowly makes the archive wait.
const PIECES: usize = 8;
const PIECE_BYTES: usize = 64 * 1024;

/// Everything that is written becomes pieces of a body.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

/// A `tar.gz` of `storage.sqlite`, `settings.json`, `combos.json`, `providers.json`, `api-keys.json` and
/// `metadata.json`. The credentials in the first are sealed under `STORAGE_ENCRYPTION_KEY`, in the others there are
/// none.
#[utoipa::path(get, path = "/api/db-backups/exportAll", tag = "backups",
    responses((status = 200, content_type = "application/gzip", body = Vec<u8>), (status = 503)))]
pub async fn export_all(State(ctx): State<Ctx>, admin: Admin) -> Result<Response, ApiError> {
    let now = Utc::now();
    let (contents, storage) = ctx
        .backups
        .export(SecretMode::Encrypted, None, Include::default())
        .await?;
    let entries = entries(&contents, storage, now);
    let audit = Audit::of("backup.exported").details(json!({ "archive": true, "secrets": "encrypted" }));
    ctx.db.record(&admin.origin, audit).await?;

    let (sender, pieces) = mpsc::channel(PIECES);
    let folder = format!("omniroute-export-{}", now.format("%Y-%m-%dT%H-%M-%S"));
    tokio::task::spawn_blocking(move || {
        let failure = sender.clone();
        if let Err(error) = pack(&folder, &entries, sender) {
            // cuts the answer short; nobody takes half an archive for a whole one
            let _ = failure.blocking_send(Err(error));
        }
    });
    let name = format!("omniroute-full-backup-{}.tar.gz", now.format("%Y-%m-%dT%H-%M-%S"));
    let body = Body::from_stream(ReceiverStream::new(pieces));
    Ok(attachment(&name, "application/gzip", None, body))
}

// === impl Pieces ===

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.buffer));
        let sent = self.sender.blocking_send(Ok(piece));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

fn pack(
    folder: &str,
    entries: &[(&'static str, Vec<u8>)],
    sender: mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let pieces = Pieces {
        sender,
        buffer: Vec::new(),
    };
    let mut archive = tar::Builder::new(GzEncoder::new(pieces, Compression::default()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(now.as_secs());
        archive.append_data(&mut header, format!("{folder}/{name}"), bytes.as_slice())?;
    }
    archive.into_inner()?.finish()?.flush()
}

fn entries(contents: &Contents, storage: Vec<u8>, now: DateTime<Utc>) -> Vec<(&'static str, Vec<u8>)> {
    let mut entries = vec![
        ("storage.sqlite", storage),
        ("settings.json", text(&settings(contents))),
        ("combos.json", text(&combos(contents))),
        ("providers.json", text(&providers(contents))),
        ("api-keys.json", text(&api_keys(contents))),
    ];
    let mut names: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
    names.push("metadata.json");
    let metadata = json!({
        "exportedAt": Stamp(now), "version": env!("CARGO_PKG_VERSION"), "format": FORMAT, "contents": names,
    });
    entries.push(("metadata.json", text(&metadata)));
    entries
}

/// By the names that the first version has for kinds of settings.
fn settings(contents: &Contents) -> Value {
    let settings = contents.settings.iter();
    let settings: Map<String, Value> = settings.map(|row| (row.key.clone(), row.value.clone())).collect();
    let aliases = contents.aliases.iter();
    let aliases: Map<String, Value> = aliases
        .map(|row| (row.alias.clone(), json!(row.target)))
        .collect();
    let mut models: Map<String, Value> = Map::new();
    for row in &contents.custom_models {
        let list = models.entry(row.provider.clone()).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(json!({ "id": row.model, "name": row.name, "type": row.r#type }));
        }
    }
    let mut pricing: Map<String, Value> = Map::new();
    for row in &contents.prices {
        let price = json!({ "input": row.input, "output": row.output, "cached": row.cached,
            "reasoning": row.reasoning, "cache_creation": row.cache_creation, "image": row.image,
            "audio_minute": row.audio_minute, "characters": row.characters, "search": row.search });
        let models = pricing.entry(row.provider.clone()).or_insert_with(|| json!({}));
        models[row.model.as_str()] = price;
    }
    let proxies = contents.proxies.iter().map(|row| {
        json!({ "level": row.level, "id": row.target_id, "type": row.r#type, "host": row.host, "port": row.port })
    });
    json!({
        "settings": settings, "modelAliases": aliases, "customModels": models, "pricingNanoUsd": pricing,
        "proxyConfig": proxies.collect::<Vec<_>>(),
        "fallbackChains": contents.chains, "policies": contents.policies, "ipFilter": contents.ip_filter,
    })
}

fn combos(contents: &Contents) -> Value {
    let combos = contents.combos.iter().map(|combo| {
        json!({ "id": combo.id, "name": combo.name, "strategy": combo.strategy, "isActive": combo.is_active,
            "models": combo.members, "config": combo.config })
    });
    Value::Array(combos.collect())
}

fn providers(contents: &Contents) -> Value {
    let providers = contents.connections.iter().map(|row| {
        json!({ "id": row.id, "provider": row.provider, "name": row.name, "auth_type": row.auth_type,
            "is_active": row.is_active, "email": row.email, "created_at": Stamp(row.created_at) })
    });
    Value::Array(providers.collect())
}

fn api_keys(contents: &Contents) -> Value {
    let keys = contents.keys.iter().map(|key| {
        json!({ "id": key.id, "name": key.name, "prefix": key.key_prefix, "machine_id": key.cluster_id,
            "created_at": Stamp(key.created_at) })
    });
    Value::Array(keys.collect())
}

fn text(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}
