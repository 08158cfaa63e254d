//! What browsers may do here: one rule for every path, and whose pages may do it.

use crate::pipeline::Gateway;
use crate::routing::Origins;
use anyhow::Context;
use axum::extract::Request;
use axum::response::Response;
use futures::future::Either;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER};
use std::sync::Arc;
use std::task::{self, Poll};
use tower::{Layer, Service};
use tower_http::cors::{self, AllowOrigin, CorsLayer};

/// What a browser may send. SDKs that run in one add headers about themselves, and a single one that is not named
/// fails the whole request.
const REQUEST_HEADERS: [HeaderName; 29] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("x-goog-api-client"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-omniroute-cache-threshold"),
    HeaderName::from_static("x-omniroute-no-cache"),
    HeaderName::from_static("x-omniroute-progress"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-dangerous-direct-browser-access"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    HeaderName::from_static("user-agent"),
    HeaderName::from_static("x-stainless-arch"),
    HeaderName::from_static("x-stainless-async"),
    HeaderName::from_static("x-stainless-custom-poll-interval"),
    HeaderName::from_static("x-stainless-helper-method"),
    HeaderName::from_static("x-stainless-lang"),
    HeaderName::from_static("x-stainless-os"),
    HeaderName::from_static("x-stainless-package-version"),
    HeaderName::from_static("x-stainless-poll-helper"),
    HeaderName::from_static("x-stainless-retry-count"),
    HeaderName::from_static("x-stainless-runtime"),
    HeaderName::from_static("x-stainless-runtime-version"),
    HeaderName::from_static("x-stainless-timeout"),
];

/// What a browser may read.
const RESPONSE_HEADERS: [HeaderName; 16] = [
    HeaderName::from_static("x-omniroute-attempts"),
    HeaderName::from_static("x-omniroute-budget-warning"),
    HeaderName::from_static("x-omniroute-cache"),
    HeaderName::from_static("x-omniroute-cache-similarity"),
    HeaderName::from_static("x-omniroute-degraded"),
    HeaderName::from_static("x-omniroute-idempotent"),
    HeaderName::from_static("x-omniroute-progress"),
    HeaderName::from_static("x-omniroute-translation"),
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
    HeaderName::from_static("x-request-id"),
    RETRY_AFTER,
];

/// Tells browsers who may read an answer. Every other client is passed through.
#[derive(Clone)]
pub struct CorsRules(Arc<Rules>);

struct Rules {
    gateway: Arc<Gateway>,
    /// As long as the configuration does not say.
    at_boot: Origins,
    /// All but for whose pages it is.
    layer: CorsLayer,
}

/// A service that tells browsers.
#[derive(Clone)]
pub struct Told<S> {
    rules: Arc<Rules>,
    inner: S,
}

// === impl CorsRules ===

impl CorsRules {
    pub fn new(gateway: Arc<Gateway>) -> anyhow::Result<Self> {
        let list = &gateway.edge.cors_origin;
        HeaderValue::from_str(list).context("CORS_ORIGIN is not a list of origins")?;
        // a bare `*` would not cover Authorization, so every header is named
        let layer = CorsLayer::new()
            .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
            .allow_headers(REQUEST_HEADERS)
            .expose_headers(RESPONSE_HEADERS);
        Ok(Self(Arc::new(Rules {
            at_boot: Origins::of_list(list),
            gateway,
            layer,
        })))
    }
}

impl<S> Layer<S> for CorsRules {
    type Service = Told<S>;

    fn layer(&self, inner: S) -> Told<S> {
        Told {
            rules: self.0.clone(),
            inner,
        }
    }
}

// === impl Rules ===

impl Rules {
    /// What a page of `origin` is told.
    fn allow(&self, origin: Option<&HeaderValue>) -> AllowOrigin {
        let table = self.gateway.routing.load();
        let configured = table.as_ref().and_then(|table| table.origins());
        let origins = configured.unwrap_or(&self.at_boot);
        if *origins == Origins::Any {
            return AllowOrigin::any();
        }
        // a list, even of one, makes the answer vary with the origin, or a cache would give it to other pages
        AllowOrigin::list(origin.filter(|origin| origins.allow(origin)).cloned())
    }
}

// === impl Told ===

impl<S> Service<Request> for Told<S>
where
    S: Service<Request, Response = Response> + Clone,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, cors::ResponseFuture<S::Future>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let origin = request.headers().get(ORIGIN);
        // what a cache may keep says what it varies with, whoever asked
        if origin.is_none() && request.method() == Method::POST {
            return Either::Left(self.inner.call(request));
        }
        let layer = self.rules.layer.clone().allow_origin(self.rules.allow(origin));
        Either::Right(layer.layer(self.inner.clone()).call(request))
    }
}
