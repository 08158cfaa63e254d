//! The legacy Completions of the vendor: the prompt's last word, and so on. Fields are those of its Python SDK.

use super::check::Refusal;
use super::{FAILED, envelope};
use crate::answer::Answer;
use crate::received::Billed;
use crate::wire::{Frame, Framing, Reply};
use axum::response::Response;
use serde_json::{Value, json};

const FIELDS: [&str; 18] = [
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "model",
    "n",
    "presence_penalty",
    "prompt",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
    "user",
];

pub fn answer(body: &Value, mut reply: Reply) -> Response {
    let said = match read(body) {
        Ok(said) => said,
        Err(refusal) => {
            reply.exchange.finish();
            return refusal.response();
        }
    };
    reply.id.insert_str(0, "cmpl-");
    let (id, model) = (reply.id.clone(), body["model"].clone());
    let usage = json!({
        "prompt_tokens": said.billed.input, "completion_tokens": said.billed.output,
        "total_tokens": said.billed.input + said.billed.output,
    });
    let piece = |text: &str, finish: Option<&str>| {
        json!({ "id": id, "object": "text_completion", "created": 1_700_000_000, "model": model,
                "choices": [{ "text": text, "index": 0, "logprobs": null, "finish_reason": finish }] })
    };
    if !reply.streams(body["stream"] == true) {
        let mut whole = piece(&said.text, Some("stop"));
        whole["usage"] = usage;
        return reply.whole(&whole, &said);
    }
    let words = said.text.split_inclusive(' ').zip(1..);
    let mut frames: Vec<Frame> = words
        .map(|(word, output)| Frame::data(&piece(word, None), output))
        .collect();
    frames.push(Frame::data(&piece("", Some("stop")), said.billed.output));
    if body["stream_options"]["include_usage"] == true {
        let mut last = piece("", None);
        last["choices"] = json!([]);
        last["usage"] = usage;
        frames.push(Frame::data(&last, said.billed.output));
    }
    frames.push(Frame {
        event: None,
        data: "[DONE]".to_owned(),
        output: said.billed.output,
    });
    let failed = envelope(500, FAILED, None, None);
    reply.streamed(Framing::Events, frames, Frame::data(&failed, 0), &said)
}

fn read(body: &Value) -> Result<Answer, Refusal> {
    let fields = body.as_object().ok_or_else(|| Refusal::missing("model"))?;
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(Refusal::new(
            unknown,
            format!("Unrecognized request argument supplied: {unknown}"),
        ));
    }
    let prompt = match &body["prompt"] {
        Value::String(prompt) => prompt.clone(),
        Value::Array(prompts) if !prompts.is_empty() => body["prompt"].to_string(),
        other => return Err(Refusal::kind("prompt", "a string or an array", other)),
    };
    let before = if body["echo"] == true { prompt.as_str() } else { "" };
    let after = body["suffix"].as_str().unwrap_or_default();
    let text = format!("{before}and so on{after}");
    let billed = Billed {
        input: prompt.split_whitespace().count() as u64,
        output: text.split_whitespace().count() as u64,
        ..Billed::default()
    };
    Ok(Answer {
        thinking: None,
        text,
        calls: Vec::new(),
        finish: crate::answer::Finish::Said,
        billed,
    })
}
