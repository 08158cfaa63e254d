//! What is answered, before it is put into a wire format: the same question gets the same answer.

use crate::received::Billed;
use crate::schema;
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
    /// The most tokens the answer may have, thinking included.
    pub longest: Option<u64>,
    /// The answer ends before the first of these it would say.
    pub stops: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub thinking: Option<String>,
    pub text: String,
    /// Name and arguments as JSON text.
    pub calls: Vec<(String, String)>,
    pub finish: Finish,
    pub billed: Billed,
}

/// Why an answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// All is said.
    Said,
    /// Said up to one of the question's `stops`.
    Stop(String),
    /// Cut at the question's `longest`.
    Length,
    Calls,
}

// === impl Question ===

impl Question {
    /// Counts a piece of the prompt.
    pub fn read(&mut self, text: &str) {
        self.words += count(text);
    }

    /// Tokens of the prompt.
    pub fn input(&self) -> u64 {
        self.words + 3 * self.messages
    }

    pub fn answer(&self) -> Answer {
        let thinking = self
            .thinks
            .then(|| format!("The user wrote {} words. I answer.", count(&self.last_user)));
        let longest = self.longest.unwrap_or(u64::MAX);
        let thinking = thinking.map(|thought| first_words(&thought, longest).to_owned());
        let reasoning = thinking.as_deref().map_or(0, count);
        let input = self.input();
        let bill = |spoken: u64| Billed {
            input,
            cached: if self.cached { input / 2 } else { 0 },
            output: spoken + reasoning,
            reasoning,
        };

        let calls = self.calls();
        if !calls.is_empty() {
            let spoken = calls
                .iter()
                .map(|(name, arguments)| count(name) + count(arguments));
            let billed = bill(spoken.sum());
            return Answer {
                thinking,
                text: String::new(),
                calls,
                finish: Finish::Calls,
                billed,
            };
        }
        let (text, finish) = self.end(self.text(), longest - reasoning.min(longest));
        let billed = bill(count(&text));
        Answer {
            thinking,
            text,
            calls,
            finish,
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
            .map(|(name, input)| (name.clone(), schema::sample(input, hint).to_string()))
            .collect()
    }

    fn text(&self) -> String {
        if let Some(schema) = &self.schema {
            return schema::sample(schema, "demo").to_string();
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

    fn end(&self, mut text: String, longest: u64) -> (String, Finish) {
        let mut finish = Finish::Said;
        let stop = self
            .stops
            .iter()
            .filter_map(|stop| Some((text.find(stop)?, stop)))
            .min();
        if let Some((at, stop)) = stop {
            finish = Finish::Stop(stop.clone());
            text.truncate(at);
        }
        let fitting = first_words(&text, longest).len();
        if fitting < text.len() {
            finish = Finish::Length;
            text.truncate(fitting);
        }
        (text, finish)
    }
}

/// Words stand in for tokens: anyone can recount them.
fn count(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// The text as far as it has no more than `longest` words.
fn first_words(text: &str, longest: u64) -> &str {
    let longest = usize::try_from(longest).unwrap_or(usize::MAX);
    let fitting = pieces(text).into_iter().take(longest);
    &text[..fitting.map(str::len).sum()]
}

/// Pieces that concatenate to the text, one for each of its words.
pub fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut seen_word, mut in_word) = (0, false, false);
    for (at, letter) in text.char_indices() {
        let begins = !letter.is_whitespace() && !in_word;
        if begins && seen_word {
            pieces.push(&text[start..at]);
            start = at;
        }
        in_word = !letter.is_whitespace();
        seen_word |= begins;
    }
    if start < text.len() {
        pieces.push(&text[start..]);
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
    fn an_answer_keeps_to_its_longest_and_its_stops() {
        let ask = |longest, stops: &[&str]| {
            let question = Question {
                longest,
                stops: stops.iter().map(|stop| (*stop).to_owned()).collect(),
                ..Question::default()
            };
            let answer = question.answer();
            (answer.text, answer.finish, answer.billed.output)
        };
        assert_eq!(ask(Some(2), &[]), ("Hello from ".into(), Finish::Length, 2));
        let stopped = ask(None, &["never said", "demo", "from"]);
        assert_eq!(stopped, ("Hello ".into(), Finish::Stop("from".into()), 1));
        assert_eq!(ask(Some(1_000), &[]).1, Finish::Said);
    }

    #[test]
    fn thoughts_count_as_part_of_the_longest() {
        let question = Question {
            thinks: true,
            longest: Some(9),
            ..Question::default()
        };
        let answer = question.answer();
        assert_eq!((answer.billed.reasoning, answer.billed.output), (7, 9));
        assert_eq!(answer.text, "Hello from ");
    }

    #[test]
    fn pieces_concatenate_to_the_text_and_are_as_many_as_its_words() {
        for text in ["", "a", "  a b\n\nc  🌍 d ", "one", "\u{2003}wide"] {
            assert_eq!(pieces(text).concat(), text);
            assert_eq!(pieces(text).len() as u64, count(text), "{text:?}");
        }
    }
}
