//! A structured answer: natively, by one forced tool, or by an instruction.

use super::tool::{self, ToolConfig};
use crate::caps::{ModelCaps, ModelFields};
use crate::formats::anthropic_messages::request_encode::output::{
    ANSWER_DESCRIPTION, ANY_OBJECT, instruction,
};
use crate::formats::anthropic_messages::{ANSWER_TOOL, schema};
use crate::note::Notes;
use crate::request::{JsonSchema, Output, Request};
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_format: Option<TextFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub struct TextFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    structure: Structure<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Structure<'a> {
    JsonSchema {
        /// JSON inside a string.
        schema: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
    },
}

pub enum Plan<'a> {
    Text,
    Native(TextFormat<'a>),
    /// The input of this one forced call is the answer.
    Tool(ToolConfig<'a>),
    Instruction(String),
}

pub fn plan<'a>(request: &'a Request, caps: &ModelCaps, thinks: bool, notes: &mut Notes) -> Plan<'a> {
    let spec = match &request.output {
        Output::Text => return Plan::Text,
        Output::JsonObject => {
            notes.info("response_format", "asked for by an instruction");
            return Plan::Instruction(ANY_OBJECT.to_owned());
        }
        Output::JsonSchema(spec) => spec,
    };
    if caps.json_schema {
        return Plan::Native(TextFormat::of(spec));
    }
    // a forced tool would shadow the client's own ones, is refused while thinking, and not every model can be forced
    let can_be_forced = matches!(caps.model_fields, ModelFields::Anthropic | ModelFields::Nova);
    if can_be_forced && request.tools.is_empty() && !thinks {
        notes.info("response_format", "asked for as the input of a tool");
        let description = spec.description.as_deref().unwrap_or(ANSWER_DESCRIPTION);
        return Plan::Tool(tool::only(ANSWER_TOOL, description, &spec.schema));
    }
    notes.loss(
        "response_format",
        "asked for by an instruction, which the upstream does not enforce",
    );
    Plan::Instruction(instruction(spec))
}

// === impl OutputConfig ===

impl OutputConfig<'_> {
    pub fn is_empty(&self) -> bool {
        self.text_format.is_none() && self.effort.is_none()
    }
}

// === impl TextFormat ===

impl<'a> TextFormat<'a> {
    fn of(spec: &'a JsonSchema) -> Self {
        Self {
            kind: "json_schema",
            structure: Structure::JsonSchema {
                schema: schema::answer(&spec.schema).get().to_owned(),
                name: spec.name.as_deref().filter(|name| !name.is_empty()),
                description: spec.description.as_deref().filter(|text| !text.is_empty()),
            },
        }
    }
}
