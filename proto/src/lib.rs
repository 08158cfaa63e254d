//! The contract between the planes: generated messages, and the pure rules both planes apply to them.
//!
//! [`v1`] is generated from `omniroute/v1/*.proto`. [`Resources`] is one revision as both planes hold it, [`digest`]
//! says whether they hold the same one, and [`validate`] checks a resource the same way before the control plane
//! commits it and when a data plane compiles it.

mod digest;
mod issue;
pub mod pattern;
mod resources;
pub mod validate;

pub use self::{
    digest::digest,
    issue::{Issue, Rule},
    pattern::Pattern,
    resources::{
        IP_FILTER_ID, RESILIENCE_ID, ROUTING_ID, Resources, SETTINGS_ID, SYSTEM_PROMPT_ID, THINKING_BUDGET_ID,
    },
};

/// Generated. Field meanings are documented in the `.proto` files.
#[expect(
    clippy::allow_attributes_without_reason,
    clippy::allow_attributes,
    reason = "generated code is not ours to style"
)]
pub mod v1 {
    tonic::include_proto!("omniroute.v1");
}

/// Where sealed captures belong, for both planes to seal and open them with: a batch of another spool does not open.
pub fn captures_place(spool_id: &str) -> String {
    format!("usage batch|captures|{spool_id}")
}

impl v1::Resource {
    /// Kind and id. A body that this build does not know has the kind `Unspecified`.
    pub fn key(&self) -> v1::ResourceKey {
        v1::ResourceKey {
            kind: self.kind().into(),
            id: self.id.clone(),
        }
    }

    pub fn kind(&self) -> v1::ResourceKind {
        use v1::{ResourceKind as Kind, resource::Body};
        match &self.body {
            Some(Body::Settings(_)) => Kind::Settings,
            Some(Body::ProviderNode(_)) => Kind::ProviderNode,
            Some(Body::Connection(_)) => Kind::Connection,
            Some(Body::ModelAlias(_)) => Kind::ModelAlias,
            Some(Body::Combo(_)) => Kind::Combo,
            Some(Body::ApiKey(_)) => Kind::ApiKey,
            Some(Body::SystemPrompt(_)) => Kind::SystemPrompt,
            Some(Body::ThinkingBudget(_)) => Kind::ThinkingBudget,
            Some(Body::Routing(_)) => Kind::Routing,
            Some(Body::Resilience(_)) => Kind::Resilience,
            Some(Body::Policy(_)) => Kind::Policy,
            Some(Body::FallbackChain(_)) => Kind::FallbackChain,
            Some(Body::CustomModel(_)) => Kind::CustomModel,
            Some(Body::PriceOverride(_)) => Kind::PriceOverride,
            Some(Body::IpFilter(_)) => Kind::IpFilter,
            Some(Body::OutboundProxy(_)) => Kind::OutboundProxy,
            None => Kind::Unspecified,
        }
    }
}
