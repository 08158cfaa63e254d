//! Reading a request, or saying why not.

use super::{contents, proto, schema};
use crate::answer::Question;
use serde_json::Value;

const MAX_STOPS: usize = 5;
const MAX_NAME: usize = 64;
/// Models from this generation on take tools together with a form of the answer.
const NEWEST: &str = "gemini-3";

/// The question, and whether its thoughts are to be shown.
pub fn read(body: &Value, model: &str, cached: bool) -> Result<(Question, bool), String> {
    let body = proto::REQUEST.read(body, "")?;
    let config = &body["generationConfig"];
    check_config(config)?;
    let thinking = &config["thinkingConfig"];
    let mut question = Question {
        cached,
        longest: config["maxOutputTokens"].as_u64(),
        stops: stops(&config["stopSequences"])?,
        thinks: thinking.is_object() && thinking["thinkingBudget"] != 0,
        ..Question::default()
    };
    for part in body["systemInstruction"]["parts"]
        .as_array()
        .into_iter()
        .flatten()
    {
        question.read(part["text"].as_str().unwrap_or_default());
    }
    read_tools(&body, &mut question)?;
    read_format(config, &mut question)?;
    let newest = model.contains(NEWEST);
    if config["responseMimeType"] == "application/json" && !question.tools.is_empty() && !newest {
        return Err("Function calling with a response mime type: 'application/json' is unsupported".into());
    }
    contents::read_contents(&body["contents"], newest, &mut question)?;
    Ok((question, thinking["includeThoughts"] == true))
}

/// What is to be counted is either contents or a whole request.
pub fn read_count(body: &Value, model: &str) -> Result<Question, String> {
    let body = proto::COUNT.read(body, "")?;
    match &body["generateContentRequest"] {
        Value::Null => {
            let mut question = Question::default();
            contents::read_contents(&body["contents"], false, &mut question)?;
            Ok(question)
        }
        request => read(request, model, false).map(|(question, _)| question),
    }
}

fn check_config(config: &Value) -> Result<(), String> {
    let place = "* GenerateContentRequest.generation_config";
    for (name, field, most) in [("temperature", "temperature", 2.0), ("topP", "top_p", 1.0)] {
        if config[name]
            .as_f64()
            .is_some_and(|number| !(0.0..=most).contains(&number))
        {
            return Err(format!(
                "{place}.{field}: {field} must be in the range [0.0, {most:.1}].\n"
            ));
        }
    }
    let least = [
        ("maxOutputTokens", "max_output_tokens"),
        ("topK", "top_k"),
        ("candidateCount", "candidate_count"),
    ];
    for (name, field) in least {
        if config[name].as_i64().is_some_and(|number| number < 1) {
            return Err(format!("{place}.{field}: {field} must be positive.\n"));
        }
    }
    if config["candidateCount"].as_i64().is_some_and(|count| count > 1) {
        return Err("Multiple candidates is not enabled for this model".into());
    }
    let thinking = &config["thinkingConfig"];
    if !thinking["thinkingBudget"].is_null() && !thinking["thinkingLevel"].is_null() {
        return Err("You can only set only one of thinking budget and thinking level.".into());
    }
    Ok(())
}

fn stops(stops: &Value) -> Result<Vec<String>, String> {
    let stops: Vec<_> = stops.as_array().into_iter().flatten().collect();
    if stops.len() > MAX_STOPS {
        return Err(format!(
            "* GenerateContentRequest.generation_config.stop_sequences: at most {MAX_STOPS} are allowed\n"
        ));
    }
    let texts = stops.into_iter().filter_map(Value::as_str);
    let texts: Vec<_> = texts.map(str::to_owned).collect();
    if texts.iter().any(String::is_empty) {
        return Err(
            "* GenerateContentRequest.generation_config.stop_sequences: stop_sequence must not be empty.\n"
                .into(),
        );
    }
    Ok(texts)
}

fn read_tools(body: &Value, question: &mut Question) -> Result<(), String> {
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let mode = calling["mode"].as_str().unwrap_or("AUTO");
    let allowed = calling["allowedFunctionNames"].as_array();
    if allowed.is_some() && !matches!(mode, "ANY" | "VALIDATED") {
        return Err(
            "Please set allowed_function_names only when function calling mode is ANY or VALIDATED.".into(),
        );
    }
    for (t, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        let declarations = tool["functionDeclarations"].as_array();
        for (n, declaration) in declarations.into_iter().flatten().enumerate() {
            let place = format!("tools[{t}].function_declarations[{n}]");
            let (name, parameters) = read_function(declaration, &place)?;
            let offered = allowed.is_none_or(|names| names.iter().any(|only| *only == name));
            if mode != "NONE" && offered {
                question.tools.push((name, parameters));
            }
        }
    }
    if mode == "ANY" && question.tools.is_empty() {
        return Err("Function calling config is set without function_declarations.".into());
    }
    question.tool_required = mode == "ANY";
    Ok(())
}

fn read_function(declaration: &Value, place: &str) -> Result<(String, Value), String> {
    let name = declaration["name"].as_str().unwrap_or_default();
    if !is_name(name) {
        return Err(format!(
            "* GenerateContentRequest.{place}.name: Invalid function name. Must start with a letter or an underscore. \
             Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum \
             length of {MAX_NAME}.\n"
        ));
    }
    let json_schema = &declaration["parametersJsonSchema"];
    let parameters = &declaration["parameters"];
    if !json_schema.is_null() && !parameters.is_null() {
        return Err(format!(
            "* GenerateContentRequest.{place}: parameters and parameters_json_schema are mutually exclusive\n"
        ));
    }
    if !json_schema.is_null() {
        return Ok((name.to_owned(), json_schema.clone()));
    }
    let place = format!("{place}.parameters");
    let empty = parameters["properties"]
        .as_object()
        .is_none_or(|all| all.is_empty());
    if parameters["type"] == "OBJECT" && empty {
        return Err(format!(
            "* GenerateContentRequest.{place}.properties: should be non-empty for OBJECT type\n"
        ));
    }
    Ok((name.to_owned(), schema::read(parameters, &place)?))
}

fn read_format(config: &Value, question: &mut Question) -> Result<(), String> {
    let mime = config["responseMimeType"].as_str().unwrap_or("text/plain");
    if !matches!(mime, "text/plain" | "application/json" | "text/x.enum") {
        return Err(format!(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are `text/plain`, \
             `application/json`, `application/xml`, `application/yaml` and `text/x.enum`, not `{mime}`.\n"
        ));
    }
    let (own, general) = (&config["responseSchema"], &config["responseJsonSchema"]);
    if (!own.is_null() || !general.is_null()) && mime == "text/plain" {
        return Err(
            "* GenerateContentRequest.generation_config.response_schema: only allowed when `response_mime_type` is \
             `application/json`.\n"
                .into(),
        );
    }
    if !own.is_null() && !general.is_null() {
        return Err("response_schema and response_json_schema are mutually exclusive.".into());
    }
    question.json = mime == "application/json";
    if !own.is_null() {
        question.schema = Some(schema::read(own, "generation_config.response_schema")?);
    }
    if !general.is_null() {
        question.schema = Some(general.clone());
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let first = name
        .chars()
        .next()
        .is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "_.:-".contains(letter);
    first && name.len() <= MAX_NAME && name.chars().all(legal)
}
