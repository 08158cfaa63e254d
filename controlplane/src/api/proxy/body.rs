//! What may be sent, and what it makes of what is stored.

use std::{collections::BTreeMap, fmt};

use proto::validate::PROXY_TYPES;
use runtime::{
    egress::{Proxy, ProxyError, ProxyScheme},
    secret::Secret,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, Error as _, MapAccess, Unexpected, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;
use utoipa::ToSchema;

use super::{MASK, sql::Place};
use crate::{
    error::ApiError,
    http::{Body, Patch, Violations},
    proxies::StoredProxy,
    vault::{Cell, Vault},
};

/// Bulk entries of one kind.
const ENTRIES: usize = 1_000;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProxySettingsBody)]
pub struct ProxyBody {
    /// `global`, `provider`, `combo` or `key`; with `proxy`.
    level: Option<String>,
    /// Id of the provider, combo or connection.
    id: Option<String>,
    /// `null` removes it.
    #[serde(default)]
    #[schema(value_type = Option<ProxyFields>)]
    proxy: Patch<Entry>,
    #[serde(default)]
    #[schema(value_type = Option<ProxyFields>)]
    global: Patch<Entry>,
    #[schema(value_type = Option<std::collections::HashMap<String, ProxyFields>>)]
    providers: Option<BTreeMap<String, Entry>>,
    #[schema(value_type = Option<std::collections::HashMap<String, ProxyFields>>)]
    combos: Option<BTreeMap<String, Entry>>,
    #[schema(value_type = Option<std::collections::HashMap<String, ProxyFields>>)]
    keys: Option<BTreeMap<String, Entry>>,
}

/// `null` and `false` stand for none.
#[derive(Clone, Debug)]
pub struct Entry(Option<ProxyFields>);

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyFields {
    /// `http` unless told otherwise, `https`, or `socks5`.
    r#type: Option<String>,
    /// A name or an address.
    host: String,
    /// 8080, 443 or 1080 by the type, unless told otherwise.
    #[schema(value_type = Option<u16>)]
    port: Option<Port>,
    username: Option<String>,
    /// The mask keeps the stored one.
    #[schema(value_type = Option<String>)]
    password: Option<Secret<String>>,
}

/// A number, or one in a string.
#[derive(Clone, Copy, Debug)]
pub struct Port(u16);

/// One proxy to set, or to remove.
pub struct Change {
    /// Where in the body.
    pub field: String,
    pub level: String,
    pub id: Option<String>,
    pub proxy: Option<ProxyFields>,
}

// === impl ProxyBody ===

impl Body for ProxyBody {
    fn check(&self, violations: &mut Violations) {
        let maps = [&self.providers, &self.combos, &self.keys];
        let is_bulk = !self.global.is_keep() || maps.iter().any(|map| map.is_some());
        match (&self.level, self.proxy.is_keep()) {
            (Some(_), false) if is_bulk => violations.add("", "send one proxy or several, not both"),
            (Some(_), true) => violations.add("proxy", "is required with a level: an object, or null"),
            (None, false) => violations.add("level", "is required with a proxy"),
            (None, true) if !is_bulk => violations.add(
                "",
                "there is nothing to change: send level and proxy, or any of global, providers, combos, keys",
            ),
            _ => {}
        }
        if maps
            .iter()
            .any(|map| map.as_ref().is_some_and(|map| map.len() > ENTRIES))
        {
            violations.add("", "there are more than 1000 entries of one kind");
        }
        for (field, fields) in self.entries() {
            if let Some(fields) = fields {
                fields.check(&field, violations);
            }
        }
    }
}

impl ProxyBody {
    /// In an order in which the global one comes first.
    pub fn changes(self) -> Vec<Change> {
        let mut changes = Vec::new();
        let change = |field: String, level: &str, id: Option<String>, Entry(proxy): Entry| Change {
            field,
            level: level.to_owned(),
            id,
            proxy,
        };
        if let Some(level) = &self.level
            && let Some(entry) = entry(self.proxy)
        {
            changes.push(change("proxy".to_owned(), level, self.id, entry));
        }
        if let Some(entry) = entry(self.global) {
            changes.push(change("global".to_owned(), "global", None, entry));
        }
        let maps = [
            ("providers", "provider", self.providers),
            ("combos", "combo", self.combos),
            ("keys", "key", self.keys),
        ];
        for (name, level, map) in maps {
            for (id, entry) in map.into_iter().flatten() {
                changes.push(change(format!("{name}.{id}"), level, Some(id), entry));
            }
        }
        changes
    }

    fn entries(&self) -> impl Iterator<Item = (String, Option<&ProxyFields>)> {
        let single = [("proxy", &self.proxy), ("global", &self.global)];
        let single = single.into_iter().map(|(name, entry)| {
            (
                name.to_owned(),
                entry.set().and_then(|Entry(fields)| fields.as_ref()),
            )
        });
        let maps = [
            ("providers", &self.providers),
            ("combos", &self.combos),
            ("keys", &self.keys),
        ];
        let maps = maps.into_iter().flat_map(|(name, map)| {
            let entries = map.iter().flatten();
            entries.map(move |(id, Entry(fields))| (format!("{name}.{id}"), fields.as_ref()))
        });
        single.chain(maps)
    }
}

fn entry(given: Patch<Entry>) -> Option<Entry> {
    match given {
        Patch::Keep => None,
        Patch::Clear => Some(Entry(None)),
        Patch::Set(entry) => Some(entry),
    }
}

// === impl ProxyFields ===

impl ProxyFields {
    pub fn check(&self, field: &str, violations: &mut Violations) {
        violations.one_of(&join(field, "type"), &self.r#type(), &PROXY_TYPES);
        if self.password.is_some() && self.username.as_deref().unwrap_or_default().is_empty() {
            violations.add(join(field, "username"), "is required with a password");
        }
    }

    pub fn is_socks(&self) -> bool {
        self.r#type() == ProxyScheme::Socks5.name()
    }

    fn r#type(&self) -> String {
        let given = self.r#type.as_deref().map(str::trim);
        given.unwrap_or(ProxyScheme::Http.name()).to_lowercase()
    }

    /// A row for `place`, over the one that was there.
    pub fn over(
        self,
        field: &str,
        place: &Place,
        before: Option<StoredProxy>,
        vault: &Vault,
    ) -> Result<StoredProxy, ApiError> {
        let stored = before
            .as_ref()
            .map(|before| before.open_password(vault))
            .transpose();
        let is_mask = self
            .password
            .as_ref()
            .is_some_and(|password| password.expose() == MASK);
        let password = if is_mask {
            let kept = stored?.flatten();
            Some(kept.ok_or_else(|| {
                ApiError::invalid(
                    join(field, "password"),
                    "is the mask of a password that is not stored",
                )
            })?)
        } else {
            self.password.clone()
        };
        let proxy = self.usable(field, password.as_ref())?;
        let (id, username) = (place.id(), self.username.filter(|name| !name.is_empty()));
        let password = password
            .filter(|_| username.is_some())
            .map(|password| vault.seal(Cell::proxy_password(&id), password.expose()));
        Ok(StoredProxy {
            level: place.level.to_owned(),
            target_id: place.target.clone(),
            r#type: proxy.scheme().name().to_owned(),
            host: proxy.host().to_owned(),
            port: proxy.port().into(),
            username,
            password,
        })
    }

    /// What it is to be called through.
    pub fn usable(&self, field: &str, password: Option<&Secret<String>>) -> Result<Proxy, ApiError> {
        let scheme = ProxyScheme::named(&self.r#type());
        let scheme = scheme.ok_or_else(|| ApiError::invalid(join(field, "type"), "is not known"))?;
        let port = self.port.map_or_else(|| scheme.default_port(), |Port(port)| port);
        let user = self.username.as_deref().unwrap_or_default();
        let password = password.map_or("", |password| password.expose());
        Proxy::new(scheme, &self.host, port, user, password).map_err(|error| {
            let name = match &error {
                ProxyError::Address(refused) => return ApiError::UrlBlocked(refused.to_string()),
                ProxyError::Scheme => "type",
                ProxyError::Host => "host",
                ProxyError::Port => "port",
                ProxyError::Credentials => "username",
            };
            ApiError::invalid(join(field, name), error.to_string())
        })
    }

    pub fn password(&self) -> Option<&Secret<String>> {
        self.password.as_ref()
    }
}

pub fn join(field: &str, name: &str) -> String {
    format!("{field}.{name}")
}

// === impl Entry ===

impl<'de> Deserialize<'de> for Entry {
    /// Without a value in between, which would hide the path to what is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntryVisitor;

        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, null or false")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Entry, E> {
                Ok(Entry(None))
            }

            fn visit_bool<E: de::Error>(self, given: bool) -> Result<Entry, E> {
                match given {
                    false => Ok(Entry(None)),
                    true => Err(E::invalid_type(Unexpected::Bool(given), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
                ProxyFields::deserialize(MapAccessDeserializer::new(map)).map(|fields| Entry(Some(fields)))
            }
        }

        deserializer.deserialize_any(EntryVisitor)
    }
}

// === impl Port ===

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .and_then(|number| u16::try_from(number).ok())
            .filter(|port| *port > 0)
            .map(Self)
            .ok_or_else(|| D::Error::custom("must be 1 to 65535"))
    }
}
