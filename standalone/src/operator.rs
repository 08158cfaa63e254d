//! The process as an operator of itself: calls of the management API without a socket.
//!
//! What a first start sets up goes through the same handlers, checks and audit rows as what a person does.

use anyhow::Context;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::header::{CONTENT_TYPE, COOKIE};
use axum::http::{Method, Request};
use controlplane::account::Account;
use controlplane::db::Db;
use controlplane::session::{Session, Sessions};
use runtime::secret::Secret;
use serde_json::Value;
use std::net::SocketAddr;
use tower::ServiceExt;

const MAX_ANSWER: usize = 16 << 20;

pub struct Operator {
    router: Router,
    cookie: String,
}

// === impl Operator ===

impl Operator {
    /// Signs itself in: the process holds the secret that signs sessions.
    pub async fn sign_in(router: Router, db: &Db, jwt_secret: &Secret<String>) -> anyhow::Result<Self> {
        let (account, epoch) = Account::owner(db.pool()).await?;
        let session = Session::start(&account, epoch, chrono::Utc::now().timestamp());
        let cookie = Sessions::new(jwt_secret, false).cookie(&session, false)?;
        let pair = cookie.to_str()?.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { router, cookie: pair })
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header(COOKIE, &self.cookie)
            .header(CONTENT_TYPE, "application/json")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(body.map(|body| body.to_string()).unwrap_or_default()))?;
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 0))));
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .unwrap_or_else(|never| match never {});
        let status = response.status();
        let bytes = to_bytes(response.into_body(), MAX_ANSWER).await?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let reason = answer["error"]["message"]
            .as_str()
            .unwrap_or("no reason was given")
            .to_owned();
        Err(anyhow::anyhow!(reason)).with_context(|| format!("{method} {path} was answered {status}"))
    }
}
