use std::{path::Path, process::Command};

use controlplane::config::CliToolsMode;
use serde_json::{Value, json};

use crate::support::Api;

/// Runs what came back as whoever has the tool would, with another home.
fn run(script: &Value, home: &Path) {
    let output = Command::new("sh")
        .args(["-c", script["sh"].as_str().unwrap()])
        .env("HOME", home)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn read(home: &Path, path: &str) -> String {
    std::fs::read_to_string(home.join(path)).unwrap()
}

fn json_of(home: &Path, path: &str) -> Value {
    serde_json::from_str(&read(home, path)).unwrap()
}

#[tokio::test]
async fn nothing_is_known_of_tools_that_are_elsewhere() {
    let api = Api::start().await;
    for (tool, path) in [
        ("claude", "~/.claude/settings.json"),
        ("codex", "~/.codex/config.toml"),
        ("droid", "~/.factory/settings.json"),
        ("openclaw", "~/.openclaw/openclaw.json"),
    ] {
        let answer = api.get(&format!("/api/cli-tools/{tool}-settings")).await;
        let body = answer.expect(200);
        assert_eq!(
            (&body["installed"], &body["runnable"]),
            (&json!(false), &json!(false))
        );
        assert_eq!(body["reason"], "remote_control_plane");
        assert_eq!(
            (&body["settings"], &body["hasOmniRoute"]),
            (&Value::Null, &json!(false))
        );
        assert_eq!(body["settingsPath"], path);
        let removed = api.delete(&format!("/api/cli-tools/{tool}-settings")).await;
        assert_eq!(removed.expect(200)["success"], true);
    }
    let runtime = api.get("/api/cli-tools/runtime/Cursor").await;
    assert_eq!(runtime.expect(200)["toolId"], "cursor");
    let guide = api.get("/api/cli-tools/runtime/continue").await;
    assert_eq!(guide.expect(200)["reason"], "not_required");
    let all = api.get("/api/cli-tools/status").await;
    assert_eq!(all.expect(200)["tools"].as_object().unwrap().len(), 8);
    for unknown in ["runtime/emacs", "emacs-settings", "cursor-settings", "claude"] {
        api.get(&format!("/api/cli-tools/{unknown}"))
            .await
            .expect_error(404, "RESOURCE_001");
    }
}

#[tokio::test]
async fn the_script_for_claude_keeps_what_was_there() {
    let (api, home) = (Api::start().await, tempfile::tempdir().unwrap());
    let before = r#"{ "theme": "dark", "env": { "MINE": "1", "ANTHROPIC_BASE_URL": "https://old.test" } }"#;
    std::fs::create_dir(home.path().join(".claude")).unwrap();
    std::fs::write(home.path().join(".claude/settings.json"), before).unwrap();

    let env =
        json!({ "ANTHROPIC_BASE_URL": "https://gateway.test/v1", "ANTHROPIC_AUTH_TOKEN": "it's $HOME '''" });
    let answer = api
        .post("/api/cli-tools/claude-settings", json!({ "env": env }))
        .await;
    let body = answer.expect(200);
    assert_eq!(
        (&body["success"], &body["applied"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(body["files"][0]["format"], "json");
    assert_eq!(api.audited("cli.config.generated").await, 1);
    for _ in 0..2 {
        run(&body["script"], home.path());
    }
    let expected = json!({ "theme": "dark", "env": {
        "MINE": "1", "ANTHROPIC_BASE_URL": "https://gateway.test", "ANTHROPIC_AUTH_TOKEN": "it's $HOME '''",
    } });
    assert_eq!(json_of(home.path(), ".claude/settings.json"), expected);
    assert_eq!(
        read(home.path(), ".claude/settings.json.before-omniroute"),
        before
    );
}

#[tokio::test]
async fn the_script_for_codex_changes_its_own_lines_and_no_others() {
    let (api, home) = (Api::start().await, tempfile::tempdir().unwrap());
    let before = "# mine\nmodel = \"o3\"\nnotify = [\"a\", \"b\"]\n\n[model_providers.omniroute]\nname = \"old\"\n\n\
                  [tools]\nweb_search = true # keep\n";
    std::fs::create_dir(home.path().join(".codex")).unwrap();
    std::fs::write(home.path().join(".codex/config.toml"), before).unwrap();
    let body = json!({ "baseUrl": "https://gateway.test", "apiKey": "sk-mine", "model": "smart" });
    let answer = api.post("/api/cli-tools/codex-settings", body).await;
    for _ in 0..2 {
        run(&answer.expect(200)["script"], home.path());
    }
    let after = "model = \"smart\"\nmodel_provider = \"omniroute\"\n# mine\nnotify = [\"a\", \"b\"]\n\n[tools]\n\
                 web_search = true # keep\n\n[model_providers.omniroute]\nname = \"OmniRoute\"\n\
                 base_url = \"https://gateway.test/v1\"\nwire_api = \"responses\"\n";
    assert_eq!(read(home.path(), ".codex/config.toml"), after);
    assert_eq!(
        json_of(home.path(), ".codex/auth.json"),
        json!({ "OPENAI_API_KEY": "sk-mine" })
    );
}

#[tokio::test]
async fn the_scripts_for_droid_and_openclaw_add_the_gateway_beside_other_models() {
    let (api, home) = (Api::start().await, tempfile::tempdir().unwrap());
    std::fs::create_dir(home.path().join(".factory")).unwrap();
    let before =
        json!({ "customModels": [{ "id": "other" }, { "id": "custom:OmniRoute-0", "model": "old" }] });
    std::fs::write(home.path().join(".factory/settings.json"), before.to_string()).unwrap();
    let body = json!({ "baseUrl": "https://gateway.test/v1", "model": "smart" });
    for tool in ["droid", "openclaw"] {
        let answer = api
            .post(&format!("/api/cli-tools/{tool}-settings"), body.clone())
            .await;
        run(&answer.expect(200)["script"], home.path());
    }
    let models = json_of(home.path(), ".factory/settings.json")["customModels"].clone();
    assert_eq!(
        (&models[0]["model"], &models[1]["id"]),
        (&json!("smart"), &json!("other"))
    );
    assert_eq!(models.as_array().unwrap().len(), 2);
    let openclaw = json_of(home.path(), ".openclaw/openclaw.json");
    assert_eq!(
        openclaw["agents"]["defaults"]["model"]["primary"],
        "omniroute/smart"
    );
    assert_eq!(
        openclaw["models"]["providers"]["omniroute"]["baseUrl"],
        "https://gateway.test/v1"
    );
}

#[tokio::test]
async fn settings_that_a_tool_does_not_take_are_refused() {
    let api = Api::start().await;
    for (tool, body, code) in [
        ("claude", json!({}), "VALIDATION_002"),
        ("claude", json!({ "env": { "PATH": "/tmp" } }), "VALIDATION_001"),
        (
            "claude",
            json!({ "env": { "ANTHROPIC_BASE_URL": "file:///x" } }),
            "VALIDATION_001",
        ),
        (
            "claude",
            json!({ "env": { "API_TIMEOUT_MS": "1" }, "model": "m" }),
            "VALIDATION_001",
        ),
        (
            "codex",
            json!({ "baseUrl": "https://a.test", "model": "m" }),
            "VALIDATION_002",
        ),
        ("droid", json!({ "baseUrl": "https://a.test" }), "VALIDATION_002"),
        (
            "droid",
            json!({ "baseUrl": "a.test", "model": "m" }),
            "VALIDATION_001",
        ),
        ("droid", json!({ "env": {} }), "VALIDATION_001"),
        ("droid", json!({ "command": "rm" }), "VALIDATION_001"),
    ] {
        let answer = api
            .post(&format!("/api/cli-tools/{tool}-settings"), body.clone())
            .await;
        assert_eq!(answer.expect(400)["error"]["code"], code, "{tool} {body}");
    }
}

#[tokio::test]
async fn tools_can_be_switched_off() {
    let api = Api::start_with(|config| config.cli_tools_mode = CliToolsMode::Disabled).await;
    for path in ["status", "runtime/claude", "claude-settings"] {
        api.get(&format!("/api/cli-tools/{path}"))
            .await
            .expect_error(404, "FEATURE_DISABLED");
    }
}
