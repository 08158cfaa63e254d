use super::*;
use crate::v1::{Budget, ComboMember, RateLimit};

fn fields(issues: &[Issue]) -> Vec<&str> {
    issues.iter().map(|issue| issue.field.as_str()).collect()
}

fn node() -> ProviderNode {
    ProviderNode {
        name: "My vLLM".to_owned(),
        r#type: "openai-compatible".to_owned(),
        api_type: "chat".to_owned(),
        prefix: "vllm".to_owned(),
        base_url: "https://host/v1".to_owned(),
        api_version: String::new(),
    }
}

fn member(model: &str, weight: f64) -> ComboMember {
    ComboMember {
        model: model.to_owned(),
        weight,
    }
}

fn priority_combo(members: Vec<ComboMember>) -> Combo {
    let strategy = "priority".to_owned();
    Combo {
        name: "premium".to_owned(),
        strategy,
        members,
        enabled: true,
        ..Combo::default()
    }
}

fn key() -> ApiKey {
    ApiKey {
        name: "ci".to_owned(),
        hash: vec![0; 32],
        scopes: vec!["inference".to_owned()],
        ..ApiKey::default()
    }
}

#[test]
fn good_resources_have_no_issue() {
    let apikey = Connection {
        provider: "openai".to_owned(),
        auth_type: "apikey".to_owned(),
        priority: 1,
        ..Connection::default()
    };
    assert_eq!(provider_node("n", &node()), []);
    assert_eq!(connection("c", &apikey), []);
    assert_eq!(
        alias(
            "fast:v1",
            &ModelAlias {
                target: "groq/llama".to_owned()
            }
        ),
        []
    );
    assert_eq!(combo("id", &priority_combo(vec![member("cc/opus", 0.0)])), []);
    assert_eq!(api_key("k", &key()), []);
}

#[test]
fn a_node_is_refused_field_by_field() {
    type Spoil = fn(&mut ProviderNode);
    let cases: [(&str, Spoil); 10] = [
        ("name", |node| node.name.clear()),
        ("type", |node| node.r#type = "soap-compatible".to_owned()),
        ("api_type", |node| node.api_type.clear()),
        ("api_version", |node| node.api_version = "2024-10-21".to_owned()),
        ("api_version", |node| {
            node.r#type = "azure-compatible".to_owned();
            node.api_version = "2024&x".to_owned();
        }),
        ("prefix", |node| node.prefix = "OpenAI".to_owned()),
        ("prefix", |node| node.prefix = "-x".to_owned()),
        ("base_url", |node| node.base_url = "ftp://host".to_owned()),
        ("base_url", |node| node.base_url = "https://host/v1/".to_owned()),
        ("base_url", |node| {
            node.base_url = "https://user:pass@host".to_owned()
        }),
    ];
    for (field, spoil) in cases {
        let mut bad = node();
        spoil(&mut bad);
        let issues = provider_node("n", &bad);
        assert!(fields(&issues).contains(&field), "{field} in {bad:?}: {issues:?}");
    }
}

#[test]
fn a_weight_outside_its_range_is_named_by_position() {
    let issues = combo(
        "id",
        &priority_combo(vec![
            member("a/b", 1.0),
            member("a/c", 101.0),
            member("a/d", f64::NAN),
        ]),
    );
    assert_eq!(fields(&issues), ["members.1.weight", "members.2.weight"]);
}

#[test]
fn a_weighted_combo_needs_weight() {
    let mut weighted = priority_combo(vec![member("a/b", 0.0)]);
    weighted.strategy = "weighted".to_owned();
    assert_eq!(fields(&combo("id", &weighted)), ["members"]);
}

#[test]
fn a_credential_that_was_not_sealed_is_an_issue() {
    let broken = Connection {
        provider: "openai".to_owned(),
        auth_type: "apikey".to_owned(),
        priority: 1,
        credential: Some(SealedSecret::default()),
        ..Connection::default()
    };
    assert_eq!(fields(&connection("c", &broken)), ["credential"]);
}

#[test]
fn a_way_to_mark_thinking_that_nobody_knows_is_an_issue() {
    for (tags, expected) in [("", &[][..]), ("tagged", &[]), ("true", &["think_tags"])] {
        let tagged = Connection {
            provider: "openai".to_owned(),
            auth_type: "apikey".to_owned(),
            priority: 1,
            think_tags: tags.to_owned(),
            ..Connection::default()
        };
        assert_eq!(fields(&connection("c", &tagged)), expected, "{tags}");
    }
}

#[test]
fn what_becomes_of_a_call_without_a_client_is_one_of_two_things() {
    for (policy, expected) in [
        ("", &[][..]),
        ("cancel", &[]),
        ("drain", &[]),
        ("wait", &["on_disconnect"]),
    ] {
        let account = Connection {
            provider: "openai".to_owned(),
            auth_type: "apikey".to_owned(),
            priority: 1,
            on_disconnect: policy.to_owned(),
            ..Connection::default()
        };
        assert_eq!(fields(&connection("c", &account)), expected, "{policy}");
    }
}

#[test]
fn an_alias_with_a_slash_or_without_a_target_is_refused() {
    assert_eq!(fields(&alias("a/b", &ModelAlias::default())), ["id", "target"]);
}

#[test]
fn a_custom_model_is_refused_field_by_field() {
    let good = CustomModel {
        provider: "together".to_owned(),
        model: "meta-llama/mine".to_owned(),
        r#type: "chat".to_owned(),
        ..CustomModel::default()
    };
    assert_eq!(custom_model("together/meta-llama/mine", &good), []);
    let bad = CustomModel {
        name: "n".repeat(NAME_CHARS + 1),
        r#type: "video".to_owned(),
        ..good
    };
    let expected = ["id", "name", "type"];
    assert_eq!(fields(&custom_model("together/mine", &bad)), expected);
    let empty = ["provider", "model", "id", "type"];
    assert_eq!(fields(&custom_model("x", &CustomModel::default())), empty);
}

#[test]
fn a_proxy_is_refused_field_by_field() {
    let good = OutboundProxy {
        level: "provider".to_owned(),
        target: "openai".to_owned(),
        r#type: "http".to_owned(),
        host: "proxy.internal".to_owned(),
        port: 8080,
        ..OutboundProxy::default()
    };
    assert_eq!(outbound_proxy("provider/openai", &good), []);
    assert_eq!(fields(&outbound_proxy("provider/groq", &good)), ["id"]);
    let global = OutboundProxy {
        level: "global".to_owned(),
        ..good.clone()
    };
    assert_eq!(fields(&outbound_proxy("global", &global)), ["id"]);
    let bad = OutboundProxy {
        level: "key".to_owned(),
        r#type: "socks4".to_owned(),
        host: String::new(),
        port: 65_536,
        password: Some(SealedSecret::default()),
        ..good
    };
    let expected = ["level", "type", "host", "port", "password"];
    assert_eq!(fields(&outbound_proxy("key/openai", &bad)), expected);
}

#[test]
fn rewriting_is_refused_field_by_field() {
    let long = SystemPrompt {
        enabled: true,
        prompt: "é".repeat(PROMPT_CHARS + 1),
    };
    assert_eq!(fields(&system_prompt("p", &long)), ["prompt"]);
    let bad = ThinkingBudget {
        mode: "sometimes".to_owned(),
        custom_budget: MAX_THINKING_BUDGET + 1,
        effort_level: String::new(),
    };
    let expected = ["mode", "effort_level", "custom_budget"];
    assert_eq!(fields(&thinking_budget("t", &bad)), expected);
}

#[test]
fn a_key_is_refused_field_by_field() {
    let bad = ApiKey {
        hash: vec![0; 31],
        expires_at_ms: -1,
        scopes: vec!["root".to_owned()],
        allowed_models: vec![String::new()],
        allowed_connections: vec!["mine".to_owned()],
        rate_limits: vec![RateLimit {
            limit: 1,
            window_s: 0,
        }],
        budget: Some(Budget {
            weekly_limit_nano: MAX_BUDGET_NANO + 1,
            ..Budget::default()
        }),
        ..key()
    };
    let expected = [
        "hash",
        "expires_at_ms",
        "scopes.0",
        "allowed_models.0",
        "allowed_connections.0",
        "rate_limits.0",
        "budget.weekly_limit_nano",
    ];
    assert_eq!(fields(&api_key("k", &bad)), expected);
}
