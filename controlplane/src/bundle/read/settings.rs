//! What the first version keeps as keys and values: settings, aliases, prices, proxies.

use serde_json::{Value, json};

use super::Reader;
use crate::bundle::{
    BundleError,
    contents::{Alias, Contents, Credential, Proxy, Setting},
    file::Record,
    foreign,
    load::is_portable,
};

// === impl Reader ===

impl Reader {
    pub(super) fn key_value(&mut self, row: &Record, contents: &mut Contents) -> Result<(), BundleError> {
        let (namespace, key) = (row.needed("namespace")?, row.needed("key")?);
        let read = |row: &Record| row.json::<Value>("value").map(Option::unwrap_or_default);
        match namespace.as_str() {
            "modelAliases" => match foreign::alias_target(&read(row)?) {
                Some(target) => contents.aliases.push(Alias { alias: key, target }),
                None => self.warn(format!("the alias `{key}` leads nowhere")),
            },
            "customModels" => {
                let provider = self.provider(&key, contents);
                for model in read(row)?.as_array().into_iter().flatten() {
                    contents
                        .custom_models
                        .extend(foreign::custom_model(&provider, model));
                }
            }
            "pricing" => {
                let provider = self.provider(&key, contents);
                for (model, price) in read(row)?.as_object().into_iter().flatten() {
                    contents.prices.extend(foreign::price(&provider, model, price));
                }
            }
            "proxyConfig" => self.proxies(&key, &read(row)?, contents),
            "settings" => match self.is_ours() {
                true if is_portable(&key) => contents.settings.push(Setting {
                    value: read(row)?,
                    key,
                }),
                true => {}
                false => {
                    let value = row.json::<Value>("value").ok().flatten().unwrap_or_default();
                    self.foreign_setting(key, value, contents);
                }
            },
            _ => {}
        }
        Ok(())
    }

    fn foreign_setting(&mut self, key: String, value: Value, contents: &mut Contents) {
        match foreign::setting(&key, &value) {
            foreign::Setting::Taken(value) => contents.settings.push(Setting { key, value }),
            foreign::Setting::Refused => self.warn(format!("the setting `{key}` cannot be taken over")),
            foreign::Setting::Unknown => {}
        }
    }

    /// What the first version keeps in two settings, or in none.
    pub(super) fn complete_settings(&mut self, contents: &mut Contents) {
        let settings = &mut contents.settings;
        let take = |settings: &mut Vec<Setting>, key: &str| {
            let at = settings.iter().position(|setting| setting.key == key)?;
            Some(settings.remove(at).value)
        };
        let profiles = take(settings, "providerProfiles");
        let defaults = take(settings, "rateLimitDefaults");
        let has_own = settings.iter().any(|setting| setting.key == "resilience");
        if !has_own && (profiles.is_some() || defaults.is_some()) {
            let parts = json!({ "profiles": profiles.unwrap_or_else(|| json!({})),
                "defaults": defaults.unwrap_or_else(|| json!({})) });
            match foreign::resilience(parts) {
                Some(value) => settings.push(Setting {
                    key: "resilience".to_owned(),
                    value,
                }),
                None => self
                    .warnings
                    .push("how failures are answered cannot be taken over".to_owned()),
            }
        }
        let has_socks = contents.proxies.iter().any(|proxy| proxy.r#type == "socks5");
        let says = contents
            .settings
            .iter()
            .any(|setting| setting.key == "enableSocks5Proxy");
        if has_socks && !says {
            contents.settings.push(Setting {
                key: "enableSocks5Proxy".to_owned(),
                value: json!(true),
            });
        }
    }

    fn proxies(&mut self, key: &str, value: &Value, contents: &mut Contents) {
        let level = match key {
            "global" => {
                self.proxy("global", String::new(), value, contents);
                return;
            }
            "providers" => "provider",
            "combos" => "combo",
            "keys" => "connection",
            _ => return,
        };
        for (target, value) in value.as_object().into_iter().flatten() {
            let target = match level {
                "provider" => self.provider(target, contents),
                _ => self.id(target).to_string(),
            };
            self.proxy(level, target, value, contents);
        }
    }

    fn proxy(&mut self, level: &str, target_id: String, value: &Value, contents: &mut Contents) {
        if value.is_null() || value == false {
            return;
        }
        let Some(given) = foreign::proxy(value) else {
            self.warn(format!("the proxy of {level} {target_id} cannot be taken over"));
            return;
        };
        let mut password = self.credential(given.password);
        if matches!(password, Credential::Absent) && value["hasPassword"] == true {
            self.undecryptable += 1;
            password = Credential::Lost;
        }
        if matches!(password, Credential::Lost) {
            self.warn(format!("the proxy of {level} {target_id} has lost its password"));
        }
        contents.proxies.push(Proxy {
            level: level.to_owned(),
            target_id,
            r#type: given.r#type,
            host: given.host,
            port: given.port,
            username: given.username,
            password,
        });
    }
}
