//! One item of a response and what has been said of it.

use super::super::wire::{Content, Item};
use super::super::{annotation, reasoning};
use crate::event::{Event, EventKind, PartStart};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Which of an item's texts a fragment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Text,
    Refusal,
    Summary,
    Thoughts,
    Arguments,
    Input,
}

#[derive(Debug)]
pub struct Slot {
    id: String,
    output_index: Option<u64>,
    kind: Kind,
    done: bool,
    /// It was found in the whole response.
    listed: bool,
}

#[derive(Debug)]
enum Kind {
    Message(BTreeMap<u64, Said>),
    Reasoning(Thought),
    Call(Call),
    /// A tool the vendor runs, or something newer than this code.
    Other,
}

/// One content part of a message.
#[derive(Debug)]
struct Said {
    part: u32,
    refusal: bool,
    sent: String,
    cited: usize,
    has_logprobs: bool,
}

#[derive(Debug, Default)]
struct Thought {
    part: Option<u32>,
    sent: String,
    /// The first kind of text that came; the other one says the same.
    source: Option<Source>,
    /// The segment that is being sent.
    segment: u64,
}

#[derive(Debug, Default)]
struct Call {
    part: Option<u32>,
    freeform: bool,
    id: String,
    name: String,
    /// All of the arguments so far; nothing has been sent before the name is known.
    arguments: String,
}

/// Where events go.
pub struct Sink<'a> {
    pub next_part: &'a mut u32,
    pub out: &'a mut Vec<Event>,
}

// === impl Source ===

impl Source {
    /// The type of the item it occurs in.
    pub fn item(self) -> &'static str {
        match self {
            Self::Text | Self::Refusal => "message",
            Self::Summary | Self::Thoughts => "reasoning",
            Self::Arguments => "function_call",
            Self::Input => "custom_tool_call",
        }
    }
}

// === impl Slot ===

impl Slot {
    pub fn new(kind: Option<&str>, id: &str, output_index: Option<u64>) -> Self {
        Self {
            id: id.to_owned(),
            output_index,
            kind: Kind::named(kind),
            done: false,
            listed: false,
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn output_index(&self) -> Option<u64> {
        self.output_index
    }

    pub fn is_done(&self) -> bool {
        self.done
    }

    pub fn listed(&self) -> bool {
        self.listed
    }

    pub fn list(&mut self) {
        self.listed = true;
    }

    pub fn is_of(&self, kind: Option<&str>) -> bool {
        match (&self.kind, Kind::named(kind)) {
            (Kind::Call(own), Kind::Call(other)) => own.freeform == other.freeform,
            (own, other) => std::mem::discriminant(own) == std::mem::discriminant(&other),
        }
    }

    /// Whether it is what a client waits for.
    pub fn is_output(&self) -> bool {
        matches!(self.kind, Kind::Message(_) | Kind::Call(_))
    }

    pub fn is_call(&self) -> bool {
        matches!(&self.kind, Kind::Call(call) if call.part.is_some())
    }

    pub fn is_nameless(&self) -> bool {
        matches!(&self.kind, Kind::Call(call) if call.part.is_none())
    }

    pub fn is_refusal(&self) -> bool {
        matches!(&self.kind, Kind::Message(said) if said.values().any(|said| said.refusal))
    }

    /// The item has begun. Its texts are empty here, or come again.
    pub fn announce(&mut self, item: &Item<'_>, sink: &mut Sink<'_>) {
        if let Kind::Call(call) = &mut self.kind {
            call.identify(item, &self.id);
            call.start(sink);
        }
    }

    /// A name that came late.
    pub fn name(&mut self, name: Option<&str>, sink: &mut Sink<'_>) {
        let (Kind::Call(call), Some(name)) = (&mut self.kind, name) else {
            return;
        };
        if call.part.is_none() && !self.done {
            name.clone_into(&mut call.name);
            call.start(sink);
        }
    }

    pub fn delta(&mut self, source: Source, index: u64, text: &str, sink: &mut Sink<'_>) {
        if self.done || text.is_empty() {
            return;
        }
        match &mut self.kind {
            Kind::Message(said) => Said::at(said, source, index, sink).send(text, sink),
            Kind::Reasoning(thought) => thought.delta(source, index, text, sink),
            Kind::Call(call) => call.send(text, sink),
            Kind::Other => {}
        }
    }

    /// The whole of one text: what has not been said of it is said now.
    pub fn fill(&mut self, source: Source, index: u64, full: &str, sink: &mut Sink<'_>) {
        if self.done || full.is_empty() {
            return;
        }
        match &mut self.kind {
            Kind::Message(said) => Said::at(said, source, index, sink).fill(full, sink),
            Kind::Call(call) => call.fill(full, sink),
            Kind::Reasoning(_) | Kind::Other => {}
        }
    }

    /// What belongs to a text beside it.
    pub fn remark(
        &mut self,
        index: u64,
        annotation: Option<&Value>,
        logprobs: Option<&[Value]>,
        sink: &mut Sink<'_>,
    ) {
        let Kind::Message(said) = &mut self.kind else {
            return;
        };
        let Some(said) = said.get_mut(&index).filter(|_| !self.done) else {
            return;
        };
        if let Some(annotation) = annotation {
            said.cite(annotation, sink);
        }
        said.log(logprobs.unwrap_or_default(), sink);
    }

    /// The whole item: says what is missing, and stops it.
    pub fn complete(&mut self, item: &Item<'_>, sink: &mut Sink<'_>) {
        if self.done {
            return;
        }
        match &mut self.kind {
            Kind::Message(said) => {
                for (index, content) in item.content.iter().flatten().enumerate() {
                    Said::complete(said, index as u64, content, sink);
                }
            }
            Kind::Reasoning(thought) => {
                thought.complete(item, sink);
                let id = item.id.text().unwrap_or(&self.id);
                if let Some(encrypted) = item.encrypted_content.text() {
                    let opaque = reasoning::issued(id, encrypted);
                    let part = thought.start(sink);
                    sink.emit(EventKind::Opaque { part, opaque });
                }
            }
            Kind::Call(call) => {
                call.identify(item, &self.id);
                call.start(sink);
                let full = if call.freeform {
                    &item.input
                } else {
                    &item.arguments
                };
                call.fill(full.text().unwrap_or_default(), sink);
            }
            Kind::Other => {}
        }
        self.stop(sink);
    }

    pub fn stop(&mut self, sink: &mut Sink<'_>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        match &self.kind {
            Kind::Message(said) => {
                for said in said.values() {
                    sink.emit(EventKind::PartStop { part: said.part });
                }
            }
            Kind::Reasoning(Thought { part: Some(part), .. }) | Kind::Call(Call { part: Some(part), .. }) => {
                sink.emit(EventKind::PartStop { part: *part });
            }
            Kind::Reasoning(_) | Kind::Call(_) | Kind::Other => {}
        }
    }
}

// === impl Kind ===

impl Kind {
    fn named(kind: Option<&str>) -> Self {
        let call = |freeform| {
            Self::Call(Call {
                freeform,
                ..Call::default()
            })
        };
        match kind {
            Some("message") => Self::Message(BTreeMap::new()),
            Some("reasoning") => Self::Reasoning(Thought::default()),
            Some("function_call") => call(false),
            Some("custom_tool_call") => call(true),
            _ => Self::Other,
        }
    }
}

// === impl Said ===

impl Said {
    fn at<'s>(
        all: &'s mut BTreeMap<u64, Self>,
        source: Source,
        index: u64,
        sink: &mut Sink<'_>,
    ) -> &'s mut Self {
        all.entry(index).or_insert_with(|| {
            let refusal = source == Source::Refusal;
            let kind = if refusal {
                PartStart::Refusal
            } else {
                PartStart::Text
            };
            Self {
                part: sink.start(kind),
                refusal,
                sent: String::new(),
                cited: 0,
                has_logprobs: false,
            }
        })
    }

    fn complete(all: &mut BTreeMap<u64, Self>, index: u64, content: &Content<'_>, sink: &mut Sink<'_>) {
        let (source, full) = match content.refusal.text() {
            Some(refusal) => (Source::Refusal, refusal),
            None => (Source::Text, content.text.text().unwrap_or_default()),
        };
        if full.is_empty() && !all.contains_key(&index) {
            return;
        }
        let said = Self::at(all, source, index, sink);
        said.fill(full, sink);
        for annotation in content.annotations.iter().flatten().skip(said.cited) {
            said.cite(annotation, sink);
        }
        if !said.has_logprobs {
            said.log(content.logprobs.as_deref().unwrap_or_default(), sink);
        }
    }

    fn send(&mut self, text: &str, sink: &mut Sink<'_>) {
        self.sent.push_str(text);
        sink.say(self.part, text);
    }

    fn fill(&mut self, full: &str, sink: &mut Sink<'_>) {
        if let Some(rest) = missing(&self.sent, full) {
            self.send(rest, sink);
        }
    }

    fn cite(&mut self, annotation: &Value, sink: &mut Sink<'_>) {
        self.cited += 1;
        sink.emit(EventKind::Citation {
            part: self.part,
            raw: annotation::read(annotation),
        });
    }

    fn log(&mut self, logprobs: &[Value], sink: &mut Sink<'_>) {
        if !logprobs.is_empty() {
            self.has_logprobs = true;
            sink.emit(EventKind::Logprobs(json!({ "content": logprobs })));
        }
    }
}

// === impl Thought ===

impl Thought {
    fn delta(&mut self, source: Source, index: u64, text: &str, sink: &mut Sink<'_>) {
        if *self.source.get_or_insert(source) != source {
            return;
        }
        if index != self.segment && !self.sent.is_empty() {
            self.send("\n\n", sink);
        }
        self.segment = index;
        self.send(text, sink);
    }

    fn complete(&mut self, item: &Item<'_>, sink: &mut Sink<'_>) {
        let joined = |all: &Option<Vec<Content<'_>>>| {
            let texts = all.iter().flatten().filter_map(|content| content.text.text());
            texts.collect::<Vec<_>>().join("\n\n")
        };
        let full = match self.source {
            Some(Source::Thoughts) => joined(&item.content),
            Some(_) => joined(&item.summary),
            None => Some(joined(&item.summary))
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| joined(&item.content)),
        };
        if let Some(rest) = missing(&self.sent, &full) {
            self.send(rest, sink);
        }
    }

    fn send(&mut self, text: &str, sink: &mut Sink<'_>) {
        let part = self.start(sink);
        self.sent.push_str(text);
        sink.say(part, text);
    }

    fn start(&mut self, sink: &mut Sink<'_>) -> u32 {
        *self.part.get_or_insert_with(|| sink.start(PartStart::Reasoning))
    }
}

// === impl Call ===

impl Call {
    fn identify(&mut self, item: &Item<'_>, item_id: &str) {
        if self.part.is_some() {
            return;
        }
        let id = item.call_id.text().or_else(|| item.id.text()).unwrap_or(item_id);
        id.clone_into(&mut self.id);
        if let Some(name) = item.name.text() {
            name.clone_into(&mut self.name);
        }
    }

    /// Once its name is known, and only once.
    fn start(&mut self, sink: &mut Sink<'_>) {
        if self.part.is_some() || self.name.is_empty() {
            return;
        }
        if self.id.is_empty() {
            self.id = format!("call_{}", sink.next_part);
        }
        let part = sink.start(PartStart::ToolCall {
            id: self.id.clone(),
            name: self.name.clone(),
            freeform: self.freeform,
        });
        self.part = Some(part);
        sink.say(part, &self.arguments);
    }

    fn send(&mut self, text: &str, sink: &mut Sink<'_>) {
        self.arguments.push_str(text);
        if let Some(part) = self.part {
            sink.say(part, text);
        }
    }

    fn fill(&mut self, full: &str, sink: &mut Sink<'_>) {
        if let Some(rest) = missing(&self.arguments, full) {
            self.send(rest, sink);
        }
    }
}

// === impl Sink ===

impl Sink<'_> {
    fn emit(&mut self, kind: EventKind) {
        self.out.push(Event::first(kind));
    }

    fn start(&mut self, kind: PartStart) -> u32 {
        let part = *self.next_part;
        *self.next_part += 1;
        self.emit(EventKind::PartStart { part, kind });
        part
    }

    fn say(&mut self, part: u32, text: &str) {
        if !text.is_empty() {
            let text = text.to_owned();
            self.emit(EventKind::Delta { part, text });
        }
    }
}

// === functions ===

/// What of the whole text has not been sent; nothing when it is another text.
fn missing<'a>(sent: &str, full: &'a str) -> Option<&'a str> {
    full.strip_prefix(sent).filter(|rest| !rest.is_empty())
}
