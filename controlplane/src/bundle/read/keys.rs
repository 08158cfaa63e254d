//! API keys, and what each may spend.

use std::collections::HashMap;

use chrono::Utc;
use runtime::{crypto, secret::Secret};

use super::{Reader, unique};
use crate::bundle::{
    BundleError,
    contents::{Budget, Credential, Key},
    field_key::{is_sealed, unhex},
    file::Record,
    foreign,
    write::fingerprint,
};

const DEFAULT_WARNING: f64 = 0.8;
const HASHED: &str = "hash:v1:";
const HASH_BYTES: usize = 32;

// === impl Reader ===

impl Reader {
    pub(super) fn api_keys(&mut self) -> Result<Vec<Key>, BundleError> {
        let mut budgets: HashMap<String, Budget> = HashMap::new();
        for row in self.file.rows("domain_budgets")? {
            if let Some(budget) = budget(&row) {
                budgets.insert(row.needed("api_key_id")?, budget);
            }
        }
        let mut keys = Vec::new();
        let mut other_pepper = 0;
        for row in self.file.rows("api_keys")? {
            let id = row.needed("id")?;
            let mut key = self.api_key(&row)?;
            key.budget = budgets.remove(&id);
            if matches!(key.whole, Credential::Absent) && row.needed("key")?.starts_with(HASHED) {
                other_pepper += 1;
            }
            keys.push(key);
        }
        let ours = fingerprint(&self.keys.pepper);
        let theirs = self.manifest.get("keyFingerprint");
        if other_pepper > 0 && theirs.is_some_and(|theirs| *theirs != ours) {
            self.warn(format!(
                "{other_pepper} API keys were hashed under another API_KEY_SECRET and will be refused: make them anew, \
                 or start with the API_KEY_SECRET of the other installation"
            ));
        }
        unique(&keys, "api_keys", |key| key.id.to_string())?;
        unique(&keys, "api_keys", |key| key.key_hash.clone())?;
        Ok(keys)
    }

    fn api_key(&mut self, row: &Record) -> Result<Key, BundleError> {
        let stored = row.needed("key")?;
        let hash = |key: &str| crypto::hash_key(self.keys.pepper.expose().as_bytes(), key).to_vec();
        let mut whole = Credential::Absent;
        let (mut key_hash, mut prefix, mut last4) = match stored.strip_prefix(HASHED) {
            Some(hex) => {
                let hash = unhex(hex).filter(|hash| hash.len() == HASH_BYTES);
                let hash = hash.ok_or_else(|| row.wrong("`key` is no hash".to_owned()))?;
                let ends = (row.text("omniroute_key_prefix"), row.text("omniroute_key_last4"));
                (hash, ends.0.unwrap_or_default(), ends.1.unwrap_or_default())
            }
            None if is_sealed(&stored) => {
                let opened = self.open(&stored);
                let key = opened.ok_or_else(|| {
                    row.wrong(
                        "`key` is sealed under a key that is not at hand: send it as encryptionKey"
                            .to_owned(),
                    )
                })?;
                let (prefix, last4) = ends(key.expose());
                let hashed = hash(key.expose());
                whole = Credential::Open(key);
                (hashed, prefix, last4)
            }
            None => {
                let (prefix, last4) = ends(&stored);
                let hashed = hash(&stored);
                whole = Credential::Open(Secret::new(stored));
                (hashed, prefix, last4)
            }
        };
        // a copy of the whole key makes it one of ours, whatever it was hashed under
        if let Some(key) = row.text("omniroute_key").and_then(|text| self.open(&text)) {
            let pepper = self.keys.pepper.expose().as_bytes();
            key_hash = crypto::hash_key(pepper, key.expose()).to_vec();
            (prefix, last4) = ends(key.expose());
            whole = Credential::Open(key);
        }
        let list = |column: &str| row.json::<Vec<String>>(column).map(Option::unwrap_or_default);
        let allowed_connections = list("omniroute_allowed_connections")?;
        let allowed_connections = allowed_connections.iter().map(|id| self.id(id)).collect();
        let scopes = match list("omniroute_scopes")? {
            scopes if scopes.is_empty() => vec!["inference".to_owned()],
            scopes => scopes,
        };
        let revoked = row.text("revoked_at").is_some();
        Ok(Key {
            id: self.id(&row.needed("id")?),
            name: row.text("name").unwrap_or_else(|| "API key".to_owned()),
            key_hash,
            whole,
            key_prefix: prefix,
            key_last4: last4,
            cluster_id: row
                .text("machine_id")
                .unwrap_or_else(|| self.keys.cluster_id.clone()),
            scopes,
            allowed_models: list("allowed_models")?,
            allowed_connections,
            rate_limits: row.json("omniroute_rate_limits")?,
            rpm: row.small("omniroute_rpm").filter(|limit| *limit > 0),
            tpm: row.integer("omniroute_tpm").filter(|limit| *limit > 0),
            concurrency: row.small("omniroute_concurrency").filter(|limit| *limit > 0),
            is_active: row
                .flag("omniroute_is_active")
                .or_else(|| row.flag("is_active"))
                .unwrap_or(true)
                && !revoked,
            no_log: row.flag("no_log").unwrap_or(false),
            // later releases of the first version have keys that end
            expires_at: row
                .stamp("omniroute_expires_at")
                .or_else(|| row.stamp("expires_at")),
            last_used_at: row.stamp("omniroute_last_used_at"),
            created_at: row.stamp("created_at").unwrap_or_else(Utc::now),
            budget: None,
        })
    }
}

fn budget(row: &Record) -> Option<Budget> {
    let nano = |column: &str| foreign::nano(row.real(column)?).filter(|nano| *nano > 0);
    let threshold = row.real("warning_threshold").unwrap_or(DEFAULT_WARNING);
    let budget = Budget {
        daily_limit_nano: nano("daily_limit_usd"),
        weekly_limit_nano: nano("omniroute_weekly_limit_usd").or_else(|| nano("weekly_limit_usd")),
        monthly_limit_nano: nano("monthly_limit_usd"),
        warning_threshold: if threshold > 1.0 {
            threshold / 100.0
        } else {
            threshold
        }
        .clamp(0.0, 1.0),
    };
    let limits = [
        budget.daily_limit_nano,
        budget.weekly_limit_nano,
        budget.monthly_limit_nano,
    ];
    limits.iter().any(Option::is_some).then_some(budget)
}

/// What is shown of a key.
fn ends(key: &str) -> (String, String) {
    let chars: Vec<char> = key.chars().collect();
    let last = chars.len().saturating_sub(4);
    (chars.iter().take(8).collect(), chars[last..].iter().collect())
}
