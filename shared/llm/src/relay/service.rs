//! What the gateway looks for in a streamed answer about pictures, speech or a recording, of which no byte is changed.
//!
//! Events from the API references: <https://platform.openai.com/docs/api-reference/images-streaming>,
//! `…/audio/speech-audio-done-event`, `…/audio/transcript-text-done-event`. Each kind has a last event, which says what was
//! used; of pictures there is one for each. Compatible servers have events of their own: one that says no `type` is taken
//! at its word that its stream is over when it closes it.

use super::{Fate, Glance, Tap};
use crate::error::{ErrorKind, PublicError, UpstreamError, classify_in_band};
use crate::formats::openai_chat::error;
use crate::kind::Kind;
use crate::translate::Progress;
use crate::work::Work;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How the types of last events end: `speech.audio.done`, `image_generation.completed`.
const LAST: [&str; 2] = [".done", ".completed"];

#[derive(Debug)]
pub struct ServiceTap {
    kind: Kind,
    /// What was asked for.
    work: Work,
    /// Last events that came.
    last: u64,
    /// The server's events have types.
    typed: bool,
    seeks: Seeks,
}

/// Compiled once per stream, run over every frame: most of them are long and say nothing but a piece of the answer.
#[derive(Debug)]
struct Seeks {
    data: Finder<'static>,
    of_note: [Finder<'static>; 5],
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

// === impl ServiceTap ===

impl ServiceTap {
    pub fn new(kind: Kind, work: Work) -> Self {
        Self {
            kind,
            work,
            last: 0,
            typed: false,
            seeks: Seeks::new(),
        }
    }

    /// The last event, or of several pictures the last one of one of them.
    fn take_last(&mut self, data: &str, progress: &mut Progress) {
        self.last += 1;
        progress.usage.merge(&self.kind.usage(data.as_bytes()));
        let is_picture = matches!(self.kind, Kind::Image | Kind::ImageEdit);
        let wanted = if is_picture { self.work.units.images } else { 1 };
        progress.ended |= self.last >= wanted;
        progress.work = Some(match is_picture {
            true => self.work.picture_made(self.last, data.as_bytes()),
            false => self.work.done(self.kind, data.as_bytes()),
        });
    }
}

impl Tap for ServiceTap {
    fn glance(&mut self, raw: &[u8], progress: &mut Progress) -> Glance {
        if !self.typed || self.seeks.of_note(raw) {
            return Glance::Read;
        }
        progress.started |= self.seeks.data.find(raw).is_some();
        Glance::Pass
    }

    fn read(&mut self, event: Option<&str>, data: &str, progress: &mut Progress) -> Fate {
        let told: Option<Told<'_>> = serde_json::from_str(data).ok();
        let kind = told.as_ref().and_then(|told| told.kind.as_deref()).or(event);
        self.typed |= kind.is_some();
        let has_error = told
            .as_ref()
            .is_some_and(|told| told.error.is_some_and(|error| error.get() != "null"));
        if has_error || kind == Some("error") {
            let error = serde_json::from_str(data).unwrap_or_else(|_| Value::from(data));
            progress.error.get_or_insert_with(|| classify_in_band(&error));
            return Fate::Forward;
        }
        progress.started = true;
        if kind.is_some_and(|kind| LAST.iter().any(|ending| kind.ends_with(ending))) {
            self.take_last(data, progress);
        }
        Fate::Forward
    }

    fn done(&mut self, progress: &mut Progress) {
        progress.ended = true;
    }

    fn close(&mut self, progress: &mut Progress) {
        progress.ended |= self.last > 0 || progress.started && !self.typed;
        if !progress.ended {
            progress.error.get_or_insert_with(|| {
                let message = "upstream closed the stream before it was complete";
                UpstreamError::new(ErrorKind::StreamIncomplete, message)
            });
        }
    }

    fn error_frame(&self, error: &PublicError) -> Vec<u8> {
        let mut frame = Vec::new();
        error::write_frame(error, &mut frame);
        frame
    }
}

// === impl Seeks ===

impl Seeks {
    fn new() -> Self {
        Self {
            data: Finder::new("data:"),
            // the type may stand before the data only; a text that looks like these is read for nothing
            of_note: [".done", ".completed", "\"error\"", "event: error", "event:error"].map(Finder::new),
        }
    }

    fn of_note(&self, raw: &[u8]) -> bool {
        self.of_note.iter().any(|words| words.find(raw).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::super::FrameRelay;
    use super::*;
    use crate::format::Relay;
    use crate::head::Head;
    use bytes::Bytes;

    /// What is known of a stream once it has been closed, and whether all of it was passed on.
    fn seen(kind: Kind, asked: &str, stream: &str) -> Progress {
        let work = Work::asked(kind, &Head::read(asked.as_bytes()).unwrap());
        let mut relay = FrameRelay::new(ServiceTap::new(kind, work));
        let (mut out, mut progress) = (Vec::new(), Progress::default());
        for byte in stream.as_bytes() {
            relay.push(Bytes::copy_from_slice(&[*byte]), &mut out, &mut progress);
        }
        relay.finish(&mut out, &mut progress);
        if progress.error.is_none() {
            assert_eq!(out.concat(), stream.as_bytes());
        }
        progress
    }

    #[test]
    fn the_last_event_says_what_was_used() {
        let speech = seen(
            Kind::Speech,
            r#"{"input":"one two"}"#,
            "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AAAA\"}\n\n\
             data: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":3,\"output_tokens\":40,\"total_tokens\":43}}\n\n",
        );
        assert!(speech.ended && speech.error.is_none());
        assert_eq!(
            (speech.usage.input_total, speech.usage.output_total),
            (Some(3), Some(40))
        );
        assert_eq!(speech.work.unwrap().units.characters, 7);

        let heard = seen(
            Kind::Transcription,
            r#"{"stream":"true"}"#,
            "event: transcript.text.delta\ndata: {\"type\":\"transcript.text.delta\",\"delta\":\"a .done\"}\n\n\
             data: {\"type\":\"transcript.text.done\",\"text\":\"a\",\"usage\":{\"type\":\"duration\",\"seconds\":9}}\n\n\
             data: [DONE]\n\n",
        );
        assert!(heard.ended);
        assert_eq!(heard.work.unwrap().units.audio_ms, 9_000);
    }

    #[test]
    fn an_event_may_have_its_type_before_its_data_only() {
        let picture = seen(
            Kind::Image,
            r#"{"prompt":"p"}"#,
            "event: image_generation.partial_image\ndata: {\"b64_json\":\"iVBOR\"}\n\n\
             event:image_generation.completed\ndata: {\"b64_json\":\"iVBOR\",\"usage\":{\"input_tokens\":5,\"output_tokens\":272}}\n\n",
        );
        assert!(picture.error.is_none(), "{:?}", picture.error);
        assert_eq!(picture.usage.output_total, Some(272));
        assert_eq!(picture.work.unwrap().units.images, 1);

        let refused = "event: image_generation.partial_image\ndata: {\"b64_json\":\"iVBOR\"}\n\n\
                       event:error\ndata: {\"message\":\"no\"}\n\n";
        assert!(seen(Kind::Image, r#"{"prompt":"p"}"#, refused).error.is_some());
    }

    #[test]
    fn of_several_pictures_each_has_its_last_event() {
        let picture = "data: {\"type\":\"image_generation.completed\",\"b64_json\":\"iVBOR\",\"size\":\"1024x1536\",\
                       \"quality\":\"high\",\"usage\":{\"input_tokens\":5,\"output_tokens\":272,\"total_tokens\":277}}\n\n";
        let asked = r#"{"prompt":"p","n":2,"size":"auto"}"#;
        let both = seen(Kind::Image, asked, &[picture, picture].concat());
        let work = both.work.unwrap();
        assert_eq!(
            (work.units.images, work.picture.names("m")[0].as_str()),
            (2, "m#high#1024x1536")
        );
        // a provider may make fewer than were asked for; until it closes the stream, another may come
        let work = Work::asked(Kind::Image, &Head::read(asked.as_bytes()).unwrap());
        let mut relay = FrameRelay::new(ServiceTap::new(Kind::Image, work));
        let (mut out, mut progress) = (Vec::new(), Progress::default());
        relay.push(
            Bytes::copy_from_slice(picture.as_bytes()),
            &mut out,
            &mut progress,
        );
        assert!(!progress.ended && out.len() == 1);
        relay.finish(&mut out, &mut progress);
        assert!(progress.ended && progress.error.is_none());
        assert_eq!(progress.work.unwrap().units.images, 1);
    }

    #[test]
    fn a_stream_without_its_last_event_is_incomplete_unless_its_events_are_others() {
        let delta = "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AAAA\"}\n\n";
        for (stream, kind) in [
            (delta, Some(ErrorKind::StreamIncomplete)),
            (": waiting\n\n", Some(ErrorKind::StreamIncomplete)),
            (
                "data: {\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}\n\n",
                Some(ErrorKind::RateLimit),
            ),
            (
                "event: error\ndata: {\"type\":\"error\",\"message\":\"no\"}\n\n",
                Some(ErrorKind::Upstream5xx),
            ),
            // as other servers write a transcript
            ("data: {\"text\":\"a\"}\n\ndata: {\"text\":\"b\"}\n\n", None),
            (
                "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n",
                None,
            ),
            (
                "data: {\"type\":\"transcription.text.delta\",\"text\":\"a\"}\n\ndata: {\"type\":\"transcription.done\"}\n\n",
                None,
            ),
        ] {
            let progress = seen(Kind::Transcription, "{}", stream);
            assert_eq!(progress.error.as_ref().map(|error| error.kind), kind, "{stream}");
            assert_eq!(progress.ended, kind.is_none(), "{stream}");
        }
    }
}
