//! Tools whose schema the vendor's models know by heart, but which the client runs: shell, editor, memory.
//!
//! A request that stays within the vendor passes through unread, so whoever reads it here is about to show the
//! tools to another model. That one needs the schema written out; without it the client would lose its tools.
//! Schemas follow the vendor's SDK types of November 2026.

const BASH: &str = r#"{"type":"object","properties":{"command":{"type":"string","description":"The command to run."},"restart":{"type":"boolean","description":"True restarts the shell instead."}}}"#;

const TEXT_EDITOR: &str = r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert"]},"path":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"},"description":"First and last line, from 1; -1 is the end."},"file_text":{"type":"string","description":"For create."},"old_str":{"type":"string","description":"For str_replace: text that occurs exactly once."},"new_str":{"type":"string","description":"For str_replace."},"insert_line":{"type":"integer","description":"For insert: the line to insert after, 0 for the start."},"insert_text":{"type":"string","description":"For insert."}},"required":["command","path"]}"#;

const MEMORY: &str = r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},"path":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"}},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"old_path":{"type":"string"},"new_path":{"type":"string"}},"required":["command"]}"#;

/// Description and input schema of a client's tool of this type; `None` when the provider runs the tool, or when it needs the
/// vendor's own training (`computer_*`).
pub fn schema(kind: &str) -> Option<(&'static str, &'static str)> {
    let family = kind
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches('_');
    match family {
        "bash" => Some(("Runs a command in a persistent shell session.", BASH)),
        "text_editor" => Some(("Views and edits text files.", TEXT_EDITOR)),
        "memory" => Some((
            "Keeps notes in files below /memories, across conversations.",
            MEMORY,
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn dated_types_are_recognised_and_their_schemas_are_objects() {
        for kind in ["bash_20250124", "text_editor_20250728", "memory_20250818"] {
            let (_, schema) = schema(kind).unwrap();
            assert_eq!(
                serde_json::from_str::<Value>(schema).unwrap()["type"],
                "object",
                "{kind}"
            );
        }
        for kind in [
            "web_search_20250305",
            "bash_code_execution_20250825",
            "computer_20250124",
            "",
        ] {
            assert!(schema(kind).is_none(), "{kind}");
        }
    }
}
