//! Tools for the command line that can call this gateway: what their settings have to say for that.
//!
//! `GET /api/cli-tools/status` · `GET /api/cli-tools/runtime/{toolId}` ·
//! `GET POST DELETE /api/cli-tools/{claude,codex,droid,openclaw}-settings`
//!
//! The tools are on somebody's machine, and this control plane usually is on another: nothing is looked for, read or
//! written here. What would be written is given as files to merge and as a script that merges them, keeping a copy.

mod script;
mod tool;

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
};
use runtime::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    script::Script,
    tool::{Settings, TOOLS, Tool},
};
use crate::{
    api::Ctx,
    config::CliToolsMode,
    db::Audit,
    error::{ApiError, Violation},
    http::{Body, Json as JsonBody, Operator, Violations},
};

const WHAT: &str = "tool";
/// What Claude Code reads from its environment that has to do with a gateway.
const CLAUDE_NAMES: [&str; 6] = [
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "API_TIMEOUT_MS",
];
const MESSAGE: &str = "this control plane does not look at the machine the tool is on: send the settings with POST \
                       and run the script that comes back there";

/// What is known of a tool on this machine: nothing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CliToolView {
    tool_id: &'static str,
    installed: bool,
    runnable: bool,
    command: Option<&'static str>,
    command_path: Option<String>,
    runtime_mode: &'static str,
    /// `remote_control_plane`, or `not_required` for a tool without a program.
    reason: &'static str,
    requires_binary: bool,
    /// Where its settings are, on the machine of whoever uses it.
    config_path: Option<&'static str>,
    message: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CliToolSettingsView {
    #[serde(flatten)]
    tool: CliToolView,
    /// They are not read.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
    /// The same, of a tool whose settings are TOML.
    config: Option<String>,
    has_omni_route: bool,
    settings_path: Option<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
struct CliToolStatus {
    /// By id of the tool.
    tools: BTreeMap<&'static str, CliToolView>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = CliToolSettings)]
struct SettingsBody {
    /// Of Claude Code, and required there.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    env: Option<BTreeMap<String, Secret<String>>>,
    /// Where clients reach the gateway; required for the other tools, as is the model.
    base_url: Option<String>,
    #[schema(value_type = Option<String>)]
    api_key: Option<Secret<String>>,
    model: Option<String>,
}

/// What to write, and a script that does.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CliToolFiles {
    success: bool,
    /// Never: it is for whoever has the tool to run the script.
    applied: bool,
    message: &'static str,
    settings_path: &'static str,
    files: Vec<CliToolFile>,
    script: CliToolScript,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct CliToolFile {
    path: &'static str,
    /// `json` or `toml`.
    format: &'static str,
    /// Merged into what is there, object by object.
    #[schema(value_type = Object)]
    merge: Value,
}

#[derive(Debug, Serialize, ToSchema)]
struct CliToolScript {
    /// For a shell, with Python 3.
    sh: String,
    powershell: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct CliToolRemoved {
    success: bool,
    message: &'static str,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(runtime))
        .routes(routes!(read, write, remove))
}

// === impl CliToolView ===

impl From<&'static Tool> for CliToolView {
    fn from(tool: &'static Tool) -> Self {
        Self {
            tool_id: tool.id,
            installed: false,
            runnable: false,
            command: tool.command,
            command_path: None,
            runtime_mode: "auto",
            reason: match tool.command {
                Some(_) => "remote_control_plane",
                None => "not_required",
            },
            requires_binary: tool.command.is_some(),
            config_path: tool.path,
            message: MESSAGE,
        }
    }
}

// === impl SettingsBody ===

impl Body for SettingsBody {
    fn check(&self, violations: &mut Violations) {
        for name in self.env.iter().flatten().map(|(name, _)| name) {
            if !CLAUDE_NAMES.contains(&name.as_str()) {
                violations.add(
                    format!("env.{name}"),
                    format!("must be one of {}", CLAUDE_NAMES.join(", ")),
                );
            }
        }
        if let Some(model) = &self.model {
            violations.length("model", model, 1..=200);
        }
        let given = self.base_url.as_deref();
        let claude = self.env.as_ref().and_then(|env| env.get("ANTHROPIC_BASE_URL"));
        for (field, url) in [
            ("baseUrl", given),
            ("env.ANTHROPIC_BASE_URL", claude.map(|url| url.expose().as_str())),
        ] {
            if url.is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
                violations.add(field, "must be an http or https address");
            }
        }
    }
}

impl SettingsBody {
    /// Checked for one tool.
    fn settings(self, tool: &Tool) -> Result<Settings, ApiError> {
        let missing = |field: &str| ApiError::Invalid(vec![Violation::missing(field)]);
        if tool.takes_environment {
            if self.base_url.is_some() || self.api_key.is_some() || self.model.is_some() {
                return Err(ApiError::invalid("env", "is all that this tool takes"));
            }
            return Ok(Settings {
                environment: self
                    .env
                    .filter(|env| !env.is_empty())
                    .ok_or_else(|| missing("env"))?,
                ..Settings::default()
            });
        }
        if self.env.is_some() {
            return Err(ApiError::invalid(
                "env",
                "is for Claude Code: send baseUrl, apiKey and model",
            ));
        }
        if tool.needs_key && self.api_key.is_none() {
            return Err(missing("apiKey"));
        }
        Ok(Settings {
            environment: BTreeMap::new(),
            base_url: self.base_url.ok_or_else(|| missing("baseUrl"))?,
            api_key: self.api_key,
            model: self.model.ok_or_else(|| missing("model"))?,
        })
    }
}

/// All tools.
#[utoipa::path(get, path = "/api/cli-tools/status", tag = "cli-tools",
    responses((status = 200, body = CliToolStatus), (status = 404)))]
async fn status(State(ctx): State<Ctx>, _: Operator) -> Result<Json<CliToolStatus>, ApiError> {
    enabled(&ctx)?;
    Ok(Json(CliToolStatus {
        tools: TOOLS.iter().map(|tool| (tool.id, tool.into())).collect(),
    }))
}

/// One tool.
#[utoipa::path(get, path = "/api/cli-tools/runtime/{toolId}", tag = "cli-tools",
    responses((status = 200, body = CliToolView), (status = 404)))]
async fn runtime(
    State(ctx): State<Ctx>,
    _: Operator,
    Path(id): Path<String>,
) -> Result<Json<CliToolView>, ApiError> {
    enabled(&ctx)?;
    let id = id.to_lowercase();
    let tool = TOOLS.iter().find(|tool| tool.id == id);
    Ok(Json(tool.ok_or_else(|| ApiError::not_found(WHAT, id))?.into()))
}

/// The settings of a tool: `claude-settings`, `codex-settings`, `droid-settings` or `openclaw-settings`.
#[utoipa::path(get, path = "/api/cli-tools/{settings}", tag = "cli-tools",
    responses((status = 200, body = CliToolSettingsView), (status = 404)))]
async fn read(
    State(ctx): State<Ctx>,
    _: Operator,
    Path(settings): Path<String>,
) -> Result<Json<CliToolSettingsView>, ApiError> {
    let tool = tool(&ctx, &settings)?;
    Ok(Json(CliToolSettingsView {
        tool: tool.into(),
        settings: None,
        config: None,
        has_omni_route: false,
        settings_path: tool.path,
    }))
}

/// What to write for a tool to call the gateway.
#[utoipa::path(post, path = "/api/cli-tools/{settings}", tag = "cli-tools", request_body = SettingsBody,
    responses((status = 200, body = CliToolFiles), (status = 400), (status = 404)))]
async fn write(
    State(ctx): State<Ctx>,
    operator: Operator,
    Path(settings): Path<String>,
    JsonBody(body): JsonBody<SettingsBody>,
) -> Result<Json<CliToolFiles>, ApiError> {
    let tool = tool(&ctx, &settings)?;
    let files = (tool.files)(&body.settings(tool)?);
    let audit = Audit::of("cli.config.generated")
        .target(WHAT, tool.id)
        .details(json!({ "files": files.iter().map(|file| file.path).collect::<Vec<_>>() }));
    ctx.db.record(&operator.origin, audit).await?;
    let script = Script::merging(tool, &files)?;
    Ok(Json(CliToolFiles {
        success: true,
        applied: false,
        message: "run the script where the tool is; it keeps a copy of what was there",
        settings_path: tool.path.unwrap_or_default(),
        script: CliToolScript {
            sh: script.sh(),
            powershell: script.powershell(),
        },
        files,
    }))
}

/// Nothing of a tool's is here to be removed.
#[utoipa::path(delete, path = "/api/cli-tools/{settings}", tag = "cli-tools",
    responses((status = 200, body = CliToolRemoved), (status = 404)))]
async fn remove(
    State(ctx): State<Ctx>,
    _: Operator,
    Path(settings): Path<String>,
) -> Result<Json<CliToolRemoved>, ApiError> {
    tool(&ctx, &settings)?;
    Ok(Json(CliToolRemoved {
        success: true,
        message: "this control plane has written nothing: restore the copy that the script kept, beside the settings",
    }))
}

fn enabled(ctx: &Ctx) -> Result<(), ApiError> {
    match ctx.config.cli_tools_mode {
        CliToolsMode::Remote => Ok(()),
        CliToolsMode::Disabled => Err(ApiError::SwitchedOff(
            "CLI tools are switched off: CLI_TOOLS_MODE",
        )),
    }
}

fn tool(ctx: &Ctx, settings: &str) -> Result<&'static Tool, ApiError> {
    enabled(ctx)?;
    let id = settings.strip_suffix("-settings").ok_or(ApiError::UnknownPath)?;
    TOOLS
        .iter()
        .find(|tool| tool.id == id && tool.path.is_some())
        .ok_or_else(|| ApiError::not_found(WHAT, id))
}
