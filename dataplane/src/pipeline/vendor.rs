//! A call to a provider that is asked in its own words: one turn after the other, until there is an answer.
//!
//! All of them are one attempt at one account: what was brought there is found there and nowhere else.

use super::exchange::{Exchange, NO_SOUND, Reply, content_is, measured, nowhere, refusal};
use super::form;
use super::lease::Lease;
use crate::routing::{Connection, Outlet};
use crate::upstream::{self, Incoming, Outgoing};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, response};
use llm::vendor::{self, Answer, Content, Done, Next, Turn};
use llm::{Call, ErrorKind, UpstreamError};
use runtime::egress::Payload;
use runtime::service_account::Bearer;
use std::time::Duration;
use tokio::time::sleep;

/// How long a provider may take for what it does not answer at once, beside the time for an answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Of a file whose client does not say what it is.
const ANY_FILE: &str = "application/octet-stream";

/// Whom a turn is put to, and what it comes with where that is no part of the account.
type Account<'a> = (&'a Connection, Option<&'a Bearer>);

// === impl Exchange ===

impl Exchange<'_> {
    pub(super) async fn ask_vendor(
        &self,
        call: &Call,
        mut turn: Turn,
        lease: &Lease,
        account: Account<'_>,
    ) -> Result<Reply, UpstreamError> {
        let mut waited = Duration::ZERO;
        loop {
            waited += turn.after;
            if waited > PATIENCE {
                return Err(UpstreamError::new(
                    ErrorKind::Timeout,
                    "the provider did not finish in time",
                ));
            }
            sleep(turn.after).await;
            let (head, body) = self.put(&turn, lease, account).await?;
            if call.passes_on(&turn) && !content_is(&head, NO_SOUND) {
                return self.pass_on(call, lease, &head, body).await;
            }
            let body = upstream::read_whole(body, self.gateway.upstream.max_reply_bytes).await?;
            let media_type = head.headers.get(CONTENT_TYPE);
            let answer = Answer {
                media_type: media_type.and_then(|value| value.to_str().ok()),
                body: &body,
            };
            match call.next_turn(&turn, &answer)? {
                Next::Turn(next) => turn = next,
                Next::Done(done) => return Ok(self.done(call, done, lease)),
            }
        }
    }

    async fn put(
        &self,
        turn: &Turn,
        lease: &Lease,
        (connection, bearer): Account<'_>,
    ) -> Result<(response::Parts, Incoming), UpstreamError> {
        let url = connection.url(&turn.path).ok_or_else(nowhere)?;
        let (media_type, body) = self.content(&turn.content)?;
        let mut headers = vec![(ACCEPT.as_str(), "*/*".to_owned())];
        headers.extend(lease.trace.iter().cloned());
        headers.extend(media_type.map(|media_type| (CONTENT_TYPE.as_str(), media_type)));
        let outgoing = Outgoing {
            method: match turn.method {
                vendor::Method::Get => Method::GET,
                vendor::Method::Post => Method::POST,
            },
            url: &url,
            headers: &connection.headers,
            dialect_headers: headers,
            bearer,
            body,
            allow_private: connection.allow_private_address,
            proxy: lease.outlet().map(Outlet::proxy),
        };
        let (head, body) = upstream::send(&self.gateway.egress, outgoing).await?.into_parts();
        if connection.rate_limit_protection {
            connection.account.limiter().observe(head.status, &head.headers);
        }
        if !head.status.is_success() {
            return Err(refusal(connection, &head, body).await);
        }
        Ok((head, body))
    }

    fn content(&self, content: &Content) -> Result<(Option<String>, Payload), UpstreamError> {
        match content {
            Content::None => Ok((None, Payload::from(Bytes::new()))),
            Content::Json(body) => Ok((Some("application/json".to_owned()), Payload::from(body.clone()))),
            Content::File => {
                let wanted = self.sent.ask.kind().file();
                let file = self
                    .sent
                    .files
                    .iter()
                    .find(|file| wanted.is_some_and(|name| file.is(name)));
                let file = file.ok_or_else(|| UpstreamError::new(ErrorKind::Internal, "the file is gone"))?;
                let media_type = file.media_type().unwrap_or(ANY_FILE).to_owned();
                Ok((Some(media_type), form::file(file)))
            }
        }
    }

    fn done(&self, call: &Call, done: Done, lease: &Lease) -> Reply {
        let media_type = HeaderValue::try_from(done.media_type.as_str()).ok();
        let mut progress = measured(lease);
        let body = call.service_reply(done, &self.seed, &mut progress);
        Reply::Whole {
            body,
            progress,
            media_type,
        }
    }
}
