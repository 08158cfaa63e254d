//! A structured answer: natively, by one forced tool, or by an instruction.

use super::super::{ANSWER_TOOL, schema};
use super::tool::{ClientTool, WireChoice, WireTool};
use crate::note::Notes;
use crate::request::{JsonSchema, Output, Request};
use crate::translate::Target;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The wish for JSON of no particular structure.
pub const ANY_OBJECT: &str = "Answer with one JSON object only, without markdown or any other text.";
/// What the tool is for whose input is the answer, where the client does not describe it.
pub const ANSWER_DESCRIPTION: &str = "Gives the final answer in the required structure.";

#[derive(Debug, Serialize)]
pub struct OutputFormat {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: Box<RawValue>,
}

pub enum Plan<'a> {
    Text,
    Native(OutputFormat),
    /// The arguments of this one forced call are the answer.
    Tool(WireTool<'a>, WireChoice<'a>),
    Instruction(String),
}

pub fn plan<'a>(request: &'a Request, target: &Target, thinks: bool, notes: &mut Notes) -> Plan<'a> {
    let spec = match &request.output {
        Output::Text => return Plan::Text,
        Output::JsonObject => {
            notes.info("response_format", "asked for by an instruction");
            return Plan::Instruction(ANY_OBJECT.to_owned());
        }
        Output::JsonSchema(spec) => spec,
    };
    if target.caps.json_schema {
        return Plan::Native(OutputFormat {
            kind: "json_schema",
            schema: schema::answer(&spec.schema),
        });
    }
    // a forced tool would shadow the client's own ones, and is refused while thinking
    if request.tools.is_empty() && !thinks {
        notes.info("response_format", "asked for as the input of a tool");
        return by_tool(spec);
    }
    notes.loss(
        "response_format",
        "asked for by an instruction, which the upstream does not enforce",
    );
    Plan::Instruction(instruction(spec))
}

/// What a model is told that does not know of schemas.
pub fn instruction(spec: &JsonSchema) -> String {
    format!(
        "Answer with one JSON value only, without markdown or any other text. It must match this JSON Schema:\n{}",
        spec.schema.get()
    )
}

// === functions ===

fn by_tool(spec: &JsonSchema) -> Plan<'_> {
    let (input_schema, _) = schema::tool_input(Some(&spec.schema));
    let name = ANSWER_TOOL;
    let description = spec.description.as_deref().unwrap_or(ANSWER_DESCRIPTION);
    let tool = ClientTool {
        name,
        description: Some(Cow::Borrowed(description)),
        input_schema,
        strict: None,
        cache_control: None,
    };
    Plan::Tool(WireTool::Client(tool), WireChoice::named(name))
}
