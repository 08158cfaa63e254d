//! What a model name stands for: providers and the models they know it by.

use std::collections::{HashMap, HashSet};

use llm::providers;
use sqlx::PgPool;

use crate::api::names::split;

/// Combos, aliases and what they lead to. Nothing an administrator could write is deeper.
const MAX_DEPTH: usize = 8;

pub(super) struct Directory {
    /// Provider node ids by prefix.
    nodes: HashMap<String, String>,
    aliases: HashMap<String, String>,
    combos: HashMap<String, Vec<String>>,
    /// Providers with an enabled connection.
    active: HashSet<String>,
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
        let combos = sqlx::query!(
            r#"select c.name, array(select m.model from combo_member m where m.combo_id = c.id
                                    order by m.position) as "models!"
               from combo c where c.is_active"#
        )
        .fetch_all(pool)
        .await?;
        Ok(Self {
            nodes: nodes.into_iter().map(|row| (row.prefix, row.id)).collect(),
            aliases: aliases.into_iter().map(|row| (row.alias, row.target)).collect(),
            combos: combos.into_iter().map(|row| (row.name, row.models)).collect(),
            active,
        })
    }

    /// Provider ids and models, each pair once. Nothing when nobody answers to the name.
    pub(super) fn resolve(&self, name: &str) -> Vec<(String, String)> {
        let mut targets = Vec::new();
        self.follow(name, 0, &mut targets);
        targets
    }

    /// In the order in which data planes look: combos, prefixes, aliases, catalogues.
    fn follow(&self, name: &str, depth: usize, targets: &mut Vec<(String, String)>) {
        if depth == MAX_DEPTH {
            return;
        }
        if let Some(members) = self.combos.get(name) {
            for member in members {
                self.follow(member, depth + 1, targets);
            }
            return;
        }
        if let Some((prefix, model)) = split(name)
            && let Some(provider) = self.provider(prefix)
        {
            add(targets, provider, model);
            return;
        }
        if let Some(target) = self.aliases.get(name) {
            return self.follow(target, depth + 1, targets);
        }
        let catalogued = providers::ALL
            .iter()
            .filter(|spec| self.active.contains(spec.id) && spec.models.iter().any(|model| model.id == name));
        for spec in catalogued {
            add(targets, spec.id, name);
        }
    }

    fn provider(&self, prefix: &str) -> Option<&str> {
        let node = self.nodes.get(prefix).map(String::as_str);
        node.or_else(|| providers::find(prefix).map(|spec| spec.id))
    }
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
        let combo = |members: &[&str]| members.iter().map(|&member| member.to_owned()).collect();
        Directory {
            nodes: map(&[("vllm", "node-1")]),
            aliases: map(&[("fast", "vllm/llama"), ("loop", "loop")]),
            combos: HashMap::from([
                ("smart".to_owned(), combo(&["openai/gpt-4o", "inner", "fast"])),
                ("inner".to_owned(), combo(&["vllm/llama", "vllm/qwen/3"])),
            ]),
            active: HashSet::from(["openai".to_owned()]),
        }
    }

    #[test]
    fn a_name_leads_through_combos_aliases_and_prefixes_to_each_model_once() {
        let resolved = |name| {
            let targets = directory().resolve(name);
            targets
                .iter()
                .map(|(provider, model)| format!("{provider}|{model}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(resolved("fast"), ["node-1|llama"]);
        assert_eq!(
            resolved("smart"),
            ["openai|gpt-4o", "node-1|llama", "node-1|qwen/3"]
        );
        assert_eq!(resolved("gpt-4o"), ["openai|gpt-4o"], "only providers in use");
        assert_eq!(resolved("nobody/knows"), [""; 0]);
        assert_eq!(resolved("loop"), [""; 0]);
    }
}
