//! Models that an operator added to a provider.

use super::*;

fn custom(provider: &str, model: &str) -> Resource {
    let body = v1::CustomModel {
        provider: provider.to_owned(),
        model: model.to_owned(),
        r#type: "chat".to_owned(),
        ..v1::CustomModel::default()
    };
    resource(&format!("{provider}/{model}"), Body::CustomModel(body))
}

fn with_accounts(others: &[Resource]) -> Table {
    let accounts = [
        connection("c1", "deepseek", 1),
        connection("c2", "groq", 1),
        node("n1", "vllm"),
        connection("c3", "n1", 1),
    ];
    table(&[&accounts[..], others].concat())
}

#[test]
fn a_bare_custom_model_goes_to_the_one_active_provider_that_has_it() {
    let table = with_accounts(&[
        custom("n1", "mine"),
        custom("n1", "org/mine"),
        custom("n1", "twice"),
        custom("groq", "twice"),
        custom("openai", "elsewhere"),
        alias("short", "mine"),
    ]);
    for model in ["mine", "vllm/mine", "n1/mine", "short"] {
        assert_eq!(routes(&table, model).unwrap(), ["n1 mine"], "{model}");
    }
    assert_eq!(routes(&table, "org/mine").unwrap(), ["n1 org/mine"]);
    assert_eq!(
        routes(&table, "twice").unwrap_err(),
        "Ambiguous model 'twice'. Use provider/model prefix (ex: groq/twice or vllm/twice)."
    );
    // nobody is connected to its provider
    assert!(
        routes(&table, "elsewhere")
            .unwrap_err()
            .starts_with("Model `elsewhere` not found")
    );
}

#[test]
fn an_address_that_names_a_provider_takes_its_custom_models_as_they_are() {
    let table = with_accounts(&[custom("n1", "org/mine"), custom("groq", "org/fast")]);
    let at = |word, model| {
        let resolution = table.resolve_at(word, model).map_err(|error| error.to_string())?;
        Ok::<_, String>(resolution.routes()[0].name())
    };
    for (word, model, name) in [
        ("vllm", "org/mine", "vllm/org/mine"),
        ("n1", "org/mine", "vllm/org/mine"),
        ("vllm", "vllm/org/mine", "vllm/org/mine"),
        ("groq", "org/fast", "groq/org/fast"),
    ] {
        assert_eq!(at(word, model).unwrap(), name, "{word} {model}");
    }
    assert!(
        at("groq", "org/mine")
            .unwrap_err()
            .contains("does not belong to provider")
    );
}

#[test]
fn custom_models_are_listed_last_and_once_under_every_name_that_clients_may_write() {
    let known = providers::find("deepseek").unwrap();
    let table = with_accounts(&[
        custom("deepseek", "added"),
        custom("deepseek", known.models[0].id),
        custom("n1", "mine"),
        custom("openai", "elsewhere"),
    ]);
    let rows: Vec<_> = table.visible(None).collect();
    let custom: Vec<_> = rows
        .iter()
        .filter(|row| row.custom.is_some())
        .map(|row| (row.id.as_str(), row.parent.as_deref()))
        .collect();
    let expected = [
        ("ds/added", None),
        ("deepseek/added", Some("ds/added")),
        ("vllm/mine", None),
    ];
    assert_eq!(custom, expected);
    assert!(rows[rows.len() - 3..].iter().all(|row| row.custom.is_some()));
    let registry = format!("{}/{}", known.alias, known.models[0].id);
    assert_eq!(rows.iter().filter(|row| row.id == registry).count(), 1);
}

#[test]
fn a_key_sees_and_reaches_the_custom_models_of_its_patterns() {
    let mut key = key("k", "sk");
    if let Some(Body::ApiKey(key)) = &mut key.body {
        key.allowed_models = vec!["vllm/mine*".to_owned()];
    }
    let table = with_accounts(&[custom("n1", "mine"), custom("n1", "other"), key]);
    let key = table.key("sk").unwrap();
    let visible: Vec<_> = table.visible(Some(key)).map(|row| row.id.as_str()).collect();
    assert_eq!(visible, ["vllm/mine"]);
    for (written, open) in [
        ("mine", true),
        ("vllm/mine", true),
        ("other", false),
        ("vllm/other", false),
    ] {
        let resolution = table.resolve(written).unwrap();
        assert_eq!(key.covers(&resolution, written), [open], "{written}");
    }
}

#[test]
fn a_custom_model_of_a_provider_that_nobody_knows_is_reported_and_the_rest_applies() {
    let (table, errors) = compile(&[
        settings(&[]),
        connection("c1", "groq", 1),
        custom("gone", "mine"),
        custom("groq", "mine"),
    ]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].code(), Code::DanglingReference);
    assert_eq!(routes(&table, "mine").unwrap(), ["groq mine"]);
}
