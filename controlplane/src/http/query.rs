//! Reading the query string and the path.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{
    api::Ctx,
    error::{ApiError, Violation},
};

/// The query string as `T`; a value of the wrong type is a 400 in our envelope.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Ctx> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, ctx).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(ApiError::Invalid(vec![Violation::new("", rejection.body_text())])),
        }
    }
}

/// An id from the path: one that is no UUID names nothing that exists.
pub fn uuid_or_missing(what: &'static str, id: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(id).map_err(|_| ApiError::not_found(what, id))
}

/// Requires `value` to be one of `known`.
pub fn one_of(field: &str, value: &str, known: &[&str]) -> Result<(), ApiError> {
    if known.contains(&value) {
        return Ok(());
    }
    Err(ApiError::invalid(
        field,
        format!("must be one of {}", known.join(", ")),
    ))
}
