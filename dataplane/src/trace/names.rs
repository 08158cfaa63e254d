//! What spans, metrics and their attributes are called: OpenTelemetry's semantic conventions 1.38, those for generative AI among
//! them, and ours where there are none. <https://opentelemetry.io/docs/specs/semconv/gen-ai/>

use llm::{Dialect, Kind};

pub const HTTP_METHOD: &str = "http.request.method";
pub const HTTP_ROUTE: &str = "http.route";
pub const HTTP_STATUS: &str = "http.response.status_code";
pub const URL_PATH: &str = "url.path";
pub const SERVER_ADDRESS: &str = "server.address";
pub const SERVER_PORT: &str = "server.port";
pub const ERROR_TYPE: &str = "error.type";

pub const OPERATION: &str = "gen_ai.operation.name";
pub const PROVIDER: &str = "gen_ai.provider.name";
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// In seconds.
pub const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
/// With what was read from and written to a cache, as the convention has it.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
pub const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
pub const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
/// With reasoning.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
pub const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";

/// A histogram in seconds.
pub const OPERATION_DURATION: &str = "gen_ai.client.operation.duration";
/// A histogram of tokens, by their type.
pub const TOKEN_USAGE: &str = "gen_ai.client.token.usage";
pub const TOKEN_TYPE: &str = "gen_ai.token.type";

pub const REQUEST_ID: &str = "omniroute.request.id";
pub const KEY_ID: &str = "omniroute.key.id";
pub const COMBO: &str = "omniroute.combo";
pub const REVISION: &str = "omniroute.config.revision";
pub const OUTCOME: &str = "omniroute.outcome";
/// Who answered: a provider, the cache, an earlier request of the same name.
pub const SERVED_FROM: &str = "omniroute.served_from";
pub const CONNECTION_ID: &str = "omniroute.connection.id";
/// As the gateway knows the provider; a node has a name of its own.
pub const PROVIDER_ID: &str = "omniroute.provider.id";
/// This call raced another one.
pub const HEDGE: &str = "omniroute.hedge";
/// In nano US dollars; absent where nobody knows the price.
pub const COST_NANO: &str = "omniroute.cost_nano_usd";

/// What the convention calls a provider; one that it does not know keeps its name.
pub fn provider(id: &'static str) -> &'static str {
    match id {
        "azure" => "azure.ai.openai",
        "bedrock" => "aws.bedrock",
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "vertex" | "vertex-anthropic" => "gcp.vertex_ai",
        "xai" => "x_ai",
        other => other,
    }
}

/// For an endpoint that only its installation knows: what it speaks.
pub const fn dialect(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => "openai",
        Dialect::AnthropicMessages => "anthropic",
        Dialect::Gemini => "gcp.gemini",
        Dialect::OllamaChat => "ollama",
        Dialect::BedrockConverse => "aws.bedrock",
    }
}

/// What is asked for; where the convention has no word for it, ours.
pub const fn operation(kind: Kind) -> &'static str {
    match kind {
        Kind::Chat => "chat",
        Kind::Completion => "text_completion",
        Kind::Embedding => "embeddings",
        Kind::Image | Kind::ImageEdit | Kind::Speech => "generate_content",
        Kind::Transcription => "transcription",
        Kind::Translation => "translation",
        Kind::Moderation => "moderation",
        Kind::Rerank => "rerank",
    }
}
