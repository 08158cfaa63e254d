//! A first start that leads somewhere: the demo provider is set up, a key is made, and the terminal shows a
//! command that works.

use crate::data_dir::DataDir;
use crate::operator::Operator;
use anyhow::Context;
use runtime::secret::Secret;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where the process serves the demo provider, beside everything else.
pub const DEMO_PATH: &str = "/demo";
const DEMO_PREFIX: &str = "demo";
/// Written when the first start is done, so that what a user deletes stays deleted.
const MARKER: &str = "first-start-done";

/// The address a client on this machine uses.
pub fn local(listen: SocketAddr) -> SocketAddr {
    let ip = if listen.ip().is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        listen.ip()
    };
    SocketAddr::new(ip, listen.port())
}

/// Sets up what a newcomer needs, once per data directory. Returns the key it made, if it did.
pub async fn first_start(
    dir: &DataDir,
    operator: &Operator,
    listen: SocketAddr,
) -> anyhow::Result<Option<String>> {
    let base_url = format!("http://{}{DEMO_PATH}/v1", local(listen));
    if dir.join(MARKER).exists() {
        follow_address(operator, &base_url).await?;
        return Ok(None);
    }
    let used = !is_empty(&operator.get("/api/providers").await?["connections"])
        || !is_empty(&operator.get("/api/keys").await?["keys"]);
    let key = if used {
        None
    } else {
        Some(set_up(operator, &base_url).await?)
    };
    fs::write(dir.join(MARKER), "").with_context(|| format!("cannot write to {}", dir.path().display()))?;
    Ok(key)
}

async fn set_up(operator: &Operator, base_url: &str) -> anyhow::Result<String> {
    let node = json!({
        "name": "Demo provider", "prefix": DEMO_PREFIX, "type": "openai-compatible", "apiType": "chat",
        "baseUrl": base_url, "allowPrivateAddress": true,
    });
    let node = operator.post("/api/provider-nodes", node).await?;
    let id = node["node"]["id"].as_str().context("a provider node has an id")?;
    let connection = json!({
        "provider": id, "name": "demo", "apiKey": "demo-needs-no-key", "defaultModel": "demo",
        "allowPrivateAddress": true,
    });
    operator.post("/api/providers", connection).await?;
    let key = operator
        .post("/api/keys?wait=applied", json!({"name": "first key"}))
        .await?;
    Ok(key["key"].as_str().context("a new key is shown")?.to_owned())
}

/// The demo provider moves with the port. Returns once requests go there.
async fn follow_address(operator: &Operator, base_url: &str) -> anyhow::Result<()> {
    let nodes = operator.get("/api/provider-nodes").await?;
    let moved = nodes["nodes"].as_array().into_iter().flatten().find(|node| {
        let address = node["baseUrl"].as_str().unwrap_or_default();
        node["prefix"] == DEMO_PREFIX && address.ends_with(&format!("{DEMO_PATH}/v1")) && address != base_url
    });
    if let Some(id) = moved.and_then(|node| node["id"].as_str()) {
        operator
            .patch(
                &format!("/api/provider-nodes/{id}?wait=applied"),
                json!({"baseUrl": base_url}),
            )
            .await?;
    }
    Ok(())
}

fn is_empty(list: &Value) -> bool {
    list.as_array().is_none_or(Vec::is_empty)
}

/// Tells the person at the terminal what runs and what to do next. Straight to standard output: a log would
/// keep the secrets.
pub fn announce(
    listen: SocketAddr,
    dir: &DataDir,
    password: Option<&Secret<String>>,
    key: Option<&str>,
) -> std::io::Result<()> {
    let address = format!("http://{}", local(listen));
    let password = password.map_or("as before; `omniroute reset-password` makes a new one", |p| {
        p.expose()
    });
    let bearer = key.unwrap_or("$OMNIROUTE_KEY");
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\nOmniRoute is ready.\n\n  \
         address    {address}\n  \
         dashboard  {address}/dashboard/\n  \
         password   {password}\n  \
         data       {}\n",
        dir.path().display()
    )?;
    if key.is_some() {
        writeln!(
            out,
            "Password and key are shown only now. Try it with the built-in demo provider:\n"
        )?;
    } else {
        writeln!(out, "Try it with a key of yours:\n")?;
    }
    writeln!(
        out,
        "  curl {address}/v1/chat/completions \\\n    \
         -H \"Authorization: Bearer {bearer}\" -H \"Content-Type: application/json\" \\\n    \
         -d '{{\"model\": \"demo/demo\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'\n"
    )?;
    out.flush()
}
