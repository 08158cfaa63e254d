//! Reading a request, or saying why not.

use super::conversation;
use crate::answer::Question;
use serde_json::{Map, Value};

const FIELDS: &[&str] = &[
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "inferenceConfig",
    "messages",
    "outputConfig",
    "performanceConfig",
    "projectIdentifier",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
    "system",
    "toolConfig",
];
const MAX_CACHE_POINTS: usize = 4;
const LEAST_THINKING: u64 = 1_024;

pub fn read(body: &Value, cached: bool) -> Result<Question, String> {
    only(body, FIELDS, "the request")?;
    let inference = &body["inferenceConfig"];
    only(
        inference,
        &["maxTokens", "temperature", "topP", "stopSequences"],
        "inferenceConfig",
    )?;
    for (field, most) in [("temperature", 1.0), ("topP", 1.0)] {
        let number = &inference[field];
        let sound = number
            .as_f64()
            .is_some_and(|number| (0.0..=most).contains(&number));
        ensure(number.is_null() || sound, || {
            constraint(
                &format!("inferenceConfig.{field}"),
                "Member must be between 0 and 1",
            )
        })?;
    }
    let longest = max_tokens(&inference["maxTokens"])?;
    let messages = list(&body["messages"]);
    let mut question = Question {
        cached,
        messages: messages.len() as u64,
        longest,
        stops: stops(&inference["stopSequences"])?,
        thinks: thinks(&body["additionalModelRequestFields"]["thinking"], longest)?,
        ..Question::default()
    };
    question.read(&conversation::system(&body["system"])?);
    let declares_tools = read_tools(&body["toolConfig"], &mut question)?;
    read_format(&body["outputConfig"], &mut question)?;
    ensure(!(question.thinks && question.tool_required), || {
        "Thinking may not be enabled when tool_choice forces tool use.".into()
    })?;
    let points = cache_points(body);
    ensure(points <= MAX_CACHE_POINTS, || {
        format!("The request has {points} cache checkpoints, and the model takes {MAX_CACHE_POINTS} at most.")
    })?;
    conversation::read(messages, declares_tools, &mut question)?;
    Ok(question)
}

/// Whether the model's own name for the stop sequence it met is to be in the reply.
pub fn shows_stop_sequence(body: &Value) -> bool {
    list(&body["additionalModelResponseFieldPaths"])
        .iter()
        .any(|path| path == "/stop_sequence")
}

/// The service refuses what its model has no member for.
pub fn only(value: &Value, fields: &[&str], place: &str) -> Result<(), String> {
    let unknown = |object: &Map<String, Value>| {
        let name = object.keys().find(|name| !fields.contains(&name.as_str()));
        name.cloned()
    };
    match value {
        Value::Null => Ok(()),
        Value::Object(object) => match unknown(object) {
            Some(name) => Err(format!("{place}: {name}: Extra inputs are not permitted")),
            None => Ok(()),
        },
        _ => Err(format!("{place} must be an object")),
    }
}

/// The one member of a union.
pub fn member<'a>(union: &'a Value, place: &str) -> Result<(&'a str, &'a Value), String> {
    let mut members = union
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null());
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        _ => Err(format!("{place} must have exactly one of its members set")),
    }
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// `[a-zA-Z0-9_-]{1,64}`
pub fn word<'a>(value: &'a Value, place: &str) -> Result<&'a str, String> {
    let legal = |text: &&str| {
        (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    value.as_str().filter(legal).ok_or_else(|| {
        constraint(
            place,
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]{1,64}",
        )
    })
}

pub fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn constraint(place: &str, rule: &str) -> String {
    format!("1 validation error detected: Value at '{place}' failed to satisfy constraint: {rule}")
}

fn max_tokens(max: &Value) -> Result<Option<u64>, String> {
    match max.as_u64() {
        None if max.is_null() => Ok(None),
        Some(1..) => Ok(max.as_u64()),
        _ => Err(constraint(
            "inferenceConfig.maxTokens",
            "Member must have value greater than or equal to 1",
        )),
    }
}

fn stops(stops: &Value) -> Result<Vec<String>, String> {
    let texts = list(stops)
        .iter()
        .map(|stop| stop.as_str().filter(|stop| !stop.is_empty()));
    texts
        .map(|stop| stop.map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| {
            constraint(
                "inferenceConfig.stopSequences",
                "Member must have length greater than or equal to 1",
            )
        })
}

/// In the words of the model's vendor, whose messages the service passes on.
fn thinks(thinking: &Value, longest: Option<u64>) -> Result<bool, String> {
    match thinking["type"].as_str() {
        None if thinking.is_null() => Ok(false),
        Some("disabled") => Ok(false),
        Some("adaptive") => Ok(true),
        Some("enabled") => {
            let budget = thinking["budget_tokens"].as_u64().unwrap_or_default();
            ensure(budget >= LEAST_THINKING, || {
                format!(
                    "thinking.enabled.budget_tokens: Input should be greater than or equal to {LEAST_THINKING}"
                )
            })?;
            ensure(longest.is_none_or(|longest| budget < longest), || {
                "`max_tokens` must be greater than `thinking.budget_tokens`.".into()
            })?;
            Ok(true)
        }
        _ => Err("thinking: Input tag should be one of 'enabled', 'disabled', 'adaptive'".into()),
    }
}

/// Whether there are any.
fn read_tools(config: &Value, question: &mut Question) -> Result<bool, String> {
    if config.is_null() {
        return Ok(false);
    }
    only(config, &["tools", "toolChoice"], "toolConfig")?;
    let choice = &config["toolChoice"];
    let chosen = match choice.is_null() {
        true => None,
        false => match member(choice, "toolConfig.toolChoice")? {
            ("auto" | "any", _) => None,
            ("tool", tool) => Some(word(&tool["name"], "toolConfig.toolChoice.tool.name")?),
            (other, _) => {
                return Err(format!(
                    "toolConfig.toolChoice: {other}: Extra inputs are not permitted"
                ));
            }
        },
    };
    let mut declared = 0;
    for (n, tool) in list(&config["tools"]).iter().enumerate() {
        let place = format!("toolConfig.tools.{n}.member");
        let spec = match member(tool, &place)? {
            ("toolSpec", spec) => spec,
            ("cachePoint" | "systemTool", _) => continue,
            (other, _) => return Err(format!("{place}: {other}: Extra inputs are not permitted")),
        };
        declared += 1;
        let place = format!("{place}.toolSpec");
        only(spec, &["name", "description", "inputSchema", "strict"], &place)?;
        let name = word(&spec["name"], &format!("{place}.name"))?;
        ensure(spec["description"] != "", || {
            constraint(
                &format!("{place}.description"),
                "Member must have length greater than or equal to 1",
            )
        })?;
        let schema = &spec["inputSchema"]["json"];
        ensure(schema["type"] == "object", || {
            format!("The value at {place}.inputSchema.json.type must be one of the following: object.")
        })?;
        if chosen.is_none_or(|only| only == name) {
            question.tools.push((name.to_owned(), schema.clone()));
        }
    }
    ensure(declared > 0, || {
        constraint(
            "toolConfig.tools",
            "Member must have length greater than or equal to 1",
        )
    })?;
    ensure(!question.tools.is_empty(), || {
        "The tool of toolConfig.toolChoice is not among the tools.".into()
    })?;
    question.tool_required = choice.get("any").is_some() || chosen.is_some();
    Ok(true)
}

fn read_format(config: &Value, question: &mut Question) -> Result<(), String> {
    only(config, &["textFormat", "effort"], "outputConfig")?;
    let format = &config["textFormat"];
    if format.is_null() {
        return Ok(());
    }
    ensure(format["type"] == "json_schema", || {
        constraint(
            "outputConfig.textFormat.type",
            "Member must satisfy enum value set: [json_schema]",
        )
    })?;
    let schema = format["structure"]["jsonSchema"]["schema"]
        .as_str()
        .unwrap_or_default();
    let schema: Value =
        serde_json::from_str(schema).map_err(|_| "outputConfig.textFormat: The schema is no valid JSON.")?;
    ensure(crate::schema::is_closed(&schema), || {
        "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false".into()
    })?;
    question.schema = Some(schema);
    Ok(())
}

/// Between blocks and tools, and not in what tools take.
fn cache_points(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(cache_points).sum(),
        Value::Object(fields) => {
            let own = usize::from(
                fields
                    .get("cachePoint")
                    .is_some_and(|point| point["type"] == "default"),
            );
            let inner = fields
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "input" | "json"));
            own + inner.map(|(_, value)| cache_points(value)).sum::<usize>()
        }
        _ => 0,
    }
}
