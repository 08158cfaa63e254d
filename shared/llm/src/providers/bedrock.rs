//! Amazon Bedrock, by its Converse API, in whatever region an account is.

use crate::provider::{ModelSpec, ProviderSpec};

/// An access key is written `accessKeyId:secretAccessKey`, with `:sessionToken` behind it where it has one; any other
/// credential is one of Bedrock's own API keys.
pub static BEDROCK: ProviderSpec = ProviderSpec {
    id: "bedrock",
    alias: "bedrock",
    name: "Amazon Bedrock",
    base_url: "https://bedrock-runtime.us-east-1.amazonaws.com",
    credential_hint: "An API key of Bedrock, or an access key as accessKeyId:secretAccessKey, with :sessionToken behind \
                      it where it has one.",
    models: &[
        ModelSpec::new(
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "Claude Sonnet 4.5",
        ),
        ModelSpec::new(
            "global.anthropic.claude-haiku-4-5-20251001-v1:0",
            "Claude Haiku 4.5",
        ),
        ModelSpec::new("us.amazon.nova-pro-v1:0", "Nova Pro"),
        ModelSpec::new("us.amazon.nova-lite-v1:0", "Nova Lite"),
    ],
    ..ProviderSpec::bedrock_converse()
};
