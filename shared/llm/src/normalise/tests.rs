use super::*;
use crate::caps::ModelCaps;
use crate::dialect::Dialect;
use crate::note::Severity;
use crate::request::{MediaSource, Tool, ToolArguments, ToolCall, ToolResult};

fn target(dialect: Dialect) -> Target {
    Target {
        dialect,
        model: "m".to_owned(),
        caps: ModelCaps::of(dialect, "m"),
    }
}

fn call(id: &str) -> Part {
    Part::new(PartKind::ToolCall(ToolCall {
        id: id.to_owned(),
        name: format!("fn_{id}"),
        arguments: ToolArguments::Json("{}".to_owned()),
        opaque: None,
    }))
}

fn result(id: &str, text: &str) -> Part {
    Part::new(PartKind::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: None,
        parts: vec![Part::text(text)],
        is_error: None,
    }))
}

fn user(text: &str) -> Message {
    Message::new(Role::User, vec![Part::text(text)])
}

fn assistant(parts: Vec<Part>) -> Message {
    Message::new(Role::Assistant, parts)
}

fn tool(parts: Vec<Part>) -> Message {
    Message::new(Role::Tool, parts)
}

fn request(messages: Vec<Message>) -> Request {
    Request {
        model: "m".to_owned(),
        messages,
        ..Request::default()
    }
}

/// One line per message: role, then each part in short.
fn outline(messages: Vec<Message>) -> Result<(Vec<String>, Notes), EncodeError> {
    let mut request = request(messages);
    let mut notes = Notes::default();
    normalise(&mut request, &target(Dialect::OpenAiChat), &mut notes)?;
    Ok((request.messages.iter().map(line).collect(), notes))
}

fn line(message: &Message) -> String {
    let parts: Vec<String> = message.parts.iter().map(short).collect();
    format!("{:?} {}", message.role, parts.join(" "))
}

fn short(part: &Part) -> String {
    match &part.kind {
        PartKind::Text { text, .. } => format!("{text:?}"),
        PartKind::ToolCall(call) => format!("call:{}", call.id),
        PartKind::ToolResult(result) => {
            let inner: Vec<String> = result.parts.iter().map(short).collect();
            let error = if result.is_error == Some(true) { "!" } else { "" };
            format!("result:{}{error}={}", result.call_id, inner.join(""))
        }
        other => format!("{other:?}"),
    }
}

fn lines(messages: Vec<Message>) -> Vec<String> {
    outline(messages).unwrap().0
}

#[test]
fn results_move_behind_their_calls_in_call_order() {
    let messages = vec![
        user("go"),
        assistant(vec![call("a"), call("b")]),
        user("wait"),
        tool(vec![result("b", "2")]),
        tool(vec![result("a", "1")]),
        user("on"),
    ];
    assert_eq!(
        lines(messages),
        [
            "User \"go\"",
            "Assistant call:a call:b",
            "Tool result:a=\"1\" result:b=\"2\"",
            "User \"wait\"",
            "User \"on\"",
        ]
    );
}

#[test]
fn a_missing_result_is_made_up_as_an_error() {
    let messages = vec![
        assistant(vec![call("a"), call("b")]),
        tool(vec![result("a", "1")]),
        user("on"),
    ];
    let (lines, notes) = outline(messages).unwrap();
    assert_eq!(
        lines[1],
        "Tool result:a=\"1\" result:b!=\"No result was recorded for this tool call.\""
    );
    assert_eq!(notes.count(Severity::Synth), 1);
}

#[test]
fn a_conversation_cannot_end_with_open_calls() {
    let error = outline(vec![user("go"), assistant(vec![call("a"), call("b")])]).unwrap_err();
    assert_eq!(
        error.message,
        "assistant message with tool calls must be followed by tool results for: a, b"
    );
}

#[test]
fn a_result_without_a_call_becomes_text_in_place() {
    let messages = vec![user("go"), tool(vec![result("x", "lost")]), user("on")];
    assert_eq!(
        lines(messages),
        ["User \"go\"", "User \"[tool result x]\\nlost\"", "User \"on\""]
    );
}

#[test]
fn a_second_result_of_one_id_is_an_orphan() {
    let messages = vec![
        assistant(vec![call("a")]),
        tool(vec![result("a", "1"), result("a", "2")]),
    ];
    assert_eq!(
        lines(messages),
        [
            "Assistant call:a",
            "Tool result:a=\"1\"",
            "User \"[tool result a]\\n2\""
        ]
    );
}

#[test]
fn an_id_used_again_in_a_later_turn_has_its_own_result() {
    let messages = vec![
        assistant(vec![call("a")]),
        tool(vec![result("a", "1")]),
        assistant(vec![call("a")]),
        tool(vec![result("a", "2")]),
    ];
    assert_eq!(
        lines(messages),
        [
            "Assistant call:a",
            "Tool result:a=\"1\"",
            "Assistant call:a",
            "Tool result:a=\"2\""
        ]
    );
}

#[test]
fn duplicate_ids_in_one_message_are_told_apart() {
    let messages = vec![
        assistant(vec![call("a"), call("a")]),
        tool(vec![result("a", "1"), result("a", "2")]),
    ];
    assert_eq!(
        lines(messages),
        [
            "Assistant call:a call:a_2",
            "Tool result:a=\"1\" result:a_2=\"2\""
        ]
    );
}

#[test]
fn commentary_between_a_call_and_its_result_goes_in_front_of_the_call() {
    let messages = vec![
        assistant(vec![call("a")]),
        assistant(vec![Part::text("looking")]),
        tool(vec![result("a", "1")]),
    ];
    assert_eq!(
        lines(messages),
        ["Assistant \"looking\" call:a", "Tool result:a=\"1\""]
    );
}

#[test]
fn results_in_a_user_message_are_split_out() {
    let messages = vec![
        assistant(vec![call("a")]),
        Message::new(Role::User, vec![Part::text("also"), result("a", "1")]),
    ];
    assert_eq!(
        lines(messages),
        ["Assistant call:a", "Tool result:a=\"1\"", "User \"also\""]
    );
}

#[test]
fn empty_parts_go_and_blank_ones_only_beside_others() {
    let text = |text: &str| Part::text(text);
    let messages = vec![
        Message::new(Role::User, vec![text(""), text(" \n"), text("x")]),
        Message::new(Role::User, vec![text(" ")]),
    ];
    assert_eq!(lines(messages), ["User \"x\"", "User \" \""]);
}

#[test]
fn names_and_ids_fit_the_target_everywhere_alike() {
    let long = "é".repeat(80);
    let mut request = request(vec![assistant(vec![call(&long)]), tool(vec![result(&long, "1")])]);
    request.tools = vec![Tool {
        kind: ToolKind::Function,
        name: format!("fn_{long}"),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    }];
    request.tool_choice = ToolChoice::Named(format!("fn_{long}"));
    let names = normalise(&mut request, &target(Dialect::OpenAiChat), &mut Notes::default()).unwrap();

    let PartKind::ToolCall(call) = &request.messages[0].parts[0].kind else {
        panic!("no call")
    };
    let PartKind::ToolResult(result) = &request.messages[1].parts[0].kind else {
        panic!("no result")
    };
    assert_eq!(call.id, result.call_id);
    assert!(call.id.len() <= 64);
    assert_eq!(Some(&call.name), result.name.as_ref());
    assert_eq!(call.name, request.tools[0].name);
    assert_eq!(request.tool_choice, ToolChoice::Named(call.name.clone()));
    assert_eq!(names.restore(&call.name), format!("fn_{long}"));
}

#[test]
fn what_the_target_cannot_have_is_refused() {
    let refused = |edit: &dyn Fn(&mut Request)| {
        let mut request = request(vec![user("go")]);
        edit(&mut request);
        let error = normalise(
            &mut request,
            &target(Dialect::AnthropicMessages),
            &mut Notes::default(),
        )
        .unwrap_err();
        (error.param.unwrap_or_default(), error.message)
    };
    let function = |name: &str| Tool {
        kind: ToolKind::Function,
        name: name.to_owned(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    };
    let file = MediaSource::FileId {
        id: "f".to_owned(),
        issuer: Dialect::OpenAiChat,
    };
    let image = PartKind::Image {
        source: file,
        mime: None,
        detail: None,
    };
    let audio = PartKind::Audio {
        data: String::new(),
        format: "wav".to_owned(),
    };
    for (edit, param, message) in [
        (
            &(|r: &mut Request| r.messages.clear()) as &dyn Fn(&mut Request),
            "messages",
            "messages must contain at least one item",
        ),
        (
            &|r| r.sampling.n = Some(2),
            "n",
            "n>1 is not supported by model 'm'",
        ),
        (
            &|r| r.tool_choice = ToolChoice::Required,
            "tool_choice",
            "tool_choice requires a non-empty tools array",
        ),
        (
            &|r| {
                r.tools = vec![function("f")];
                r.tool_choice = ToolChoice::Named("g".to_owned());
            },
            "tool_choice",
            "tool_choice references unknown tool 'g'",
        ),
        (
            &|r| r.tools = vec![function("f"), function("f")],
            "tools",
            "tools: duplicate tool name 'f'",
        ),
        (
            &|r| r.messages[0].parts.push(Part::new(image.clone())),
            "messages[0].content",
            "file references are provider-scoped; send file_data instead",
        ),
        (
            &|r| r.messages[0].parts.push(Part::new(audio.clone())),
            "messages[0].content",
            "model 'm' does not accept audio input",
        ),
    ] {
        assert_eq!(refused(edit), (param.to_owned(), message.to_owned()));
    }
}
