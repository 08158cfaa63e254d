//! The shape of a request, read as protocol buffers read JSON.

use serde_json::{Map, Value};

/// What may stand in a place.
#[derive(Debug)]
pub enum Shape {
    Any,
    /// Free-form, as the arguments of a call are.
    Struct,
    Text,
    /// Base64.
    Bytes,
    Bool,
    Integer,
    Decimal,
    /// One of these words, in either case.
    Word(&'static [&'static str]),
    Message(&'static Fields),
    List(&'static Shape),
    /// By names of the caller's choice.
    Map(&'static Shape),
}

#[derive(Debug)]
pub struct Fields {
    all: &'static [(&'static str, Shape)],
}

const KINDS: &[&str] = &[
    "TYPE_UNSPECIFIED",
    "STRING",
    "NUMBER",
    "INTEGER",
    "BOOLEAN",
    "ARRAY",
    "OBJECT",
    "NULL",
];
const MODES: &[&str] = &["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"];
const LEVELS: &[&str] = &["THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH"];

pub static REQUEST: Fields = Fields {
    all: &[
        ("model", Shape::Text),
        ("contents", Shape::List(&Shape::Message(&CONTENT))),
        ("systemInstruction", Shape::Message(&CONTENT)),
        ("tools", Shape::List(&Shape::Message(&TOOL))),
        ("toolConfig", Shape::Message(&TOOL_CONFIG)),
        ("safetySettings", Shape::List(&Shape::Any)),
        ("generationConfig", Shape::Message(&CONFIG)),
        ("cachedContent", Shape::Text),
        ("serviceTier", Shape::Text),
        ("store", Shape::Bool),
    ],
};
pub static COUNT: Fields = Fields {
    all: &[
        ("contents", Shape::List(&Shape::Message(&CONTENT))),
        ("generateContentRequest", Shape::Message(&REQUEST)),
    ],
};
static CONTENT: Fields = Fields {
    all: &[
        ("role", Shape::Text),
        ("parts", Shape::List(&Shape::Message(&PART))),
    ],
};
static PART: Fields = Fields {
    all: &[
        ("text", Shape::Text),
        ("inlineData", Shape::Message(&BLOB)),
        ("fileData", Shape::Message(&FILE)),
        ("functionCall", Shape::Message(&CALL)),
        ("functionResponse", Shape::Message(&RESULT)),
        ("executableCode", Shape::Any),
        ("codeExecutionResult", Shape::Any),
        ("toolCall", Shape::Any),
        ("toolResponse", Shape::Any),
        ("thought", Shape::Bool),
        ("thoughtSignature", Shape::Bytes),
        ("videoMetadata", Shape::Any),
        ("mediaResolution", Shape::Any),
        ("partMetadata", Shape::Struct),
    ],
};
static BLOB: Fields = Fields {
    all: &[
        ("mimeType", Shape::Text),
        ("data", Shape::Bytes),
        ("displayName", Shape::Text),
    ],
};
static FILE: Fields = Fields {
    all: &[
        ("mimeType", Shape::Text),
        ("fileUri", Shape::Text),
        ("displayName", Shape::Text),
    ],
};
static CALL: Fields = Fields {
    all: &[
        ("id", Shape::Text),
        ("name", Shape::Text),
        ("args", Shape::Struct),
    ],
};
static RESULT: Fields = Fields {
    all: &[
        ("id", Shape::Text),
        ("name", Shape::Text),
        ("response", Shape::Struct),
        ("parts", Shape::List(&Shape::Any)),
        ("willContinue", Shape::Bool),
        ("scheduling", Shape::Text),
    ],
};
static TOOL: Fields = Fields {
    all: &[
        ("functionDeclarations", Shape::List(&Shape::Message(&DECLARATION))),
        ("googleSearch", Shape::Any),
        ("googleSearchRetrieval", Shape::Any),
        ("codeExecution", Shape::Any),
        ("urlContext", Shape::Any),
        ("computerUse", Shape::Any),
        ("fileSearch", Shape::Any),
        ("googleMaps", Shape::Any),
        ("mcpServers", Shape::Any),
    ],
};
static DECLARATION: Fields = Fields {
    all: &[
        ("name", Shape::Text),
        ("description", Shape::Text),
        ("behavior", Shape::Text),
        ("parameters", Shape::Message(&SCHEMA)),
        ("parametersJsonSchema", Shape::Any),
        ("response", Shape::Message(&SCHEMA)),
        ("responseJsonSchema", Shape::Any),
    ],
};
static TOOL_CONFIG: Fields = Fields {
    all: &[
        ("functionCallingConfig", Shape::Message(&CALLING)),
        ("retrievalConfig", Shape::Any),
        ("includeServerSideToolInvocations", Shape::Bool),
    ],
};
static CALLING: Fields = Fields {
    all: &[
        ("mode", Shape::Word(MODES)),
        ("allowedFunctionNames", Shape::List(&Shape::Text)),
    ],
};
static CONFIG: Fields = Fields {
    all: &[
        ("candidateCount", Shape::Integer),
        ("stopSequences", Shape::List(&Shape::Text)),
        ("maxOutputTokens", Shape::Integer),
        ("temperature", Shape::Decimal),
        ("topP", Shape::Decimal),
        ("topK", Shape::Integer),
        ("seed", Shape::Integer),
        ("responseMimeType", Shape::Text),
        ("responseSchema", Shape::Message(&SCHEMA)),
        ("responseJsonSchema", Shape::Any),
        ("presencePenalty", Shape::Decimal),
        ("frequencyPenalty", Shape::Decimal),
        ("responseLogprobs", Shape::Bool),
        ("logprobs", Shape::Integer),
        ("enableEnhancedCivicAnswers", Shape::Bool),
        ("responseModalities", Shape::List(&Shape::Text)),
        ("speechConfig", Shape::Any),
        ("thinkingConfig", Shape::Message(&THINKING)),
        ("imageConfig", Shape::Any),
        ("mediaResolution", Shape::Text),
    ],
};
static THINKING: Fields = Fields {
    all: &[
        ("includeThoughts", Shape::Bool),
        ("thinkingBudget", Shape::Integer),
        ("thinkingLevel", Shape::Word(LEVELS)),
    ],
};
/// The part of OpenAPI's schema that the vendor knows.
static SCHEMA: Fields = Fields {
    all: &[
        ("type", Shape::Word(KINDS)),
        ("format", Shape::Text),
        ("title", Shape::Text),
        ("description", Shape::Text),
        ("nullable", Shape::Bool),
        ("enum", Shape::List(&Shape::Text)),
        ("maxItems", Shape::Integer),
        ("minItems", Shape::Integer),
        ("properties", Shape::Map(&Shape::Message(&SCHEMA))),
        ("required", Shape::List(&Shape::Text)),
        ("minProperties", Shape::Integer),
        ("maxProperties", Shape::Integer),
        ("minLength", Shape::Integer),
        ("maxLength", Shape::Integer),
        ("pattern", Shape::Text),
        ("example", Shape::Any),
        ("anyOf", Shape::List(&Shape::Message(&SCHEMA))),
        ("propertyOrdering", Shape::List(&Shape::Text)),
        ("default", Shape::Any),
        ("items", Shape::Message(&SCHEMA)),
        ("minimum", Shape::Decimal),
        ("maximum", Shape::Decimal),
    ],
};

// === impl Fields ===

impl Fields {
    /// The message with its names in camel case and its words in upper case, or what is wrong and where.
    pub fn read(&self, value: &Value, place: &str) -> Result<Value, String> {
        let Value::Object(given) = value else {
            return Err(misplaced(value, place));
        };
        let mut read = Map::new();
        for (name, value) in given {
            let known = self
                .all
                .iter()
                .find(|(known, _)| known == name || snake(known) == *name);
            let Some((known, shape)) = known else {
                let at = if place.is_empty() {
                    String::new()
                } else {
                    format!(" at '{place}'")
                };
                return Err(format!(
                    "Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field."
                ));
            };
            // null is how protocol buffers leave out
            if !value.is_null() {
                let place = format!("{place}.{}", snake(known));
                let value = shape.read(value, place.trim_start_matches('.'))?;
                read.insert((*known).to_owned(), value);
            }
        }
        Ok(Value::Object(read))
    }
}

// === impl Shape ===

impl Shape {
    fn read(&self, value: &Value, place: &str) -> Result<Value, String> {
        match (self, value) {
            (Self::Any, _) | (Self::Struct, Value::Object(_)) | (Self::Bool, Value::Bool(_)) => {
                Ok(value.clone())
            }
            (Self::Text, Value::String(_)) | (Self::Decimal, Value::Number(_)) => Ok(value.clone()),
            (Self::Bytes, Value::String(text)) if is_base64(text) => Ok(value.clone()),
            (Self::Bytes, Value::String(_)) => Err(format!(
                "Invalid value at '{place}' (TYPE_BYTES), Base64 decoding failed"
            )),
            (Self::Integer, Value::Number(number)) => {
                let whole = number.as_f64().filter(|number| number.fract() == 0.0);
                let whole =
                    whole.ok_or_else(|| format!("Invalid value at '{place}' (TYPE_INT32), {value}"))?;
                // exact for every count a caller can mean
                #[expect(clippy::cast_possible_truncation, reason = "saturates")]
                Ok(Value::from(whole as i64))
            }
            (Self::Word(words), Value::String(word)) => {
                let word = word.to_uppercase();
                if !words.contains(&word.as_str()) {
                    return Err(format!("Invalid value at '{place}' (TYPE_ENUM), {value}"));
                }
                Ok(Value::String(word))
            }
            (Self::Message(fields), value) => fields.read(value, place),
            (Self::List(shape), Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(n, item)| shape.read(item, &format!("{place}[{n}]")))
                .collect(),
            (Self::Map(shape), Value::Object(entries)) => entries
                .iter()
                .map(|(name, entry)| {
                    Ok((
                        name.clone(),
                        shape.read(entry, &format!("{place}[{name}].value"))?,
                    ))
                })
                .collect::<Result<Map<_, _>, String>>()
                .map(Value::Object),
            _ => Err(misplaced(value, place)),
        }
    }
}

fn misplaced(value: &Value, place: &str) -> String {
    match value {
        Value::Array(_) => {
            format!(
                "Invalid JSON payload received. Unknown name at '{place}': Proto field is not repeating, cannot start list."
            )
        }
        _ => format!("Invalid value at '{place}', {value}"),
    }
}

fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// In either alphabet; padding may be missing.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "+/-_".contains(letter);
    digits.len() % 4 != 1 && digits.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_read_in_either_case_and_unknown_ones_are_refused_where_they_stand() {
        let asked = json!({"generation_config": {"max_output_tokens": 40.0, "thinkingConfig": {"thinking_level": "low"}}});
        let read =
            json!({"generationConfig": {"maxOutputTokens": 40, "thinkingConfig": {"thinkingLevel": "LOW"}}});
        assert_eq!(REQUEST.read(&asked, "").unwrap(), read);

        let schema = json!({"type": "object", "properties": {"additionalProperties": {"type": "string", "const": "a"}}});
        let asked = json!({"tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]});
        let refusal = REQUEST.read(&asked, "").unwrap_err();
        let place =
            "at 'tools[0].function_declarations[0].parameters.properties[additionalProperties].value'";
        assert!(
            refusal.contains("Unknown name \"const\"") && refusal.contains(place),
            "{refusal}"
        );
    }

    #[test]
    fn bytes_are_base64() {
        for (text, good) in [
            ("", true),
            ("aGk=", true),
            ("aGk", true),
            ("a", false),
            ("data:,", false),
        ] {
            assert_eq!(is_base64(text), good, "{text}");
        }
    }
}
