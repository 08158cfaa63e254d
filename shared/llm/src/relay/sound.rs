//! A sound on its way to the client: bytes that nobody here understands.
//!
//! Its end is the end of its body, and there is no room in it for an error: whoever passes it on has to break off.

use crate::error::{ErrorKind, PublicError, UpstreamError};
use crate::format::Relay;
use crate::translate::Progress;
use bytes::Bytes;

#[derive(Debug)]
pub struct Sound;

// === impl Sound ===

impl Relay for Sound {
    fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>, progress: &mut Progress) {
        if !chunk.is_empty() {
            progress.started = true;
            out.push(chunk);
        }
    }

    fn finish(&mut self, _: &mut Vec<Bytes>, progress: &mut Progress) {
        if progress.started {
            progress.ended = true;
            return;
        }
        let message = "the provider answered without a sound";
        progress.error = Some(UpstreamError::new(ErrorKind::MalformedUpstream, message));
    }

    fn fail(&mut self, _: &PublicError, _: &mut Vec<Bytes>) {}

    fn has_words(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_is_passed_on_as_it_is_and_silence_is_no_answer() {
        let (mut out, mut progress) = (Vec::new(), Progress::default());
        Sound.push(Bytes::new(), &mut out, &mut progress);
        assert!(!progress.started && out.is_empty());
        let chunk = Bytes::from_static(b"data: {\"error\":1}\n\n");
        Sound.push(chunk.clone(), &mut out, &mut progress);
        assert!(progress.started && !progress.ended && out == [chunk]);
        Sound.finish(&mut out, &mut progress);
        assert!(progress.ended && progress.error.is_none());

        let mut nothing = Progress::default();
        Sound.finish(&mut out, &mut nothing);
        assert_eq!(nothing.error.unwrap().kind, ErrorKind::MalformedUpstream);
        assert_eq!(out.len(), 1);
    }
}
