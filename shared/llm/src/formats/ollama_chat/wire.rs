//! One line of an upstream's stream, or its whole reply: the same object, read tolerantly.

use super::super::openai_chat::scalar::Scalar;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Line<'a> {
    #[serde(borrow)]
    pub model: Scalar<'a>,
    #[serde(borrow)]
    pub created_at: Scalar<'a>,
    #[serde(borrow)]
    pub message: Option<Message<'a>>,
    pub logprobs: Option<Value>,
    #[serde(borrow)]
    pub done: Scalar<'a>,
    #[serde(borrow)]
    pub done_reason: Scalar<'a>,
    /// Absent when the whole prompt was cached.
    #[serde(borrow)]
    pub prompt_eval_count: Scalar<'a>,
    #[serde(borrow)]
    pub eval_count: Scalar<'a>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Message<'a> {
    #[serde(borrow)]
    pub content: Scalar<'a>,
    #[serde(borrow)]
    pub thinking: Scalar<'a>,
    #[serde(borrow)]
    pub tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Call<'a> {
    #[serde(borrow)]
    pub id: Scalar<'a>,
    #[serde(borrow)]
    pub function: Option<Function<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Function<'a> {
    #[serde(borrow)]
    pub name: Scalar<'a>,
    /// An object; some servers send its text.
    #[serde(borrow)]
    pub arguments: Option<&'a RawValue>,
}

// === impl Line ===

impl Line<'_> {
    pub fn is_done(&self) -> bool {
        self.done == Scalar::Bool(true)
    }

    /// The envelope of an error, which outranks whatever else the line says.
    pub fn error(&self) -> Option<Value> {
        let error: Value = serde_json::from_str(self.error?.get()).ok()?;
        Some(serde_json::json!({ "error": error }))
    }
}
