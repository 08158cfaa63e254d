//! The tools as data, and what each wants in its settings.

use std::collections::BTreeMap;

use runtime::secret::Secret;
use serde_json::{Map, Value, json};

use super::CliToolFile;

/// Under which a tool remembers the gateway.
const NAME: &str = "omniroute";

pub struct Tool {
    pub id: &'static str,
    /// What is typed to start it; a tool without is an extension of something else.
    pub command: Option<&'static str>,
    /// Where its settings are that are written for it.
    pub path: Option<&'static str>,
    /// It is told by variables of its environment.
    pub takes_environment: bool,
    pub needs_key: bool,
    pub files: fn(&Settings) -> Vec<CliToolFile>,
}

/// What is to be written.
#[derive(Default)]
pub struct Settings {
    pub environment: BTreeMap<String, Secret<String>>,
    pub base_url: String,
    pub api_key: Option<Secret<String>>,
    pub model: String,
}

const LISTED: Tool = Tool {
    id: "",
    command: None,
    path: None,
    takes_environment: false,
    needs_key: false,
    files: |_| Vec::new(),
};

pub static TOOLS: &[Tool] = &[
    Tool {
        id: "claude",
        command: Some("claude"),
        path: Some("~/.claude/settings.json"),
        takes_environment: true,
        files: claude,
        ..LISTED
    },
    Tool {
        id: "codex",
        command: Some("codex"),
        path: Some("~/.codex/config.toml"),
        needs_key: true,
        files: codex,
        ..LISTED
    },
    Tool {
        id: "droid",
        command: Some("droid"),
        path: Some("~/.factory/settings.json"),
        files: droid,
        ..LISTED
    },
    Tool {
        id: "openclaw",
        command: Some("openclaw"),
        path: Some("~/.openclaw/openclaw.json"),
        files: openclaw,
        ..LISTED
    },
    Tool {
        id: "cursor",
        command: Some("agent"),
        ..LISTED
    },
    Tool {
        id: "cline",
        command: Some("cline"),
        ..LISTED
    },
    Tool {
        id: "kilo",
        command: Some("kilo"),
        ..LISTED
    },
    Tool {
        id: "continue",
        ..LISTED
    },
];

// === impl Settings ===

impl Settings {
    /// With `/v1`, once.
    fn versioned(&self) -> String {
        format!("{}/v1", root(&self.base_url))
    }

    fn key(&self) -> &str {
        self.api_key.as_ref().map_or("", |key| key.expose())
    }
}

/// It appends `/v1/messages` by itself.
fn claude(settings: &Settings) -> Vec<CliToolFile> {
    let environment: Map<String, Value> = settings
        .environment
        .iter()
        .map(|(name, value)| {
            let value = match name.as_str() {
                "ANTHROPIC_BASE_URL" => root(value.expose()),
                _ => value.expose(),
            };
            (name.clone(), value.into())
        })
        .collect();
    vec![file("~/.claude/settings.json", json!({ "env": environment }))]
}

fn codex(settings: &Settings) -> Vec<CliToolFile> {
    let config = json!({
        "model": settings.model, "model_provider": NAME,
        "model_providers": { NAME: {
            "name": "OmniRoute", "base_url": settings.versioned(), "wire_api": "responses",
        } },
    });
    vec![
        CliToolFile {
            path: "~/.codex/config.toml",
            format: "toml",
            merge: config,
        },
        file("~/.codex/auth.json", json!({ "OPENAI_API_KEY": settings.key() })),
    ]
}

fn droid(settings: &Settings) -> Vec<CliToolFile> {
    let model = json!({
        "model": settings.model, "id": "custom:OmniRoute-0", "index": 0, "baseUrl": settings.versioned(),
        "apiKey": settings.key(), "displayName": settings.model, "maxOutputTokens": 131_072,
        "noImageSupport": false, "provider": "openai",
    });
    vec![file(
        "~/.factory/settings.json",
        json!({ "customModels": [model] }),
    )]
}

fn openclaw(settings: &Settings) -> Vec<CliToolFile> {
    let primary = format!("{NAME}/{}", settings.model);
    let provider = json!({
        "baseUrl": settings.versioned(), "apiKey": settings.key(), "api": "openai-completions",
        "models": [{ "id": settings.model, "name": settings.model }],
    });
    let merge = json!({
        "agents": { "defaults": { "model": { "primary": primary } } },
        "models": { "providers": { NAME: provider } },
    });
    vec![file("~/.openclaw/openclaw.json", merge)]
}

fn file(path: &'static str, merge: Value) -> CliToolFile {
    CliToolFile {
        path,
        format: "json",
        merge,
    }
}

fn root(url: &str) -> &str {
    let url = url.trim().trim_end_matches('/');
    url.strip_suffix("/v1").unwrap_or(url).trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_version_once_and_claude_none() {
        for url in [
            "https://a.test",
            "https://a.test/",
            "https://a.test/v1",
            "https://a.test/v1/",
        ] {
            let settings = Settings {
                base_url: url.to_owned(),
                environment: BTreeMap::from([("ANTHROPIC_BASE_URL".to_owned(), Secret::new(url.to_owned()))]),
                ..Settings::default()
            };
            assert_eq!(settings.versioned(), "https://a.test/v1");
            assert_eq!(
                claude(&settings)[0].merge["env"]["ANTHROPIC_BASE_URL"],
                "https://a.test"
            );
        }
    }
}
