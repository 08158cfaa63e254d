//! Which feature goes from which dialect to which: every client asks every upstream, whole and streamed, and gets
//! the answer held against its grammar. The table in `docs/translation-matrix.md` is what this test found out.
//!
//! `WRITE_MATRIX=1 cargo nextest run -p llm matrix` writes the table anew.

use crate::grammar;
use crate::laws::upstream::{Script, Step};
use crate::wire::question::{self, Feature, PNG};
use crate::wire::turn::{calls, next_turn, parts};
use crate::wire::{
    self, ask, dialects, essence, pump, seed, target_for, understood, understood_whole, upstreams,
};
use llm::request::{MediaSource, Output, Part, PartKind, Request, Role, ToolChoice};
use llm::{Call, Dialect, Framing, Progress, Reply, Severity, Target, formats};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

/// What a cell of the table says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Yes,
    /// The gateway does it itself.
    ByGateway,
    /// One of the two dialects has no word for it.
    Missing(&'static str),
}

/// One question on its way.
struct Trip {
    feature: Feature,
    client: Dialect,
    upstream: Dialect,
    stream: bool,
}

/// What one of the two dialects cannot say. Everything else has to arrive.
fn missing(feature: Feature, client: Dialect, upstream: Dialect) -> Option<&'static str> {
    use Dialect::{OllamaChat, OpenAiChat, OpenAiResponses};
    match (feature, client, upstream) {
        (Feature::CachedUsage, OllamaChat, _) | (Feature::CachedUsage, _, OllamaChat) => {
            Some("Ollama does not report cached tokens")
        }
        (Feature::SignedReasoning, _, OpenAiChat) => Some("Chat Completions upstreams sign no reasoning"),
        (Feature::SignedReasoning, _, OllamaChat) => Some("Ollama upstreams sign no reasoning"),
        (Feature::SignedReasoning, OllamaChat, _) => Some("Ollama's messages have no field for a signature"),
        (Feature::Stop, OpenAiResponses, _) => Some("Responses has no stop sequences"),
        _ => None,
    }
}

/// What the upstream's API has no field for, so that the gateway does it in the answer.
fn done_by_the_gateway(feature: Feature, upstream: Dialect) -> bool {
    (feature, upstream) == (Feature::Stop, Dialect::OpenAiResponses)
}

#[test]
fn every_feature_goes_from_every_dialect_to_every_dialect() {
    let (mut table, mut failures) = (String::from(HEAD), String::new());
    for feature in Feature::ALL {
        write_table(feature, &mut table, &mut failures);
    }
    assert!(failures.is_empty(), "{failures}");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/translation-matrix.md");
    if std::env::var_os("WRITE_MATRIX").is_some() {
        std::fs::write(&path, &table).expect("the documentation can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == table,
        "docs/translation-matrix.md says something else; WRITE_MATRIX=1 writes it anew:\n{table}"
    );
}

const HEAD: &str = "# What is translated into what

Written by the tests of `shared/llm` (`tests/matrix.rs`), which send each of these questions from every client's
dialect to every upstream's, whole and as a stream, and check what the upstream is asked and what the client gets.
Rows are clients, columns upstreams. A cell says **yes** where the feature arrives both ways, **by the
gateway** where the upstream's API has no such field and the gateway does it to the answer, and **-** where one of the
two dialects has no word for it. The models are gpt-5 (OpenAI Chat), gpt-5 (OpenAI Responses), claude-sonnet-4-5
(Anthropic), gemini-2.5-flash (Gemini), qwen3 (Ollama) and claude-sonnet-4-5 (Bedrock, which no client speaks).
";

fn write_table(feature: Feature, table: &mut String, failures: &mut String) {
    let mut reasons = BTreeSet::new();
    let columns: Vec<&str> = upstreams().map(title).collect();
    let _ = write!(
        table,
        "\n## {}\n\n| client | {} |\n|---|{}\n",
        heading(feature),
        columns.join(" | "),
        "---|".repeat(columns.len())
    );
    for client in dialects() {
        let _ = write!(table, "| {} |", title(client));
        for upstream in upstreams() {
            let trip = |stream| Trip {
                feature,
                client,
                upstream,
                stream,
            };
            let (whole, streamed) = (trip(false).cell(), trip(true).cell());
            let same = whole == streamed && whole.is_ok();
            let Some(whole) = whole.clone().ok().filter(|_| same) else {
                let _ = writeln!(
                    failures,
                    "{feature:?}, {client} <- {upstream}:\n  {whole:?}\n  {streamed:?}"
                );
                continue;
            };
            let word = match whole {
                Cell::Yes => "yes".to_owned(),
                Cell::ByGateway => "by the gateway".to_owned(),
                Cell::Missing(why) => {
                    reasons.insert(why);
                    "-".to_owned()
                }
            };
            let _ = write!(table, " {word} |");
        }
        table.push('\n');
    }
    for reason in reasons {
        let _ = write!(table, "\n- {reason}.\n");
    }
}

// === impl Trip ===

impl Trip {
    /// There and back. An error is a feature that does not arrive although both dialects could say it.
    fn cell(&self) -> Result<Cell, String> {
        let Self {
            feature,
            client,
            upstream,
            stream,
        } = *self;
        let body = question::body(client, feature, stream);
        let ask = ask(client, stream, Framing::Native, &body);
        let call = ask
            .call(&target(upstream))
            .map_err(|error| format!("refused: {error}"))?;
        let sent = wire::asked(upstream, &call.body())?;

        if call.notes().count(Severity::Loss) > 0 {
            return Err(format!("something is lost: {:?}", call.notes()));
        }
        let missing = missing(feature, client, upstream);
        let by_gateway = done_by_the_gateway(feature, upstream) && client != upstream;
        let unsaid = by_gateway || feature == Feature::Stop && missing.is_some();
        if asked(feature, &sent) == unsaid {
            return Err(format!("asked for: {}, of: {sent:#?}", !unsaid));
        }

        let script = script(feature, &sent);
        let (reply, whole) = self.answer(&call, &script)?;
        let expected = match feature {
            // the answer of a tool that the gateway put in is the text it stands for
            Feature::JsonSchema => answer(vec![text("{\"a\":1}")]).essence(client, upstream),
            Feature::Stop if by_gateway && missing.is_none() => {
                answer(vec![text("hello ")]).essence(client, upstream)
            }
            _ => script.essence(client, upstream),
        };
        let same = |reply: &[String]| match feature {
            // not every dialect tells a stop sequence from an end
            Feature::Stop => reply[0] == expected[0],
            _ => *reply == expected,
        };
        if !same(&essence(&reply)) {
            return Err(format!("said {expected:?}, arrived {:?}", essence(&reply)));
        }
        if feature == Feature::SignedReasoning {
            let signed = self.is_returned(&whole)?;
            if signed == missing.is_some() {
                return Err(format!("signature returned: {signed}, but {missing:?}"));
            }
        }
        Ok(match missing {
            Some(why) => Cell::Missing(why),
            None if by_gateway => Cell::ByGateway,
            None => Cell::Yes,
        })
    }

    /// What the client understands, and the same as a whole reply.
    fn answer(&self, call: &Call, script: &Script) -> Result<(Reply, Vec<u8>), String> {
        if !self.stream {
            let upstream = script.reply(self.upstream).into();
            let body = call.reply(upstream, &seed(), &mut Progress::default());
            let body = body.map_err(|error| error.to_string())?;
            grammar::reply(self.client, &body)?;
            let reply = understood_whole(self.client, &body).map_err(|error| error.to_string())?;
            return Ok((reply, body.to_vec()));
        }
        let size = if self.feature == Feature::SplitEmoji { 1 } else { 7 };
        let (bytes, _) = pump(call, script.stream(self.upstream).chunks(size));
        grammar::stream(self.client, Framing::Native, true, &bytes)?;
        let reply = understood(self.client, &bytes).map_err(|error| error.to_string())?;
        let whole = formats::of(self.client).encode_reply(&reply, &seed());
        Ok((reply, whole))
    }

    /// Whether the upstream gets its own signature back when the client goes on.
    fn is_returned(&self, reply: &[u8]) -> Result<bool, String> {
        let next = ask(
            self.client,
            false,
            Framing::Native,
            &next_turn(self.client, reply),
        );
        let call = next
            .call(&target(self.upstream))
            .map_err(|error| error.to_string())?;
        let sent = wire::asked(self.upstream, &call.body())?;
        let returned = parts(&sent).into_iter().any(|part| match part {
            PartKind::Reasoning {
                opaque: Some(opaque), ..
            } => {
                opaque.issuer == self.upstream
                    && ["c2lnbmVk", "c2VhbGVk"]
                        .iter()
                        .any(|own| opaque.payload.contains(own))
            }
            _ => false,
        });
        Ok(returned)
    }
}

// === functions ===

fn title(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiChat => "OpenAI Chat",
        Dialect::OpenAiResponses => "OpenAI Responses",
        Dialect::AnthropicMessages => "Anthropic",
        Dialect::Gemini => "Gemini",
        Dialect::OllamaChat => "Ollama",
        Dialect::BedrockConverse => "Bedrock",
    }
}

fn heading(feature: Feature) -> &'static str {
    match feature {
        Feature::Plain => "A question and its answer",
        Feature::MultiTurn => "Several turns",
        Feature::System => "System prompt",
        Feature::Tools => "Tools, and a call",
        Feature::ParallelTools => "Parallel calls with their results",
        Feature::Image => "Image (base64)",
        Feature::SignedReasoning => "Reasoning whose signature comes back",
        Feature::JsonSchema => "Output by JSON schema",
        Feature::Stop => "Stop sequences",
        Feature::Length => "Answer cut at the token limit",
        Feature::CachedUsage => "Usage with cached tokens",
        Feature::SplitEmoji => "Characters split across chunks",
    }
}

/// A model of each vendor whose abilities are known.
fn target(dialect: Dialect) -> Target {
    let model = match dialect {
        Dialect::OpenAiChat => "gpt-5",
        Dialect::OpenAiResponses => "gpt-5",
        Dialect::AnthropicMessages => "claude-sonnet-4-5",
        Dialect::Gemini => "gemini-2.5-flash",
        Dialect::OllamaChat => "qwen3",
        Dialect::BedrockConverse => "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    };
    target_for(dialect, model)
}

/// Whether the upstream is asked for the feature.
fn asked(feature: Feature, sent: &Request) -> bool {
    match feature {
        Feature::MultiTurn => {
            let roles: Vec<Role> = sent.messages.iter().map(|message| message.role).collect();
            roles == [Role::User, Role::Assistant, Role::User] && said(sent) == ["hi", "hello", "more"]
        }
        Feature::System => sent.system.iter().filter_map(words).eq(["be brief"]) && said(sent) == ["hi"],
        Feature::Tools => {
            let whole = sent.tools.iter().all(|tool| {
                let schema = tool
                    .schema
                    .as_deref()
                    .map(|schema| schema.get())
                    .unwrap_or_default();
                tool.description.as_deref() == Some("does")
                    && schema.contains("\"a\"")
                    && schema.contains("integer")
            });
            whole && sent.tools.iter().map(|tool| tool.name.as_str()).eq(["f", "g"])
        }
        Feature::ParallelTools => {
            let results = parts(sent).into_iter().filter_map(|part| match part {
                PartKind::ToolResult(result) => result.parts.iter().find_map(words),
                _ => None,
            });
            calls(sent) == ["f {\"a\":1} true", "g {\"a\":1} true"] && results.eq(["from f", "from g"])
        }
        Feature::Image => {
            let is_png = |part: &&PartKind| matches!(part, PartKind::Image { source: MediaSource::Base64(data), .. } if data == PNG);
            said(sent) == ["look"] && parts(sent).iter().any(is_png)
        }
        Feature::JsonSchema => match (&sent.output, &sent.tool_choice) {
            (Output::JsonSchema(schema), _) => schema.schema.get().contains("integer"),
            (_, ToolChoice::Named(name)) => sent.tools.iter().any(|tool| tool.name == *name),
            _ => false,
        },
        Feature::Stop => sent.stop == ["END"],
        Feature::Plain
        | Feature::SignedReasoning
        | Feature::Length
        | Feature::CachedUsage
        | Feature::SplitEmoji => said(sent) == ["hi"],
    }
}

/// What the upstream answers.
fn script(feature: Feature, sent: &Request) -> Script {
    match (feature, &sent.tool_choice) {
        (Feature::Tools, _) => answer(vec![call("f"), call("g")]),
        (Feature::SignedReasoning, _) => Script {
            signed: true,
            ..answer(vec![
                Step::Reasoning(vec!["let me".into(), " see".into()]),
                text("done"),
            ])
        },
        (Feature::JsonSchema, ToolChoice::Named(name)) => answer(vec![call(name)]),
        (Feature::JsonSchema, _) => answer(vec![text("{\"a\":1}")]),
        (Feature::Length, _) => Script {
            truncated: true,
            ..answer(vec![text("hello wor")])
        },
        (Feature::CachedUsage, _) => Script {
            cached: 6,
            ..answer(vec![text("hello")])
        },
        (Feature::Stop, _) if sent.stop.is_empty() => answer(vec![text("hello END and more")]),
        (Feature::SplitEmoji, _) => answer(vec![text("né 👩‍👩‍👧 🦀\u{2028}.")]),
        _ => answer(vec![text("hello")]),
    }
}

fn answer(steps: Vec<Step>) -> Script {
    Script {
        steps,
        cached: 0,
        ..Script::example()
    }
}

fn text(text: &str) -> Step {
    Step::Text(vec![text.to_owned()])
}

fn call(name: &str) -> Step {
    Step::Call {
        name: name.to_owned(),
        arguments: vec!["{\"a\"".into(), ":1}".into()],
    }
}

fn said(sent: &Request) -> Vec<&str> {
    let texts = parts(sent).into_iter().filter_map(|part| match part {
        PartKind::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn words(part: &Part) -> Option<&str> {
    match &part.kind {
        PartKind::Text { text, .. } => Some(text),
        _ => None,
    }
}
