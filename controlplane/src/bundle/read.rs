//! From a SQLite file, ours or the first version's, to what it says.
//!
//! Tables and columns that nobody knows are passed over, those that a file does not have are as if they were empty. A
//! row that cannot be what it should be ends the reading: half an import is worse than none. What could be taken only
//! in part is taken, and told in the warnings.

mod keys;
mod settings;

use std::collections::{HashMap, HashSet};

use chrono::Utc;
use llm::providers;
use runtime::secret::Secret;
use serde_json::Value;
use uuid::Uuid;

use super::{
    BundleError, FORMAT, FieldKey,
    contents::{
        Chain, Combo, Connection, Contents, Counts, Credential, IpFilter, Node, Policy, PricePeriod, Suite,
    },
    field_key::{is_sealed, unhex},
    file::{File, Record},
    foreign,
    write::SecretMode,
};
use crate::combo_config::DEFAULT_STRATEGY;

/// Nobody reads a longer list.
const WARNINGS: usize = 100;

/// What it takes to open and to keep the secrets of a file.
#[derive(Clone, Debug)]
pub struct Keys {
    /// This installation's.
    pub own: FieldKey,
    /// Of the installation that wrote the file.
    pub theirs: Option<Secret<String>>,
    pub passphrase: Option<Secret<String>>,
    /// `API_KEY_SECRET`.
    pub pepper: Secret<String>,
    pub cluster_id: String,
}

#[derive(Debug)]
pub struct Read {
    pub contents: Contents,
    /// Secrets that nobody can tell any more.
    pub undecryptable: u32,
    pub warnings: Vec<String>,
}

/// What a file says about itself.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub counts: Counts,
    /// Nothing in a file of the first version.
    pub secret_mode: Option<SecretMode>,
}

struct Reader {
    file: File,
    manifest: HashMap<String, String>,
    keys: Keys,
    field_keys: Vec<FieldKey>,
    undecryptable: u32,
    warnings: Vec<String>,
    /// Of connections whose id here is another one.
    ids: HashMap<String, Uuid>,
}

/// Blocking.
pub fn read(bytes: Vec<u8>, keys: Keys) -> Result<Read, BundleError> {
    let file = File::open(bytes)?;
    let manifest = file.manifest()?;
    if let Some(format) = manifest.get("format").filter(|format| *format != FORMAT) {
        return Err(BundleError::Format(format.clone()));
    }
    let mut reader = Reader {
        field_keys: field_keys(&keys, &manifest),
        file,
        manifest,
        keys,
        undecryptable: 0,
        warnings: Vec::new(),
        ids: HashMap::new(),
    };
    reader.check_origin()?;
    let contents = reader.contents()?;
    reader.warnings.truncate(WARNINGS);
    Ok(Read {
        contents,
        undecryptable: reader.undecryptable,
        warnings: reader.warnings,
    })
}

/// What is in a file, without reading all of it. Blocking.
pub fn manifest_of(bytes: Vec<u8>) -> Result<About, BundleError> {
    let file = File::open(bytes)?;
    let manifest = file.manifest()?;
    let count = |table| Ok::<_, BundleError>(i32::try_from(file.rows(table)?.len()).unwrap_or(i32::MAX));
    Ok(About {
        counts: Counts {
            connection_count: count("provider_connections")?,
            node_count: count("provider_nodes")?,
            combo_count: count("combos")?,
            api_key_count: count("api_keys")?,
        },
        secret_mode: manifest.get("secretMode").map(|mode| match mode.as_str() {
            "omit" => SecretMode::Omit,
            "passphrase" => SecretMode::Passphrase,
            _ => SecretMode::Encrypted,
        }),
    })
}

fn field_keys(keys: &Keys, manifest: &HashMap<String, String>) -> Vec<FieldKey> {
    let salt = manifest.get("passphraseSalt").and_then(|salt| unhex(salt));
    let passphrase = keys.passphrase.as_ref().zip(salt);
    let passphrase = passphrase.map(|(passphrase, salt)| FieldKey::passphrase(passphrase, &salt));
    let theirs = keys.theirs.as_ref().map(FieldKey::shared);
    passphrase
        .into_iter()
        .chain(theirs)
        .chain([keys.own.clone()])
        .collect()
}

// === impl Reader ===

impl Reader {
    fn is_ours(&self) -> bool {
        self.manifest.contains_key("format")
    }

    fn check_origin(&mut self) -> Result<(), BundleError> {
        let Some(checksum) = self.manifest.get("sha256").filter(|_| self.is_ours()) else {
            return Ok(());
        };
        if *checksum != self.file.checksum()? {
            return Err(BundleError::Checksum);
        }
        let mode = self.manifest.get("secretMode").map(String::as_str);
        if mode == Some("passphrase") && self.keys.passphrase.is_none() {
            self.warn("the secrets are sealed under a passphrase, and none was sent".to_owned());
        }
        Ok(())
    }

    fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    fn contents(&mut self) -> Result<Contents, BundleError> {
        let nodes = self.nodes()?;
        let connections = self.connections(&nodes)?;
        let combos = self.combos()?;
        let keys = self.api_keys()?;
        let mut contents = Contents {
            policies: self.known("omniroute_policies", |row| row.json::<Policy>("data"))?,
            price_periods: self.known("omniroute_price_periods", |row| row.json::<PricePeriod>("data"))?,
            ip_filter: self
                .known("omniroute_ip_filter", |row| row.json::<IpFilter>("data"))?
                .and_then(|mut rows| rows.pop()),
            suites: self.suites()?,
            chains: self.chains()?,
            nodes,
            connections,
            combos,
            keys,
            ..Contents::default()
        };
        let rows = self.file.rows("key_value")?;
        for row in &rows {
            self.key_value(row, &mut contents)?;
        }
        self.complete_settings(&mut contents);
        self.drop_dangling(&mut contents);
        Ok(contents)
    }

    fn nodes(&mut self) -> Result<Vec<Node>, BundleError> {
        let mut nodes = Vec::new();
        for row in self.file.rows("provider_nodes")? {
            let (id, name) = (row.needed("id")?, row.needed("name")?);
            let r#type = row.needed("type")?;
            let prefix = row.text("prefix").unwrap_or_else(|| id.clone());
            let free = foreign::prefix(&prefix);
            if free != prefix {
                self.warn(format!(
                    "the node `{name}` has the prefix `{free}` now: `{prefix}` cannot be one"
                ));
            }
            let kinds = proto::validate::api_types(&r#type);
            let api_type = row.text("api_type").filter(|_| !kinds.is_empty());
            let now = Utc::now();
            nodes.push(Node {
                api_type: api_type.or_else(|| kinds.first().map(|kind| (*kind).to_owned())),
                api_version: row.text("omniroute_api_version"),
                base_url: row.needed("base_url")?.trim_end_matches('/').to_owned(),
                allow_private_address: row.flag("omniroute_allow_private_address").unwrap_or(false),
                created_at: row.stamp("created_at").unwrap_or(now),
                updated_at: row.stamp("updated_at").unwrap_or(now),
                prefix: free,
                id,
                r#type,
                name,
            });
        }
        if nodes
            .iter()
            .any(|node| !node.allow_private_address && foreign::is_private(&node.base_url))
        {
            self.warn(
                "some nodes have a private address, which has to be allowed at the node before it is called"
                    .to_owned(),
            );
        }
        unique(&nodes, "provider_nodes", |node| node.id.clone())?;
        Ok(nodes)
    }

    fn connections(&mut self, nodes: &[Node]) -> Result<Vec<Connection>, BundleError> {
        let nodes: HashSet<&str> = nodes.iter().map(|node| node.id.as_str()).collect();
        let mut names = HashSet::new();
        let mut connections = Vec::new();
        for row in self.file.rows("provider_connections")? {
            let mut connection = self.connection(&row)?;
            if let Some(spec) = providers::find(&connection.provider) {
                spec.id.clone_into(&mut connection.provider);
            } else if !nodes.contains(connection.provider.as_str()) && connection.is_active {
                connection.is_active = false;
                let (name, provider) = (connection.name.as_deref().unwrap_or("?"), &connection.provider);
                self.warnings.push(format!(
                    "`{name}` is switched off: this version does not know the provider `{provider}`"
                ));
            }
            if connection.auth_type == "apikey"
                && let Some(name) = connection.name.clone()
            {
                let free = (1..)
                    .map(|number| match number {
                        1 => name.clone(),
                        number => format!("{name} ({number})"),
                    })
                    .find(|name| names.insert((connection.provider.clone(), name.clone())));
                connection.name = free;
            }
            connections.push(connection);
        }
        unique(&connections, "provider_connections", |row| row.id.to_string())?;
        Ok(connections)
    }

    fn connection(&mut self, row: &Record) -> Result<Connection, BundleError> {
        let id = self.id(&row.needed("id")?);
        let auth_type = match row.text("auth_type").as_deref() {
            Some("oauth") => "oauth",
            _ => "apikey",
        };
        let (name, provider) = (row.text("name"), row.needed("provider")?);
        let mut credential = self.credential(row.text("api_key"));
        let had_one = row.flag("omniroute_has_credential").unwrap_or(false);
        if matches!(credential, Credential::Absent) && had_one {
            self.undecryptable += 1;
            credential = Credential::Lost;
        }
        let lost = matches!(credential, Credential::Lost);
        let mut is_active = row.flag("is_active").unwrap_or(true) && !lost;
        let is_foreign = !self.is_ours();
        if is_foreign && auth_type == "oauth" && matches!(credential, Credential::Absent) && is_active {
            is_active = false;
            let name = name.as_deref().unwrap_or(&provider);
            self.warn(format!(
                "`{name}` is switched off: accounts that are signed in to are not taken over"
            ));
        }
        let status = row.text("test_status").unwrap_or_default();
        let status = ["unknown", "active", "error", "expired"]
            .into_iter()
            .find(|known| *known == status)
            .unwrap_or("unknown");
        let failure = "the credential does not open: give it again";
        let now = Utc::now();
        Ok(Connection {
            id,
            provider,
            auth_type: auth_type.to_owned(),
            name,
            email: row.text("email"),
            display_name: row.text("display_name"),
            priority: row.small("priority").unwrap_or(1).max(1),
            global_priority: row
                .small("global_priority")
                .filter(|rank| (1..=100).contains(rank)),
            is_active,
            credential,
            default_model: row.text("default_model"),
            provider_specific_data: foreign::specific_data(row.object("provider_specific_data")?),
            allow_private_address: row.flag("omniroute_allow_private_address").unwrap_or(false),
            test_status: if lost { "error" } else { status }.to_owned(),
            last_tested: row.stamp("last_tested"),
            last_error: match lost {
                true => Some(failure.to_owned()),
                false => row.text("last_error"),
            },
            last_error_type: match lost {
                true => Some("decrypt_failed".to_owned()),
                false => row.text("last_error_type"),
            },
            last_error_source: row.text("last_error_source").filter(|_| !lost),
            last_error_at: if lost {
                Some(now)
            } else {
                row.stamp("last_error_at")
            },
            error_code: row.text("error_code").filter(|_| !lost),
            // the first version stores what it shows, so that its zero says nothing
            rate_limit_protection: row
                .flag("rate_limit_protection")
                .filter(|protected| self.is_ours() || *protected),
            health_check_interval_min: row
                .small("health_check_interval")
                .filter(|minutes| (0..=10_080).contains(minutes)),
            created_at: row.stamp("created_at").unwrap_or(now),
            updated_at: row.stamp("updated_at").unwrap_or(now),
        })
    }

    fn combos(&mut self) -> Result<Vec<Combo>, BundleError> {
        let mut combos = Vec::new();
        for row in self.file.rows("combos")? {
            let name = row.needed("name")?;
            let data = row.object("data")?;
            let (members, odd) = foreign::members(&data);
            if odd > 0 {
                self.warn(format!(
                    "the combo `{name}` has {odd} members that this version does not know"
                ));
            }
            let strategy = data["strategy"].as_str().unwrap_or(DEFAULT_STRATEGY);
            let known = proto::validate::STRATEGIES.contains(&strategy);
            if !known {
                self.warn(format!(
                    "the combo `{name}` has the strategy {DEFAULT_STRATEGY} now, not `{strategy}`"
                ));
            }
            let config = foreign::combo_config(&data["config"]);
            let now = Utc::now();
            combos.push(Combo {
                id: self.id(&row.needed("id")?),
                strategy: if known { strategy } else { DEFAULT_STRATEGY }.to_owned(),
                is_active: data["isActive"].as_bool().unwrap_or(true),
                config,
                members,
                created_at: row.stamp("created_at").unwrap_or(now),
                updated_at: row.stamp("updated_at").unwrap_or(now),
                name,
            });
        }
        unique(&combos, "combos", |combo| combo.id.to_string())?;
        unique(&combos, "combos", |combo| combo.name.clone())?;
        Ok(combos)
    }

    fn chains(&mut self) -> Result<Vec<Chain>, BundleError> {
        let mut chains = Vec::new();
        for row in self.file.rows("domain_fallback_chains")? {
            let model = row.needed("model")?;
            let links: Value = row.json("chain")?.unwrap_or_default();
            match foreign::chain(&links) {
                Some(chain) => chains.push(Chain { model, chain }),
                None => self.warn(format!("the fallback chain of `{model}` cannot be taken over")),
            }
        }
        Ok(chains)
    }

    fn suites(&self) -> Result<Option<Vec<Suite>>, BundleError> {
        if !self.file.has("omniroute_eval_suites")? {
            return Ok(None);
        }
        let rows = self.file.large_rows("omniroute_eval_suites")?;
        let suites: Vec<Suite> = rows
            .iter()
            .filter_map(|row| row.json::<Suite>("data").transpose())
            .collect::<Result<_, _>>()?;
        Ok(Some(suites))
    }

    /// Rows of a table of our own; nothing where there is no such table.
    fn known<T>(
        &self,
        table: &'static str,
        read: impl Fn(&Record) -> Result<Option<T>, BundleError>,
    ) -> Result<Option<Vec<T>>, BundleError> {
        if !self.file.has(table)? {
            return Ok(None);
        }
        let rows = self.file.rows(table)?;
        let rows = rows.iter().filter_map(|row| read(row).transpose());
        Ok(Some(rows.collect::<Result<_, _>>()?))
    }

    /// What belongs to something that is not there.
    fn drop_dangling(&mut self, contents: &mut Contents) {
        let connections: HashSet<String> = contents
            .connections
            .iter()
            .map(|row| row.id.to_string())
            .collect();
        let combos: HashSet<String> = contents.combos.iter().map(|row| row.id.to_string()).collect();
        let before = contents.proxies.len();
        contents.proxies.retain(|proxy| match proxy.level.as_str() {
            "connection" => connections.contains(&proxy.target_id),
            "combo" => combos.contains(&proxy.target_id),
            _ => true,
        });
        let dropped = before - contents.proxies.len();
        if dropped > 0 {
            self.warn(format!("{dropped} proxies belong to nothing that is there"));
        }
    }

    /// The id under which connections of a provider are stored, whatever it is called by.
    fn provider(&self, name: &str, contents: &Contents) -> String {
        if let Some(spec) = providers::find(name) {
            return spec.id.to_owned();
        }
        let node = contents.nodes.iter().find(|node| node.prefix == name);
        node.map_or(name, |node| node.id.as_str()).to_owned()
    }

    /// An id that is none gets one, and the same one wherever it is named.
    fn id(&mut self, id: &str) -> Uuid {
        if let Ok(id) = Uuid::parse_str(id) {
            return id;
        }
        *self.ids.entry(id.to_owned()).or_insert_with(Uuid::now_v7)
    }

    fn credential(&mut self, stored: Option<String>) -> Credential {
        let Some(text) = stored else {
            return Credential::Absent;
        };
        if !is_sealed(&text) {
            return Credential::Open(Secret::new(text));
        }
        match self.open(&text) {
            Some(plain) => Credential::Open(plain),
            None => {
                self.undecryptable += 1;
                Credential::Lost
            }
        }
    }

    fn open(&self, sealed: &str) -> Option<Secret<String>> {
        self.field_keys.iter().find_map(|key| key.open(sealed).ok())
    }
}

fn unique<T, K: Eq + std::hash::Hash>(
    rows: &[T],
    table: &'static str,
    key: impl Fn(&T) -> K,
) -> Result<(), BundleError> {
    let mut seen = HashSet::new();
    if rows.iter().all(|row| seen.insert(key(row))) {
        return Ok(());
    }
    Err(BundleError::Row {
        table,
        id: String::new(),
        problem: "the same thing is there twice".to_owned(),
    })
}
