//! One configuration over another.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::contents::{Contents, IpFilter, Setting};

// === impl Contents ===

impl Contents {
    /// What is left when `incoming` takes the place of this: what it has no word for stays.
    pub fn replaced_by(self, incoming: Self) -> Self {
        let settings = match incoming.knows_all_settings() {
            true => incoming.settings,
            false => settings(self.settings, incoming.settings),
        };
        Self {
            policies: incoming.policies.or(self.policies),
            price_periods: incoming.price_periods.or(self.price_periods),
            ip_filter: incoming.ip_filter.or(self.ip_filter),
            suites: incoming.suites.or(self.suites),
            settings,
            ..incoming
        }
    }

    /// Both. What is the same thing in both is as `incoming` says, under the id it has here.
    pub fn merged_with(self, mut incoming: Self) -> Self {
        incoming.take_ids_of(&self);
        Self {
            nodes: over(self.nodes, incoming.nodes, |node| node.id.clone()),
            connections: over(self.connections, incoming.connections, |row| row.id),
            aliases: over(self.aliases, incoming.aliases, |row| row.alias.clone()),
            custom_models: over(self.custom_models, incoming.custom_models, |row| {
                (row.provider.clone(), row.model.clone())
            }),
            combos: over(self.combos, incoming.combos, |combo| combo.id),
            keys: over(self.keys, incoming.keys, |key| key.id),
            prices: over(self.prices, incoming.prices, |row| {
                (row.provider.clone(), row.model.clone())
            }),
            proxies: over(self.proxies, incoming.proxies, |row| {
                (row.level.clone(), row.target_id.clone())
            }),
            settings: settings(self.settings, incoming.settings),
            chains: over(self.chains, incoming.chains, |row| row.model.clone()),
            policies: both(self.policies, incoming.policies, |row| row.id),
            price_periods: both(self.price_periods, incoming.price_periods, |row| {
                (row.provider.clone(), row.model.clone(), row.effective_from)
            }),
            ip_filter: filter(self.ip_filter, incoming.ip_filter),
            suites: both(self.suites, incoming.suites, |suite| suite.id.clone()),
        }
    }

    /// A bundle of ours holds every setting that was made; the absence of one says something.
    fn knows_all_settings(&self) -> bool {
        self.policies.is_some()
    }

    /// Things are the same by more than their ids: a node by its prefix, a connection by provider and name, a combo
    /// and a policy by name, a key by what it is.
    fn take_ids_of(&mut self, here: &Self) {
        let nodes: HashMap<&str, &str> = here
            .nodes
            .iter()
            .map(|node| (node.prefix.as_str(), node.id.as_str()))
            .collect();
        for node in &mut self.nodes {
            let Some(id) = nodes
                .get(node.prefix.as_str())
                .copied()
                .filter(|id| *id != node.id)
            else {
                continue;
            };
            let from = std::mem::replace(&mut node.id, id.to_owned());
            let providers = self.connections.iter_mut().map(|row| &mut row.provider);
            let providers = providers.chain(self.custom_models.iter_mut().map(|row| &mut row.provider));
            let providers = providers.chain(self.prices.iter_mut().map(|row| &mut row.provider));
            let periods = self.price_periods.iter_mut().flatten();
            let providers = providers.chain(periods.map(|row| &mut row.provider));
            let of_proxies = self.proxies.iter_mut().filter(|row| row.level == "provider");
            let names = providers.chain(of_proxies.map(|row| &mut row.target_id));
            names
                .filter(|name| **name == from)
                .for_each(|name| id.clone_into(name));
        }

        let of_connection: HashMap<_, _> = here
            .connections
            .iter()
            .filter(|row| row.auth_type == "apikey" && row.name.is_some())
            .map(|row| ((row.provider.clone(), row.name.clone()), row.id))
            .collect();
        let mut moved: HashMap<Uuid, Uuid> = HashMap::new();
        for row in self
            .connections
            .iter_mut()
            .filter(|row| row.auth_type == "apikey")
        {
            if let Some(id) = of_connection.get(&(row.provider.clone(), row.name.clone())) {
                moved.insert(std::mem::replace(&mut row.id, *id), *id);
            }
        }
        for id in self.keys.iter_mut().flat_map(|key| &mut key.allowed_connections) {
            *id = moved.get(id).copied().unwrap_or(*id);
        }

        let of_combo: HashMap<&str, Uuid> = here
            .combos
            .iter()
            .map(|combo| (combo.name.as_str(), combo.id))
            .collect();
        for combo in &mut self.combos {
            if let Some(id) = of_combo.get(combo.name.as_str()) {
                moved.insert(std::mem::replace(&mut combo.id, *id), *id);
            }
        }
        for proxy in &mut self.proxies {
            let target = Uuid::parse_str(&proxy.target_id).ok();
            if let Some(id) = target.and_then(|target| moved.get(&target)) {
                proxy.target_id = id.to_string();
            }
        }

        let of_key: HashMap<&[u8], Uuid> = here
            .keys
            .iter()
            .map(|key| (key.key_hash.as_slice(), key.id))
            .collect();
        for key in &mut self.keys {
            key.id = of_key.get(key.key_hash.as_slice()).copied().unwrap_or(key.id);
        }
        let of_policy: HashMap<&str, Uuid> = here
            .policies
            .iter()
            .flatten()
            .map(|policy| (policy.name.as_str(), policy.id))
            .collect();
        for policy in self.policies.iter_mut().flatten() {
            policy.id = of_policy.get(policy.name.as_str()).copied().unwrap_or(policy.id);
        }
    }
}

fn over<T, K: Ord>(here: Vec<T>, incoming: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let all = here.into_iter().chain(incoming);
    let by_key: BTreeMap<K, T> = all.map(|item| (key(&item), item)).collect();
    by_key.into_values().collect()
}

fn both<T, K: Ord>(here: Option<Vec<T>>, incoming: Option<Vec<T>>, key: impl Fn(&T) -> K) -> Option<Vec<T>> {
    match (here, incoming) {
        (Some(here), Some(incoming)) => Some(over(here, incoming, key)),
        (here, incoming) => incoming.or(here),
    }
}

fn settings(here: Vec<Setting>, incoming: Vec<Setting>) -> Vec<Setting> {
    over(here, incoming, |setting| setting.key.clone())
}

/// Whom to keep out is added up; whether and how is decided here.
fn filter(here: Option<IpFilter>, incoming: Option<IpFilter>) -> Option<IpFilter> {
    let (Some(mut here), Some(incoming)) = (here.clone(), incoming.clone()) else {
        return here.or(incoming);
    };
    for (list, more) in [
        (&mut here.blacklist, incoming.blacklist),
        (&mut here.whitelist, incoming.whitelist),
    ] {
        list.extend(more);
        list.sort();
        list.dedup();
    }
    Some(here)
}
