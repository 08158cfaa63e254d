//! What Bedrock's Converse is asked, read strictly: whatever its documentation or its error messages refuse is refused
//! here, and an unknown member, too. It shares no code with the encoder.

use llm::Dialect;
use llm::request::{
    File, JsonSchema, MediaSource, Message, Opaque, Output, Part, PartKind, Request, Role, Tool,
    ToolArguments, ToolCall, ToolChoice, ToolKind, ToolResult,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(default)]
    system: Vec<Block>,
    messages: Vec<Turn>,
    #[serde(default)]
    inference_config: Inference,
    tool_config: Option<ToolConfig>,
    output_config: Option<OutputConfig>,
    #[serde(default)]
    additional_model_request_fields: Map<String, Value>,
    #[serde(default)]
    additional_model_response_field_paths: Vec<String>,
    #[serde(default)]
    request_metadata: Map<String, Value>,
    #[serde(default)]
    service_tier: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Inference {
    max_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    stop_sequences: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    role: String,
    content: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Block {
    Text(String),
    Image(Media),
    Document(Media),
    ToolUse(ToolUse),
    ToolResult(Answer),
    ReasoningContent(Reasoning),
    CachePoint(CachePoint),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Media {
    format: String,
    name: Option<String>,
    source: Source,
    #[serde(rename = "context")]
    _context: Option<String>,
    #[serde(rename = "citations")]
    _citations: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    bytes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ToolUse {
    tool_use_id: String,
    name: String,
    input: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answer {
    tool_use_id: String,
    content: Vec<Block>,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Reasoning {
    ReasoningText { text: String, signature: Option<String> },
    RedactedContent(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CachePoint {
    #[serde(rename = "type")]
    kind: String,
    ttl: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ToolConfig {
    tools: Vec<Declared>,
    tool_choice: Option<Choice>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Declared {
    ToolSpec(Spec),
    CachePoint(CachePoint),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    name: String,
    description: Option<String>,
    input_schema: Schema,
    strict: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Schema {
    json: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Choice {
    Auto {},
    Any {},
    Tool { name: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OutputConfig {
    text_format: Option<TextFormat>,
    effort: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextFormat {
    #[serde(rename = "type")]
    kind: String,
    structure: Structure,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Structure {
    JsonSchema {
        schema: String,
        name: Option<String>,
        description: Option<String>,
    },
}

pub fn read(body: &[u8]) -> Result<Request, String> {
    let body: Body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    limits(&body)?;
    let mut request = Request::default();
    if let Some(config) = body.tool_config {
        tools(config, &mut request)?;
    }
    conversation(&body.messages, &request.tools)?;
    request.system = parts(body.system)?;
    for turn in body.messages {
        let role = match turn.role.as_str() {
            "user" => Role::User,
            _ => Role::Assistant,
        };
        request.messages.push(Message::new(role, parts(turn.content)?));
    }
    request.stop = body.inference_config.stop_sequences;
    request.max_output = body.inference_config.max_tokens;
    if let Some(format) = body.output_config.and_then(|config| config.text_format) {
        let Structure::JsonSchema {
            schema,
            name,
            description,
        } = format.structure;
        ensure(format.kind == "json_schema", || format.kind)?;
        request.output = Output::JsonSchema(JsonSchema {
            name,
            description,
            schema: RawValue::from_string(schema).map_err(|error| error.to_string())?,
            strict: None,
        });
    }
    Ok(request)
}

// === functions ===

/// The constraints of the service model on plain values.
fn limits(body: &Body) -> Result<(), String> {
    let asked = &body.inference_config;
    let unit = |number: Option<f64>| number.is_none_or(|number| (0.0..=1.0).contains(&number));
    ensure(asked.max_tokens != Some(0), || "maxTokens is 0".into())?;
    ensure(unit(asked.temperature) && unit(asked.top_p), || {
        "temperature or topP is outside 0 to 1".into()
    })?;
    ensure(!asked.stop_sequences.iter().any(String::is_empty), || {
        "a stop sequence is empty".into()
    })?;
    let known = ["thinking", "top_k", "inferenceConfig", "reasoning_effort"];
    for field in body.additional_model_request_fields.keys() {
        ensure(known.contains(&field.as_str()), || format!("what is {field}?"))?;
    }
    let pointers = &body.additional_model_response_field_paths;
    ensure(pointers.iter().all(|pointer| pointer.starts_with('/')), || {
        "a path is no JSON pointer".into()
    })?;
    ensure(body.request_metadata.values().all(Value::is_string), || {
        "metadata is no text".into()
    })?;
    let tiers = ["priority", "default", "flex", "reserved"];
    let tier = body.service_tier.get("type").and_then(Value::as_str);
    ensure(tier.is_none_or(|tier| tiers.contains(&tier)), || {
        "no such tier".into()
    })?;
    let levels = ["low", "medium", "high", "xhigh", "max"];
    let effort = body
        .output_config
        .as_ref()
        .and_then(|config| config.effort.as_deref());
    ensure(effort.is_none_or(|effort| levels.contains(&effort)), || {
        "no such effort".into()
    })?;
    let in_turns = body.messages.iter().flat_map(|turn| &turn.content);
    let blocks = body.system.iter().chain(in_turns);
    let of_blocks = blocks
        .filter(|block| matches!(block, Block::CachePoint(_)))
        .count();
    let declared = body.tool_config.iter().flat_map(|config| &config.tools);
    let of_tools = declared
        .filter(|tool| matches!(tool, Declared::CachePoint(_)))
        .count();
    ensure(of_blocks + of_tools <= 4, || "more than four cache points".into())
}

/// "A conversation must start with a user message", and the other refusals of the service.
fn conversation(turns: &[Turn], tools: &[Tool]) -> Result<(), String> {
    for (at, turn) in turns.iter().enumerate() {
        let expected = ["user", "assistant"][at % 2];
        ensure(turn.role == expected, || {
            format!("turn {at} is the {}'s", turn.role)
        })?;
        ensure(!turn.content.is_empty(), || format!("turn {at} is empty"))?;
        let has = |kind: fn(&Block) -> bool| turn.content.iter().any(kind);
        let of_user =
            has(|block| matches!(block, Block::Image(_) | Block::Document(_) | Block::ToolResult(_)));
        let of_assistant = has(|block| matches!(block, Block::ToolUse(_) | Block::ReasoningContent(_)));
        ensure(turn.role == "user" || !of_user, || {
            format!("turn {at} has what only a user sends")
        })?;
        ensure(turn.role == "assistant" || !of_assistant, || {
            format!("turn {at} has what only a model says")
        })?;
        let documented = has(|block| matches!(block, Block::Document(_)));
        ensure(
            !documented || has(|block| matches!(block, Block::Text(_))),
            || format!("turn {at} has a document without a text"),
        )?;
        let calls: BTreeSet<&str> = turn.content.iter().filter_map(call_id).collect();
        let next = turns
            .get(at + 1)
            .map(|turn| turn.content.as_slice())
            .unwrap_or_default();
        let answers: BTreeSet<&str> = next.iter().filter_map(result_id).collect();
        ensure(calls == answers, || {
            format!("turn {at} has calls {calls:?}, the next one results of {answers:?}")
        })?;
        ensure(calls.is_empty() || !tools.is_empty(), || {
            "there are calls, and no toolConfig".into()
        })?;
    }
    let first_results = turns
        .first()
        .is_some_and(|turn| turn.content.iter().any(|block| result_id(block).is_some()));
    ensure(!first_results && !turns.is_empty(), || {
        "it begins with nothing or a result".into()
    })
}

fn call_id(block: &Block) -> Option<&str> {
    match block {
        Block::ToolUse(call) => Some(&call.tool_use_id),
        _ => None,
    }
}

fn result_id(block: &Block) -> Option<&str> {
    match block {
        Block::ToolResult(result) => Some(&result.tool_use_id),
        _ => None,
    }
}

fn tools(config: ToolConfig, request: &mut Request) -> Result<(), String> {
    for declared in config.tools {
        let spec = match declared {
            Declared::ToolSpec(spec) => spec,
            Declared::CachePoint(point) => {
                cache_point(&point)?;
                continue;
            }
        };
        let is_object = serde_json::from_str::<Value>(spec.input_schema.json.get())
            .is_ok_and(|schema| schema["type"] == "object");
        ensure(is_object, || "a schema is no object's".into())?;
        ensure(spec.description.as_deref() != Some(""), || {
            "a description is empty".into()
        })?;
        word(&spec.name)?;
        request.tools.push(Tool {
            kind: ToolKind::Function,
            name: spec.name,
            description: spec.description,
            schema: Some(spec.input_schema.json),
            strict: spec.strict,
            cache: None,
        });
    }
    ensure(!request.tools.is_empty(), || "toolConfig has no tools".into())?;
    request.tool_choice = match config.tool_choice {
        None => ToolChoice::Unset,
        Some(Choice::Auto {}) => ToolChoice::Auto,
        Some(Choice::Any {}) => ToolChoice::Required,
        Some(Choice::Tool { name }) => ToolChoice::Named(name),
    };
    Ok(())
}

fn parts(blocks: Vec<Block>) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut names = BTreeSet::new();
    for block in blocks {
        let kind = match block {
            Block::Text(text) => {
                ensure(!text.trim().is_empty(), || "a text is blank".into())?;
                parts.push(Part::text(text));
                continue;
            }
            Block::CachePoint(point) => {
                ensure(!parts.is_empty(), || {
                    "there is nothing before a cache point".into()
                })?;
                cache_point(&point)?;
                continue;
            }
            Block::Image(image) => {
                let formats = ["png", "jpeg", "gif", "webp"];
                ensure(formats.contains(&image.format.as_str()), || image.format.clone())?;
                PartKind::Image {
                    source: MediaSource::Base64(image.source.bytes),
                    mime: Some(format!("image/{}", image.format)),
                    detail: None,
                }
            }
            Block::Document(document) => {
                let name = document.name.ok_or("a document has no name")?;
                ensure(names.insert(name.clone()), || format!("two documents are {name}"))?;
                PartKind::File(File {
                    source: MediaSource::Base64(document.source.bytes),
                    mime: Some(document.format),
                    filename: Some(name),
                    title: None,
                    context: None,
                    citations: None,
                })
            }
            Block::ToolUse(call) => {
                word(&call.tool_use_id)?;
                word(&call.name)?;
                ensure(call.input.get().starts_with('{'), || {
                    "an input is no object".into()
                })?;
                PartKind::ToolCall(ToolCall {
                    id: call.tool_use_id,
                    name: call.name,
                    arguments: ToolArguments::Json(call.input.get().to_owned()),
                    opaque: None,
                })
            }
            Block::ToolResult(result) => {
                word(&result.tool_use_id)?;
                let failed = result.status.as_deref() == Some("error");
                ensure(!failed || !result.content.is_empty(), || {
                    "a failure says nothing".into()
                })?;
                PartKind::ToolResult(ToolResult {
                    call_id: result.tool_use_id,
                    name: None,
                    parts: self::parts(result.content)?,
                    is_error: Some(failed),
                })
            }
            Block::ReasoningContent(Reasoning::ReasoningText { text, signature }) => PartKind::Reasoning {
                text,
                opaque: signature.map(opaque),
            },
            Block::ReasoningContent(Reasoning::RedactedContent(data)) => {
                PartKind::RedactedReasoning(opaque(data))
            }
        };
        parts.push(Part::new(kind));
    }
    Ok(parts)
}

fn opaque(payload: String) -> Opaque {
    Opaque {
        issuer: Dialect::BedrockConverse,
        payload,
    }
}

fn cache_point(point: &CachePoint) -> Result<(), String> {
    let ttl = point.ttl.as_deref();
    ensure(
        point.kind == "default" && matches!(ttl, None | Some("5m" | "1h")),
        || format!("a cache point of {} for {ttl:?}", point.kind),
    )
}

/// `[a-zA-Z0-9_-]{1,64}`
fn word(text: &str) -> Result<(), String> {
    let sound = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    ensure((1..=64).contains(&text.len()) && text.chars().all(sound), || {
        format!("{text:?} is no name")
    })
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}
