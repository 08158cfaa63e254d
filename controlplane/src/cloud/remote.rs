//! The cloud endpoint: what is asked of it, and how it answers.
//!
//! `POST` and `DELETE {CLOUD_URL}/sync/{cluster id}` · `GET {CLOUD_URL}/{cluster id}/v1/verify`
//!
//! Every request is signed; `docs/cloud-sync.md` says how, for whoever writes the other end.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Method, Request, header};
use http_body_util::Full;
use runtime::egress::Egress;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;
use tokio::time::timeout;
use url::Url;

use super::{contents::Contents, seal::SyncKey};
use crate::probe::{self, Answer, ProbeError};

pub struct Remote {
    pub url: Url,
    pub key: SyncKey,
    pub timeout: Duration,
}

#[derive(Debug, Error)]
pub enum RemoteError {
    #[error("the cloud endpoint did not answer in time")]
    Late,
    #[error("the cloud endpoint answered with status {0}")]
    Refused(u16),
    #[error("the cloud endpoint cannot be reached")]
    Unreachable(#[source] ProbeError),
    #[error("the address of the cloud endpoint is refused: {0}")]
    Blocked(String),
    #[error("the cloud endpoint answered with something else than this protocol has")]
    Odd,
}

/// What it says to a copy.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reply {
    pub data: Data,
    /// For people.
    pub changes: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Data {
    /// By the id of a connection.
    pub providers: BTreeMap<String, NewTokens>,
}

/// Tokens that were renewed elsewhere, sealed as in what was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NewTokens {
    pub access_token: Option<String>,
    pub refresh_token: Option<String>,
    pub expires_at: Option<DateTime<Utc>>,
}

// === impl Remote ===

impl Remote {
    /// Replaces the copy.
    pub async fn push(
        &self,
        egress: &Egress,
        cluster_id: &str,
        contents: &Contents,
    ) -> Result<Reply, RemoteError> {
        let body = serde_json::to_vec(contents).map_err(|_| RemoteError::Odd)?;
        let path = format!("/sync/{cluster_id}");
        let answer = self.call(egress, Method::POST, &path, body).await?;
        match answer.body.is_empty() {
            true => Ok(Reply::default()),
            false => serde_json::from_slice(&answer.body).map_err(|_| RemoteError::Odd),
        }
    }

    /// Removes the copy. One that is not there is removed already.
    pub async fn remove(&self, egress: &Egress, cluster_id: &str) -> Result<(), RemoteError> {
        let path = format!("/sync/{cluster_id}");
        match self.call(egress, Method::DELETE, &path, Vec::new()).await {
            Ok(_) | Err(RemoteError::Refused(404 | 410)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether it is there and knows us.
    pub async fn verify(&self, egress: &Egress, cluster_id: &str) -> Result<(), RemoteError> {
        let path = format!("/{cluster_id}/v1/verify");
        self.call(egress, Method::GET, &path, Vec::new()).await?;
        Ok(())
    }

    async fn call(
        &self,
        egress: &Egress,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Answer, RemoteError> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        let now = Utc::now().timestamp();
        let signature = self.key.sign(now, method.as_str(), url.path(), &body);
        let request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                header::USER_AGENT,
                concat!("omniroute/", env!("CARGO_PKG_VERSION")),
            )
            .header("x-sync-timestamp", now)
            .header("x-sync-signature", signature)
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| RemoteError::Odd)?;
        // the operator named the address where the process starts, so it may be one of the house
        let exchange = probe::exchange(egress, request, &url, true, None);
        let answer = match timeout(self.timeout, exchange).await {
            Err(_) | Ok(Err(ProbeError::Timeout)) => return Err(RemoteError::Late),
            Ok(Err(ProbeError::Blocked(why))) => return Err(RemoteError::Blocked(why)),
            Ok(Err(error)) => return Err(RemoteError::Unreachable(error)),
            Ok(Ok(answer)) => answer,
        };
        match answer.status.is_success() {
            true => Ok(answer),
            false => Err(RemoteError::Refused(answer.status.as_u16())),
        }
    }
}
