//! A whole configuration as a sorted set of encoded resources: what a revision is, on both planes.
//!
//! The control plane takes the difference of two of them, a data plane merges that difference into the one it
//! runs, and both compare digests. Nothing is decoded until the data plane compiles it.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use crate::{
    digest,
    v1::{
        Resource, ResourceEntry, ResourceError, ResourceKey, ResourceKind, ResourceList, resource_error::Code,
    },
};

/// The id of the one settings resource.
pub const SETTINGS_ID: &str = "settings";
/// The id of the operator's instructions.
pub const SYSTEM_PROMPT_ID: &str = "system-prompt";
/// The id of the limit on thinking.
pub const THINKING_BUDGET_ID: &str = "thinking-budget";
/// The id of how requests choose.
pub const ROUTING_ID: &str = "routing";
/// The id of how failures are answered.
pub const RESILIENCE_ID: &str = "resilience";

/// The id of who is let in.
pub const IP_FILTER_ID: &str = "ip-filter";

/// Encoded resources by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources(BTreeMap<ResourceKey, Bytes>);

// === impl Resources ===

impl Resources {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One resource, if it is there and can be read.
    pub fn find(&self, kind: ResourceKind, id: &str) -> Option<Resource> {
        let key = ResourceKey {
            kind: kind.into(),
            id: id.to_owned(),
        };
        Resource::decode(self.0.get(&key)?.clone()).ok()
    }

    pub fn digest(&self) -> [u8; 32] {
        digest::of_sorted(self.0.iter().map(|(key, bytes)| (key, bytes.as_ref())))
    }

    /// Everything, as the payload of a FULL update.
    pub fn full(&self) -> ResourceList {
        ResourceList {
            upsert: self.0.iter().map(entry).collect(),
            remove: Vec::new(),
        }
    }

    /// What turns `base` into this, as the payload of a DELTA update.
    pub fn since(&self, base: &Self) -> ResourceList {
        ResourceList {
            upsert: self
                .0
                .iter()
                .filter(|(key, bytes)| base.0.get(key) != Some(bytes))
                .map(entry)
                .collect(),
            remove: base
                .0
                .keys()
                .filter(|key| !self.0.contains_key(key))
                .cloned()
                .collect(),
        }
    }

    /// Applies a list on top of this.
    pub fn merge(&mut self, list: ResourceList) {
        for key in list.remove {
            self.0.remove(&key);
        }
        for entry in list.upsert {
            self.0.insert(entry.key.unwrap_or_default(), entry.resource);
        }
    }

    /// The resources that can be read, in the order of their keys, and a report on those that cannot.
    pub fn decode(&self) -> (Vec<Resource>, Vec<ResourceError>) {
        let mut resources = Vec::with_capacity(self.0.len());
        let mut errors = Vec::new();
        for (key, bytes) in &self.0 {
            match Resource::decode(bytes.clone()) {
                // under a key that is not its own, a resource could stand in for another one
                Ok(resource) if resource.id == key.id && is_of_kind(&resource, key) => {
                    resources.push(resource)
                }
                Ok(_) => errors.push(unreadable(key, "the resource does not match its key".to_owned())),
                Err(error) => errors.push(unreadable(key, format!("not a resource: {error}"))),
            }
        }
        (resources, errors)
    }
}

impl FromIterator<Resource> for Resources {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        let encoded = |resource: Resource| (resource.key(), Bytes::from(resource.encode_to_vec()));
        Self(resources.into_iter().map(encoded).collect())
    }
}

impl From<ResourceList> for Resources {
    fn from(list: ResourceList) -> Self {
        let mut resources = Self::default();
        resources.merge(list);
        resources
    }
}

fn entry((key, bytes): (&ResourceKey, &Bytes)) -> ResourceEntry {
    ResourceEntry {
        key: Some(key.clone()),
        resource: bytes.clone(),
    }
}

/// A kind that is newer than this build decodes to no body; its key says which kind it is.
fn is_of_kind(resource: &Resource, key: &ResourceKey) -> bool {
    let kind = resource.kind();
    kind == ResourceKind::Unspecified || i32::from(kind) == key.kind
}

fn unreadable(key: &ResourceKey, message: String) -> ResourceError {
    ResourceError {
        code: Code::Decode.into(),
        resource: Some(key.clone()),
        message,
        quarantined: true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_map, prelude::*};

    use super::*;
    use crate::v1::{ModelAlias, resource::Body};

    fn alias(id: &str, target: &str) -> Resource {
        Resource {
            id: id.to_owned(),
            body: Some(Body::ModelAlias(ModelAlias {
                target: target.to_owned(),
            })),
        }
    }

    fn any_resources() -> impl Strategy<Value = Resources> {
        btree_map("[a-d]{1,2}", "[a-z]{0,4}", 0..12)
            .prop_map(|map| map.iter().map(|(id, target)| alias(id, target)).collect())
    }

    proptest! {
        #[test]
        fn a_delta_on_its_base_gives_the_target(base in any_resources(), target in any_resources()) {
            let mut merged = base.clone();
            merged.merge(target.since(&base));
            prop_assert_eq!(merged.digest(), target.digest());
            prop_assert_eq!(merged, target);
        }

        #[test]
        fn a_full_list_carries_everything(target in any_resources()) {
            prop_assert_eq!(Resources::from(target.full()), target);
        }

        #[test]
        fn equal_digests_mean_equal_resources(a in any_resources(), b in any_resources()) {
            prop_assert_eq!(a.digest() == b.digest(), a == b);
        }
    }

    #[test]
    fn the_digest_does_not_depend_on_order() {
        let (a, b) = (alias("a", "openai/gpt"), alias("b", "openai/gpt"));
        let sorted: Resources = [a.clone(), b.clone()].into_iter().collect();
        assert_eq!(digest::digest(&[b.clone(), a.clone()]), sorted.digest());
        assert_eq!(digest::digest(&[a, b]), sorted.digest());
    }

    #[test]
    fn a_field_from_the_future_is_kept_under_the_digest() {
        let mut bytes = alias("a", "openai/gpt").encode_to_vec();
        bytes.extend([0xf2, 0x3f, 0x01, b'x']); // field 1022, one byte long
        let key = alias("a", "").key();
        let list = ResourceList {
            upsert: vec![ResourceEntry {
                key: Some(key),
                resource: bytes.into(),
            }],
            remove: Vec::new(),
        };
        let newer = Resources::from(list);
        let (decoded, errors) = newer.decode();

        assert_eq!(decoded, [alias("a", "openai/gpt")]);
        assert_eq!(errors, []);
        assert_ne!(
            newer.digest(),
            digest::digest(&decoded),
            "the digest must cover what this build cannot read"
        );
        assert_eq!(Resources::from(newer.full()).digest(), newer.digest());
    }

    #[test]
    fn an_unreadable_resource_is_reported_and_the_rest_is_read() {
        let mut resources: Resources = [alias("good", "openai/gpt")].into_iter().collect();
        let bad = ResourceEntry {
            key: Some(alias("bad", "").key()),
            resource: Bytes::from_static(b"\xff\xff\xff"),
        };
        let stolen = ResourceEntry {
            key: Some(alias("victim", "").key()),
            resource: alias("good", "x").encode_to_vec().into(),
        };
        resources.merge(ResourceList {
            upsert: vec![bad, stolen],
            remove: Vec::new(),
        });

        let (decoded, errors) = resources.decode();
        assert_eq!(decoded, [alias("good", "openai/gpt")]);
        let ids: Vec<_> = errors
            .iter()
            .map(|error| error.resource.as_ref().unwrap().id.as_str())
            .collect();
        assert_eq!(ids, ["bad", "victim"]);
        assert!(
            errors
                .iter()
                .all(|error| error.code() == Code::Decode && error.quarantined)
        );
    }
}
