//! JSON bodies: read under a limit, checked field by field, refused with a path to what is wrong.

use std::{fmt::Display, ops::RangeInclusive};

use axum::{
    extract::{FromRequest, OptionalFromRequest, Request},
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use crate::{
    api::Ctx,
    error::{ApiError, Violation},
};

/// A body that a handler can take as [`Json`], or as `Option<Json>` where there may be none. Derive `Deserialize` with `deny_unknown_fields`.
pub trait Body: DeserializeOwned {
    /// Fields of an answer that a client may send back unchanged after reading; they are ignored.
    const READ_ONLY: &'static [&'static str] = &[];
    /// Fields that must be there and not null.
    const REQUIRED: &'static [&'static str] = &[];

    /// Rules beyond the type.
    fn check(&self, violations: &mut Violations);
}

/// The request's JSON body as `T`.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// A field of a partial update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Absent: leave it as it is.
    #[default]
    Keep,
    /// `null`: back to the default.
    Clear,
    Set(T),
}

/// Collects what is wrong with a body, so that the client learns all of it at once.
#[derive(Debug, Default)]
pub struct Violations(Vec<Violation>);

// === impl Json ===

impl<T: Body> FromRequest<Ctx> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, ctx: &Ctx) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::MediaType);
        }
        let bytes = read(request.into_body(), ctx.config.max_body_size_bytes).await?;
        parse(&bytes).map(Self)
    }
}

impl<T: Body> OptionalFromRequest<Ctx> for Json<T> {
    type Rejection = ApiError;

    /// `None` for an empty body, whatever the request says about it: many clients always announce JSON.
    async fn from_request(request: Request, ctx: &Ctx) -> Result<Option<Self>, ApiError> {
        let is_json = is_json(request.headers());
        let bytes = read(request.into_body(), ctx.config.max_body_size_bytes).await?;
        match bytes.is_empty() {
            true => Ok(None),
            false if !is_json => Err(ApiError::MediaType),
            false => parse(&bytes).map(|value| Some(Self(value))),
        }
    }
}

// === impl Patch ===

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

impl<T> Patch<T> {
    /// The value after the patch, over the value before.
    pub fn over(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }

    pub fn set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

// === impl Violations ===

impl Violations {
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Violation::new(field, message));
    }

    /// The length of a text, in characters.
    pub fn length(&mut self, field: &str, text: &str, allowed: RangeInclusive<usize>) {
        let (min, max) = (*allowed.start(), *allowed.end());
        if !allowed.contains(&text.chars().count()) {
            self.add(field, format!("must have {min} to {max} characters"));
        }
    }

    pub fn range<N: PartialOrd + Display>(&mut self, field: &str, value: N, allowed: RangeInclusive<N>) {
        if !allowed.contains(&value) {
            self.add(field, format!("must be {} to {}", allowed.start(), allowed.end()));
        }
    }

    pub fn one_of(&mut self, field: &str, value: &str, known: &[&str]) {
        if !known.contains(&value) {
            self.add(field, format!("must be one of {}", known.join(", ")));
        }
    }

    pub fn into_result(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Invalid(self.0))
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let announced = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media = announced.and_then(|value| value.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// Counts while reading, for a chunked body announces no length.
async fn read(mut body: axum::body::Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::invalid("", "the body ended before it was complete"))?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(ApiError::BodyTooLarge { limit });
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes.freeze())
}

fn parse<T: Body>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut object: Map<String, Value> = serde_json::from_slice(bytes)
        .map_err(|error| ApiError::invalid("", format!("the body is no JSON object: {error}")))?;
    if let Some((field, _)) = object
        .iter()
        .find(|(name, value)| name.contains('\0') || has_nul(value))
    {
        let field = field.replace('\0', "");
        return Err(ApiError::invalid(field, "may not hold the character U+0000"));
    }
    for field in T::READ_ONLY {
        object.remove(*field);
    }
    let missing = T::REQUIRED
        .iter()
        .filter(|field| object.get(**field).is_none_or(Value::is_null));
    let missing: Vec<Violation> = missing.map(|field| Violation::missing(*field)).collect();
    if !missing.is_empty() {
        return Err(ApiError::Invalid(missing));
    }
    let value: T = serde_path_to_error::deserialize(Value::Object(object)).map_err(|error| {
        let field = dotted(error.path());
        ApiError::invalid(field, without_value(&error.into_inner().to_string()))
    })?;
    let mut violations = Violations::default();
    value.check(&mut violations);
    violations.into_result()?;
    Ok(value)
}

/// A place inside a body as violations name it: `models.0.weight`.
fn dotted(path: &Path) -> String {
    let segments = path.iter().map(|segment| match segment {
        Segment::Seq { index } => index.to_string(),
        Segment::Map { .. } | Segment::Enum { .. } | Segment::Unknown => segment.to_string(),
    });
    segments.collect::<Vec<_>>().join(".")
}

/// No text of Postgres holds it, in columns and in JSON.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Serde quotes the value it did not expect, which may be a secret in a field of the wrong type.
fn without_value(message: &str) -> String {
    match message.split_once(", expected ") {
        Some((problem, expected)) if problem.starts_with("invalid ") => format!("must be {expected}"),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        name: String,
        #[serde(default)]
        limit: Patch<u32>,
    }

    impl Body for Thing {
        const READ_ONLY: &'static [&'static str] = &["id"];
        const REQUIRED: &'static [&'static str] = &["name"];

        fn check(&self, violations: &mut Violations) {
            violations.length("name", &self.name, 1..=5);
        }
    }

    fn refusal(body: &str) -> (String, Vec<Violation>) {
        let error = parse::<Thing>(body.as_bytes()).unwrap_err();
        (error.kind().code.to_owned(), error.details().to_vec())
    }

    #[test]
    fn a_read_only_field_is_ignored_and_an_unknown_one_refused() {
        assert_eq!(parse::<Thing>(br#"{"id":"x","name":"ok"}"#).unwrap().name, "ok");
        let (code, details) = refusal(r#"{"name":"ok","nmae":1}"#);
        assert_eq!(code, "VALIDATION_001");
        assert!(details[0].message.contains("unknown field `nmae`"), "{details:?}");
    }

    #[test]
    fn a_text_that_the_database_cannot_hold_is_refused_wherever_it_is() {
        for body in [
            r#"{"name":"a\u0000"}"#,
            r#"{"name":"a","limit":[{"\u0000":1}]}"#,
            r#"{"\u0000":1}"#,
        ] {
            assert_eq!(refusal(body).0, "VALIDATION_001", "{body}");
        }
    }

    #[test]
    fn a_missing_or_null_required_field_has_a_code_of_its_own() {
        for body in ["{}", r#"{"name":null}"#] {
            let (code, details) = refusal(body);
            assert_eq!(
                (code.as_str(), details[0].field.as_str()),
                ("VALIDATION_002", "name")
            );
        }
    }

    #[test]
    fn a_wrong_type_and_a_broken_rule_name_their_field() {
        for body in [r#"{"name":1}"#, r#"{"name":"too long"}"#] {
            let (code, details) = refusal(body);
            assert_eq!(
                (code.as_str(), details[0].field.as_str()),
                ("VALIDATION_001", "name")
            );
        }
        assert!(
            !refusal(r#"{"name":421337}"#).1[0].message.contains("421337"),
            "a value is not quoted"
        );
        for body in ["", "[]", "{", "null", r#"{"name":"a"}x"#] {
            assert_eq!(refusal(body).0, "VALIDATION_001", "{body}");
        }
    }

    #[test]
    fn a_place_in_a_list_is_a_segment_of_the_path() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Lists {
            #[expect(dead_code, reason = "only its type matters")]
            lists: Vec<Vec<u32>>,
        }
        impl Body for Lists {
            fn check(&self, _: &mut Violations) {}
        }
        let error = parse::<Lists>(br#"{"lists":[[1],[2,"x"]]}"#).unwrap_err();
        assert_eq!(error.details()[0].field, "lists.1.1");
    }

    #[test]
    fn a_patch_tells_absent_from_null() {
        let patch = |body: &str| parse::<Thing>(body.as_bytes()).unwrap().limit;
        assert_eq!(patch(r#"{"name":"a"}"#), Patch::Keep);
        assert_eq!(patch(r#"{"name":"a","limit":null}"#), Patch::Clear);
        assert_eq!(patch(r#"{"name":"a","limit":3}"#), Patch::Set(3));
    }
}
