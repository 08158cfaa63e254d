use super::*;

#[test]
fn tool_choices_are_said_in_the_apis_words() {
    for (choice, parallel, wire) in [
        (ToolChoice::Unset, None, Value::Null),
        (ToolChoice::Unset, Some(true), Value::Null),
        (
            ToolChoice::Unset,
            Some(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (ToolChoice::Auto, None, json!({"type": "auto"})),
        (ToolChoice::None, Some(false), json!({"type": "none"})),
        (
            ToolChoice::Required,
            Some(false),
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
        (
            ToolChoice::Named("g".to_owned()),
            None,
            json!({"type": "tool", "name": "g"}),
        ),
        (
            ToolChoice::Allowed {
                required: true,
                names: vec!["g".to_owned()],
            },
            None,
            json!({"type": "any"}),
        ),
    ] {
        let mut asked = request(vec![text(Role::User, "u")]);
        asked.tools = vec![function("f"), function("g")];
        asked.tool_choice = choice.clone();
        asked.parallel_tools = parallel;
        let (out, _) = encoded(&asked, &target());
        assert_eq!(out["tool_choice"], wire, "{choice:?}");
        let offered = if matches!(choice, ToolChoice::Allowed { .. }) {
            1
        } else {
            2
        };
        assert_eq!(out["tools"].as_array().unwrap().len(), offered);
        asked.tools.clear();
        assert!(
            encoded(&asked, &target()).0.get("tool_choice").is_none(),
            "no tools, no choice"
        );
    }
}

#[test]
fn a_forced_choice_outweighs_thinking() {
    let mut asked = request(vec![text(Role::User, "u")]);
    asked.max_output = Some(9_000);
    asked.tools = vec![function("f")];
    asked.tool_choice = ToolChoice::Required;
    asked.reasoning.effort = Some("high".to_owned());
    let (out, _) = encoded(&asked, &target());
    assert!(out.get("thinking").is_none());
    assert_eq!(out["tool_choice"], json!({"type": "any"}));
}

#[test]
fn tools_of_other_vendors_are_translated_dropped_or_refused() {
    let hosted = |kind: &str| Tool {
        kind: ToolKind::Hosted {
            dialect: Dialect::OpenAiChat,
            raw: json!({"type": kind}),
        },
        ..function(kind)
    };
    let custom = Tool {
        kind: ToolKind::Custom {
            format: Some(json!({"type": "grammar", "definition": "start: /.+/s"})),
        },
        description: Some("Patches.".to_owned()),
        ..function("apply_patch")
    };
    let mut asked = request(vec![text(Role::User, "u")]);
    asked.tools = vec![custom, hosted("image_generation"), hosted("web_search")];
    let (out, notes) = encoded(&asked, &target());
    assert_eq!(out["tools"][0]["description"], "Patches.\n\nstart: /.+/s");
    assert_eq!(out["tools"][0]["input_schema"]["required"], json!(["input"]));
    assert_eq!(
        out["tools"][1],
        json!({"type": "web_search_20250305", "name": "web_search"})
    );
    assert!(
        notes
            .iter()
            .any(|note| note.severity == Severity::Loss && note.field == "tools")
    );

    asked.tools = vec![hosted("file_search")];
    let error = encode(&asked, &target(), &mut Notes::default()).unwrap_err();
    assert_eq!(
        error.message,
        "tool type 'file_search' is not supported by the selected model"
    );
}

#[test]
fn structured_output_is_native_a_forced_tool_or_an_instruction() {
    let schema = serde_json::from_str(r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#).unwrap();
    let spec = crate::request::JsonSchema {
        name: None,
        description: None,
        schema,
        strict: Some(true),
    };
    let mut asked = request(vec![text(Role::User, "u")]);
    asked.output = Output::JsonSchema(spec);

    let mut native = target();
    native.caps.json_schema = true;
    let (out, _) = encoded(&asked, &native);
    assert_eq!(out["output_config"]["format"]["type"], "json_schema");
    assert_eq!(
        out["output_config"]["format"]["schema"]["additionalProperties"],
        false
    );

    let mut emulated = target();
    emulated.caps.json_schema = false;
    let (out, _) = encoded(&asked, &emulated);
    assert_eq!(
        out["tool_choice"],
        json!({"type": "tool", "name": "gateway_structured_output"})
    );
    assert_eq!(
        out["tools"][0]["input_schema"]["properties"]["a"]["type"],
        "integer"
    );

    asked.tools = vec![function("f")];
    let (out, notes) = encoded(&asked, &emulated);
    assert!(out.get("tool_choice").is_none());
    assert!(
        out["system"][0]["text"]
            .as_str()
            .unwrap()
            .contains(r#""a":{"type":"integer"}"#)
    );
    assert!(notes.iter().any(|note| note.field == "response_format"));
}
