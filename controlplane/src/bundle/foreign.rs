//! What the first version wrote down in its own way, as we would have written it.

use llm::providers;
use proto::validate::{ACCOUNT_STRATEGIES, MAX_STICKY_LIMIT, MODEL_TYPES};
use runtime::egress::{Proxy, ProxyScheme};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::{Host, Url};

use super::contents::{CustomModel, Member, Price};
use crate::{
    combo_config::{ComboConfig, ComboDefaults},
    resilience::Resilience,
};

const NANO_PER_USD: f64 = 1e9;
const MAX_USD: f64 = 1_000_000.0;
/// Of what a connection has beside its credential; everything else was state of the first version, or a secret.
const SPECIFIC: [&str; 8] = [
    "baseUrl",
    "prefix",
    "apiType",
    "nodeName",
    "thinkTags",
    "region",
    "project",
    "onDisconnect",
];

pub enum Setting {
    Taken(Value),
    /// Known, and not as it should be.
    Refused,
    Unknown,
}

pub struct GivenProxy {
    pub r#type: String,
    pub host: String,
    pub port: i32,
    pub username: Option<String>,
    pub password: Option<String>,
}

/// One that a node can have: small letters, and no name of a provider that is built in.
pub fn prefix(given: &str) -> String {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let lower = given.trim().to_lowercase();
    let plain: String = lower.chars().map(|c| if legal(c) { c } else { '-' }).collect();
    let plain: String = plain
        .trim_start_matches(|c: char| !c.is_ascii_alphanumeric())
        .chars()
        .take(59)
        .collect();
    let plain = if plain.is_empty() {
        "node".to_owned()
    } else {
        plain
    };
    match providers::find(&plain) {
        Some(_) => format!("{plain}-node"),
        None => plain,
    }
}

/// As far as an address tells without being looked up.
pub fn is_private(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".local"),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        None => false,
    }
}

pub fn specific_data(given: Value) -> Value {
    let Value::Object(given) = given else {
        return json!({});
    };
    let known = given
        .into_iter()
        .filter(|(key, value)| SPECIFIC.contains(&key.as_str()) && !value.is_null());
    Value::Object(known.collect())
}

/// The members that are models, and how many others there are.
pub fn members(combo: &Value) -> (Vec<Member>, usize) {
    let given = combo["models"].as_array().map(Vec::as_slice).unwrap_or_default();
    let members: Vec<Member> = given.iter().filter_map(member).collect();
    let odd = given.len() - members.len();
    (members, odd)
}

fn member(given: &Value) -> Option<Member> {
    if let Some(model) = given.as_str() {
        return Some(Member {
            model: model.trim().to_owned(),
            weight: 0.0,
        });
    }
    let weight = given["weight"].as_f64().unwrap_or(0.0);
    Some(Member {
        model: given["model"].as_str()?.trim().to_owned(),
        weight: if weight.is_finite() { weight.max(0.0) } else { 0.0 },
    })
}

/// The fields that are known and have a value they may have.
pub fn combo_config(given: &Value) -> Value {
    let fields = given.as_object().into_iter().flatten();
    let taken = fields.filter(|(field, value)| {
        let alone = Map::from_iter([((*field).clone(), (*value).clone())]);
        ComboConfig::deserialize(Value::Object(alone)).is_ok()
    });
    Value::Object(
        taken
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect(),
    )
}

/// `provider/model`, or the two apart.
pub fn alias_target(given: &Value) -> Option<String> {
    let whole = given.as_str().map(str::to_owned);
    let parts = || {
        Some(format!(
            "{}/{}",
            given["provider"].as_str()?,
            given["model"].as_str()?
        ))
    };
    whole.or_else(parts).filter(|target| !target.trim().is_empty())
}

pub fn custom_model(provider: &str, given: &Value) -> Option<CustomModel> {
    let model = given["id"].as_str().or_else(|| given.as_str())?.trim();
    let kind = given["type"].as_str().filter(|kind| MODEL_TYPES.contains(kind));
    let source = match given["source"].as_str() {
        Some("imported") => "imported",
        _ => "manual",
    };
    let context = given["contextWindow"].as_i64();
    Some(CustomModel {
        provider: provider.to_owned(),
        model: model.to_owned(),
        name: given["name"].as_str().unwrap_or(model).to_owned(),
        source: source.to_owned(),
        r#type: kind.unwrap_or(MODEL_TYPES[0]).to_owned(),
        context_window: context
            .and_then(|tokens| tokens.try_into().ok())
            .filter(|tokens| *tokens > 0),
    })
}

/// Nothing where nothing is said.
pub fn price(provider: &str, model: &str, given: &Value) -> Option<Price> {
    let amount = |field: &str| nano(given[field].as_f64()?);
    let price = Price {
        provider: provider.to_owned(),
        model: model.to_owned(),
        input: amount("input"),
        output: amount("output"),
        cached: amount("cached"),
        reasoning: amount("reasoning"),
        cache_creation: amount("cache_creation"),
        image: amount("image"),
        audio_minute: amount("audio_minute"),
        characters: amount("characters"),
        search: amount("search"),
    };
    let amounts = [
        price.input,
        price.output,
        price.cached,
        price.reasoning,
        price.cache_creation,
        price.image,
        price.audio_minute,
        price.characters,
        price.search,
    ];
    amounts.iter().any(Option::is_some).then_some(price)
}

#[expect(clippy::cast_possible_truncation, reason = "a million USD are 10^15 nano-USD")]
pub fn nano(usd: f64) -> Option<i64> {
    (0.0..=MAX_USD)
        .contains(&usd)
        .then(|| (usd * NANO_PER_USD).round() as i64)
}

/// An object, `host:port`, or an address. Checked as the API checks it.
pub fn proxy(given: &Value) -> Option<GivenProxy> {
    let given = match given {
        Value::String(text) => from_text(text)?,
        Value::Object(_) => from_object(given)?,
        _ => return None,
    };
    let scheme = ProxyScheme::named(&given.r#type)?;
    let port = u16::try_from(given.port).ok()?;
    let proxy = Proxy::new(scheme, &given.host, port, "", "").ok()?;
    Some(GivenProxy {
        host: proxy.host().to_owned(),
        ..given
    })
}

fn from_text(text: &str) -> Option<GivenProxy> {
    let text = text.trim();
    let url = match text.contains("://") {
        true => Url::parse(text).ok()?,
        false => Url::parse(&format!("http://{text}")).ok()?,
    };
    let decoded = |part: &str| {
        let text = percent_encoding::percent_decode_str(part).decode_utf8().ok()?;
        Some(text.into_owned()).filter(|text| !text.is_empty())
    };
    let scheme = ProxyScheme::named(url.scheme())?;
    Some(GivenProxy {
        r#type: scheme.name().to_owned(),
        host: url.host_str()?.to_owned(),
        // the usual port of a scheme is left out of an address
        port: url
            .port_or_known_default()
            .unwrap_or_else(|| scheme.default_port())
            .into(),
        username: decoded(url.username()),
        password: url.password().and_then(decoded),
    })
}

fn from_object(given: &Value) -> Option<GivenProxy> {
    let r#type = given["type"].as_str().unwrap_or("http").to_lowercase();
    let scheme = ProxyScheme::named(&r#type)?;
    let port = match &given["port"] {
        Value::Number(number) => i32::try_from(number.as_i64()?).ok()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => scheme.default_port().into(),
    };
    let text = |field: &str| {
        let text = given[field].as_str()?.to_owned();
        Some(text).filter(|text| !text.is_empty())
    };
    Some(GivenProxy {
        host: text("host")?,
        username: text("username"),
        password: text("password"),
        r#type,
        port,
    })
}

/// Links that name a provider, by priority.
pub fn chain(given: &Value) -> Option<Value> {
    let links = given.as_array()?.iter().zip(1..);
    let mut links: Vec<(i64, Value)> = links
        .map(|(link, place)| {
            let name = link["provider"].as_str()?;
            let provider = providers::find(name).map_or(name, |spec| spec.id);
            let priority = link["priority"].as_i64().unwrap_or(place).clamp(0, 10_000);
            let enabled = link["enabled"].as_bool().unwrap_or(true);
            Some((
                priority,
                json!({ "provider": provider, "priority": priority, "enabled": enabled }),
            ))
        })
        .collect::<Option<_>>()?;
    links.sort_by_key(|(priority, _)| *priority);
    Some(Value::Array(links.into_iter().map(|(_, link)| link).collect()))
}

/// A setting that both versions have, where it can be what it is here.
pub fn setting(key: &str, value: &Value) -> Setting {
    let is_fine = match key {
        "fallbackStrategy" => value
            .as_str()
            .is_some_and(|name| ACCOUNT_STRATEGIES.contains(&name)),
        "stickyRoundRobinLimit" => value
            .as_u64()
            .is_some_and(|limit| limit <= u64::from(MAX_STICKY_LIMIT)),
        "requireAuthForModels" | "enableSocks5Proxy" => value.is_boolean(),
        "blockedProviders" => return blocked(value),
        "wildcardAliases" => value.as_array().is_some_and(|aliases| {
            let text =
                |alias: &Value, field: &str| alias[field].as_str().is_some_and(|text| !text.is_empty());
            aliases.iter().all(|alias| {
                alias.as_object().is_some_and(|alias| alias.len() == 2)
                    && text(alias, "pattern")
                    && text(alias, "target")
            })
        }),
        "comboDefaults" => return combo_defaults(value),
        "providerOverrides" => return overrides(value),
        "systemPrompt" => value["prompt"].is_string(),
        "thinkingBudget" => value["mode"].is_string(),
        // put together by the reader
        "providerProfiles" | "rateLimitDefaults" => value.is_object(),
        _ => return Setting::Unknown,
    };
    match is_fine {
        true => Setting::Taken(value.clone()),
        false => Setting::Refused,
    }
}

pub fn resilience(parts: Value) -> Option<Value> {
    let resilience: Resilience = serde_json::from_value(parts).ok()?;
    Some(json!(resilience))
}

/// Ids rather than aliases.
fn blocked(value: &Value) -> Setting {
    let Some(names) = value.as_array() else {
        return Setting::Refused;
    };
    let ids = names.iter().filter_map(Value::as_str);
    let ids = ids.map(|name| providers::find(name).map_or(name, |spec| spec.id));
    Setting::Taken(json!(ids.collect::<Vec<_>>()))
}

fn combo_defaults(value: &Value) -> Setting {
    let mut known = combo_config(value);
    if let Some(strategy) = value["strategy"].as_str() {
        known["strategy"] = strategy.into();
    }
    match ComboDefaults::from_stored(&known) {
        Ok(defaults) => Setting::Taken(defaults.to_stored()),
        Err(_) => Setting::Refused,
    }
}

fn overrides(value: &Value) -> Setting {
    let Some(given) = value.as_object() else {
        return Setting::Refused;
    };
    let known = given.iter().map(|(name, config)| {
        let id = providers::find(name).map_or(name.as_str(), |spec| spec.id);
        (id.to_owned(), combo_config(config))
    });
    Setting::Taken(Value::Object(known.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read_from_objects_addresses_and_host_and_port() {
        let cases = [
            (json!("proxy.test:3128"), ("http", "proxy.test", 3128, None)),
            (
                json!("socks5://me:p%40ss@10.0.0.1"),
                ("socks5", "10.0.0.1", 1080, Some("p@ss")),
            ),
            (json!("https://proxy.test"), ("https", "proxy.test", 443, None)),
            (
                json!({ "host": "proxy.test", "port": "8080", "password": "x" }),
                ("http", "proxy.test", 8080, Some("x")),
            ),
            (
                json!({ "type": "SOCKS5", "host": "proxy.test" }),
                ("socks5", "proxy.test", 1080, None),
            ),
        ];
        for (given, (scheme, host, port, password)) in cases {
            let read = proxy(&given).unwrap();
            assert_eq!(
                (
                    read.r#type.as_str(),
                    read.host.as_str(),
                    read.port,
                    read.password.as_deref()
                ),
                (scheme, host, port, password),
                "{given}"
            );
        }
        for none in [
            json!("ftp://proxy.test"),
            json!("169.254.169.254:80"),
            json!(7),
            json!({}),
        ] {
            assert!(proxy(&none).is_none(), "{none}");
        }
    }

    #[test]
    fn a_prefix_becomes_one_that_a_node_can_have() {
        for (given, expected) in [
            ("vllm", "vllm"),
            ("My vLLM", "my-vllm"),
            ("openai", "openai-node"),
            ("_x", "x"),
            ("模型", "node"),
        ] {
            assert_eq!(prefix(given), expected);
        }
    }

    #[test]
    fn of_a_config_only_what_is_known_and_right_is_taken() {
        let given = json!({ "maxRetries": 2, "timeoutMs": "soon", "handoffThreshold": 0.9 });
        assert_eq!(combo_config(&given), json!({ "maxRetries": 2 }));
    }
}
