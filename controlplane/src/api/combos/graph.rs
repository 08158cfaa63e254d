//! Which combo names which.

use std::collections::HashMap;

use super::Row;
use crate::error::ApiError;

/// Levels of combos below a combo.
const MAX_DEPTH: usize = 3;

/// Combo name to the models it names.
pub struct Graph(HashMap<String, Vec<String>>);

// === impl Graph ===

impl Graph {
    pub fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        Self(rows.map(|row| (row.name.clone(), row.models())).collect())
    }

    pub fn with(mut self, row: &Row) -> Self {
        self.0.insert(row.name.clone(), row.models());
        self
    }

    /// Refuses a graph in which `changed` reaches itself, or some combo reaches too deep. Only combos that reach
    /// `changed` can have become deeper, but all are few: each is walked.
    pub fn check(&self, changed: &str) -> Result<(), ApiError> {
        self.depth(changed, &mut vec![changed])?;
        for name in self.0.keys() {
            self.depth(name, &mut vec![name])?;
        }
        Ok(())
    }

    fn depth<'a>(&'a self, name: &str, path: &mut Vec<&'a str>) -> Result<(), ApiError>
    where
        Self: 'a,
    {
        for model in self.0.get(name).into_iter().flatten() {
            if !self.0.contains_key(model) {
                continue;
            }
            if path.contains(&model.as_str()) {
                return Err(ApiError::ComboCycle(format!(
                    "`{}` leads back to `{model}`",
                    path.join("` > `")
                )));
            }
            if path.len() > MAX_DEPTH {
                return Err(ApiError::ComboDepth(format!(
                    "`{}` > `{model}` is deeper than {MAX_DEPTH} levels of combos below the first",
                    path.join("` > `")
                )));
            }
            path.push(model);
            self.depth(model, path)?;
            path.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edges: &[(&str, &[&str])]) -> Result<(), ApiError> {
        let graph = edges.iter().map(|(name, models)| {
            (
                (*name).to_owned(),
                models.iter().map(|m| (*m).to_owned()).collect(),
            )
        });
        Graph(graph.collect()).check(edges[0].0)
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
}
