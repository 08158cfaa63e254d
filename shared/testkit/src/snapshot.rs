//! A configuration written as a sentence, in the form a data plane gets it.

use proto::v1::resource::Body;
use proto::v1::{self, Resource, SealedSecret};
use runtime::crypto::{ClusterKeys, SealKey, hash_key, seal_derived};
use uuid::Uuid;

/// As control planes and data planes of a test share it.
pub const CLUSTER_SECRET: &str = "the cluster secret of the tests, long enough";
const PEPPER: &[u8] = b"the pepper of the tests";

/// Collects resources. Names are ids, so that tests can speak of them.
#[derive(Clone)]
pub struct Snapshot {
    transport: SealKey,
    settings: v1::Settings,
    resources: Vec<Resource>,
}

// === impl Snapshot ===

impl Default for Snapshot {
    fn default() -> Self {
        Self::new()
    }
}

impl Snapshot {
    /// For data planes that know [`CLUSTER_SECRET`].
    pub fn new() -> Self {
        Self::sealed_with(ClusterKeys::derive(CLUSTER_SECRET).transport)
    }

    /// For data planes that open secrets with `transport`.
    pub fn sealed_with(transport: SealKey) -> Self {
        let pepper = sealed(&transport, "settings|settings|api_key_pepper", PEPPER);
        let settings = v1::Settings {
            api_key_pepper: Some(pepper),
            ..v1::Settings::default()
        };
        Self {
            transport,
            settings,
            resources: Vec::new(),
        }
    }

    /// Changes the settings before they are built.
    pub fn settings(mut self, change: impl FnOnce(&mut v1::Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// An endpoint of the given type at `url`, called `name/model` by clients, with one connection `name-1`.
    pub fn endpoint(self, name: &str, node_type: &str, url: &str) -> Self {
        let api_type = if node_type == "openai-compatible" {
            "chat"
        } else {
            ""
        };
        let node = v1::ProviderNode {
            name: name.to_owned(),
            r#type: node_type.to_owned(),
            api_type: api_type.to_owned(),
            prefix: name.to_owned(),
            base_url: url.to_owned(),
            api_version: String::new(),
        };
        self.with(&format!("node-{name}"), Body::ProviderNode(node))
            .account(name, &format!("{name}-1"), 1)
    }

    pub fn openai(self, name: &str, url: &str) -> Self {
        self.endpoint(name, "openai-compatible", url)
    }

    pub fn anthropic(self, name: &str, url: &str) -> Self {
        self.endpoint(name, "anthropic-compatible", url)
    }

    /// The credential of a connection, as it travels.
    pub fn credential(&self, id: &str, plain: &str) -> SealedSecret {
        sealed(
            &self.transport,
            &format!("connection|{id}|credential"),
            plain.as_bytes(),
        )
    }

    /// One more connection of an endpoint. Its credential is `sk-<id>`.
    pub fn account(self, endpoint: &str, id: &str, priority: i32) -> Self {
        self.account_with(endpoint, id, priority, |_| {})
    }

    pub fn account_with(
        self,
        endpoint: &str,
        id: &str,
        priority: i32,
        change: impl FnOnce(&mut v1::Connection),
    ) -> Self {
        let place = format!("connection|{id}|credential");
        let mut connection = v1::Connection {
            provider: format!("node-{endpoint}"),
            name: id.to_owned(),
            auth_type: "apikey".to_owned(),
            priority,
            enabled: true,
            credential: Some(sealed(&self.transport, &place, format!("sk-{id}").as_bytes())),
            allow_private_address: true,
            ..v1::Connection::default()
        };
        change(&mut connection);
        self.with(id, Body::Connection(connection))
    }

    pub fn alias(self, alias: &str, target: &str) -> Self {
        self.with(
            alias,
            Body::ModelAlias(v1::ModelAlias {
                target: target.to_owned(),
            }),
        )
    }

    /// Members in the order to try.
    pub fn combo(self, name: &str, members: &[&str]) -> Self {
        let members: Vec<_> = members.iter().map(|model| (*model, 0.0)).collect();
        self.combo_with(name, "priority", &members, |_| {})
    }

    /// Members with their weights.
    pub fn combo_with(
        self,
        name: &str,
        strategy: &str,
        members: &[(&str, f64)],
        change: impl FnOnce(&mut v1::Combo),
    ) -> Self {
        let member = |(model, weight): &(&str, f64)| v1::ComboMember {
            model: (*model).to_owned(),
            weight: *weight,
        };
        let mut combo = v1::Combo {
            name: name.to_owned(),
            strategy: strategy.to_owned(),
            members: members.iter().map(member).collect(),
            enabled: true,
            max_retries: None,
            concurrency_per_model: 3,
            queue_timeout_ms: 30_000,
            track_metrics: true,
            retry_delay_ms: 0,
            timeout_ms: 120_000,
            asks_the_failing: false,
        };
        change(&mut combo);
        self.with(&format!("combo-{name}"), Body::Combo(combo))
    }

    /// How a request chooses; once per snapshot.
    pub fn routing(self, change: impl FnOnce(&mut v1::Routing)) -> Self {
        let mut routing = v1::Routing {
            account_strategy: "fill-first".to_owned(),
            sticky_limit: 3,
            ..v1::Routing::default()
        };
        change(&mut routing);
        self.with(proto::ROUTING_ID, Body::Routing(routing))
    }

    /// How failures are answered; once per snapshot. As they are unless somebody changes them.
    pub fn resilience(self, change: impl FnOnce(&mut v1::Resilience)) -> Self {
        let profile = v1::resilience::Profile {
            transient_cooldown_ms: 3_000,
            rate_limit_cooldown_ms: 0,
            max_backoff_level: 5,
            breaker_threshold: 5,
            breaker_reset_ms: 30_000,
        };
        let mut resilience = v1::Resilience {
            oauth: Some(profile),
            apikey: Some(profile),
            defaults: Some(v1::resilience::RateDefaults {
                requests_per_minute: 100,
                min_gap_ms: 200,
                concurrent_requests: 10,
            }),
        };
        change(&mut resilience);
        self.with(proto::RESILIENCE_ID, Body::Resilience(resilience))
    }

    /// An enabled policy of the given type; what it does is for `change` to say.
    pub fn policy(self, name: &str, policy_type: &str, change: impl FnOnce(&mut v1::Policy)) -> Self {
        let mut policy = v1::Policy {
            name: name.to_owned(),
            r#type: policy_type.to_owned(),
            enabled: true,
            priority: 100,
            ..v1::Policy::default()
        };
        change(&mut policy);
        self.with(&format!("policy-{name}"), Body::Policy(policy))
    }

    /// Providers that stand in for a model, in this order.
    pub fn chain(self, model: &str, providers: &[&str]) -> Self {
        let link = |provider: &&str| v1::FallbackLink {
            provider: (*provider).to_owned(),
            enabled: true,
        };
        let links = providers.iter().map(link).collect();
        self.with(model, Body::FallbackChain(v1::FallbackChain { links }))
    }

    /// A model that an operator added to a provider.
    pub fn custom_model(
        self,
        provider: &str,
        model: &str,
        change: impl FnOnce(&mut v1::CustomModel),
    ) -> Self {
        let mut custom = v1::CustomModel {
            provider: provider.to_owned(),
            model: model.to_owned(),
            r#type: "chat".to_owned(),
            ..v1::CustomModel::default()
        };
        change(&mut custom);
        self.with(&format!("{provider}/{model}"), Body::CustomModel(custom))
    }

    /// A gateway key that may do everything clients do.
    pub fn key(self, key: &str) -> Self {
        self.key_with(key, |_| {})
    }

    pub fn key_with(self, key: &str, change: impl FnOnce(&mut v1::ApiKey)) -> Self {
        let mut resource = v1::ApiKey {
            name: key.to_owned(),
            hash: hash_key(PEPPER, key).to_vec(),
            enabled: true,
            scopes: vec!["inference".to_owned()],
            ..v1::ApiKey::default()
        };
        change(&mut resource);
        // the same key has the same id in every snapshot, as it has on every data plane
        let id = Uuid::from_slice(&resource.hash[..16]).expect("16 bytes are an id");
        self.with(&id.to_string(), Body::ApiKey(resource))
    }

    /// Any other resource.
    pub fn with(mut self, id: &str, body: Body) -> Self {
        self.resources.push(Resource {
            id: id.to_owned(),
            body: Some(body),
        });
        self
    }

    pub fn build(self) -> Vec<Resource> {
        let settings = Resource {
            id: "settings".to_owned(),
            body: Some(Body::Settings(self.settings)),
        };
        [settings].into_iter().chain(self.resources).collect()
    }
}

fn sealed(key: &SealKey, place: &str, plain: &[u8]) -> SealedSecret {
    let sealed = seal_derived(key, place.as_bytes(), plain);
    SealedSecret {
        key_version: 1,
        nonce: sealed.nonce.to_vec(),
        ciphertext: sealed.ciphertext,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::crypto::open;

    #[test]
    fn secrets_open_with_the_key_they_were_sealed_with_and_no_other() {
        let key = SealKey::derive("tests", "a secret of these tests, long enough");
        let resources = Snapshot::sealed_with(key.clone())
            .openai("o", "http://127.0.0.1:1/v1")
            .build();
        let connection = resources.iter().find_map(|resource| match &resource.body {
            Some(Body::Connection(connection)) => Some(connection),
            _ => None,
        });
        let sealed = connection.unwrap().credential.clone().unwrap();
        let nonce: [u8; 12] = sealed.nonce.as_slice().try_into().unwrap();
        let with = |key: &SealKey| open(key, b"connection|o-1|credential", &nonce, &sealed.ciphertext);
        assert_eq!(*with(&key).unwrap(), b"sk-o-1");
        assert!(with(&ClusterKeys::derive(CLUSTER_SECRET).transport).is_err());
    }
}
