//! One revision, ready to send: compressed and cut into chunks that all streams share.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto::{
    IP_FILTER_ID, Resources,
    v1::{
        ConfigUpdate, ConfigVersion, IpFilter, ResourceKind, ResourceList, config_update::Mode,
        resource::Body,
    },
};

use super::rows::Head;

const CHUNK_BYTES: usize = 1 << 20;
/// From how many earlier revisions a data plane can be brought here by a delta.
const DELTAS: usize = 8;
/// Sent to every data plane, compressed once.
const ZSTD_LEVEL: i32 = 3;

pub struct Published {
    pub version: ConfigVersion,
    resources: Arc<Resources>,
    full: Vec<Bytes>,
    /// The newest base first.
    deltas: Vec<Delta>,
}

struct Delta {
    base: ConfigVersion,
    /// Kept to take the difference with what comes next.
    resources: Arc<Resources>,
    chunks: Vec<Bytes>,
}

// === impl Published ===

impl Published {
    /// `previous` is what was published before, whose history becomes this one's bases.
    pub(super) fn new(head: Head, resources: Resources, previous: Option<&Self>) -> std::io::Result<Self> {
        let epoch = head.epoch.to_string();
        let digest = resources.digest().to_vec();
        let version = ConfigVersion {
            epoch,
            revision: head.revision,
            digest,
        };
        // a restore starts a new lineage: everybody gets everything
        let previous = previous.filter(|previous| previous.version.epoch == version.epoch);
        let bases = previous.into_iter().flat_map(|previous| {
            let history = previous
                .deltas
                .iter()
                .map(|delta| (&delta.base, &delta.resources));
            std::iter::once((&previous.version, &previous.resources)).chain(history)
        });
        let deltas = bases
            .take(DELTAS)
            .map(|(base, old)| {
                let chunks = compress(&resources.since(old))?;
                Ok(Delta {
                    base: base.clone(),
                    resources: old.clone(),
                    chunks,
                })
            })
            .collect::<std::io::Result<_>>()?;
        let full = compress(&resources.full())?;
        Ok(Self {
            version,
            resources: Arc::new(resources),
            full,
            deltas,
        })
    }

    /// Who is let in by address, for the control plane keeps to it too.
    pub fn ip_filter(&self) -> Option<IpFilter> {
        let resource = self.resources.find(ResourceKind::IpFilter, IP_FILTER_ID)?;
        match resource.body {
            Some(Body::IpFilter(filter)) => Some(filter),
            _ => None,
        }
    }

    /// The messages that bring a data plane from `base` to this revision; `nonce` ties the answer to them.
    pub(super) fn updates(&self, base: Option<&ConfigVersion>, nonce: u64) -> (Mode, Vec<ConfigUpdate>) {
        let delta = self.deltas.iter().find(|delta| Some(&delta.base) == base);
        let (mode, base, chunks) = match delta {
            Some(delta) => (Mode::Delta, Some(delta.base.clone()), &delta.chunks),
            None => (Mode::Full, None, &self.full),
        };
        let count = u32::try_from(chunks.len()).expect("a configuration has fewer than 2^32 MiB");
        let update = |(chunk, payload): (u32, &Bytes)| ConfigUpdate {
            nonce,
            mode: mode.into(),
            base: base.clone(),
            target: Some(self.version.clone()),
            chunk,
            chunks: count,
            payload: payload.clone(),
        };
        (mode, (0..).zip(chunks).map(update).collect())
    }
}

fn compress(list: &ResourceList) -> std::io::Result<Vec<Bytes>> {
    let mut rest = Bytes::from(zstd::bulk::compress(&list.encode_to_vec(), ZSTD_LEVEL)?);
    let mut chunks = Vec::with_capacity(rest.len().div_ceil(CHUNK_BYTES));
    while rest.len() > CHUNK_BYTES {
        chunks.push(rest.split_to(CHUNK_BYTES));
    }
    chunks.push(rest);
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use proto::v1::{ModelAlias, Resource, resource::Body};
    use uuid::Uuid;

    use super::*;

    fn aliases(targets: &[&str]) -> Resources {
        let alias = |(i, target): (usize, &&str)| Resource {
            id: format!("a{i}"),
            body: Some(Body::ModelAlias(ModelAlias {
                target: (*target).to_owned(),
            })),
        };
        targets.iter().enumerate().map(alias).collect()
    }

    fn payload(updates: &[ConfigUpdate]) -> ResourceList {
        let whole: Vec<u8> = updates
            .iter()
            .flat_map(|update| update.payload.to_vec())
            .collect();
        ResourceList::decode(zstd::stream::decode_all(&whole[..]).unwrap().as_slice()).unwrap()
    }

    #[test]
    fn every_remembered_base_gets_a_delta_that_ends_in_the_announced_digest() {
        let epoch = Uuid::now_v7();
        let mut history: Vec<Published> = Vec::new();
        for revision in 1..=12 {
            let targets: Vec<String> = (0..revision)
                .map(|i| format!("openai/{}", i * revision))
                .collect();
            let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
            let head = Head { epoch, revision };
            history.push(Published::new(head, aliases(&targets), history.last()).unwrap());
        }
        let newest = history.last().unwrap();
        for (age, base) in history.iter().rev().skip(1).enumerate() {
            let (mode, updates) = newest.updates(Some(&base.version), 1);
            let mut resources = match mode {
                Mode::Delta => Resources::clone(&base.resources),
                _ => Resources::default(),
            };
            assert_eq!(mode == Mode::Delta, age < DELTAS, "{age}");
            resources.merge(payload(&updates));
            assert_eq!(resources.digest(), newest.version.digest[..]);
        }
    }

    #[test]
    fn another_epoch_or_another_digest_gets_everything() {
        let first = Published::new(
            Head {
                epoch: Uuid::now_v7(),
                revision: 1,
            },
            aliases(&["a/b"]),
            None,
        )
        .unwrap();
        let head = Head {
            epoch: Uuid::now_v7(),
            revision: 1,
        };
        let restored = Published::new(head, aliases(&["a/b"]), Some(&first)).unwrap();
        assert_eq!(restored.updates(Some(&first.version), 1).0, Mode::Full);

        let next = Published::new(Head { revision: 2, ..head }, aliases(&["a/c"]), Some(&restored)).unwrap();
        assert_eq!(next.updates(Some(&restored.version), 1).0, Mode::Delta);
        let drifted = ConfigVersion {
            digest: vec![0; 32],
            ..restored.version.clone()
        };
        assert_eq!(next.updates(Some(&drifted), 1).0, Mode::Full);
    }

    #[test]
    fn a_large_configuration_travels_in_chunks() {
        let noise = |i: u32| blake3_like(i);
        let targets: Vec<String> = (0..60_000).map(noise).collect();
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        let resources = aliases(&targets);
        let published = Published::new(
            Head {
                epoch: Uuid::now_v7(),
                revision: 1,
            },
            resources.clone(),
            None,
        )
        .unwrap();
        let (_, updates) = published.updates(None, 9);
        assert!(updates.len() > 1, "{} chunks", updates.len());
        for (i, update) in updates.iter().enumerate() {
            assert_eq!(
                (update.chunk as usize, update.chunks as usize, update.nonce),
                (i, updates.len(), 9)
            );
            assert!(update.payload.len() <= CHUNK_BYTES);
        }
        assert_eq!(Resources::from(payload(&updates)), resources);
    }

    /// Text that does not compress.
    fn blake3_like(i: u32) -> String {
        let mut state = u64::from(i).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut text = String::new();
        for _ in 0..3 {
            state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            text.push_str(&format!("{state:016x}"));
        }
        text
    }
}
