//! The last hour of this control plane's log, as far as it is kept in memory.
//!
//! `GET /api/logs/console`
//!
//! Every replica has its own; the lines of a data plane are where its standard error goes.

use std::time::{Duration, SystemTime};

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use runtime::telemetry::Line;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing::Level;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    error::ApiError,
    http::{Operator, Query, Stamp, one_of},
};

const SINCE: Duration = Duration::from_secs(3600);
const LIMIT: usize = 200;
const MOST: usize = 2_000;
const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ConsoleQuery {
    /// Of this level or worse: `error`, `warn`, `info`, `debug` or `trace`.
    level: Option<String>,
    /// 1 to 2000, 200 unless told otherwise: the newest.
    limit: Option<usize>,
    /// A part of the program, such as `controlplane::publish`, with all below it.
    component: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConsoleLine)]
struct LineView {
    timestamp: Stamp,
    level: String,
    /// The part of the program that wrote it.
    component: String,
    message: String,
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(console))
}

// === impl LineView ===

impl From<Line> for LineView {
    fn from(line: Line) -> Self {
        Self {
            timestamp: Stamp(DateTime::<Utc>::from(line.at)),
            level: line.level.as_str().to_lowercase(),
            component: line.target,
            message: line.message,
            fields: line.fields,
        }
    }
}

/// The last lines, oldest first.
#[utoipa::path(get, path = "/api/logs/console", tag = "monitoring", params(ConsoleQuery),
    responses((status = 200, body = Vec<LineView>), (status = 400)))]
async fn console(
    State(ctx): State<Ctx>,
    _: Operator,
    Query(query): Query<ConsoleQuery>,
) -> Result<Json<Vec<LineView>>, ApiError> {
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::invalid("limit", "must be 1 to 2000"));
    }
    let level = match &query.level {
        None => Level::TRACE,
        Some(name) => {
            one_of("level", name, &LEVELS.map(|(name, _)| name))?;
            let found = LEVELS.into_iter().find(|(known, _)| known == name);
            found.map_or(Level::TRACE, |(_, level)| level)
        }
    };
    let component = query.component.as_deref().unwrap_or_default();
    let since = SystemTime::now().checked_sub(SINCE);
    let lines = ctx.lines.newest(limit, |line| {
        let rest = line.target.strip_prefix(component);
        // the less severe a level, the greater it is
        line.level <= level
            && since.is_none_or(|since| line.at >= since)
            && rest.is_some_and(|rest| component.is_empty() || rest.is_empty() || rest.starts_with("::"))
    });
    Ok(Json(lines.into_iter().map(LineView::from).collect()))
}
