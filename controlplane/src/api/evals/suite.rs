//! Suites and their cases: as rows, as they are shown, and as they may be written.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, PgPool, types::Json as SqlJson};
use utoipa::ToSchema;

use super::{ID_CHARS, MODEL_CHARS, grade};
use crate::{
    error::ApiError,
    http::{Body, Violations},
};

const CASES: usize = 200;
const NAME_CHARS: usize = 200;
const DESCRIPTION_CHARS: usize = 2_000;
const VALUE_CHARS: usize = 20_000;
const MESSAGES: usize = 100;
const TAGS: usize = 20;

#[derive(Clone, Debug)]
pub struct Suite {
    pub id: String,
    pub name: String,
    pub description: String,
    pub builtin: bool,
    pub cases: Vec<Case>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EvalCase)]
pub struct Case {
    pub id: String,
    pub name: String,
    /// Who is asked, where no target is named.
    pub model: Option<String>,
    pub input: Input,
    /// Absent where answers are not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// As in Chat Completions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EvalInput)]
pub struct Input {
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EvalExpected)]
pub struct Expected {
    /// `exact`, `contains`, `regex` or `judge`.
    pub strategy: String,
    /// The text, the part of it, the pattern, or what a judge is to look for.
    pub value: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EvalSuite)]
pub struct SuiteView {
    id: String,
    name: String,
    description: String,
    builtin: bool,
    case_count: usize,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EvalSuiteBody)]
pub struct SuiteBody {
    name: String,
    #[serde(default)]
    description: String,
    /// 1 to 200.
    cases: Vec<Case>,
}

// === impl Suite ===

impl Suite {
    pub fn view(self) -> SuiteView {
        SuiteView {
            case_count: self.cases.len(),
            id: self.id,
            name: self.name,
            description: self.description,
            builtin: self.builtin,
            cases: self.cases,
        }
    }

    pub fn without_answers(mut self) -> SuiteView {
        self.cases.iter_mut().for_each(|case| case.expected = None);
        self.view()
    }
}

// === impl SuiteBody ===

impl Body for SuiteBody {
    const READ_ONLY: &'static [&'static str] = &["id", "builtin", "caseCount"];
    const REQUIRED: &'static [&'static str] = &["name", "cases"];

    fn check(&self, violations: &mut Violations) {
        violations.length("name", self.name.trim(), 1..=NAME_CHARS);
        violations.length("description", &self.description, 0..=DESCRIPTION_CHARS);
        if !(1..=CASES).contains(&self.cases.len()) {
            violations.add("cases", format!("must have 1 to {CASES} entries"));
        }
        let mut seen = std::collections::HashSet::new();
        for (index, case) in self.cases.iter().enumerate() {
            let field = |name: &str| format!("cases.{index}.{name}");
            if !is_id(&case.id) {
                violations.add(field("id"), ID_RULE);
            } else if !seen.insert(&case.id) {
                violations.add(field("id"), "is there twice");
            }
            case.check(field, violations);
        }
    }
}

// === impl Case ===

impl Case {
    fn check(&self, field: impl Fn(&str) -> String, violations: &mut Violations) {
        violations.length(&field("name"), self.name.trim(), 1..=NAME_CHARS);
        if let Some(model) = &self.model {
            violations.length(&field("model"), model, 1..=MODEL_CHARS);
        }
        if !(1..=MESSAGES).contains(&self.input.messages.len()) {
            violations.add(
                field("input.messages"),
                format!("must have 1 to {MESSAGES} entries"),
            );
        }
        let is_message = |message: &Map<String, Value>| {
            message.get("role").is_some_and(Value::is_string) && message.contains_key("content")
        };
        if !self.input.messages.iter().all(is_message) {
            violations.add(
                field("input.messages"),
                "must be messages with a role and a content",
            );
        }
        if self.input.max_tokens == Some(0) {
            violations.add(field("input.max_tokens"), "must be above 0");
        }
        if self.tags.len() > TAGS || self.tags.iter().any(|tag| !is_id(tag)) {
            violations.add(field("tags"), format!("must be at most {TAGS} words"));
        }
        match &self.expected {
            None => violations.add(field("expected"), "is required"),
            Some(expected) => {
                violations.one_of(
                    &field("expected.strategy"),
                    &expected.strategy,
                    &grade::STRATEGIES,
                );
                violations.length(&field("expected.value"), &expected.value, 1..=VALUE_CHARS);
                if let Err(problem) = grade::readable(expected) {
                    violations.add(field("expected.value"), problem);
                }
            }
        }
    }
}

const ID_RULE: &str = "must have 1 to 100 letters, digits and `._-`";

fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=ID_CHARS).contains(&text.len()) && text.chars().all(plain)
}

/// `runs` is a path of its own.
pub fn check_id(field: &str, id: &str) -> Result<(), ApiError> {
    match is_id(id) && id != "runs" {
        true => Ok(()),
        false => Err(ApiError::invalid(field, ID_RULE)),
    }
}

/// In the order of their ids.
pub async fn all(pool: &PgPool) -> Result<Vec<Suite>, sqlx::Error> {
    let mut conn = pool.acquire().await?;
    let ids = sqlx::query_scalar!("select id from eval_suite order by builtin desc, id")
        .fetch_all(&mut *conn)
        .await?;
    let mut suites = Vec::with_capacity(ids.len());
    for id in ids {
        suites.extend(find_in(&mut conn, &id).await?);
    }
    Ok(suites)
}

pub async fn find(pool: &PgPool, id: &str) -> Result<Option<Suite>, sqlx::Error> {
    find_in(&mut *pool.acquire().await?, id).await
}

pub async fn find_in(conn: &mut PgConnection, id: &str) -> Result<Option<Suite>, sqlx::Error> {
    let suite = sqlx::query!(
        "select id, name, description, builtin from eval_suite where id = $1",
        id
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(suite) = suite else { return Ok(None) };
    let cases = sqlx::query!(
        r#"select id, name, model, input as "input: SqlJson<Input>", expected as "expected: SqlJson<Expected>", tags
           from eval_case where suite_id = $1 order by position"#,
        id,
    )
    .fetch_all(conn)
    .await?;
    let case = cases.into_iter().map(|row| Case {
        id: row.id,
        name: row.name,
        model: row.model,
        input: row.input.0,
        expected: Some(row.expected.0),
        tags: row.tags,
    });
    Ok(Some(Suite {
        id: suite.id,
        name: suite.name,
        description: suite.description,
        builtin: suite.builtin,
        cases: case.collect(),
    }))
}

/// Whether the suite is new.
pub async fn save(conn: &mut PgConnection, id: &str, body: &SuiteBody) -> Result<bool, sqlx::Error> {
    let is_new = sqlx::query_scalar!(
        r#"insert into eval_suite (id, name, description) values ($1, $2, $3)
           on conflict (id) do update set name = excluded.name, description = excluded.description
           returning (xmax = 0) as "is_new!""#,
        id,
        body.name.trim(),
        body.description,
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query!("delete from eval_case where suite_id = $1", id)
        .execute(&mut *conn)
        .await?;
    for (position, case) in (1..).zip(&body.cases) {
        sqlx::query!(
            "insert into eval_case (suite_id, id, position, name, model, input, expected, tags)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            id,
            case.id,
            position,
            case.name.trim(),
            case.model,
            json!(case.input),
            json!(case.expected),
            &case.tags,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(is_new)
}

/// Whether it was one to be removed; `None` if there is none.
pub async fn delete(conn: &mut PgConnection, id: &str) -> Result<Option<bool>, sqlx::Error> {
    let builtin = sqlx::query_scalar!("select builtin from eval_suite where id = $1", id)
        .fetch_optional(&mut *conn)
        .await?;
    if builtin == Some(false) {
        sqlx::query!("delete from eval_suite where id = $1", id)
            .execute(conn)
            .await?;
    }
    Ok(builtin.map(|builtin| !builtin))
}
