//! What administrators say about requests beyond the routes: which provider they prefer, what is refused to whom and
//! when, and how long an answer may be.
//!
//! Pure: the verdict depends on the request, its routes and the time that is passed in. Everything that applies is
//! weighed route by route, because a name may lead to a model that it does not mention.

use super::table::Provider;
use super::tree::Route;
use chrono::{DateTime, Datelike, Timelike, Utc};
use proto::{Pattern, v1};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

const MINUTES_PER_DAY: u32 = 24 * 60;
const DAYS: u32 = 7;

/// Enabled ones, in the order in which they are asked.
#[derive(Debug, Default)]
pub struct Policies(Vec<Policy>);

/// What all policies together say about one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Ids of providers that come before the others, in this order.
    pub prefer: Vec<Arc<str>>,
    /// The policy that refuses the request: all of its routes.
    pub deny: Option<Arc<str>>,
    /// By the position of the route: the policy that refuses it. Empty when nothing is refused.
    pub refused: Vec<Option<Arc<str>>>,
    /// The longest answer. Whichever route is taken, because the next attempt may take another.
    pub max_tokens: Option<u32>,
}

#[derive(Debug)]
struct Policy {
    name: Arc<str>,
    when: Conditions,
    action: Action,
}

/// Absent and empty ones always hold.
#[derive(Debug)]
struct Conditions {
    model: Option<Pattern>,
    keys: HashSet<String>,
    /// By id.
    providers: HashSet<Arc<str>>,
    hours: Option<Hours>,
}

#[derive(Debug)]
enum Action {
    Prefer(Vec<Arc<str>>),
    Block(Vec<Pattern>),
    Cap(u32),
}

/// A span of every day, or of some; one that ends before it begins goes on after midnight.
#[derive(Debug)]
struct Hours {
    from: u32,
    until: u32,
    /// 1 is Monday. Empty: all.
    days: Vec<u32>,
}

// === impl Policies ===

impl Policies {
    /// By priority, then by name, so that every data plane asks in the same order.
    pub(super) fn compile(
        policies: &BTreeMap<&str, &v1::Policy>,
        providers: &HashMap<String, Arc<Provider>>,
    ) -> Self {
        let mut enabled: Vec<&v1::Policy> = policies
            .values()
            .copied()
            .filter(|policy| policy.enabled)
            .collect();
        enabled.sort_by_key(|policy| (policy.priority, &policy.name));
        let id = |word: &String| match providers.get(word) {
            Some(provider) => provider.id.clone(),
            None => word.as_str().into(),
        };
        let compiled = enabled.into_iter().filter_map(|policy| {
            let action = match policy.r#type.as_str() {
                "routing" => Action::Prefer(policy.prefer_provider.iter().map(id).collect()),
                "access" => Action::Block(policy.block_model.iter().map(|text| Pattern::new(text)).collect()),
                "budget" => Action::Cap(policy.max_tokens),
                _ => return None,
            };
            let model = Some(policy.model_pattern.as_str()).filter(|pattern| !pattern.is_empty());
            Some(Policy {
                name: policy.name.as_str().into(),
                when: Conditions {
                    model: model.map(Pattern::new),
                    keys: policy.api_key_ids.iter().cloned().collect(),
                    providers: policy.providers.iter().map(id).collect(),
                    hours: policy.hours.as_ref().and_then(Hours::new),
                },
                action,
            })
        });
        Self(compiled.collect())
    }

    /// `key` is the id of the caller's key, empty for nobody's; `requested` is the model as the client wrote it.
    pub fn judge(&self, key: &str, requested: &str, routes: &[Route], now: DateTime<Utc>) -> Judgement {
        let mut judgement = Judgement::default();
        if self.0.is_empty() {
            return judgement;
        }
        let names: Vec<[String; 2]> = routes.iter().map(names).collect();
        for policy in &self.0 {
            if !policy.when.admits(key, now) {
                continue;
            }
            let applies =
                |position: usize| policy.when.covers(requested, &routes[position], &names[position]);
            match &policy.action {
                Action::Block(blocked) => {
                    for position in (0..routes.len()).filter(|position| applies(*position)) {
                        let spelled = || spellings(requested, &routes[position], &names[position]);
                        if blocked
                            .iter()
                            .any(|pattern| spelled().any(|name| pattern.matches(name)))
                        {
                            judgement.refuse(position, routes.len(), &policy.name);
                        }
                    }
                }
                _ if !(0..routes.len()).any(applies) => {}
                Action::Prefer(providers) => judgement.prefer(providers),
                Action::Cap(0) => {}
                Action::Cap(tokens) => {
                    let least = judgement.max_tokens.map_or(*tokens, |known| known.min(*tokens));
                    judgement.max_tokens = Some(least);
                }
            }
        }
        judgement.conclude();
        judgement
    }
}

// === impl Judgement ===

impl Judgement {
    /// The policy that refuses the route at this position.
    pub fn refuses(&self, position: usize) -> Option<&Arc<str>> {
        self.refused.get(position)?.as_ref()
    }

    /// The first policy that refuses is the one that is named.
    fn refuse(&mut self, position: usize, routes: usize, policy: &Arc<str>) {
        self.refused.resize(routes, None);
        self.refused[position].get_or_insert_with(|| policy.clone());
    }

    fn prefer(&mut self, providers: &[Arc<str>]) {
        for provider in providers {
            if !self.prefer.contains(provider) {
                self.prefer.push(provider.clone());
            }
        }
    }

    fn conclude(&mut self) {
        if self.refused.iter().all(Option::is_some) {
            self.deny = self.refused.first().cloned().flatten();
        }
    }
}

// === impl Conditions ===

impl Conditions {
    fn admits(&self, key: &str, now: DateTime<Utc>) -> bool {
        (self.keys.is_empty() || self.keys.contains(key))
            && self.hours.as_ref().is_none_or(|hours| hours.contain(now))
    }

    fn covers(&self, requested: &str, route: &Route, names: &[String; 2]) -> bool {
        let model = |pattern: &Pattern| spellings(requested, route, names).any(|name| pattern.matches(name));
        (self.providers.is_empty() || self.providers.contains(&route.provider.id))
            && self.model.as_ref().is_none_or(model)
    }
}

// === impl Hours ===

impl Hours {
    /// `None` holds always: a rule whose hours cannot be read is better applied too often than never.
    fn new(hours: &v1::policy::Hours) -> Option<Self> {
        if !proto::validate::is_utc(&hours.tz) {
            return None;
        }
        Some(Self {
            from: hours.from_minute,
            until: hours.until_minute,
            days: hours.days.clone(),
        })
    }

    fn contain(&self, now: DateTime<Utc>) -> bool {
        let minute = now.hour() * 60 + now.minute();
        let today = now.weekday().number_from_monday();
        let yesterday = (today + DAYS - 2) % DAYS + 1;
        if self.from < self.until {
            return (self.from..self.until).contains(&minute) && self.on(today);
        }
        // what goes on after midnight belongs to the day on which it began
        (self.from..MINUTES_PER_DAY).contains(&minute) && self.on(today)
            || minute < self.until && self.on(yesterday)
    }

    fn on(&self, day: u32) -> bool {
        self.days.is_empty() || self.days.contains(&day)
    }
}

fn names(route: &Route) -> [String; 2] {
    let provider = &route.provider;
    [
        format!("{}/{}", provider.prefix, route.model),
        format!("{}/{}", provider.id, route.model),
    ]
}

/// All names by which a rule may mean this route of this request.
fn spellings<'a>(
    requested: &'a str,
    route: &'a Route,
    names: &'a [String; 2],
) -> impl Iterator<Item = &'a str> {
    [requested, &*route.model]
        .into_iter()
        .chain(names.iter().map(String::as_str))
}
