//! Sums as pictures want them: by day, by day of the week, and each model's, account's and key's part of the whole.
//!
//! `GET /api/usage/analytics`
//!
//! A day is one of the time zone that budgets are counted in.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeZone, Utc, Weekday};
use runtime::period::Tz;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::sums::{Apart, Of, Sum, SumQuery, Usd, Used, tokens_by_day, used};
use crate::{
    api::Ctx,
    error::ApiError,
    http::{Query, Reader},
    rollup::{Grains, day_zone},
};

/// How far the map of activity goes back.
const MAP_DAYS: u64 = 365;
const WEEK: [Weekday; 7] = [
    Weekday::Sun,
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
];

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AnalyticsView {
    /// As it was asked for, or `custom`.
    range: String,
    summary: Summary,
    /// Days on which something was used, oldest first.
    daily_trend: Vec<DayView>,
    /// The same days, with the tokens of each model under its name.
    #[schema(value_type = Vec<Object>)]
    daily_by_model: Vec<DayByModel>,
    model_names: Vec<String>,
    by_model: Vec<PartView>,
    by_account: Vec<PartView>,
    by_provider: Vec<PartView>,
    by_api_key: Vec<PartView>,
    /// Tokens of each day of the last 365, whatever the range is; days without any are left out.
    activity_map: BTreeMap<NaiveDate, i64>,
    /// Sunday first.
    weekly_pattern: Vec<WeekdayView>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Summary {
    total_tokens: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    /// USD, of requests whose price is known.
    #[schema(value_type = f64)]
    total_cost: Usd,
    /// USD by which pricing anew changed that afterwards, up or down; it is not in the cost.
    #[schema(value_type = f64)]
    total_adjustment: Usd,
    unpriced_requests: i64,
    total_requests: i64,
    unique_models: usize,
    unique_accounts: usize,
    unique_api_keys: usize,
    /// So many days in a row something was used, up to today or yesterday.
    streak: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DayView {
    date: NaiveDate,
    #[serde(flatten)]
    sum: Sum,
}

#[derive(Debug, Serialize)]
struct DayByModel {
    date: NaiveDate,
    #[serde(flatten)]
    tokens: BTreeMap<String, i64>,
}

/// The part of the whole that belongs to one of its kind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PartView {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_id: Option<Uuid>,
    #[serde(flatten)]
    sum: Sum,
    total_tokens: i64,
    /// Per cent of all tokens, with one decimal.
    pct: String,
}

#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WeekdayView {
    /// `Sun` to `Sat`.
    day: String,
    /// Of the days of this kind on which something was used.
    avg_tokens: i64,
    total_tokens: i64,
}

/// What one part is about.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    provider: Option<String>,
    model: Option<String>,
    connection: Option<(Uuid, String)>,
    key: Option<(Option<Uuid>, String)>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(analytics))
}

/// What was used, day by day and part by part.
#[utoipa::path(get, path = "/api/usage/analytics", tag = "usage", params(SumQuery),
    responses((status = 200, body = AnalyticsView), (status = 400)))]
async fn analytics(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<SumQuery>,
) -> Result<Json<AnalyticsView>, ApiError> {
    let (range, span) = query.span("30d")?;
    let zone = day_zone(ctx.db.pool()).await?;
    let grains = Grains::of(ctx.db.pool(), span.from, span.to, zone).await?;
    let by_day = Apart {
        days: true,
        ..Apart::default()
    };
    let by_account = Apart {
        models: true,
        accounts: true,
        ..Apart::default()
    };
    let by_key = Apart {
        keys: true,
        ..Apart::default()
    };
    let by_day = used(&ctx, &grains, query.of(), by_day, zone).await?;
    let by_account = used(&ctx, &grains, query.of(), by_account, zone).await?;
    let by_key = used(&ctx, &grains, query.of(), by_key, zone).await?;
    let today = Utc::now().with_timezone(&zone).date_naive();
    let activity_map = activity(&ctx, today, zone).await?;

    let mut total = Sum::default();
    let mut days: BTreeMap<NaiveDate, (Sum, BTreeMap<String, i64>)> = BTreeMap::new();
    for used in &by_day {
        let Some(date) = used.date else { continue };
        total.add(&used.sum());
        days.entry(date).or_default().0.add(&used.sum());
    }
    let mut names = BTreeSet::new();
    for (date, model, tokens) in tokens_by_day(&ctx, &grains, query.of(), zone).await? {
        names.insert(model.clone());
        days.entry(date).or_default().1.insert(model, tokens);
    }
    let accounts: BTreeSet<Uuid> = by_account
        .iter()
        .filter_map(|used| Some(used.connection()?.0))
        .collect();
    let keys = by_key.iter().filter(|used| used.key().0.is_some()).count();
    let parts = |rows: &[Used], of: fn(&Used) -> Subject| parts(rows, total.tokens(), of);
    Ok(Json(AnalyticsView {
        range,
        summary: Summary {
            total_tokens: total.tokens(),
            prompt_tokens: total.prompt_tokens,
            completion_tokens: total.completion_tokens,
            total_cost: total.cost,
            total_adjustment: total.adjustment,
            unpriced_requests: total.unpriced_requests,
            total_requests: total.requests,
            unique_models: names.len(),
            unique_accounts: accounts.len(),
            unique_api_keys: keys,
            streak: streak(&activity_map, today),
        },
        by_model: parts(&by_account, |used| Subject {
            provider: Some(used.provider.clone()),
            model: Some(used.model.clone()),
            ..Subject::default()
        }),
        by_account: parts(&by_account, |used| Subject {
            provider: Some(used.provider.clone()),
            connection: used.connection(),
            ..Subject::default()
        }),
        by_provider: parts(&by_account, |used| Subject {
            provider: Some(used.provider.clone()),
            ..Subject::default()
        }),
        by_api_key: parts(&by_key, |used| Subject {
            key: Some(used.key()),
            ..Subject::default()
        }),
        weekly_pattern: weekly(days.iter().map(|(date, (sum, _))| (*date, sum.tokens()))),
        daily_by_model: days
            .iter()
            .map(|(date, (_, tokens))| DayByModel {
                date: *date,
                tokens: tokens.clone(),
            })
            .collect(),
        daily_trend: days
            .into_iter()
            .map(|(date, (sum, _))| DayView { date, sum })
            .collect(),
        model_names: names.into_iter().collect(),
        activity_map,
    }))
}

async fn activity(ctx: &Ctx, today: NaiveDate, zone: Tz) -> Result<BTreeMap<NaiveDate, i64>, ApiError> {
    let first = today - Days::new(MAP_DAYS - 1);
    let midnight = zone
        .from_local_datetime(&first.and_time(NaiveTime::MIN))
        .earliest()
        .map(|midnight| midnight.to_utc());
    let grains = Grains::of(ctx.db.pool(), midnight, None, zone).await?;
    let days = Apart {
        days: true,
        ..Apart::default()
    };
    let days = used(ctx, &grains, Of::default(), days, zone).await?;
    let tokens = days
        .iter()
        .filter_map(|used| Some((used.date?, used.sum().tokens())));
    Ok(tokens.filter(|(_, tokens)| *tokens > 0).collect())
}

/// The sums of all rows about the same, the largest first.
fn parts(rows: &[Used], all_tokens: i64, of: fn(&Used) -> Subject) -> Vec<PartView> {
    let mut sums: BTreeMap<Subject, Sum> = BTreeMap::new();
    for row in rows {
        sums.entry(of(row)).or_default().add(&row.sum());
    }
    let mut parts: Vec<_> = sums
        .into_iter()
        .map(|(subject, sum)| {
            let (connection_id, account) = subject.connection.unzip();
            let (api_key_id, api_key) = subject.key.unzip();
            PartView {
                model: subject.model,
                provider: subject.provider,
                account,
                connection_id,
                api_key,
                api_key_id: api_key_id.flatten(),
                total_tokens: sum.tokens(),
                pct: percent(sum.tokens(), all_tokens),
                sum,
            }
        })
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse((part.total_tokens, part.sum.requests)));
    parts
}

fn percent(part: i64, whole: i64) -> String {
    let share = if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    };
    format!("{:.1}", share * 100.0)
}

fn streak(days: &BTreeMap<NaiveDate, i64>, today: NaiveDate) -> u64 {
    // today is not over yet
    let last = match days.contains_key(&today) {
        true => today,
        false => today - Days::new(1),
    };
    (0..MAP_DAYS)
        .take_while(|back| days.contains_key(&(last - Days::new(*back))))
        .count() as u64
}

fn weekly(days: impl Iterator<Item = (NaiveDate, i64)>) -> Vec<WeekdayView> {
    let mut sums: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
    for (date, tokens) in days {
        let (count, sum) = sums.entry(date.weekday().num_days_from_sunday()).or_default();
        (*count, *sum) = (*count + 1, *sum + tokens);
    }
    let view = |weekday: &Weekday| {
        let (count, sum) = sums
            .get(&weekday.num_days_from_sunday())
            .copied()
            .unwrap_or_default();
        WeekdayView {
            day: weekday.to_string(),
            avg_tokens: sum / count.max(1),
            total_tokens: sum,
        }
    };
    WEEK.iter().map(view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_streak_ends_with_the_first_day_of_nothing_and_today_may_still_come() {
        let days: BTreeMap<_, _> = ["2026-03-01", "2026-03-03", "2026-03-04"]
            .map(|date| (day(date), 1))
            .into();
        for (today, streak_then) in [
            ("2026-03-04", 2),
            ("2026-03-05", 2),
            ("2026-03-06", 0),
            ("2026-03-02", 1),
        ] {
            assert_eq!(streak(&days, day(today)), streak_then, "{today}");
        }
    }

    #[test]
    fn a_weekday_is_averaged_over_the_days_that_had_something() {
        let days = [("2026-03-01", 10), ("2026-03-08", 20), ("2026-03-02", 5)];
        let week = weekly(days.into_iter().map(|(date, tokens)| (day(date), tokens)));
        let names: Vec<_> = week.iter().map(|view| view.day.as_str()).collect();
        assert_eq!(names, ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]);
        assert_eq!((week[0].avg_tokens, week[0].total_tokens), (15, 30));
        assert_eq!((week[1].avg_tokens, week[2].total_tokens), (5, 0));
    }

    #[test]
    fn a_part_of_nothing_is_nothing() {
        assert_eq!(percent(0, 0), "0.0");
        assert_eq!(percent(1, 3), "33.3");
    }
}
