//! Resources in, resolutions out.

mod combos;
mod custom_models;
mod names;
mod policies;
mod renewals;

use super::*;
use llm::providers;
use proto::v1::{
    self, ComboMember, ConfigVersion, Resource, ResourceError, resource::Body, resource_error::Code,
};
use runtime::crypto::{SealKey, hash_key, seal_derived};

const PEPPER: &str = "pepper";

fn transport() -> SealKey {
    SealKey::derive("test", "secret")
}

fn sealed(context: &str, plain: &str) -> Option<v1::SealedSecret> {
    let sealed = seal_derived(&transport(), context.as_bytes(), plain.as_bytes());
    Some(v1::SealedSecret {
        key_version: 1,
        nonce: sealed.nonce.to_vec(),
        ciphertext: sealed.ciphertext,
    })
}

fn resource(id: &str, body: Body) -> Resource {
    Resource {
        id: id.to_owned(),
        body: Some(body),
    }
}

fn settings(blocked: &[&str]) -> Resource {
    let blocked_providers = blocked.iter().map(ToString::to_string).collect();
    let api_key_pepper = sealed("settings|settings|api_key_pepper", PEPPER);
    resource(
        "settings",
        Body::Settings(v1::Settings {
            require_auth_for_models: false,
            blocked_providers,
            api_key_pepper,
            ..v1::Settings::default()
        }),
    )
}

fn connection(id: &str, provider: &str, priority: i32) -> Resource {
    let body = v1::Connection {
        provider: provider.to_owned(),
        name: id.to_owned(),
        auth_type: "apikey".to_owned(),
        priority,
        enabled: true,
        credential: sealed(&format!("connection|{id}|credential"), "sk-upstream"),
        ..v1::Connection::default()
    };
    resource(id, Body::Connection(body))
}

fn node(id: &str, prefix: &str) -> Resource {
    let body = v1::ProviderNode {
        name: id.to_owned(),
        r#type: "openai-compatible".to_owned(),
        api_type: "chat".to_owned(),
        prefix: prefix.to_owned(),
        base_url: "https://node.example/v1".to_owned(),
        api_version: String::new(),
    };
    resource(id, Body::ProviderNode(body))
}

fn alias(id: &str, target: &str) -> Resource {
    resource(
        id,
        Body::ModelAlias(v1::ModelAlias {
            target: target.to_owned(),
        }),
    )
}

fn combo(name: &str, strategy: &str, members: &[&str]) -> Resource {
    let members = members
        .iter()
        .map(|model| ComboMember {
            model: (*model).to_owned(),
            weight: 1.0,
        })
        .collect();
    let body = v1::Combo {
        name: name.to_owned(),
        strategy: strategy.to_owned(),
        members,
        enabled: true,
        ..v1::Combo::default()
    };
    resource(&format!("combo-{name}"), Body::Combo(body))
}

fn key(id: &str, text: &str) -> Resource {
    let body = v1::ApiKey {
        name: id.to_owned(),
        hash: hash_key(PEPPER.as_bytes(), text).to_vec(),
        enabled: true,
        scopes: vec!["inference".to_owned()],
        ..v1::ApiKey::default()
    };
    resource(id, Body::ApiKey(body))
}

fn compile(resources: &[Resource]) -> (Table, Vec<ResourceError>) {
    Table::compile(
        ConfigVersion::default(),
        resources,
        &transport(),
        &Routing::default(),
    )
}

/// As the tables before it left what is kept.
fn recompiled(resources: &[Resource], kept: &Routing) -> Table {
    let resources = [&[settings(&[])], resources].concat();
    Table::compile(ConfigVersion::default(), &resources, &transport(), kept).0
}

fn table(resources: &[Resource]) -> Table {
    let (table, errors) = compile(&[&[settings(&[])], resources].concat());
    assert_eq!(errors, []);
    table
}

fn routes(table: &Table, model: &str) -> Result<Vec<String>, String> {
    let resolution = table.resolve(model).map_err(|error| error.to_string())?;
    Ok(resolution
        .routes()
        .iter()
        .map(|route| format!("{} {}", route.provider.id, route.model))
        .collect())
}

/// A bare id that these two built-in providers share, whatever the registry holds today.
fn shared_model() -> (&'static str, [&'static str; 2]) {
    for model in providers::ALL
        .iter()
        .flat_map(|spec| spec.models)
        .filter(|model| !model.id.contains('/'))
    {
        let having: Vec<_> = providers::ALL
            .iter()
            .filter(|spec| spec.models.iter().any(|other| other.id == model.id))
            // an account without a project has no address there
            .filter(|spec| !spec.takes_project())
            .map(|spec| spec.id)
            .filter(|id| *id != "openai")
            .collect();
        if let [a, b, ..] = having[..] {
            return (model.id, [a, b]);
        }
    }
    panic!("no two providers share a model: test ambiguity differently");
}

#[test]
fn a_name_is_looked_up_in_order() {
    let table = table(&[
        connection("c1", "openai", 1),
        node("n1", "vllm"),
        connection("c2", "n1", 1),
        alias("fast", "vllm/llama"),
        alias("faster", "fast"),
        alias("smart", "openai/never-reached"),
        combo("smart", "priority", &["faster", "openai/gpt-4o"]),
        combo("with/slash", "priority", &["smart"]),
    ]);
    let cases = [
        ("smart", vec!["n1 llama", "openai gpt-4o"]),
        ("with/slash", vec!["n1 llama", "openai gpt-4o"]),
        ("fast", vec!["n1 llama"]),
        ("faster", vec!["n1 llama"]),
        ("vllm/deep/seek", vec!["n1 deep/seek"]),
        ("n1/llama", vec!["n1 llama"]),
        ("openai/anything-new", vec!["openai anything-new"]),
        ("anything-new", vec!["openai anything-new"]),
    ];
    for (model, expected) in cases {
        assert_eq!(routes(&table, model).unwrap(), expected, "{model}");
    }
}

#[test]
fn a_node_prefix_shadows_a_built_in_provider() {
    let table = table(&[
        connection("c1", "openai", 1),
        node("n1", "openai"),
        connection("c2", "n1", 1),
    ]);
    assert_eq!(routes(&table, "openai/x").unwrap(), ["n1 x"]);
}

#[test]
fn errors_say_what_to_write_instead() {
    let known = providers::find("anthropic").unwrap().models[0].id;
    let table = table(&[connection("c1", "groq", 1), node("n1", "idle")]);
    let cases = [
        ("nothing", "Model `nothing` not found. Write provider/model"),
        ("openai/x", "No credentials for provider: openai"),
        ("idle/x", "No credentials for provider: n1"),
        ("nowhere/x", "No credentials for provider: nowhere"),
        ("../x", "Invalid model format"),
        ("openai/", "Invalid model format"),
        ("a\u{1}b", "Invalid model format"),
    ];
    for (model, expected) in cases {
        let error = routes(&table, model).unwrap_err();
        assert!(error.starts_with(expected), "{model}: {error}");
    }
    let error = routes(&table, known).unwrap_err();
    assert!(
        error.contains("anthropic") && error.contains("no connection"),
        "{error}"
    );
}

#[test]
fn a_bare_id_goes_to_the_one_active_provider_that_has_it() {
    let (model, [a, b]) = shared_model();
    let one = table(&[connection("c1", a, 1)]);
    assert_eq!(routes(&one, model).unwrap(), [format!("{a} {model}")]);

    let both = table(&[connection("c1", a, 1), connection("c2", b, 1)]);
    let error = routes(&both, model).unwrap_err();
    assert!(
        error.starts_with(&format!("Ambiguous model '{model}'")),
        "{error}"
    );
    for provider in [a, b] {
        let prefix = providers::find(provider).unwrap().alias;
        assert!(error.contains(&format!("{prefix}/{model}")), "{error}");
    }
}

#[test]
fn an_id_with_a_slash_of_its_own_needs_no_provider_before_it() {
    let has = |spec: &llm::ProviderSpec| {
        spec.models
            .iter()
            .find(|model| model.id.contains('/'))
            .map(|model| model.id)
    };
    let (provider, model) = providers::ALL
        .iter()
        .find_map(|spec| Some((spec.id, has(spec)?)))
        .unwrap();
    let table = table(&[connection("c1", provider, 1)]);
    assert_eq!(routes(&table, model).unwrap(), [format!("{provider} {model}")]);
    let prefix = providers::find(provider).unwrap().alias;
    assert_eq!(
        routes(&table, &format!("{prefix}/{model}")).unwrap(),
        [format!("{provider} {model}")]
    );
}

#[test]
fn accounts_are_tried_by_priority() {
    let table = table(&[
        connection("c", "openai", 2),
        connection("b", "openai", 1),
        connection("a", "openai", 2),
    ]);
    let resolution = table.resolve("openai/x").unwrap();
    let order: Vec<_> = resolution.routes()[0]
        .provider
        .connections
        .iter()
        .map(|c| c.id.to_string())
        .collect();
    assert_eq!(order, ["b", "a", "c"]);
}

#[test]
fn a_combo_passes_over_members_without_a_connection_and_names_each_route_once() {
    let table = table(&[
        connection("c1", "openai", 1),
        combo("inner", "priority", &["anthropic/x", "openai/b"]),
        combo("outer", "priority", &["openai/a", "inner", "openai/a"]),
        combo("idle", "priority", &["anthropic/x"]),
    ]);
    assert_eq!(routes(&table, "outer").unwrap(), ["openai a", "openai b"]);
    assert_eq!(
        routes(&table, "idle").unwrap_err(),
        "No credentials for provider: anthropic"
    );
}

#[test]
fn a_broken_name_answers_with_its_reason_and_never_means_something_else() {
    let (table, errors) = compile(&[
        settings(&[]),
        connection("c1", "openai", 1),
        combo("gpt-4o", "best", &["openai/a"]),
        combo("round", "priority", &["and-round"]),
        combo("and-round", "priority", &["round"]),
        alias("bad/alias", "openai/a"),
    ]);
    for name in ["gpt-4o", "round", "and-round", "bad/alias"] {
        let error = routes(&table, name).unwrap_err();
        assert!(
            error.starts_with(&format!("`{name}` is misconfigured")),
            "{error}"
        );
    }
    assert!(
        errors.len() >= 4 && errors.iter().all(|error| error.quarantined),
        "{errors:?}"
    );
}

#[test]
fn a_blocked_provider_routes_nowhere() {
    let (table, _) = compile(&[settings(&["openai"]), connection("c1", "openai", 1)]);
    assert_eq!(
        routes(&table, "openai/x").unwrap_err(),
        "Provider `openai` is blocked by an administrator"
    );
    assert!(table.visible(None).next().is_none());
}

#[test]
fn a_resource_that_cannot_be_used_is_quarantined_and_the_rest_applies() {
    let mut foreign = connection("c2", "openai", 2);
    if let Some(Body::Connection(connection)) = &mut foreign.body {
        connection.credential = sealed("connection|c1|credential", "sk-of-another");
    }
    let mut short = key("k2", "sk-2");
    if let Some(Body::ApiKey(key)) = &mut short.body {
        key.hash.pop();
    }
    let (table, errors) = compile(&[
        settings(&[]),
        connection("c1", "openai", 1),
        foreign,
        connection("c3", "nowhere", 1),
        key("k1", "sk-1"),
        short,
    ]);
    let found: Vec<_> = errors
        .iter()
        .map(|error| (error.code(), error.resource.as_ref().unwrap().id.as_str()))
        .collect();
    assert_eq!(found.len(), 3, "{errors:?}");
    for expected in [
        (Code::Secret, "c2"),
        (Code::DanglingReference, "c3"),
        (Code::Invalid, "k2"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    assert_eq!(
        table.resolve("openai/x").unwrap().routes()[0]
            .provider
            .connections
            .len(),
        1
    );
    assert!(table.key("sk-1").is_some());
    assert!(table.key("sk-2").is_none());
}

#[test]
fn without_readable_settings_no_key_is_accepted() {
    for resources in [vec![key("k1", "sk-1")], {
        let mut unreadable = settings(&[]);
        if let Some(Body::Settings(settings)) = &mut unreadable.body {
            settings.api_key_pepper = sealed("settings|settings|another_field", PEPPER);
        }
        vec![unreadable, key("k1", "sk-1")]
    }] {
        let (table, errors) = compile(&resources);
        assert!(table.key("sk-1").is_none());
        assert_eq!(errors.len(), 1, "{errors:?}");
    }
}

#[test]
fn the_credential_is_in_the_prepared_headers_and_does_not_print() {
    let table = table(&[connection("c1", "openai", 1), connection("c2", "anthropic", 1)]);
    let header = |model: &str, name: &str| {
        let resolution = table.resolve(model).unwrap();
        let connection = resolution.routes()[0].provider.connections[0].clone();
        assert!(!format!("{connection:?}").contains("sk-upstream"));
        connection
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(
        header("openai/x", "authorization").as_deref(),
        Some("Bearer sk-upstream")
    );
    assert_eq!(header("anthropic/x", "x-api-key").as_deref(), Some("sk-upstream"));
    assert_eq!(header("anthropic/x", "authorization"), None);
}

#[test]
fn the_list_shows_what_routes_and_what_the_caller_may_use() {
    let mut scoped = key("k1", "sk-1");
    if let Some(Body::ApiKey(key)) = &mut scoped.body {
        key.allowed_models = vec!["smart".to_owned(), "openai/gpt-4o*".to_owned()];
    }
    let table = table(&[
        connection("c1", "openai", 1),
        combo("smart", "priority", &["openai/gpt-4o"]),
        combo("idle", "priority", &["anthropic/x"]),
        scoped,
    ]);
    let ids = |key: Option<&ApiKey>| table.visible(key).map(|row| row.id.clone()).collect::<Vec<_>>();
    let all = ids(None);
    assert_eq!(all[0], "smart");
    assert!(!all.contains(&"idle".to_owned()));
    assert!(all.iter().skip(1).all(|id| id.starts_with("openai/")), "{all:?}");
    let seen = ids(table.key("sk-1").map(|key| &**key));
    assert!(seen.contains(&"smart".to_owned()));
    assert!(
        seen.len() < all.len() && seen.iter().skip(1).all(|id| id.starts_with("openai/gpt-4o")),
        "{seen:?}"
    );
}

#[test]
fn an_address_is_ready_unless_the_model_belongs_into_it() {
    let table = table(&[
        connection("a", "openai", 1),
        connection("b", "gemini", 1),
        connection("c", "anthropic", 1),
    ]);
    let url = |provider: &str, stream| {
        let connection = table.provider(provider).unwrap().connections[0].clone();
        connection.chat_url("m/1?", stream).unwrap().to_string()
    };
    let google = "https://generativelanguage.googleapis.com/v1beta/models/m/1%3F";
    assert_eq!(url("openai", true), "https://api.openai.com/v1/chat/completions");
    assert_eq!(url("gemini", false), format!("{google}:generateContent"));
    assert_eq!(
        url("gemini", true),
        format!("{google}:streamGenerateContent?alt=sse")
    );
    let count = |provider: &str| {
        let connection = table.provider(provider).unwrap().connections[0].clone();
        connection.count_url("m").map(|url| url.path().to_owned())
    };
    assert_eq!(count("openai"), None);
    assert_eq!(count("anthropic").as_deref(), Some("/v1/messages/count_tokens"));
    assert_eq!(count("gemini").as_deref(), Some("/v1beta/models/m:countTokens"));
}

#[test]
fn nodes_of_every_dialect_route_to_their_own_address() {
    for (node_type, api_type, path) in [
        ("openai-compatible", "chat", "/x/chat/completions"),
        ("openai-compatible", "responses", "/x/responses"),
        ("anthropic-compatible", "", "/x/messages"),
        ("gemini-compatible", "", "/x/models/m:generateContent"),
        ("ollama-compatible", "", "/x/api/chat"),
        ("azure-compatible", "chat", "/x/openai/v1/chat/completions"),
        ("azure-compatible", "responses", "/x/openai/v1/responses"),
        (
            "azure-compatible",
            "deployments",
            "/x/openai/deployments/m/chat/completions",
        ),
        ("bedrock-compatible", "", "/x/model/m/converse"),
    ] {
        let body = v1::ProviderNode {
            name: "n".to_owned(),
            r#type: node_type.to_owned(),
            api_type: api_type.to_owned(),
            prefix: "mine".to_owned(),
            base_url: "https://node.example/x".to_owned(),
            api_version: String::new(),
        };
        let mut keyless = connection("c", "n", 1);
        if let Some(Body::Connection(connection)) = &mut keyless.body {
            connection.credential = None;
        }
        let table = table(&[resource("n", Body::ProviderNode(body)), keyless]);
        let connection = table.provider("mine").unwrap().connections[0].clone();
        assert_eq!(
            connection.chat_url("m", false).unwrap().path(),
            path,
            "{node_type}"
        );
        assert!(!connection.headers.contains_key("authorization"));
    }
}
