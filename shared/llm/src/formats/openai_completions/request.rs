//! A request for a text, and the same as a conversation.

use crate::error::DecodeError;
use crate::head::Head;
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What a conversation has no place for.
const WITHOUT_COUNTERPART: [&str; 4] = ["echo", "best_of", "suffix", "logprobs"];

/// What a conversation has beside its messages, and a text has not.
const OF_CONVERSATIONS: [&str; 4] = ["messages", "tools", "tool_choice", "functions"];

/// The client's own request, where it is asked as a conversation.
#[derive(Debug, Clone)]
pub struct Legacy {
    /// Its bytes; none once something in it was replaced that only the conversation knows.
    raw: Option<Bytes>,
    /// Why it cannot be asked so.
    obstacle: Option<DecodeError>,
}

// === impl Legacy ===

impl Legacy {
    /// The request as a conversation, and as it is. Where it cannot be one, the conversation says at least all that the
    /// client says, for those who look into it.
    pub fn read(body: &Bytes) -> Result<(Bytes, Self), DecodeError> {
        let head = Head::read(body)?;
        let prompt = value(&head, "prompt").filter(|prompt| !prompt.is_null());
        let prompt = prompt.ok_or_else(|| DecodeError::at("prompt", "prompt is required"))?;
        let (texts, is_one) = texts(&prompt);
        let several = (!is_one).then(|| obstacle("prompt", "a list of prompts, or of tokens,"));
        let is_set = |name: &&str| value(&head, name).is_some_and(|value| says_something(name, &value));
        let unsaid = WITHOUT_COUNTERPART.into_iter().find(is_set);
        let unsaid = unsaid.map(|name| obstacle(name, name));
        let foreign = OF_CONVERSATIONS.into_iter().find(|name| head.get(name).is_some());
        let foreign = foreign.map(|name| {
            DecodeError::at(
                name,
                format!("{name} is for conversations: send it to /v1/chat/completions"),
            )
        });
        let suffix = value(&head, "suffix").and_then(|suffix| suffix.as_str().map(str::to_owned));
        let messages = texts
            .into_iter()
            .chain(suffix.filter(|suffix| !suffix.is_empty()));
        let messages: Vec<Value> = messages
            .map(|text| json!({ "role": "user", "content": text }))
            .collect();
        let legacy = Self {
            raw: Some(body.clone()),
            obstacle: foreign.or(several).or(unsaid),
        };
        Ok((conversation(&head, &Value::from(messages)), legacy))
    }

    /// The same, of which the bytes of the client are no longer what is to be asked.
    pub fn without_bytes(self) -> Self {
        Self { raw: None, ..self }
    }

    pub fn bytes(&self) -> Option<&Bytes> {
        self.raw.as_ref()
    }

    pub fn obstacle(&self) -> Option<&DecodeError> {
        self.obstacle.as_ref()
    }
}

/// The client's bytes, for a text of at most so many tokens.
pub fn capped(body: &Bytes, cap: u64) -> Result<Bytes, DecodeError> {
    let head = Head::read(body)?;
    let asked = value(&head, "max_tokens").and_then(|asked| asked.as_u64());
    match asked {
        Some(asked) if asked <= cap => Ok(body.clone()),
        _ => Ok(head.with(&[("max_tokens", &cap.to_string())])),
    }
}

/// Of a field without a counterpart: what it is when it is not there says nothing.
fn says_something(name: &str, value: &Value) -> bool {
    let default = match name {
        "echo" => Value::from(false),
        "best_of" => Value::from(1),
        "suffix" => Value::from(""),
        _ => Value::Null,
    };
    !value.is_null() && *value != default
}

/// All texts of a prompt, and whether it is one text and nothing else. Tokens are no text, but say how long it is.
fn texts(prompt: &Value) -> (Vec<String>, bool) {
    let (texts, is_one) = said(prompt);
    match texts.is_empty() {
        true => (vec![prompt.to_string()], false),
        false => (texts, is_one),
    }
}

fn said(prompt: &Value) -> (Vec<String>, bool) {
    match prompt {
        Value::String(text) => (vec![text.clone()], true),
        Value::Array(prompts) => {
            let texts = prompts.iter().filter_map(|one| one.as_str().map(str::to_owned));
            let texts: Vec<String> = texts.collect();
            let is_one = prompts.len() == 1 && texts.len() == 1;
            (texts, is_one)
        }
        _ => (Vec::new(), false),
    }
}

/// Everything that both APIs call the same stays as it is written.
fn conversation(head: &Head<'_>, messages: &Value) -> Bytes {
    let dropped = |name: &str| {
        name == "prompt" || OF_CONVERSATIONS.contains(&name) || WITHOUT_COUNTERPART.contains(&name)
    };
    let mut body = format!("{{\"messages\":{messages}");
    for (name, value) in head.members().filter(|(name, _)| !dropped(name)) {
        body.push_str(&format!(",{}:{}", Value::from(name), value.get()));
    }
    body.push('}');
    body.into()
}

fn obstacle(field: &str, what: &str) -> DecodeError {
    DecodeError::at(
        field,
        format!(
            "{what} cannot be asked of this model, which converses: leave it out, or ask a model that completes"
        ),
    )
}

fn value(head: &Head<'_>, name: &str) -> Option<Value> {
    serde_json::from_str(head.get(name).map(RawValue::get)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (Value, Option<(Option<String>, String)>) {
        let (chat, legacy) = Legacy::read(&Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let obstacle = legacy
            .obstacle()
            .map(|error| (error.param.clone(), error.message.clone()));
        (serde_json::from_slice(&chat).unwrap(), obstacle)
    }

    #[test]
    fn a_prompt_is_a_conversation_of_one_message_and_all_else_stays() {
        for prompt in [r#""Say ""#, r#"["Say "]"#] {
            let body = format!(
                r#"{{"model":"m","prompt":{prompt},"max_tokens":7,"stop":["\n"],"seed":12345678901234567890,"echo":false,"best_of":1,"suffix":null,"min_p":0.1}}"#
            );
            let (chat, obstacle) = read(&body);
            assert_eq!(obstacle, None);
            assert_eq!(
                chat,
                json!({ "model": "m", "messages": [{ "role": "user", "content": "Say " }], "max_tokens": 7,
                        "stop": ["\n"], "seed": 12_345_678_901_234_567_890_u64, "min_p": 0.1 })
            );
        }
    }

    #[test]
    fn what_has_no_counterpart_is_named() {
        for (more, field) in [
            (r#""echo":true"#, "echo"),
            (r#""best_of":2"#, "best_of"),
            (r#""suffix":"end""#, "suffix"),
            (r#""logprobs":0"#, "logprobs"),
            (r#""tools":[]"#, "tools"),
            (r#""prompt":["a","b"]"#, "prompt"),
            (r#""prompt":[1,2]"#, "prompt"),
            (r#""prompt":[[1,2]]"#, "prompt"),
        ] {
            let (_, obstacle) = read(&format!(r#"{{"model":"m","prompt":"p",{more}}}"#));
            let (param, message) = obstacle.unwrap();
            assert_eq!(param.as_deref(), Some(field), "{more}: {message}");
        }
        let (chat, _) = read(r#"{"prompt":["a",[1],"b"],"suffix":"c"}"#);
        let said = chat["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| &message["content"]);
        assert_eq!(
            said.collect::<Vec<_>>(),
            ["a", "b", "c"],
            "a guard sees all of it"
        );
        for body in ["{}", r#"{"prompt":null}"#] {
            let error = Legacy::read(&Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
            assert_eq!(error.message, "prompt is required");
        }
    }

    #[test]
    fn a_limit_is_set_over_a_longer_one_and_over_none() {
        for (body, after) in [
            (
                r#"{"prompt":"p","max_tokens":5}"#,
                r#"{"prompt":"p","max_tokens":5}"#,
            ),
            (
                r#"{"prompt":"p","max_tokens":50}"#,
                r#"{"prompt":"p","max_tokens":9}"#,
            ),
            (r#"{"prompt":"p"}"#, r#"{"max_tokens":9,"prompt":"p"}"#),
        ] {
            assert_eq!(capped(&Bytes::from_static(body.as_bytes()), 9).unwrap(), after);
        }
    }
}
