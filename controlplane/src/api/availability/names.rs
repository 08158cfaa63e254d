//! What a model name stands for: providers and the models they know it by, as data planes see it.

use std::collections::{HashMap, HashSet};

use llm::providers;
use proto::Pattern;
use serde::Deserialize;
use sqlx::PgPool;

use crate::api::names::{WildcardAlias, split};

/// Combos, aliases and what they lead to. Nothing an administrator could write is deeper.
const MAX_DEPTH: usize = 8;
/// Where a bare id goes when several providers have it and this one does. It is also asked for ids that nobody knows,
/// but whether it has them cannot be told beforehand.
const DEFAULT_PROVIDER: &str = "openai";

#[derive(Default)]
pub(super) struct Directory {
    /// Provider node ids by prefix.
    nodes: HashMap<String, String>,
    aliases: HashMap<String, String>,
    /// The most specific first.
    wildcards: Vec<(Pattern, String)>,
    combos: HashMap<String, Combo>,
    /// Providers that stand in for a model, by its name.
    chains: HashMap<String, Vec<String>>,
    /// Providers that have a model beyond those known beforehand, by its id.
    custom: HashMap<String, Vec<String>>,
    /// Providers with an enabled connection.
    active: HashSet<String>,
}

struct Combo {
    is_active: bool,
    members: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Link {
    provider: String,
    enabled: bool,
}

// === impl Directory ===

impl Directory {
    pub(super) async fn load(pool: &PgPool, active: HashSet<String>) -> Result<Self, sqlx::Error> {
        let nodes = sqlx::query!("select prefix, id from provider_node")
            .fetch_all(pool)
            .await?;
        let aliases = sqlx::query!("select alias, target from model_alias")
            .fetch_all(pool)
            .await?;
        let wildcards = sqlx::query_scalar!("select value from setting where key = 'wildcardAliases'")
            .fetch_optional(pool)
            .await?;
        let combos = sqlx::query!(
            r#"select c.name, c.is_active, array(select m.model from combo_member m where m.combo_id = c.id
                                                 order by m.position) as "models!"
               from combo c"#
        )
        .fetch_all(pool)
        .await?;
        let chains = sqlx::query!(
            r#"select model, chain as "chain: sqlx::types::Json<Vec<Link>>" from fallback_chain"#
        )
        .fetch_all(pool)
        .await?;
        let custom = sqlx::query!("select provider, model from custom_model order by provider")
            .fetch_all(pool)
            .await?;
        let mut directory = Self {
            nodes: nodes.into_iter().map(|row| (row.prefix, row.id)).collect(),
            aliases: aliases.into_iter().map(|row| (row.alias, row.target)).collect(),
            wildcards: by_specificity(WildcardAlias::from_stored(wildcards.as_ref())),
            combos: combos
                .into_iter()
                .map(|row| {
                    let combo = Combo {
                        is_active: row.is_active,
                        members: row.models,
                    };
                    (row.name, combo)
                })
                .collect(),
            active,
            ..Self::default()
        };
        for row in chains {
            let links = row.chain.0.into_iter().filter(|link| link.enabled);
            let providers = links.map(|link| link.provider).collect();
            directory.chains.insert(row.model, providers);
        }
        for row in custom {
            directory.custom.entry(row.model).or_default().push(row.provider);
        }
        Ok(directory)
    }

    /// Provider ids and models, each pair once. Nothing when nobody answers to the name.
    pub(super) fn resolve(&self, name: &str) -> Vec<(String, String)> {
        let mut targets = Vec::new();
        match self.wildcard(name) {
            Some(target) => self.follow(target, 0, &mut targets),
            None => self.follow(name, 0, &mut targets),
        }
        targets
    }

    /// Where a pattern leads a name that nothing has exactly. A provider that answers to the name keeps it, unless the
    /// pattern has a provider in it as well.
    fn wildcard(&self, name: &str) -> Option<&str> {
        if self.combos.contains_key(name) || self.aliases.contains_key(name) {
            return None;
        }
        let answers = split(name)
            .and_then(|(prefix, _)| self.provider(prefix))
            .is_some_and(|provider| self.active.contains(provider));
        let mut applying = self
            .wildcards
            .iter()
            .filter(|(pattern, _)| !answers || pattern.has_slash());
        applying
            .find(|(pattern, _)| pattern.matches(name))
            .map(|(_, target)| target.as_str())
    }

    /// In the order in which data planes look: combos, aliases, prefixes, catalogues.
    fn follow(&self, name: &str, depth: usize, targets: &mut Vec<(String, String)>) {
        if depth == MAX_DEPTH {
            return;
        }
        if let Some(combo) = self.combos.get(name) {
            for member in combo.members.iter().filter(|_| combo.is_active) {
                self.follow(member, depth + 1, targets);
            }
            return;
        }
        if let Some(target) = self.aliases.get(name) {
            return self.follow(target, depth + 1, targets);
        }
        let bare = self.having(name);
        match split(name) {
            // ids of open models have a slash of their own
            Some((prefix, model)) if bare.is_empty() || self.is_active(prefix) => {
                if let Some(provider) = self.provider(prefix) {
                    self.add_with_chain(targets, provider, model);
                }
            }
            _ => self.add_bare(targets, bare, name),
        }
    }

    fn add_bare(&self, targets: &mut Vec<(String, String)>, having: Vec<&str>, model: &str) {
        if having.contains(&DEFAULT_PROVIDER) {
            return self.add_with_chain(targets, DEFAULT_PROVIDER, model);
        }
        match having[..] {
            [] => self
                .chain_of(&[model])
                .iter()
                .for_each(|link| add(targets, link, model)),
            [provider] => self.add_with_chain(targets, provider, model),
            // a policy may prefer one of them
            _ => having.iter().for_each(|provider| add(targets, provider, model)),
        }
    }

    /// The model, and then those that stand in for it: a chain for it at its provider goes before one for it anywhere.
    fn add_with_chain(&self, targets: &mut Vec<(String, String)>, provider: &str, model: &str) {
        add(targets, provider, model);
        let prefix = self.prefix(provider);
        let names = [
            format!("{prefix}/{model}"),
            format!("{provider}/{model}"),
            model.to_owned(),
        ];
        for link in self.chain_of(&names.each_ref().map(String::as_str)) {
            add(targets, link, model);
        }
    }

    fn chain_of(&self, names: &[&str]) -> Vec<&str> {
        let chain = names.iter().find_map(|name| self.chains.get(*name));
        let links = chain.into_iter().flatten().map(String::as_str);
        links.filter(|link| self.active.contains(*link)).collect()
    }

    /// Providers in use that have this id.
    fn having(&self, model: &str) -> Vec<&str> {
        let catalogued = providers::ALL
            .iter()
            .filter(|spec| spec.models.iter().any(|known| known.id == model))
            .map(|spec| spec.id);
        let custom = self.custom.get(model).into_iter().flatten().map(String::as_str);
        let mut having: Vec<&str> = Vec::new();
        for provider in catalogued
            .chain(custom)
            .filter(|provider| self.active.contains(*provider))
        {
            if !having.contains(&provider) {
                having.push(provider);
            }
        }
        having
    }

    fn is_active(&self, prefix: &str) -> bool {
        self.provider(prefix)
            .is_some_and(|provider| self.active.contains(provider))
    }

    /// By prefix or id.
    fn provider(&self, word: &str) -> Option<&str> {
        let by_prefix = self.nodes.get(word).map(String::as_str);
        let by_id = || self.nodes.values().map(String::as_str).find(|id| *id == word);
        by_prefix
            .or_else(|| providers::find(word).map(|spec| spec.id))
            .or_else(by_id)
    }

    fn prefix<'a>(&'a self, provider: &'a str) -> &'a str {
        let node = self.nodes.iter().find(|(_, id)| *id == provider);
        node.map(|(prefix, _)| prefix.as_str())
            .or_else(|| providers::find(provider).map(|spec| spec.alias))
            .unwrap_or(provider)
    }
}

fn by_specificity(aliases: Vec<WildcardAlias>) -> Vec<(Pattern, String)> {
    let compiled = aliases.into_iter();
    let mut compiled: Vec<_> = compiled
        .map(|alias| (Pattern::new(&alias.pattern), alias.target))
        .collect();
    compiled.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.specificity()));
    compiled
}

fn add(targets: &mut Vec<(String, String)>, provider: &str, model: &str) {
    let target = (provider.to_owned(), model.to_owned());
    if !targets.contains(&target) {
        targets.push(target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let combo = |is_active, members: &[&str]| Combo {
            is_active,
            members: list(members),
        };
        let pattern = |pattern: &str, target: &str| WildcardAlias {
            pattern: pattern.to_owned(),
            target: target.to_owned(),
        };
        Directory {
            nodes: map(&[("vllm", "node-1")]),
            aliases: map(&[("fast", "vllm/llama"), ("loop", "loop"), ("gpt-off", "off")]),
            wildcards: by_specificity(vec![
                pattern("claude-*", "smart"),
                pattern("CLAUDE-opus-?", "fast"),
                pattern("openai/o*", "vllm/oss"),
            ]),
            combos: HashMap::from([
                (
                    "smart".to_owned(),
                    combo(true, &["openai/gpt-4o", "inner", "fast"]),
                ),
                ("inner".to_owned(), combo(true, &["vllm/llama", "vllm/qwen/3"])),
                ("off".to_owned(), combo(false, &["vllm/llama"])),
            ]),
            chains: HashMap::from([
                ("o3".to_owned(), list(&["node-1", "mistral"])),
                ("openai/o4".to_owned(), list(&["node-1"])),
                ("lost".to_owned(), list(&["node-1"])),
            ]),
            custom: HashMap::from([
                ("mine".to_owned(), list(&["node-1"])),
                ("org/mine".to_owned(), list(&["node-1"])),
                ("idle".to_owned(), list(&["mistral"])),
            ]),
            active: HashSet::from(["openai".to_owned(), "node-1".to_owned()]),
        }
    }

    fn resolved(directory: &Directory, name: &str) -> Vec<String> {
        let targets = directory.resolve(name);
        targets
            .iter()
            .map(|(provider, model)| format!("{provider}|{model}"))
            .collect()
    }

    #[test]
    fn a_name_leads_through_combos_aliases_and_prefixes_to_each_model_once() {
        let directory = directory();
        let cases: [(&str, &[&str]); 11] = [
            ("fast", &["node-1|llama"]),
            ("smart", &["openai|gpt-4o", "node-1|llama", "node-1|qwen/3"]),
            ("gpt-4o", &["openai|gpt-4o"]),
            ("nobody/knows", &[]),
            ("loop", &[]),
            // what is switched off keeps its name
            ("off", &[]),
            ("gpt-off", &[]),
            ("mine", &["node-1|mine"]),
            ("org/mine", &["node-1|org/mine"]),
            ("node-1/llama", &["node-1|llama"]),
            ("nobody-knows", &[]),
        ];
        for (name, expected) in cases {
            assert_eq!(resolved(&directory, name), expected, "{name}");
        }
    }

    #[test]
    fn the_most_specific_pattern_leads_a_name_that_nothing_has_exactly() {
        let directory = directory();
        let smart = resolved(&directory, "smart");
        assert_eq!(resolved(&directory, "Claude-Sonnet"), smart);
        assert_eq!(resolved(&directory, "claude-opus-4"), ["node-1|llama"]);
        // one hop, and a pattern without a provider takes nothing from one that answers
        assert_eq!(resolved(&directory, "openai/o1"), ["node-1|oss"]);
        assert_eq!(resolved(&directory, "openai/claude-x"), ["openai|claude-x"]);
    }

    #[test]
    fn providers_of_a_chain_stand_behind_a_model_and_in_for_one_that_nobody_has() {
        let mut directory = directory();
        directory.wildcards.clear();
        assert_eq!(resolved(&directory, "openai/o3"), ["openai|o3", "node-1|o3"]);
        assert_eq!(resolved(&directory, "openai/o4"), ["openai|o4", "node-1|o4"]);
        assert_eq!(resolved(&directory, "vllm/o4"), ["node-1|o4"]);
        directory.active.remove("openai");
        assert_eq!(resolved(&directory, "lost"), ["node-1|lost"]);
        assert_eq!(resolved(&directory, "idle"), [""; 0]);
    }
}
