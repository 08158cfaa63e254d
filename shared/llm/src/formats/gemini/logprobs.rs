//! Log probabilities: the neutral form is OpenAI's, one entry a token with its alternatives inside.

use serde_json::{Value, json};

/// `None` when there is nothing in it.
pub fn read(result: &Value) -> Option<Value> {
    let list = |camel: &str, snake: &str| {
        result
            .get(camel)
            .or_else(|| result.get(snake))
            .and_then(Value::as_array)
    };
    let chosen = list("chosenCandidates", "chosen_candidates")?;
    let top = list("topCandidates", "top_candidates");
    let entries = chosen.iter().enumerate().map(|(at, candidate)| {
        let others = top.and_then(|top| top.get(at)?.get("candidates")?.as_array());
        let others: Vec<Value> = others.into_iter().flatten().map(token).collect();
        let mut entry = token(candidate);
        entry["top_logprobs"] = others.into();
        entry
    });
    Some(json!({"content": entries.collect::<Vec<_>>()}))
}

pub fn write(logprobs: &Value) -> Option<Value> {
    let entries = logprobs.get("content")?.as_array()?;
    let others = |entry: &Value| {
        let others = entry["top_logprobs"].as_array().into_iter().flatten();
        json!({"candidates": others.map(candidate).collect::<Vec<_>>()})
    };
    Some(json!({
        "chosenCandidates": entries.iter().map(candidate).collect::<Vec<_>>(),
        "topCandidates": entries.iter().map(others).collect::<Vec<_>>(),
    }))
}

fn token(candidate: &Value) -> Value {
    let text = candidate["token"].as_str().unwrap_or_default();
    let probability = candidate
        .get("logProbability")
        .or_else(|| candidate.get("log_probability"));
    json!({"token": text, "logprob": probability, "bytes": text.as_bytes()})
}

fn candidate(entry: &Value) -> Value {
    json!({"token": entry["token"], "logProbability": entry["logprob"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let wire = json!({
            "chosenCandidates": [{"token": "a", "logProbability": -0.5}],
            "topCandidates": [{"candidates": [{"token": "b", "logProbability": -1.5}]}],
        });
        let neutral = read(&wire).unwrap();
        assert_eq!(neutral["content"][0]["logprob"], json!(-0.5));
        assert_eq!(neutral["content"][0]["top_logprobs"][0]["token"], "b");
        assert_eq!(write(&neutral), Some(wire));
        assert_eq!(read(&json!({})), None);
    }
}
