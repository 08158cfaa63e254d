//! What providers charge for that is not counted in tokens: pictures made, recordings heard, texts read out, searches.
//!
//! What is asked for says how much it will be, roughly or exactly; the answer, where it says something, knows better.
//!
//! Fields from the API references: <https://platform.openai.com/docs/api-reference/images>, `…/audio`, and
//! <https://docs.cohere.com/reference/rerank>, after which one search unit is a query with up to 100 documents.

mod subtitles;

use crate::head::Head;
use crate::kind::Kind;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

const DOCUMENTS_OF_SEARCH: u64 = 100;
const MILLIS: f64 = 1_000.0;

/// How much of each there is; of most requests only one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    pub images: u64,
    pub audio_ms: u64,
    pub characters: u64,
    pub searches: u64,
}

/// What a picture is like, as far as its price depends on it, in the words of the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    pub size: Option<String>,
    pub quality: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grounds {
    /// From the size of what was sent, or from what was asked for.
    #[default]
    Guessed,
    /// In the request, or in the answer.
    Counted,
    /// The provider says what it charges for.
    Told,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Work {
    pub units: Units,
    pub picture: Picture,
    pub grounds: Grounds,
}

/// Of an answer about pictures, or of the event about one of them.
#[derive(Default, Deserialize)]
struct Pictures {
    #[serde(default)]
    data: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    size: Option<String>,
    #[serde(default)]
    quality: Option<String>,
}

/// Of an answer about a recording.
#[derive(Deserialize)]
struct Heard {
    #[serde(default)]
    usage: Option<HeardUsage>,
    #[serde(default)]
    duration: Option<Seconds>,
}

#[derive(Deserialize)]
struct HeardUsage {
    #[serde(default)]
    seconds: Option<Seconds>,
}

/// The vendor has written them as a number and as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

/// Of an answer to a search.
#[derive(Deserialize)]
struct Searched {
    meta: SearchMeta,
}

#[derive(Deserialize)]
struct SearchMeta {
    billed_units: BilledUnits,
}

#[derive(Deserialize)]
struct BilledUnits {
    search_units: f64,
}

// === impl Units ===

impl Units {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

// === impl Picture ===

impl Picture {
    /// What a price may be found under, the most particular first.
    pub fn names(&self, model: &str) -> Vec<String> {
        let (size, quality) = (self.size.as_deref(), self.quality.as_deref());
        let both = quality
            .zip(size)
            .map(|(quality, size)| format!("{model}#{quality}#{size}"));
        let one = |part: Option<&str>| part.map(|part| format!("{model}#{part}"));
        let named = [both, one(quality), one(size)].into_iter().flatten();
        named.chain([model.to_owned()]).collect()
    }
}

// === impl Work ===

impl Work {
    /// What a request asks for. How long a recording is, only the recording knows.
    pub(crate) fn asked(kind: Kind, head: &Head<'_>) -> Self {
        let text = |name: &str| serde_json::from_str::<String>(head.get(name)?.get()).ok();
        let counted = |units| Self {
            units,
            grounds: Grounds::Counted,
            ..Self::default()
        };
        match kind {
            Kind::Image | Kind::ImageEdit => Self {
                units: Units {
                    images: head.get("n").and_then(count).unwrap_or(1),
                    ..Units::default()
                },
                picture: Picture {
                    size: text("size"),
                    quality: text("quality"),
                },
                grounds: Grounds::Guessed,
            },
            Kind::Speech => counted(Units {
                characters: text("input").map_or(0, |text| text.chars().count() as u64),
                ..Units::default()
            }),
            Kind::Rerank => {
                let documents = head.get("documents").map(RawValue::get);
                let documents: Option<Vec<IgnoredAny>> =
                    documents.and_then(|json| serde_json::from_str(json).ok());
                let documents = documents.map_or(0, |documents| documents.len() as u64);
                counted(Units {
                    searches: documents.div_ceil(DOCUMENTS_OF_SEARCH).max(1),
                    ..Units::default()
                })
            }
            Kind::Chat
            | Kind::Completion
            | Kind::Embedding
            | Kind::Moderation
            | Kind::Transcription
            | Kind::Translation => Self::default(),
        }
    }

    /// What it came to, as the answer says; where it says nothing, what was asked for.
    pub(crate) fn done(&self, kind: Kind, reply: &[u8]) -> Self {
        let done = match kind {
            Kind::Image | Kind::ImageEdit => self.pictures(reply),
            Kind::Transcription | Kind::Translation => heard(reply),
            Kind::Rerank => searched(reply),
            Kind::Chat | Kind::Completion | Kind::Embedding | Kind::Moderation | Kind::Speech => None,
        };
        done.unwrap_or_else(|| self.clone())
    }

    fn pictures(&self, reply: &[u8]) -> Option<Self> {
        let told: Pictures = serde_json::from_slice(reply).ok()?;
        let images = told.data.as_ref()?.len() as u64;
        Some(self.made(images, told))
    }

    /// What it came to with one more picture of a stream, of which this is the event.
    pub(crate) fn picture_made(&self, images: u64, event: &[u8]) -> Self {
        self.made(images, serde_json::from_slice(event).unwrap_or_default())
    }

    fn made(&self, images: u64, told: Pictures) -> Self {
        Self {
            units: Units {
                images,
                ..Units::default()
            },
            // `auto` in the request is something else in the answer
            picture: Picture {
                size: told.size.or_else(|| self.picture.size.clone()),
                quality: told.quality.or_else(|| self.picture.quality.clone()),
            },
            grounds: Grounds::Counted,
        }
    }
}

// === impl Seconds ===

impl Seconds {
    fn millis(&self) -> Option<u64> {
        let seconds = match self {
            Self::Number(seconds) => *seconds,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        whole(seconds * MILLIS)
    }
}

fn heard(reply: &[u8]) -> Option<Work> {
    let (audio_ms, grounds) = match serde_json::from_slice::<Heard>(reply) {
        Ok(heard) => {
            let billed = heard.usage.and_then(|usage| usage.seconds?.millis());
            let duration = || heard.duration?.millis();
            match billed {
                Some(billed) => (billed, Grounds::Told),
                None => (duration()?, Grounds::Counted),
            }
        }
        // silence at the end has no subtitle
        Err(_) => (
            subtitles::end_ms(std::str::from_utf8(reply).ok()?)?,
            Grounds::Guessed,
        ),
    };
    Some(Work {
        units: Units {
            audio_ms,
            ..Units::default()
        },
        picture: Picture::default(),
        grounds,
    })
}

fn searched(reply: &[u8]) -> Option<Work> {
    let told: Searched = serde_json::from_slice(reply).ok()?;
    Some(Work {
        units: Units {
            searches: whole(told.meta.billed_units.search_units)?,
            ..Units::default()
        },
        picture: Picture::default(),
        grounds: Grounds::Told,
    })
}

/// A field of a form is a text.
fn count(json: &RawValue) -> Option<u64> {
    let text: Option<String> = serde_json::from_str(json.get()).ok();
    match text {
        Some(text) => text.trim().parse().ok(),
        None => serde_json::from_str(json.get()).ok(),
    }
}

/// Upwards, as vendors count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is no count is sorted out before"
)]
fn whole(number: f64) -> Option<u64> {
    let most = 1e15;
    (0.0..most).contains(&number).then(|| number.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: Kind, body: &str) -> Work {
        Work::asked(kind, &Head::read(body.as_bytes()).unwrap())
    }

    #[test]
    fn a_request_says_how_much_it_asks_for() {
        let none = Units::default();
        for (kind, body, units) in [
            (Kind::Image, r#"{"prompt":"p"}"#, Units { images: 1, ..none }),
            (Kind::Image, r#"{"n":3}"#, Units { images: 3, ..none }),
            (Kind::ImageEdit, r#"{"n":"2"}"#, Units { images: 2, ..none }),
            (
                Kind::Speech,
                r#"{"input":"gr\u00fc\u00dfe"}"#,
                Units {
                    characters: 5,
                    ..none
                },
            ),
            (
                Kind::Rerank,
                r#"{"documents":["a",{"text":"b"}]}"#,
                Units { searches: 1, ..none },
            ),
            (Kind::Transcription, r#"{"model":"m"}"#, none),
            (Kind::Embedding, r#"{"input":"text"}"#, none),
        ] {
            assert_eq!(asked(kind, body).units, units, "{body}");
        }
        let many = format!(r#"{{"documents":[{}"d"]}}"#, r#""d","#.repeat(100));
        assert_eq!(asked(Kind::Rerank, &many).units.searches, 2);
        let picture = asked(Kind::Image, r#"{"size":"1024x1024","quality":"hd"}"#).picture;
        assert_eq!(picture.names("m"), ["m#hd#1024x1024", "m#hd", "m#1024x1024", "m"]);
        assert_eq!(Picture::default().names("m"), ["m"]);
    }

    #[test]
    fn an_answer_knows_better_and_one_that_says_nothing_changes_nothing() {
        let before = asked(Kind::Image, r#"{"n":2,"size":"auto"}"#);
        let done = before.done(
            Kind::Image,
            br#"{"data":[{"url":"u"}],"size":"1024x1536","quality":"high"}"#,
        );
        assert_eq!((done.units.images, done.grounds), (1, Grounds::Counted));
        assert_eq!(done.picture.names("m")[0], "m#high#1024x1536");
        assert_eq!(before.done(Kind::Image, b"no json"), before);

        let guessed = Work {
            units: Units {
                audio_ms: 7,
                ..Units::default()
            },
            ..Work::default()
        };
        for (reply, audio_ms, grounds) in [
            (
                r#"{"text":"t","duration":9.5,"usage":{"type":"duration","seconds":10}}"#,
                10_000,
                Grounds::Told,
            ),
            (r#"{"text":"t","duration":"8.47"}"#, 8_470, Grounds::Counted),
            ("1\n00:00:00,000 --> 00:01:02,500\nt\n", 62_500, Grounds::Guessed),
            (r#"{"text":"t"}"#, 7, Grounds::Guessed),
            (r#"{"duration":-1}"#, 7, Grounds::Guessed),
            (r#"{"duration":1e300}"#, 7, Grounds::Guessed),
            ("some words", 7, Grounds::Guessed),
        ] {
            let done = guessed.done(Kind::Transcription, reply.as_bytes());
            assert_eq!(
                (done.units.audio_ms, done.grounds),
                (audio_ms, grounds),
                "{reply}"
            );
        }

        let one = asked(Kind::Rerank, r#"{"documents":["a"]}"#);
        let told = one.done(
            Kind::Rerank,
            br#"{"results":[],"meta":{"billed_units":{"search_units":4}}}"#,
        );
        assert_eq!((told.units.searches, told.grounds), (4, Grounds::Told));
        assert_eq!(one.done(Kind::Rerank, br#"{"results":[],"meta":{}}"#), one);
    }
}
