//! Which combo names which.

use std::collections::HashMap;

use super::Row;
use crate::{
    combo_config::{ComboDefaults, MAX_DEPTH},
    error::ApiError,
};

/// Combos by name.
pub struct Graph {
    combos: HashMap<String, Node>,
    /// Levels below a combo that does not say how many.
    max_depth: u32,
}

struct Node {
    models: Vec<String>,
    max_depth: Option<u32>,
}

// === impl Graph ===

impl Graph {
    pub fn of<'a>(rows: impl Iterator<Item = &'a Row>, defaults: &ComboDefaults) -> Self {
        Self {
            combos: rows.map(|row| (row.name.clone(), Node::of(row))).collect(),
            max_depth: defaults.config.max_combo_depth.unwrap_or(MAX_DEPTH),
        }
    }

    pub fn with(mut self, row: &Row) -> Self {
        self.combos.insert(row.name.clone(), Node::of(row));
        self
    }

    /// Refuses a graph in which `changed` reaches itself, or some combo reaches too deep.
    pub fn check(&self, changed: &str) -> Result<(), ApiError> {
        self.walk_from(changed)?;
        self.check_all()
    }

    /// Only combos that reach a changed one can have become deeper, but all are few: each is walked.
    pub fn check_all(&self) -> Result<(), ApiError> {
        self.combos.keys().try_for_each(|name| self.walk_from(name))
    }

    fn walk_from(&self, root: &str) -> Result<(), ApiError> {
        let own = self.combos.get(root).and_then(|node| node.max_depth);
        let max_depth = own.unwrap_or(self.max_depth);
        self.walk(root, max_depth as usize, &mut vec![root])
    }

    fn walk<'a>(&'a self, name: &str, max_depth: usize, path: &mut Vec<&'a str>) -> Result<(), ApiError>
    where
        Self: 'a,
    {
        let models = self.combos.get(name).map(|node| &node.models);
        for model in models.into_iter().flatten() {
            if !self.combos.contains_key(model) {
                continue;
            }
            if path.contains(&model.as_str()) {
                return Err(ApiError::ComboCycle(format!(
                    "`{}` leads back to `{model}`",
                    path.join("` > `")
                )));
            }
            if path.len() > max_depth {
                return Err(ApiError::ComboDepth(format!(
                    "`{}` > `{model}` is deeper than the levels of combos allowed below the first: {max_depth}",
                    path.join("` > `")
                )));
            }
            path.push(model);
            self.walk(model, max_depth, path)?;
            path.pop();
        }
        Ok(())
    }
}

// === impl Node ===

impl Node {
    fn of(row: &Row) -> Self {
        Self {
            models: row.models(),
            max_depth: row.config.max_combo_depth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        let combos = edges.iter().map(|(name, models)| {
            let node = Node {
                models: models.iter().map(|m| (*m).to_owned()).collect(),
                max_depth: None,
            };
            ((*name).to_owned(), node)
        });
        Graph {
            combos: combos.collect(),
            max_depth: MAX_DEPTH,
        }
    }

    fn check(edges: &[(&str, &[&str])]) -> Result<(), ApiError> {
        graph(edges).check(edges[0].0)
    }

    #[test]
    fn a_shared_member_is_no_cycle() {
        assert!(
            check(&[
                ("a", &["b", "c"]),
                ("b", &["d"]),
                ("c", &["d"]),
                ("d", &["openai/gpt"])
            ])
            .is_ok()
        );
    }

    #[test]
    fn a_combo_that_reaches_itself_is_refused() {
        for edges in [
            &[("a", &["a"][..])][..],
            &[("a", &["b"][..]), ("b", &["c"][..]), ("c", &["a"][..])][..],
        ] {
            assert!(matches!(check(edges), Err(ApiError::ComboCycle(_))));
        }
    }

    #[test]
    fn three_levels_below_a_combo_are_allowed_and_four_refused() {
        let three: &[(&str, &[&str])] = &[("a", &["b"]), ("b", &["c"]), ("c", &["d"]), ("d", &[])];
        assert!(check(three).is_ok());
        let four: &[(&str, &[&str])] = &[
            ("e", &["f"]),
            ("d", &["e"]),
            ("c", &["d"]),
            ("b", &["c"]),
            ("f", &[]),
        ];
        assert!(
            matches!(check(four), Err(ApiError::ComboDepth(_))),
            "also when the deepest is not the changed one"
        );
    }

    #[test]
    fn a_combo_may_be_stricter_than_the_defaults_and_laxer() {
        let chain: &[(&str, &[&str])] = &[("a", &["b"]), ("b", &["c"]), ("c", &[])];
        let mut strict = graph(chain);
        strict.max_depth = 1;
        assert!(matches!(strict.check_all(), Err(ApiError::ComboDepth(_))));
        strict.combos.get_mut("a").unwrap().max_depth = Some(2);
        assert!(strict.check_all().is_ok());
        strict.combos.get_mut("b").unwrap().max_depth = Some(1);
        assert!(strict.check_all().is_ok());
    }
}
