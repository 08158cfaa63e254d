//! `GET /api/usage/stream` — the log as it grows, as server-sent events: whatever control plane stored a request.
//!
//! An event is a request that passes the filters of the log, in the order in which they were stored. `Last-Event-ID` goes
//! on behind one; where that cannot be, and where a reader is too slow, an event `missed` says so, and the log has
//! everything. Who watches is looked at again and again: a session that ends, ends its streams.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, stream};
use serde::Deserialize;
use tokio::{
    sync::broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
    time::{Interval, MissedTickBehavior, interval},
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{LogQuery, find::Filter, read};
use crate::{
    api::Ctx,
    arrivals::{News, Stored, Watch},
    error::ApiError,
    http::{Query, Reader, edge::AnswerHeaders},
};

const LAST_EVENT_ID: &str = "last-event-id";
/// Streams of this process.
const WATCHERS: usize = 200;
/// How long somebody whose session ended is told at most.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// Proxies end what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Of a reader's answer, how long a browser waits that lost the connection.
const RETRY: Duration = Duration::from_secs(2);
/// Requests that are looked up at a time.
const AT_ONCE: usize = 500;
/// The end of a stretch of time is not in it.
const SLACK: TimeDelta = TimeDelta::seconds(1);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// As in `/api/usage/call-logs`, and so the next.
    status: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    account: Option<String>,
    #[serde(rename = "apiKey")]
    api_key: Option<String>,
    combo: Option<String>,
    search: Option<String>,
}

/// An event of the stream, field by field.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what is sent is text; this says what it is made of")]
pub struct LogEvent {
    /// `request` or `missed`.
    event: String,
    /// JSON: a request as in `/api/usage/call-logs`, or nothing more than `{}`.
    data: String,
    /// Of a request.
    id: Option<String>,
}

/// One reader.
struct Feed {
    ctx: Ctx,
    /// Who asked, to be looked at again.
    parts: Parts,
    query: LogQuery,
    news: Receiver<News>,
    /// What is known to be stored, and is not looked up yet.
    stored: VecDeque<Stored>,
    ready: VecDeque<Event>,
    again: Interval,
}

// === impl StreamQuery ===

impl From<StreamQuery> for LogQuery {
    fn from(query: StreamQuery) -> Self {
        Self {
            limit: None,
            format: None,
            cursor: None,
            from: None,
            to: None,
            status: query.status,
            model: query.model,
            provider: query.provider,
            account: query.account,
            api_key: query.api_key,
            combo: query.combo,
            search: query.search,
        }
    }
}

/// Events `request`, each with a request as in `/api/usage/call-logs` and its id, as requests are stored; and `missed`,
/// when there were some that this reader was not told of.
#[utoipa::path(get, path = "/api/usage/stream", tag = "usage",
    params(StreamQuery, ("Last-Event-ID" = Option<String>, Header, description = "the id of the last request seen")),
    responses((status = 200, content_type = "text/event-stream", body = LogEvent), (status = 400), (status = 429)))]
pub async fn stream(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<StreamQuery>,
    mut parts: Parts,
) -> Result<Response, ApiError> {
    // headers are sent once, and who is looked at again and again would add to them each time
    parts.extensions.remove::<AnswerHeaders>();
    let query = LogQuery::from(query);
    // says what is wrong before there is a stream
    query.filter(ctx.db.pool()).await?;
    if ctx.arrivals.watchers() >= WATCHERS {
        return Err(ApiError::RateLimited {
            retry_after: ASK_AGAIN,
        });
    }
    let last = parts.headers.get(LAST_EVENT_ID);
    let last = last.map(|id| id.to_str().ok().and_then(|id| Uuid::try_parse(id).ok()));
    let Watch { news, since } = match last {
        // an id of nobody's is one that is forgotten
        Some(None) => Watch {
            since: None,
            ..ctx.arrivals.watch(None)
        },
        Some(last) => ctx.arrivals.watch(last),
        None => ctx.arrivals.watch(None),
    };
    let mut again = interval(ASK_AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    again.reset();
    // headers go out with it, and a browser knows that it is connected
    let mut ready = VecDeque::from([Event::default().retry(RETRY).comment("the log")]);
    if since.is_none() {
        ready.push_back(missed());
    }
    let feed = Feed {
        ctx,
        parts,
        query,
        news,
        stored: since.unwrap_or_default().into(),
        ready,
        again,
    };
    let heartbeat = KeepAlive::new().interval(HEARTBEAT);
    let mut response = Sse::new(feed.events()).keep_alive(heartbeat).into_response();
    // tells nginx to pass on every event as it comes
    let headers = response.headers_mut();
    headers.insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    Ok(response)
}

// === impl Feed ===

impl Feed {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> + Send {
        stream::unfold(self, async |mut feed| {
            let event = feed.next().await?;
            Some((Ok(event), feed))
        })
    }

    /// None at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.stored.is_empty() {
                self.wait().await?;
            }
            if self.stored.is_empty() {
                continue;
            }
            if !self.may_watch().await {
                return None;
            }
            self.look_up().await;
        }
    }

    /// For news; none when this is to end.
    async fn wait(&mut self) -> Option<()> {
        tokio::select! {
            () = self.ctx.drain.cancelled() => return None,
            _ = self.again.tick() => return self.may_watch().await.then_some(()),
            news = self.news.recv() => match news {
                Ok(news) => self.hear(news),
                Err(RecvError::Lagged(_)) => self.miss(),
                Err(RecvError::Closed) => return None,
            },
        }
        loop {
            match self.news.try_recv() {
                Ok(news) => self.hear(news),
                Err(TryRecvError::Lagged(_)) => self.miss(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Some(()),
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Stored(stored) => self.stored.push_back(Stored::clone(&stored)),
            News::Missed => self.miss(),
        }
    }

    /// Whatever waits is among what was missed.
    fn miss(&mut self) {
        self.stored.clear();
        self.ready.clear();
        self.ready.push_back(missed());
    }

    async fn may_watch(&mut self) -> bool {
        Reader::from_request_parts(&mut self.parts, &self.ctx)
            .await
            .is_ok()
    }

    async fn look_up(&mut self) {
        let mut ids = Vec::new();
        let (mut from_ms, mut to_ms) = (i64::MAX, i64::MIN);
        while ids.len() < AT_ONCE
            && let Some(stored) = self.stored.pop_front()
        {
            from_ms = from_ms.min(stored.from_ms);
            to_ms = to_ms.max(stored.to_ms);
            ids.extend(stored.ids);
        }
        match self.rows(&ids, from_ms, to_ms).await {
            Ok(events) => self.ready.extend(events),
            Err(error) => {
                tracing::debug!(%error, "requests cannot be looked up for who watches the log");
                self.ready.push_back(missed());
            }
        }
    }

    /// Names may be new since the last time, so what the filters mean is asked each time.
    async fn rows(&self, ids: &[Uuid], from_ms: i64, to_ms: i64) -> Result<Vec<Event>, ApiError> {
        let at = |ms, slack| {
            DateTime::<Utc>::from_timestamp_millis(ms).and_then(|at| at.checked_add_signed(slack))
        };
        let Some(filter) = self.query.filter(self.ctx.db.pool()).await? else {
            return Ok(Vec::new());
        };
        let filter = Filter {
            ids: Some(ids.to_vec()),
            from: at(from_ms, -SLACK),
            to: at(to_ms, SLACK),
            ..filter
        };
        let limit = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        let (mut rows, _) = read(&self.ctx, limit, None, &filter).await?;
        rows.sort_by_key(|row| ids.iter().position(|id| *id == row.id));
        rows.iter()
            .map(|row| {
                let event = Event::default().event("request").id(row.id.to_string());
                event.json_data(row).map_err(ApiError::internal)
            })
            .collect()
    }
}

fn missed() -> Event {
    Event::default().event("missed").data("{}")
}
