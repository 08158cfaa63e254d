//! Gemini on Google Cloud's Vertex AI, called with the key of a service account.

use crate::provider::{AuthScheme, ModelSpec, ProviderSpec, Regions};

/// What Google asks for to call the API.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

pub(super) const CREDENTIAL: AuthScheme = AuthScheme::Google { scope: SCOPE };
pub(super) const CREDENTIAL_HINT: &str = "The JSON key of a service account that may use Vertex AI.";

/// The addresses of `google-genai` 3.6 and of the Python SDK of Anthropic 2.13, which agree on them.
pub(super) const REGIONS: Regions = Regions {
    default: "global",
    address: "https://{region}-aiplatform.googleapis.com",
    others: &[
        ("global", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
    root: "/v1/projects/{project}/locations/{region}",
};

pub static VERTEX: ProviderSpec = ProviderSpec {
    id: "vertex",
    alias: "vertex",
    name: "Google Vertex AI",
    base_url: "https://aiplatform.googleapis.com",
    chat_path: "/publishers/google/models/{modelName}:generateContent",
    stream_path: "/publishers/google/models/{modelName}:streamGenerateContent?alt=sse",
    count_path: Some("/publishers/google/models/{modelName}:countTokens"),
    // what it lists is another API's, for models one has made
    models_path: None,
    auth: CREDENTIAL,
    credential_hint: CREDENTIAL_HINT,
    regions: Some(&REGIONS),
    models: &[
        ModelSpec::new("gemini-2.5-flash", "Gemini 2.5 Flash"),
        ModelSpec::new("gemini-2.5-flash-lite", "Gemini 2.5 Flash Lite"),
        ModelSpec::new("gemini-2.5-pro", "Gemini 2.5 Pro"),
        ModelSpec::new("gemini-3-pro-preview", "Gemini 3 Pro Preview"),
    ],
    ..ProviderSpec::gemini()
};
