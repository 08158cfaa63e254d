//! What an alias may be called, and where it may lead.

use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{Names, is_any_catalogued_id, split};
use crate::{
    error::{ApiError, Violation},
    http::Violations,
};

/// Aliases that may follow one another before the model.
const MAX_CHAIN: usize = 3;

/// Where a chain of aliases ends: a provider's model, or a combo.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Resolved {
    Combo { combo: String },
    Model { provider: String, model: String },
}

/// An alias as it is to be from now on.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub alias: &'a str,
    /// Trimmed.
    pub model: &'a str,
    /// It may hide a model of the built-in catalogue.
    pub allow_shadow: bool,
}

// === impl Wanted ===

impl Wanted<'_> {
    pub fn check(&self, violations: &mut Violations) {
        violations.length("alias", self.alias, 1..=200);
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        if !self.alias.chars().all(legal) {
            violations.add("alias", "must match ^[A-Za-z0-9._:-]+$");
        }
        violations.length("model", self.model, 1..=300);
    }

    /// Writes it, over the one of that name if there is one, whose target it returns.
    pub async fn put(&self, conn: &mut PgConnection, names: &mut Names) -> Result<Option<String>, ApiError> {
        if names.combos.contains(self.alias) {
            return Err(ApiError::conflict(format!("a combo is named `{}`", self.alias)));
        }
        if !self.allow_shadow && is_any_catalogued_id(self.alias) {
            return Err(ApiError::Conflict {
                message: format!("`{}` is a model of the built-in catalogue", self.alias),
                details: vec![Violation::new(
                    "allowShadow",
                    "send true to hide the model behind the alias",
                )],
            });
        }
        let previous = names.aliases.insert(self.alias.to_owned(), self.model.to_owned());
        resolve(names, self.model)?;
        sqlx::query!(
            "insert into model_alias (alias, target) values ($1, $2)
             on conflict (alias) do update set target = excluded.target",
            self.alias,
            self.model,
        )
        .execute(conn)
        .await?;
        Ok(previous)
    }
}

/// Follows aliases to their end. Combo names win over aliases, as they do when a request is routed.
pub fn resolve(names: &Names, target: &str) -> Result<Resolved, ApiError> {
    let mut target = target;
    for _ in 0..MAX_CHAIN {
        if names.combos.contains(target) {
            return Ok(Resolved::Combo {
                combo: target.to_owned(),
            });
        }
        if let Some((provider, model)) = split(target).filter(|_| names.is_provider_model(target)) {
            return Ok(Resolved::Model {
                provider: provider.to_owned(),
                model: model.to_owned(),
            });
        }
        target = names.aliases.get(target).ok_or_else(|| {
            ApiError::invalid(
                "model",
                format!("`{target}` is no provider/model, no combo and no alias"),
            )
        })?;
    }
    Err(ApiError::invalid(
        "model",
        "leads through more than three aliases, or back to itself",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(aliases: &[(&str, &str)]) -> Names {
        Names {
            nodes: [("vllm".to_owned(), "openai-compatible-1".to_owned())].into(),
            combos: ["premium".to_owned()].into(),
            aliases: aliases
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
            ..Names::default()
        }
    }

    #[test]
    fn a_chain_ends_in_a_model_or_a_combo() {
        let names = names(&[("a", "b"), ("b", "vllm/org/model"), ("p", "premium")]);
        let model = Resolved::Model {
            provider: "vllm".to_owned(),
            model: "org/model".to_owned(),
        };
        assert_eq!(resolve(&names, "a").unwrap(), model);
        assert_eq!(
            resolve(&names, "p").unwrap(),
            Resolved::Combo {
                combo: "premium".to_owned()
            }
        );
    }

    #[test]
    fn a_circle_a_long_chain_and_a_dead_end_are_refused() {
        let circle = names(&[("a", "b"), ("b", "a")]);
        assert!(resolve(&circle, "a").is_err());
        let long = names(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "vllm/m")]);
        assert!(resolve(&long, "b").is_err());
        assert!(resolve(&long, "c").is_ok());
        assert!(resolve(&long, "nobody/model").is_err());
    }
}
