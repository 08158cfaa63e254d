//! What is answered, before it is put into a wire format: the same question gets the same answer.

use crate::received::Billed;
use crate::sample;
use serde_json::Value;

/// A conversation in the little that matters for an answer.
#[derive(Debug, Default)]
pub struct Question {
    /// All text of the prompt, for counting.
    pub words: u64,
    pub messages: u64,
    /// The newest thing said by the user.
    pub last_user: String,
    /// Results of tools, when they are the newest thing in the conversation.
    pub tool_results: Vec<String>,
    /// Name and input schema of the tools on offer.
    pub tools: Vec<(String, Value)>,
    pub tool_required: bool,
    /// A schema the answer must satisfy.
    pub schema: Option<Value>,
    pub json: bool,
    pub thinks: bool,
    pub cached: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub thinking: Option<String>,
    pub text: String,
    /// Name and arguments as JSON text.
    pub calls: Vec<(String, String)>,
    pub billed: Billed,
}

// === impl Question ===

impl Question {
    /// Counts a piece of the prompt.
    pub fn read(&mut self, text: &str) {
        self.words += count(text);
    }

    pub fn answer(&self) -> Answer {
        let calls = self.calls();
        let thinking = self
            .thinks
            .then(|| format!("The user wrote {} words. I answer.", count(&self.last_user)));
        let text = if calls.is_empty() {
            self.text()
        } else {
            String::new()
        };
        let reasoning = thinking.as_deref().map_or(0, count);
        let spoken = count(&text)
            + calls
                .iter()
                .map(|(name, arguments)| count(name) + count(arguments))
                .sum::<u64>();
        let input = self.words + 3 * self.messages;
        let billed = Billed {
            input,
            cached: if self.cached { input / 2 } else { 0 },
            output: spoken + reasoning,
            reasoning,
        };
        Answer {
            thinking,
            text,
            calls,
            billed,
        }
    }

    /// Tools are called when the user says so, one for each `tool` in "call the tool and the tool".
    fn calls(&self) -> Vec<(String, String)> {
        if !self.tool_results.is_empty() || self.tools.is_empty() {
            return Vec::new();
        }
        let asked = self.last_user.matches("the tool").count();
        let wanted = if self.tool_required { asked.max(1) } else { asked };
        let hint = self
            .last_user
            .split_whitespace()
            .last()
            .unwrap_or("demo")
            .trim_matches(['.', '!', '?', '"']);
        self.tools
            .iter()
            .cycle()
            .take(wanted)
            .map(|(name, schema)| (name.clone(), sample::of(schema, hint).to_string()))
            .collect()
    }

    fn text(&self) -> String {
        if let Some(schema) = &self.schema {
            return sample::of(schema, "demo").to_string();
        }
        if self.json {
            return serde_json::json!({ "answer": self.last_user }).to_string();
        }
        if !self.tool_results.is_empty() {
            return format!("The tool answered: {}", self.tool_results.join("; "));
        }
        format!(
            "Hello from OmniRoute's demo provider. You wrote: \"{}\". \
             I am no model and cost nothing; add a provider in the dashboard to talk to a real one.",
            self.last_user
        )
    }
}

/// Words stand in for tokens: anyone can recount them.
fn count(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// Pieces that concatenate to the text, cut where words begin.
pub fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in text.split_inclusive(' ') {
        pieces.push(word.to_owned());
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tool_is_called_when_the_user_says_so_and_its_result_is_used() {
        let tool = (
            "get_weather".to_owned(),
            json!({"type": "object", "properties": {"city": {"type": "string"}}}),
        );
        let asked = Question {
            last_user: "Please call the tool for Paris.".into(),
            tools: vec![tool],
            ..Default::default()
        };
        assert_eq!(
            asked.answer().calls,
            [("get_weather".to_owned(), r#"{"city":"Paris"}"#.to_owned())]
        );
        let told = Question {
            tool_results: vec!["sunny".into()],
            ..asked
        };
        assert_eq!(told.answer().text, "The tool answered: sunny");
    }

    #[test]
    fn pieces_concatenate_to_the_text() {
        let text = "a b  c 🌍 d";
        assert_eq!(pieces(text).concat(), text);
    }
}
