//! What somebody looks for in the log, as columns and as terms.
//!
//! A part of a word is looked for among the terms of all requests (`usage_term`), of which there are some hundreds. What
//! is found stands for the request's columns, which are quick to compare, and for its terms, which an index knows.

use sqlx::PgPool;
use uuid::Uuid;

use super::super::part::contains;

/// Terms without a value.
const FAILED: &str = "failed";
const COMBO: &str = "combo";

/// A filter that is absent lets everything pass.
#[derive(Debug, Default)]
pub struct Wanted {
    pub is_ok: bool,
    pub failed: bool,
    pub status: Option<i32>,
    pub combo: bool,
    pub model: Option<Found>,
    pub provider: Option<Found>,
    pub account: Option<Found>,
    pub key: Option<Found>,
    pub search: Option<Found>,
}

/// Values that have some part, by what they are.
#[derive(Debug, Default)]
pub struct Found {
    pub models: Vec<String>,
    pub providers: Vec<String>,
    pub accounts: Vec<Uuid>,
    pub key_ids: Vec<Uuid>,
    pub key_names: Vec<String>,
    pub combos: Vec<String>,
    pub endpoints: Vec<String>,
    pub statuses: Vec<i32>,
    pub errors: Vec<String>,
    /// All of these.
    terms: Vec<String>,
}

// === impl Wanted ===

impl Wanted {
    /// Of each filter the terms of which a request must have one.
    pub fn terms(&self) -> Vec<Vec<String>> {
        let given = |is_given: bool, term: &str| is_given.then(|| vec![term.to_owned()]);
        let status = self.status.map(|status| vec![format!("s:{status}")]);
        let found = [
            &self.model,
            &self.provider,
            &self.account,
            &self.key,
            &self.search,
        ];
        let found = found.into_iter().flatten().map(|found| found.terms.clone());
        [given(self.failed, FAILED), given(self.combo, COMBO), status]
            .into_iter()
            .flatten()
            .chain(found)
            .collect()
    }
}

// === impl Found ===

impl Found {
    /// Of the kinds given, by the letters that their terms begin with. Accounts are found by the names that connections
    /// have now. None when there is nothing.
    pub async fn of(pool: &PgPool, part: &str, kinds: &str) -> Result<Option<Self>, sqlx::Error> {
        let terms = sqlx::query_scalar!(
            r#"select term as "term!" from usage_term
               where substr(term, 2, 1) = ':' and strpos($2, left(term, 1)) > 0 and substr(term, 3) ilike $1
               union all
               select 'c:' || id::text from provider_connection where strpos($2, 'c') > 0 and name ilike $1"#,
            contains(Some(part)),
            kinds,
        )
        .fetch_all(pool)
        .await?;
        let mut found = Self::default();
        for term in terms {
            found.add(term);
        }
        Ok((!found.terms.is_empty()).then_some(found))
    }

    fn add(&mut self, term: String) {
        let Some((kind, value)) = term.split_once(':') else {
            return;
        };
        let text = value.to_owned();
        match kind {
            "m" => self.models.push(text),
            "p" => self.providers.push(text),
            "c" => self.accounts.extend(Uuid::try_parse(value)),
            "i" => self.key_ids.extend(Uuid::try_parse(value)),
            "k" => self.key_names.push(text),
            "b" => self.combos.push(text),
            "u" => self.endpoints.push(text),
            "s" => self.statuses.extend(value.parse::<i32>()),
            "e" => self.errors.push(text),
            _ => return,
        }
        self.terms.push(term);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_has_the_terms_of_which_a_request_needs_one() {
        let mut search = Found::default();
        for term in [
            "m:gpt-4o",
            "s:502",
            "c:018f0000-0000-7000-8000-000000000001",
            "combo",
        ] {
            search.add(term.to_owned());
        }
        assert_eq!(
            (search.models.len(), &search.statuses[..], search.accounts.len()),
            (1, &[502][..], 1)
        );
        let wanted = Wanted {
            failed: true,
            status: Some(429),
            search: Some(search),
            ..Wanted::default()
        };
        let terms = wanted.terms();
        assert_eq!(terms[..2], [vec!["failed".to_owned()], vec!["s:429".to_owned()]]);
        assert_eq!(terms[2].len(), 3, "a term without a value is no word to look for");
        assert!(Wanted::default().terms().is_empty());
    }
}
