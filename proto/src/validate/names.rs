//! Combos and aliases name each other; following the names has to end, and soon.

use std::collections::{BTreeMap, HashMap};

use crate::{
    Issue, Rule,
    v1::{Combo, ModelAlias, ResourceKey, ResourceKind as Kind},
};

/// How many combos may lie below a combo, and how many aliases may lead to an alias.
pub const MAX_DEPTH: usize = 3;

/// What a name stands for, and the names it refers to.
struct Name<'a> {
    key: ResourceKey,
    field: &'static str,
    refers_to: Vec<&'a str>,
}

/// Checks that no name leads round in circles or through more than [`MAX_DEPTH`] others of its kind. Takes
/// everything there is, as `(id, body)`, because a change to one name can break another. A combo shadows an alias
/// of the same name, as it does for a request.
pub fn names<'a>(
    combos: impl IntoIterator<Item = (&'a str, &'a Combo)>,
    aliases: impl IntoIterator<Item = (&'a str, &'a ModelAlias)>,
) -> Vec<Issue> {
    let mut names = BTreeMap::new();
    for (alias, body) in aliases {
        let key = ResourceKey {
            kind: Kind::ModelAlias.into(),
            id: alias.to_owned(),
        };
        names.insert(
            alias,
            Name {
                key,
                field: "target",
                refers_to: vec![&body.target],
            },
        );
    }
    for (id, combo) in combos {
        let key = ResourceKey {
            kind: Kind::Combo.into(),
            id: id.to_owned(),
        };
        let refers_to = combo.members.iter().map(|member| member.model.as_str()).collect();
        names.insert(
            combo.name.as_str(),
            Name {
                key,
                field: "members",
                refers_to,
            },
        );
    }

    let levels = levels(&names);
    let issue = |(name, body): (&str, &Name<'_>)| {
        let (rule, message) = match levels.get(name) {
            None => (Rule::Cycle, format!("of `{name}` lead round in circles")),
            Some(&level) if level > MAX_DEPTH => (
                Rule::Depth,
                format!("of `{name}` are nested {level} levels deep: at most {MAX_DEPTH} are allowed"),
            ),
            Some(_) => return None,
        };
        Some(Issue {
            resource: body.key.clone(),
            field: body.field.to_owned(),
            rule,
            message,
        })
    };
    names
        .iter()
        .filter_map(|(name, body)| issue((name, body)))
        .collect()
}

/// Levels of its own kind below each name. A name that leads round in circles has none. From the leaves up, so
/// that no chain is too long for the stack.
fn levels<'a>(names: &BTreeMap<&'a str, Name<'a>>) -> HashMap<&'a str, usize> {
    let mut referrers: HashMap<&str, Vec<&'a str>> = HashMap::new();
    let mut waiting: HashMap<&str, usize> = HashMap::new();
    for (name, body) in names {
        let inner = body.refers_to.iter().filter(|next| names.contains_key(*next));
        waiting.insert(*name, inner.clone().count());
        inner.for_each(|next| referrers.entry(*next).or_default().push(*name));
    }

    let mut levels: HashMap<&str, usize> = HashMap::new();
    let mut ready: Vec<&str> = names.keys().copied().filter(|name| waiting[name] == 0).collect();
    while let Some(name) = ready.pop() {
        let level = *levels.entry(name).or_default();
        for referrer in referrers.remove(name).unwrap_or_default() {
            let step = usize::from(names[referrer].key.kind == names[name].key.kind);
            let above = levels.entry(referrer).or_default();
            *above = (*above).max(level + step);
            let left = waiting.entry(referrer).or_default();
            *left -= 1;
            if *left == 0 {
                ready.push(referrer);
            }
        }
    }
    levels.retain(|name, _| waiting[name] == 0);
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::ComboMember;

    fn combo(name: &str, members: &[&str]) -> Combo {
        let member = |model: &&str| ComboMember {
            model: (*model).to_owned(),
            weight: 0.0,
        };
        Combo {
            name: name.to_owned(),
            members: members.iter().map(member).collect(),
            ..Combo::default()
        }
    }

    fn alias(target: &str) -> ModelAlias {
        ModelAlias {
            target: target.to_owned(),
        }
    }

    fn check(combos: &[Combo], aliases: &[(&str, ModelAlias)]) -> Vec<(String, Rule)> {
        let combos = combos.iter().map(|combo| (combo.name.as_str(), combo));
        let aliases = aliases.iter().map(|(id, alias)| (*id, alias));
        names(combos, aliases)
            .into_iter()
            .map(|issue| (issue.resource.id, issue.rule))
            .collect()
    }

    #[test]
    fn three_combos_below_a_combo_are_allowed_and_four_are_not() {
        let mut chain = vec![
            combo("d", &["openai/x"]),
            combo("c", &["d"]),
            combo("b", &["c"]),
            combo("a", &["b", "d"]),
        ];
        assert_eq!(check(&chain, &[]), []);
        chain.push(combo("root", &["openai/y", "a"]));
        assert_eq!(check(&chain, &[]), [("root".to_owned(), Rule::Depth)]);
    }

    #[test]
    fn an_alias_may_lead_to_the_deepest_combo() {
        let chain = [
            combo("d", &["openai/x"]),
            combo("c", &["d"]),
            combo("b", &["c"]),
            combo("a", &["b"]),
        ];
        assert_eq!(check(&chain, &[("fast", alias("a"))]), []);
    }

    #[test]
    fn a_cycle_is_reported_for_all_who_lead_into_it() {
        let cycle = |name: &str| (name.to_owned(), Rule::Cycle);
        let combos = [
            combo("a", &["b"]),
            combo("b", &["alias"]),
            combo("c", &["openai/x"]),
        ];
        let aliases = [
            ("alias", alias("a")),
            ("outside", alias("b")),
            ("fine", alias("c")),
        ];
        assert_eq!(
            check(&combos, &aliases),
            [cycle("a"), cycle("alias"), cycle("b"), cycle("outside")]
        );
    }

    #[test]
    fn a_name_that_names_itself_is_a_cycle() {
        assert_eq!(check(&[combo("a", &["a"])], &[]), [("a".to_owned(), Rule::Cycle)]);
        assert_eq!(check(&[], &[("x", alias("x"))]), [("x".to_owned(), Rule::Cycle)]);
    }

    #[test]
    fn a_combo_shadows_an_alias_of_its_name() {
        assert_eq!(check(&[combo("x", &["openai/x"])], &[("x", alias("x"))]), []);
    }

    #[test]
    fn a_member_named_twice_counts_once_per_level() {
        assert_eq!(
            check(&[combo("a", &["b", "b"]), combo("b", &["openai/x"])], &[]),
            []
        );
    }

    #[test]
    fn a_chain_longer_than_a_stack_is_too_deep_and_nothing_worse() {
        let names: Vec<String> = (0..100_000).map(|i| format!("a{i:06}")).collect();
        let chain: Vec<(&str, ModelAlias)> = names
            .windows(2)
            .map(|pair| (pair[0].as_str(), alias(&pair[1])))
            .collect();
        let found = check(&[], &chain);
        assert_eq!(found.len(), chain.len() - 1 - MAX_DEPTH);
        assert!(found.iter().all(|(_, rule)| *rule == Rule::Depth));
    }
}
