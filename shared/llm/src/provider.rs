//! Providers as data: who, where, and in which dialect. Code never asks which provider it is talking to.

mod endpoint;
mod platform;

use crate::caps::StreamUsage;
use crate::dialect::Dialect;
use crate::formats::bedrock_converse;
use crate::kind::Kind;
use crate::think_tags::ThinkTags;
use crate::vendor::Words;

pub use endpoint::{Endpoint, NoEndpoint, Regions, Whereabouts};
pub use platform::{Platform, Version};

/// Where a path has the model, and what of its id stays there as it is: ids have slashes.
const PLACES: [(&str, &[u8]); 3] = [("{model}", b"/:@"), ("{modelId}", b""), ("{modelName}", b"@")];

/// One provider, or the template of a user-defined endpoint.
#[derive(Debug, Clone, Copy)]
pub struct ProviderSpec {
    pub id: &'static str,
    /// Short prefix of model names (`ds/deepseek-chat`).
    pub alias: &'static str,
    pub name: &'static str,
    pub dialect: Dialect,
    /// Without a trailing slash; empty for a template, whose address the user gives.
    pub base_url: &'static str,
    /// Appended to the base URL; empty where nobody converses. `{model}` stands for the provider's model id, for
    /// dialects that carry it in the path instead of the body, `{modelId}` for one that is a single segment of the
    /// path, whatever is in it, and `{modelName}` for the same with an `@` that stays.
    pub chat_path: &'static str,
    /// The same for a stream, where the dialect has another address for it; else empty.
    pub stream_path: &'static str,
    pub models_path: Option<&'static str>,
    /// Where a credential can be tried, of a provider that lists other things than what can be asked for.
    pub check_path: Option<&'static str>,
    /// Where the dialect counts the tokens of a request without answering it, written like `chat_path`. Not every
    /// compatible endpoint has it: who asks has to live without an answer.
    pub count_path: Option<&'static str>,
    /// What it offers beside chat.
    pub services: &'static [Service],
    pub auth: AuthScheme,
    /// Servers of this kind usually ask for no credential.
    pub keyless: bool,
    /// How a credential is written, where that is not plain; else empty. For whoever types it in.
    pub credential_hint: &'static str,
    /// Sent with every request, unless the dialect or the client says otherwise.
    pub headers: &'static [(&'static str, &'static str)],
    pub models: &'static [ModelSpec],
    /// Models, by the beginning of their ids, that are served without a parser for their thinking.
    pub think_tags: &'static [(&'static str, ThinkTags)],
    /// How usage comes to be in a stream.
    pub stream_usage: StreamUsage,
    pub auth_type: AuthType,
    /// Of a provider whose accounts are somewhere.
    pub regions: Option<&'static Regions>,
    /// The `api-version` of every address, empty for none unless somebody names one; `None` where there is no such
    /// thing.
    pub api_version: Option<&'static str>,
    /// Of a template: what paths begin with, so that it and what follows is no part of an address.
    pub paths_begin: &'static str,
    /// For a dialect of somebody else's.
    pub platform: Option<&'static Platform>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// `Authorization: Bearer …`
    Bearer,
    /// The raw key in this header.
    Header(&'static str),
    /// `Authorization` with this word before the key.
    Word(&'static str),
    /// AWS Signature Version 4 for this service, over every request as it goes out, where the credential is an access
    /// key ([`crate::sigv4::Credentials`]); any other is a bearer.
    Aws { service: &'static str },
    /// A bearer for this scope that is asked for with the key of a service account of Google's, where the credential is
    /// the JSON of one; any other is the bearer itself.
    Google { scope: &'static str },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthType {
    ApiKey,
    /// An account that somebody signs in to; its access token goes where `auth` says.
    OAuth,
}

/// Something else than chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    pub kind: Kind,
    /// Appended to the base URL.
    pub path: &'static str,
    /// Those that are known by name; any other may be asked for, too.
    pub models: &'static [&'static str],
    /// Whose words it is asked for in.
    pub words: Words,
    /// How many numbers the vectors of a model have.
    pub dimensions: &'static [(&'static str, u32)],
    /// Of pictures, as far as they are known; none of them is insisted on.
    pub sizes: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSpec {
    pub id: &'static str,
    pub name: &'static str,
}

// === impl ProviderSpec ===

impl ProviderSpec {
    /// What most providers have in common: OpenAI's paths behind a bearer key. Files under `providers/` fill in
    /// the rest.
    pub(crate) const fn openai_chat() -> Self {
        Self {
            id: "",
            alias: "",
            name: "",
            dialect: Dialect::OpenAiChat,
            base_url: "",
            chat_path: "/chat/completions",
            stream_path: "",
            models_path: Some("/models"),
            check_path: None,
            count_path: None,
            services: &[],
            auth: AuthScheme::Bearer,
            keyless: false,
            credential_hint: "",
            headers: &[],
            models: &[],
            think_tags: &[],
            stream_usage: StreamUsage::WhenAsked,
            auth_type: AuthType::ApiKey,
            regions: None,
            api_version: None,
            paths_begin: "",
            platform: None,
        }
    }

    /// The same with the newer of the vendor's two APIs.
    pub(crate) const fn openai_responses() -> Self {
        Self {
            dialect: Dialect::OpenAiResponses,
            chat_path: "/responses",
            count_path: Some("/responses/input_tokens"),
            ..Self::openai_chat()
        }
    }

    /// Anthropic's paths behind its key header.
    pub(crate) const fn anthropic_messages() -> Self {
        Self {
            dialect: Dialect::AnthropicMessages,
            chat_path: "/messages",
            models_path: None,
            count_path: Some("/messages/count_tokens"),
            auth: AuthScheme::Header("x-api-key"),
            ..Self::openai_chat()
        }
    }

    /// Gemini's paths, with the model and the operation in them, behind its key header. Streams are always asked
    /// for as server-sent events.
    pub(crate) const fn gemini() -> Self {
        Self {
            dialect: Dialect::Gemini,
            chat_path: "/models/{model}:generateContent",
            stream_path: "/models/{model}:streamGenerateContent?alt=sse",
            count_path: Some("/models/{model}:countTokens"),
            auth: AuthScheme::Header("x-goog-api-key"),
            ..Self::openai_chat()
        }
    }

    /// Ollama's own paths. A local server asks for no credential; one behind a proxy usually wants a bearer key.
    pub(crate) const fn ollama_chat() -> Self {
        Self {
            dialect: Dialect::OllamaChat,
            chat_path: "/api/chat",
            models_path: Some("/api/tags"),
            keyless: true,
            ..Self::openai_chat()
        }
    }

    /// Bedrock's Converse; the region is in the address, and in what is signed.
    pub(crate) const fn bedrock_converse() -> Self {
        Self {
            dialect: Dialect::BedrockConverse,
            chat_path: "/model/{modelId}/converse",
            stream_path: "/model/{modelId}/converse-stream",
            models_path: None,
            auth: AuthScheme::Aws {
                service: bedrock_converse::SIGNING_NAME,
            },
            regions: Some(&bedrock_converse::REGIONS),
            ..Self::openai_chat()
        }
    }

    /// Whether an operator can say in which region an account is.
    pub fn takes_region(&self) -> bool {
        self.regions.is_some()
    }

    /// The same for a project.
    pub fn takes_project(&self) -> bool {
        self.regions
            .is_some_and(|regions| regions.root.contains("{project}"))
    }

    /// The service of a kind, where it is offered.
    pub fn service(&self, kind: Kind) -> Option<&'static Service> {
        self.services.iter().find(|service| service.kind == kind)
    }

    /// Whether it offers this model a service that not all of its models have.
    pub fn serves(&self, kind: Kind, model: &str) -> bool {
        let service = self.service(kind);
        service.is_some_and(|service| service.models.is_empty() || service.models.contains(&model))
    }

    /// Whether a model is one of its own, of whatever kind.
    pub fn knows(&self, model: &str) -> bool {
        self.models.iter().any(|known| known.id == model)
            || self
                .services
                .iter()
                .any(|service| service.models.contains(&model))
    }

    /// The path of a service, for this model id.
    pub fn service_path(&self, service: &Service, model: &str) -> String {
        fill(service.path, model)
    }

    /// Whether its models converse.
    pub fn converses(&self) -> bool {
        !self.chat_path.is_empty()
    }

    /// The path of one request, for this model id.
    pub fn path_for(&self, model: &str, stream: bool) -> String {
        fill(self.path(stream), model)
    }

    /// The path under which requests for this model are counted, where there is one.
    pub fn count_path_for(&self, model: &str) -> Option<String> {
        self.count_path.map(|path| fill(path, model))
    }

    /// The path under which something else than chat is asked of this model, where it is offered.
    pub fn service_path_for(&self, kind: Kind, model: &str) -> Option<String> {
        self.service(kind).map(|service| fill(service.path, model))
    }

    /// How this provider marks the thinking of a model inside its text.
    pub fn think_tags_of(&self, model: &str) -> ThinkTags {
        let known = self.think_tags.iter().find(|(start, _)| model.starts_with(start));
        known.map(|(_, tags)| *tags).unwrap_or_default()
    }

    /// Whether every request has the same path, whatever its model and whether it streams.
    pub fn has_one_path(&self) -> bool {
        self.stream_path.is_empty() && !PLACES.iter().any(|(place, _)| self.chat_path.contains(place))
    }

    fn path(&self, stream: bool) -> &'static str {
        match stream && !self.stream_path.is_empty() {
            true => self.stream_path,
            false => self.chat_path,
        }
    }
}

// === impl Service ===

impl Service {
    /// One in OpenAI's words, or Cohere's for rerank. Files under `providers/` fill in the rest.
    pub(crate) const OPENAI: Self = Self {
        kind: Kind::Chat,
        path: "",
        models: &[],
        words: Words::OpenAi,
        dimensions: &[],
        sizes: &[],
    };
}

// === impl ModelSpec ===

impl ModelSpec {
    pub(crate) const fn new(id: &'static str, name: &'static str) -> Self {
        Self { id, name }
    }
}

/// A model id comes from a client: whatever could end the path or begin something else in it is escaped.
fn fill(path: &str, model: &str) -> String {
    let place = |(place, kept): &(&'static str, &'static [u8])| Some((path.split_once(place)?, *kept));
    let Some(((before, after), kept)) = PLACES.iter().find_map(place) else {
        return path.to_owned();
    };
    // a segment of dots would lead out of the path, and escaped dots still are dots
    let kept = match model.split('/').any(|segment| matches!(segment, "." | "..")) {
        true => b"".as_slice(),
        false => kept,
    };
    let mut filled = String::with_capacity(path.len() + model.len());
    filled.push_str(before);
    for byte in model.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                filled.push(char::from(byte));
            }
            _ if kept.contains(&byte) => filled.push(char::from(byte)),
            _ => filled.push_str(&format!("%{byte:02X}")),
        }
    }
    filled.push_str(after);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_in_a_path_cannot_change_the_path() {
        let spec = ProviderSpec::gemini();
        for (model, stream, path) in [
            ("gemini-2.5-pro", false, "/models/gemini-2.5-pro:generateContent"),
            ("g", true, "/models/g:streamGenerateContent?alt=sse"),
            ("a/b:1", false, "/models/a/b:1:generateContent"),
            ("g?key=x#y", false, "/models/g%3Fkey%3Dx%23y:generateContent"),
            ("%2e%2e", false, "/models/%252e%252e:generateContent"),
            ("\u{e9}", false, "/models/%C3%A9:generateContent"),
            ("../../v1/x", false, "/models/..%2F..%2Fv1%2Fx:generateContent"),
        ] {
            assert_eq!(spec.path_for(model, stream), path);
        }
        assert_eq!(spec.count_path_for("g").as_deref(), Some("/models/g:countTokens"));
    }

    #[test]
    fn a_model_that_is_one_segment_of_the_path_stays_one() {
        let spec = ProviderSpec::bedrock_converse();
        for (model, stream, path) in [
            (
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                true,
                "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream",
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.b",
                false,
                "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a.b/converse",
            ),
        ] {
            assert_eq!(spec.path_for(model, stream), path);
        }
        assert!(!spec.has_one_path());
    }

    #[test]
    fn only_a_dialect_that_names_the_model_in_its_path_needs_a_path_per_request() {
        assert!(ProviderSpec::openai_chat().has_one_path());
        assert!(ProviderSpec::ollama_chat().has_one_path());
        assert!(!ProviderSpec::gemini().has_one_path());
        assert_eq!(
            ProviderSpec::openai_chat().path_for("m", true),
            "/chat/completions"
        );
    }
}
