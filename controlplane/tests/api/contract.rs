//! What the management API says of itself, held against what it answers: every answer of every test here goes through
//! [`hold`]. An answer that its document does not describe fails the test that got it.

use std::{collections::HashMap, sync::LazyLock};

use axum::http::Method;
use jsonschema::Validator;
use parking_lot::Mutex;
use serde_json::{Value, json};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(controlplane::api::document()).unwrap());

/// Compiled schemas, by where the document has them.
static SCHEMAS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);

/// The document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// The described path that `path` is one of; a literal segment wins over a parameter.
pub fn template(path: &str) -> Option<&'static str> {
    let fits = |template: &&String| {
        let (given, described) = (path.split('/'), template.split('/'));
        given.clone().count() == described.clone().count()
            && given
                .zip(described)
                .all(|(given, described)| given == described || described.starts_with('{'))
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let templates = paths.keys().filter(fits);
    templates
        .min_by_key(|template| template.matches('{').count())
        .map(String::as_str)
}

/// Panics when the answer is none that the document describes.
pub fn hold(method: &Method, path: &str, status: u16, media: Option<&str>, body: &[u8]) {
    let Some(template) = template(path) else { return };
    let verb = method.as_str().to_lowercase();
    let operation = &DOCUMENT["paths"][template][&verb];
    if operation.is_null() {
        return;
    }
    let what = format!("{method} {template} answered {status}");
    let responses = &operation["responses"];
    let exact = status.to_string();
    let range = format!("{}XX", status / 100);
    let key = [exact, range]
        .into_iter()
        .find(|key| !responses[key.as_str()].is_null());
    let Some(key) = key else {
        panic!("{what}, which its document does not say it may");
    };
    let Some(content) = responses[&key]["content"].as_object() else {
        assert!(
            body.is_empty() || (300..400).contains(&status),
            "{what} with a body that its document says nothing of: {}",
            String::from_utf8_lossy(body)
        );
        return;
    };
    let media = media.unwrap_or_default().split(';').next().unwrap_or_default();
    assert!(
        content.contains_key(media),
        "{what} as {media:?}, which its document does not say it may"
    );
    if media != "application/json" {
        return;
    }
    let body: Value =
        serde_json::from_slice(body).unwrap_or_else(|error| panic!("{what} with no JSON: {error}"));
    let pointer = format!("{template} {verb} {key}");
    let validator = compiled(pointer, &content[media]["schema"]);
    let problems: Vec<_> = validator
        .iter_errors(&body)
        .map(|problem| format!("{} {problem}", problem.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{what}, but {problems:#?}\n{body:#}");
}

fn compiled(pointer: String, schema: &Value) -> &'static Validator {
    SCHEMAS.lock().entry(pointer).or_insert_with_key(|pointer| {
        let whole = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
        let validator = jsonschema::validator_for(&whole)
            .unwrap_or_else(|error| panic!("the schema of {pointer} is none: {error}"));
        Box::leak(Box::new(validator))
    })
}
