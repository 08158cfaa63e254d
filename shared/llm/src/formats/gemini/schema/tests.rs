use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

/// What the vendor's `Schema` type knows.
const ALLOWED: [&str; 18] = [
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "items",
    "minItems",
    "maxItems",
    "properties",
    "required",
    "propertyOrdering",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "anyOf",
];

fn clean(schema: Value) -> Value {
    subset::clean(schema).expect("the schema is small")
}

/// The one property `p` of an object.
fn property(schema: Value) -> Value {
    clean(json!({"type": "object", "properties": {"p": schema}}))["properties"]["p"].take()
}

#[test]
fn what_the_subset_cannot_say_is_said_as_well_as_it_can() {
    for (schema, expected) in [
        (
            json!({"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}], "default": null}),
            json!({"type": "integer", "minimum": 1, "nullable": true}),
        ),
        (
            json!({"type": "array", "items": {"type": ["object", "null"], "properties": {"a": {"type": "string"}}}}),
            json!({"type": "array", "items": {"type": "object", "nullable": true, "properties": {"a": {"type": "string"}}}}),
        ),
        (
            json!({"type": "integer", "enum": [1, 2, 3]}),
            json!({"type": "integer", "description": "Allowed values: 1, 2, 3"}),
        ),
        (
            json!({"type": "string", "enum": ["a", "", null, "a"]}),
            json!({"type": "string", "enum": ["a"], "nullable": true}),
        ),
        (
            json!({"description": "d", "type": "object", "anyOf": [
                {"properties": {"x": {"type": "string"}}}, {"properties": {"y": {"type": "string"}}}]}),
            json!({"description": "d", "anyOf": [
                {"type": "object", "properties": {"x": {"type": "string"}}},
                {"type": "object", "properties": {"y": {"type": "string"}}}]}),
        ),
        (
            json!({"type": ["string", "array"], "items": {"type": "integer"}, "description": "d"}),
            json!({"description": "d", "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]}),
        ),
        (
            json!({"const": "only"}),
            json!({"type": "string", "enum": ["only"]}),
        ),
        (
            json!({"type": "string", "format": "uri", "description": "d"}),
            json!({"type": "string", "description": "d. Format: uri"}),
        ),
        (
            json!({"type": "string", "format": "date-time"}),
            json!({"type": "string", "format": "date-time"}),
        ),
        (
            json!({"type": "number", "exclusiveMaximum": 5, "maximum": 9, "multipleOf": 2}),
            json!({"type": "number", "maximum": 5, "description": "Must be less than 5"}),
        ),
        (
            json!({"type": "integer", "minimum": 3, "exclusiveMinimum": true}),
            json!({"type": "integer", "minimum": 4}),
        ),
        (
            json!({"type": "array"}),
            json!({"type": "array", "items": {"type": "string"}}),
        ),
        (
            json!({"prefixItems": [{"type": "string"}, {"type": "integer"}, {"type": "string"}]}),
            json!({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}),
        ),
        (
            json!({"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]},
                {"properties": {"b": true}, "required": ["b"], "additionalProperties": false}]}),
            json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a", "b"]}),
        ),
        (json!({"oneOf": [{"type": "string"}]}), json!({"type": "string"})),
        (
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            json!({"type": "object"}),
        ),
        (json!({"type": "STRING", "x-order": 1}), json!({"type": "string"})),
    ] {
        assert_eq!(property(schema.clone()), expected, "{schema}");
    }
}

#[test]
fn required_names_only_what_exists() {
    let schema = json!({"type": "object", "required": ["a", "zz"], "properties": {"a": {"type": "string"}, "b": false}});
    assert_eq!(
        clean(schema),
        json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}})
    );
}

#[test]
fn properties_may_be_called_like_keywords() {
    let names = [
        "pattern", "title", "default", "format", "const", "$ref", "enum", "x-y", "$schema", "required",
    ];
    let properties: Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({"type": "string"})))
        .collect();
    let schema = json!({"type": "object", "properties": properties, "required": names});
    assert_eq!(clean(schema.clone()), schema);
    assert_eq!(trim::trim(schema.clone()), Ok(schema));
}

#[test]
fn references_are_resolved_and_cycles_end() {
    let schema = json!({
        "$defs": {
            "node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "v": {"$ref": "#/$defs/a~1b%20c"}}},
            "a/b c": {"type": "integer", "description": "v"},
        },
        "type": "object",
        "properties": {
            "list": {"$ref": "#/$defs/node", "description": "mine"},
            "far": {"$ref": "https://example.com/schema.json"},
        },
    });
    assert_eq!(
        clean(schema),
        json!({"type": "object", "properties": {
            "list": {"type": "object", "description": "mine", "properties": {
                "next": {"type": "object", "description": "(recursive node)"},
                "v": {"type": "integer", "description": "v"},
            }},
            "far": {"type": "object"},
        }})
    );
    for cyclic in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"anyOf": [{"$ref": "#"}, {"type": "null"}]}),
        json!({"items": {"$ref": "#"}}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
    ] {
        let once = clean(cyclic.clone());
        assert_eq!(clean(once.clone()), once, "{cyclic}");
    }
}

#[test]
fn a_schema_that_grows_without_bounds_is_refused() {
    let mut defs = Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        defs.insert(
            format!("l{level}"),
            json!({"type": "object", "properties": {"a": next, "b": next}}),
        );
    }
    let bomb = json!({"$defs": defs, "$ref": "#/$defs/l0"});
    assert_eq!(subset::clean(bomb), Err(TooLarge));
    let mut deep = json!({"type": "string"});
    for _ in 0..80 {
        deep = json!({"type": "array", "items": deep});
    }
    assert_eq!(subset::clean(deep.clone()), Err(TooLarge));
    assert_eq!(trim::trim(deep), Err(TooLarge));
}

#[test]
fn arguments_are_an_object_or_nothing() {
    let raw = |schema: &Value| RawValue::from_string(schema.to_string()).unwrap();
    for (schema, language, expected) in [
        (
            json!({"type": "object", "properties": {}}),
            Language::OpenApiSubset,
            None,
        ),
        (json!({}), Language::OpenApiSubset, None),
        (json!({"type": "object"}), Language::JsonSchema, None),
        (
            json!({"$schema": "s", "properties": {"a": {"type": "string", "default": "x"}}}),
            Language::JsonSchema,
            Some(json!({"properties": {"a": {"type": "string", "default": "x"}}, "type": "object"})),
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            Language::OpenApiSubset,
            Some(json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}})),
        ),
    ] {
        let is_empty_object = |schema: &Option<Value>| {
            schema
                .as_ref()
                .is_none_or(|schema| schema["properties"].as_object().is_none_or(Map::is_empty))
        };
        let got = arguments(Some(&raw(&schema)), language).unwrap();
        match expected {
            None => assert!(is_empty_object(&got), "{schema}: {got:?}"),
            expected => assert_eq!(got, expected, "{schema}"),
        }
    }
    assert_eq!(arguments(None, Language::OpenApiSubset), Ok(None));
}

#[test]
fn types_in_capitals_are_lowered_but_not_names() {
    let mut schema =
        json!({"type": "OBJECT", "properties": {"TYPE": {"type": "ARRAY", "items": {"type": "STRING"}}}});
    with_lower_case_types(&mut schema);
    assert_eq!(
        schema,
        json!({"type": "object", "properties": {"TYPE": {"type": "array", "items": {"type": "string"}}}})
    );
}

/// Schemas of every keyword in every position, sane and not.
fn any_schema() -> impl Strategy<Value = Value> {
    let keyword = prop::sample::select(vec![
        json!({"type": "string"}),
        json!({"type": ["integer", "null", "string"], "enum": [1, null, "a", ""]}),
        json!({"type": "null"}),
        json!({"const": 5}),
        json!({"enum": ["a", "b"], "format": "uuid", "pattern": "^a"}),
        json!({"type": "number", "exclusiveMinimum": 1.5, "minimum": 0, "multipleOf": 2}),
        json!({"type": "integer", "exclusiveMaximum": true, "maximum": 3, "format": "int64"}),
        json!({"$ref": "#"}),
        json!({"$ref": "#/properties/p"}),
        json!({"$ref": "#/nowhere"}),
        json!({"description": "d", "title": "t", "default": 1, "examples": [1], "x-a": 1}),
        json!({"nullable": true, "minItems": 1.0, "maxLength": -1}),
        json!({"required": ["p", "q", 1], "propertyOrdering": ["q", "p"], "additionalProperties": false}),
        json!(true),
        json!(false),
        json!({}),
    ]);
    keyword.prop_recursive(4, 24, 4, |inner| {
        let name = prop::sample::select(vec!["p", "q", "pattern", "$ref", "type"]);
        prop_oneof![
            prop::collection::btree_map(name, inner.clone(), 0..3).prop_map(|all| json!({"properties": all})),
            inner
                .clone()
                .prop_map(|item| json!({"type": "array", "items": item})),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|all| json!({"items": all})),
            (
                prop::sample::select(vec!["anyOf", "oneOf", "allOf"]),
                prop::collection::vec(inner.clone(), 0..3),
                inner
            )
                .prop_map(|(word, all, beside)| {
                    let mut node = json!({ word: all });
                    for (keyword, value) in beside.as_object().into_iter().flatten() {
                        node[keyword] = value.clone();
                    }
                    node
                }),
        ]
    })
}

/// Every key at the position of a keyword, and whether each schema says what it is.
fn check(schema: &Value, keywords: &mut BTreeSet<String>) -> bool {
    let node = schema.as_object().expect("a clean schema is an object");
    keywords.extend(node.keys().cloned());
    let inner = node
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|all| all.values());
    let inner = inner
        .chain(node.get("items"))
        .chain(node.get("anyOf").and_then(Value::as_array).into_iter().flatten());
    let typed = node.contains_key("type") != node.contains_key("anyOf");
    let mut all = typed;
    for schema in inner {
        all &= check(schema, keywords);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cleaning_is_idempotent_and_leaves_only_what_is_allowed(schema in any_schema()) {
        let Ok(once) = subset::clean(schema) else { return Ok(()) };
        let mut keywords = BTreeSet::new();
        prop_assert!(check(&once, &mut keywords), "{}", once);
        prop_assert!(keywords.iter().all(|keyword| ALLOWED.contains(&keyword.as_str())), "{:?}", keywords);
        prop_assert_eq!(subset::clean(once.clone()), Ok(once));
    }

    #[test]
    fn names_of_properties_survive(names in prop::collection::btree_set("[a-z$-]{1,12}", 1..6)) {
        let properties: Map<String, Value> = names.iter().map(|name| (name.clone(), json!({}))).collect();
        let schema = clean(json!({"properties": properties}));
        let kept: BTreeSet<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        prop_assert_eq!(kept, names);
    }
}
