//! One attempt: a call to one account, up to its answer or the first output of its stream.

use super::Gateway;
use super::form::{self, Upload};
use super::lease::Lease;
use crate::routing::{Connection, NotRenewed, Outlet};
use crate::upstream::{self, Incoming, Outgoing};
use bytes::Bytes;
use chrono::Utc;
use http::header::CONTENT_TYPE;
use http::response;
use http::{HeaderMap, HeaderValue, Method};
use http_body::Body;
use http_body_util::BodyExt;
use llm::{Ask, Call, ErrorKind, Kind, Progress, Pump, ReplySeed, UpstreamError};
use runtime::egress::Payload;
use runtime::service_account::Bearer;
use std::borrow::Cow;
use std::pin::pin;
use tokio::time::{Instant, timeout_at};

const EVENTS: &str = "text/event-stream";
const ANY_SOUND: HeaderValue = HeaderValue::from_static("audio/mpeg");
/// What an answer calls itself that is no sound although one was asked for.
pub(super) const NO_SOUND: &[&str] = &["application/json", "text/html"];

pub enum Reply {
    /// In the client's dialect and complete: a unary answer, or a stream that was made from one.
    Whole {
        body: Bytes,
        progress: Box<Progress>,
        /// Where it need not be JSON.
        media_type: Option<HeaderValue>,
    },
    /// Its first event of output is in `ready`; the rest is in `body`.
    Stream {
        body: Incoming,
        pump: Box<Pump>,
        ready: Vec<Bytes>,
        /// What is no conversation is passed on as what the provider calls it.
        labels: Labels,
    },
}

/// What a provider says of an answer that is passed on.
#[derive(Debug, Default)]
pub struct Labels {
    pub media_type: Option<HeaderValue>,
    /// How long it is, where that is known before.
    pub length: Option<HeaderValue>,
}

/// What the client sent.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    pub ask: &'a Ask,
    pub headers: &'a HeaderMap,
    pub files: &'a [Upload],
}

/// What is the same for all attempts of a request.
pub struct Exchange<'a> {
    pub gateway: &'a Gateway,
    pub sent: Sent<'a>,
    pub seed: ReplySeed,
    /// When looking for an answer has to stop.
    pub until: Instant,
}

// === impl Exchange ===

impl Exchange<'_> {
    /// Sends a call and waits for the answer, or for the first output of a stream.
    pub async fn attempt(&self, call: &Call, lease: &Lease) -> Result<Reply, UpstreamError> {
        let config = &self.gateway.upstream;
        // a picture is not there sooner because it comes as an event
        let patience = if self.sent.ask.stream() && self.sent.ask.is_chat() {
            config.first_event()
        } else {
            config.unary()
        };
        let deadline = (Instant::now() + patience).min(self.until);
        match timeout_at(deadline, pin!(self.converse(call, lease))).await {
            Ok(reply) => reply,
            Err(_) => Err(UpstreamError::new(
                ErrorKind::Timeout,
                "the provider did not answer in time",
            )),
        }
    }

    /// Two refusals are no last word. An access token may have ended: the call is made again with a newer one.
    /// Reasoning that another lease encrypted, or long ago, is refused: without it the question can be answered.
    async fn converse(&self, call: &Call, lease: &Lease) -> Result<Reply, UpstreamError> {
        let routing = &self.gateway.routing;
        let mut connection = routing
            .with_good_token(&lease.connection)
            .await
            .map_err(signed_out)?;
        let mut bearer = self.bearer(&connection, lease, None).await?;
        let mut refusal = match self.exchange(call, lease, &connection, bearer.as_ref()).await {
            Err(refusal) => refusal,
            reply => return reply,
        };
        let ends = connection.token.is_some() || bearer.is_some();
        if ends && refusal.status == Some(401) {
            match bearer {
                Some(refused) => bearer = self.bearer(&connection, lease, Some(&refused)).await?,
                None => connection = Box::pin(routing.renewed(&connection)).await.map_err(signed_out)?,
            }
            refusal = match self.exchange(call, lease, &connection, bearer.as_ref()).await {
                Err(refusal) => refusal,
                reply => return reply,
            };
        }
        match call.without_reasoning(&refusal).map(Box::new) {
            Some(call) => Box::pin(self.exchange(&call, lease, &connection, bearer.as_ref())).await,
            None => Err(refusal),
        }
    }

    /// What an account calls with that has a key for tokens; nothing for one that brings its own.
    async fn bearer(
        &self,
        connection: &Connection,
        lease: &Lease,
        refused: Option<&Bearer>,
    ) -> Result<Option<Bearer>, UpstreamError> {
        let Some(grant) = &connection.grant else {
            return Ok(None);
        };
        let path = upstream::Path {
            allow_private: connection.allow_private_address,
            proxy: lease.outlet().map(Outlet::proxy),
        };
        let bearer = upstream::bearer(&self.gateway.egress, grant, path, refused);
        Box::pin(bearer).await.map(Some)
    }

    async fn exchange(
        &self,
        call: &Call,
        lease: &Lease,
        connection: &Connection,
        bearer: Option<&Bearer>,
    ) -> Result<Reply, UpstreamError> {
        if let Some(turn) = call.first_turn() {
            return Box::pin(self.ask_vendor(call, turn, lease, (connection, bearer))).await;
        }
        let kind = call.kind();
        let model = &lease.route.model;
        let url = match kind {
            Kind::Chat => connection.chat_url(model, self.sent.ask.stream()),
            _ => connection.service_url(kind, model).map(Cow::Owned),
        };
        let url = url.ok_or_else(nowhere)?;
        let client = |name: &'static str| self.sent.headers.get(name)?.to_str().ok().map(str::to_owned);
        let (mut headers, mut bytes) = (call.headers(&client), call.body());
        if let Some(platform) = connection.spec.platform.filter(|_| kind == Kind::Chat) {
            bytes = platform.dress(&bytes, &mut headers);
        }
        let mut body = Payload::from(bytes.clone());
        if kind.file().is_some() {
            let (media_type, form) = form::encode(&call.body(), self.sent.files)?;
            headers.push((CONTENT_TYPE.as_str(), media_type));
            body = form;
        }
        headers.extend(lease.trace.iter().cloned());
        if let Some(signer) = &connection.signer {
            headers.extend(upstream::signature(signer, &url, &bytes, Utc::now()));
        }
        let outgoing = Outgoing {
            method: Method::POST,
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
            return Err(Box::pin(refusal(connection, &head, body)).await);
        }
        if !kind.converses() {
            self.read_service_reply(call, lease, &head, body).await
        } else if self.sent.ask.stream() {
            self.open_stream(call, lease, &head, body).await
        } else {
            self.read_reply(call, lease, &head, body).await
        }
    }

    /// Reads on until the first event of output.
    async fn open_stream(
        &self,
        call: &Call,
        lease: &Lease,
        head: &response::Parts,
        body: Incoming,
    ) -> Result<Reply, UpstreamError> {
        if content_is(head, call.wire().types_of_a_whole_reply()) {
            let whole = upstream::read_whole(body, self.gateway.upstream.max_reply_bytes).await?;
            let mut progress = measured(lease);
            let body = call.replay(whole, &self.seed, &mut progress)?;
            return Ok(Reply::Whole {
                body,
                progress,
                media_type: None,
            });
        }
        let pump = call.pump(&self.seed);
        self.begin(pump, lease, Labels::default(), body).await
    }

    /// The answer of a service as it comes, if it is one that can be passed on so.
    pub(super) async fn pass_on(
        &self,
        call: &Call,
        lease: &Lease,
        head: &response::Parts,
        body: Incoming,
    ) -> Result<Reply, UpstreamError> {
        let in_events = content_is(head, &[EVENTS]);
        let pump = call.passage(in_events, &self.seed);
        let labels = Labels {
            media_type: head.headers.get(CONTENT_TYPE).cloned().or(Some(ANY_SOUND)),
            // an error may follow the events that were promised
            length: body
                .size_hint()
                .exact()
                .filter(|_| !in_events)
                .map(HeaderValue::from),
        };
        self.begin(pump, lease, labels, body).await
    }

    /// Reads on until the first output.
    async fn begin(
        &self,
        mut pump: Pump,
        lease: &Lease,
        labels: Labels,
        mut body: Incoming,
    ) -> Result<Reply, UpstreamError> {
        let mut ready = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| broke())?;
            let Ok(data) = frame.into_data() else { continue };
            pump.tick(lease.started.elapsed());
            pump.push(data, &mut ready);
            let progress = pump.progress();
            if progress.started {
                return Ok(Reply::Stream {
                    body,
                    pump: Box::new(pump),
                    ready,
                    labels,
                });
            }
            if let Some(error) = &progress.error {
                return Err(error.clone());
            }
        }
        pump.finish(&mut ready);
        let progress = Box::new(pump.progress().clone());
        match progress.error {
            Some(error) => Err(error),
            None => Ok(Reply::Whole {
                body: ready.concat().into(),
                progress,
                media_type: labels.media_type,
            }),
        }
    }

    /// Passed on as what the provider says it is.
    async fn read_service_reply(
        &self,
        call: &Call,
        lease: &Lease,
        head: &response::Parts,
        body: Incoming,
    ) -> Result<Reply, UpstreamError> {
        let is_sound = call.kind() == Kind::Speech && !content_is(head, NO_SOUND);
        if is_sound || content_is(head, &[EVENTS]) {
            return self.pass_on(call, lease, head, body).await;
        }
        let whole = upstream::read_whole(body, self.gateway.upstream.max_reply_bytes).await?;
        // a page of something in between is no answer, whatever its status
        if content_is(head, &["text/html"]) {
            return Err(no_answer());
        }
        let mut progress = measured(lease);
        let body = call.reply(whole, &self.seed, &mut progress)?;
        let media_type = head.headers.get(CONTENT_TYPE).cloned();
        Ok(Reply::Whole {
            body,
            progress,
            media_type,
        })
    }

    async fn read_reply(
        &self,
        call: &Call,
        lease: &Lease,
        head: &response::Parts,
        body: Incoming,
    ) -> Result<Reply, UpstreamError> {
        let whole = upstream::read_whole(body, self.gateway.upstream.max_reply_bytes).await?;
        let mut progress = measured(lease);
        // some providers only stream, and not all of those say so
        let streamed = content_is(head, &[EVENTS]) || call.wire().is_stream(&whole);
        let body = if streamed {
            call.fold(whole, &self.seed, &mut progress)?
        } else {
            call.reply(whole, &self.seed, &mut progress)?
        };
        Ok(Reply::Whole {
            body,
            progress,
            media_type: None,
        })
    }
}

/// What a provider said with an error status, with the time it asks for.
pub(super) async fn refusal(
    connection: &Connection,
    head: &response::Parts,
    body: Incoming,
) -> UpstreamError {
    let body = upstream::read_refusal(body).await;
    let header = |name: &'static str| head.headers.get(name)?.to_str().ok().map(str::to_owned);
    let upstream = llm::formats::upstream(connection.dialect);
    let mut error = upstream.decode_refusal(head.status.as_u16(), &header, &body);
    error.retry_after = upstream::retry_hint(&head.headers, &error, Utc::now());
    error
}

/// Nothing seen yet, except how long it took.
pub(super) fn measured(lease: &Lease) -> Box<Progress> {
    Box::new(Progress {
        elapsed: Some(lease.started.elapsed()),
        ..Progress::default()
    })
}

pub(super) fn content_is(head: &response::Parts, kinds: &[&str]) -> bool {
    let kind = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    kinds.iter().any(|known| {
        kind.get(..known.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(known))
    })
}

/// As if the provider had refused: the account rests, and the next one is tried.
fn signed_out(reason: NotRenewed) -> UpstreamError {
    UpstreamError::new(ErrorKind::UpstreamAuth, reason.to_string())
}

pub(super) fn nowhere() -> UpstreamError {
    UpstreamError::new(
        ErrorKind::Unavailable,
        "the provider has no address for this model",
    )
}

fn no_answer() -> UpstreamError {
    UpstreamError::new(
        ErrorKind::MalformedUpstream,
        "the provider answered with a web page instead of what was asked for",
    )
}

fn broke() -> UpstreamError {
    UpstreamError::new(
        ErrorKind::StreamIncomplete,
        "the connection to the provider broke before its first output",
    )
}
