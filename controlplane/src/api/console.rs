//! The last hour of a process's log, as far as it keeps it in memory: of this control plane, or of a data plane.
//!
//! `GET /api/logs/console`

use std::time::Duration;

use axum::{Json, extract::State};
use chrono::{DateTime, TimeZone, Utc};
use proto::v1::{ReadLog, log_lines};
use runtime::telemetry::{LEVELS, Line, Wanted};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    error::ApiError,
    http::{Operator, Query, Stamp, one_of},
};

const LIMIT: u32 = 200;
const MOST: u32 = 2_000;
const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ConsoleQuery {
    /// Of this level or worse: `error`, `warn`, `info`, `debug` or `trace`.
    level: Option<String>,
    /// 1 to 2000, 200 unless told otherwise: the newest.
    limit: Option<u32>,
    /// A part of the program, such as `controlplane::publish`, with all below it.
    component: Option<String>,
    /// The id of a data plane, for its log instead of this control plane's.
    node: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConsoleLine)]
struct LineView {
    timestamp: Option<Stamp>,
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
            timestamp: Some(Stamp(DateTime::<Utc>::from(line.at))),
            level: line.level.as_str().to_lowercase(),
            component: line.target,
            message: line.message,
            fields: line.fields,
        }
    }
}

impl From<log_lines::Line> for LineView {
    fn from(line: log_lines::Line) -> Self {
        Self {
            timestamp: Utc.timestamp_millis_opt(line.at_ms).single().map(Stamp),
            level: line.level,
            component: line.component,
            message: line.message,
            fields: serde_json::from_str(&line.fields).unwrap_or_default(),
        }
    }
}

/// The last lines, oldest first.
#[utoipa::path(get, path = "/api/logs/console", tag = "monitoring", params(ConsoleQuery),
    responses((status = 200, body = Vec<LineView>), (status = 400), (status = 404), (status = 503)))]
async fn console(
    State(ctx): State<Ctx>,
    _: Operator,
    Query(query): Query<ConsoleQuery>,
) -> Result<Json<Vec<LineView>>, ApiError> {
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::invalid("limit", "must be 1 to 2000"));
    }
    if let Some(level) = &query.level {
        one_of("level", level, &LEVELS)?;
    }
    let (level, component) = (
        query.level.unwrap_or_default(),
        query.component.unwrap_or_default(),
    );
    let Some(node) = query.node else {
        let wanted = Wanted {
            level,
            component,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        };
        let lines = ctx.lines.newest(&wanted);
        return Ok(Json(lines.into_iter().map(LineView::from).collect()));
    };
    let planes = ctx.fleet.list().await?;
    if !planes.iter().any(|plane| plane.id == node && plane.connected) {
        return Err(ApiError::not_found("connected data plane", node));
    }
    let asked = ReadLog {
        level,
        component,
        limit,
    };
    let found = ctx.fleet.read_log(&node, asked, DEADLINE).await?;
    Ok(Json(found.lines.into_iter().map(LineView::from).collect()))
}
