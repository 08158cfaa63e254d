//! How long requests took: sketches, and the percentiles in them.
//!
//! A sketch counts how many requests were in each of many ranges, every range two per cent wide; so a percentile is
//! within one per cent of the exact one, whatever latencies there are (DDSketch, <https://arxiv.org/abs/1908.10693>).
//! Sketches are merged by adding up, so the percentile of all data planes is that of all their requests, which no average
//! of percentiles is. They are rows of `usage_latency`, added to by the transaction that stores usage: a request is in
//! one exactly once.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

/// As in the function `latency_bucket`.
const WIDTH: f64 = 1.02;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    buckets: BTreeMap<i16, i64>,
    count: i64,
    sum_ms: i64,
}

/// What is measured: a provider, and a phase of its requests. The phase without a name ends when the answer begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Measured {
    pub provider: String,
    pub phase: String,
}

// === impl Sketch ===

impl Sketch {
    pub fn add(&mut self, bucket: i16, count: i64, sum_ms: i64) {
        *self.buckets.entry(bucket).or_default() += count;
        self.count += count;
        self.sum_ms += sum_ms;
    }

    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
        self.count += other.count;
        self.sum_ms += other.sum_ms;
    }

    pub fn count(&self) -> i64 {
        self.count
    }

    /// Exact, in milliseconds.
    pub fn average(&self) -> f64 {
        self.sum_ms as f64 / self.count.max(1) as f64
    }

    /// The nearest-rank percentile in milliseconds, `share` between 0 and 1; 0 of nothing.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a rank is no more than the count, and a bucket of 16 bits ends far below the largest i32 for real latencies"
    )]
    pub fn percentile(&self, share: f64) -> i32 {
        let rank = ((share * self.count as f64).ceil() as i64).max(1);
        let mut seen = 0;
        for (bucket, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return value(*bucket).round() as i32;
            }
        }
        0
    }
}

/// What is as far from the start of its range as from the end, in proportion.
fn value(bucket: i16) -> f64 {
    match bucket {
        ..=0 => 0.0,
        _ => 2.0 * WIDTH.powi(i32::from(bucket) - 1) / (WIDTH + 1.0),
    }
}

/// Of all requests since a moment, of which those of the last hour are known to ten seconds, and older ones to the hour,
/// or after two days to the day. Of one phase, or of all.
pub async fn since(
    executor: impl PgExecutor<'_>,
    moment: DateTime<Utc>,
    phase: Option<&str>,
) -> Result<HashMap<Measured, Sketch>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select provider, phase, bucket, sum(n)::bigint as "n!", sum(sum_ms)::bigint as "sum_ms!"
           from usage_latency
           where ((grain = 'slot' and slot > $1::timestamptz - interval '10 seconds')
                  or (grain = 'hour' and slot > $1 - interval '1 hour')
                  or (grain = 'day' and slot > $1 - interval '1 day'))
             and ($2::text is null or phase = $2)
           group by provider, phase, bucket"#,
        moment,
        phase,
    )
    .fetch_all(executor)
    .await?;
    let mut sketches: HashMap<Measured, Sketch> = HashMap::new();
    for row in rows {
        let measured = Measured {
            provider: row.provider,
            phase: row.phase,
        };
        sketches
            .entry(measured)
            .or_default()
            .add(row.bucket, row.n, row.sum_ms);
    }
    Ok(sketches)
}

/// Puts what is older than an hour into hours, what is older than two days into days, and forgets what nobody asks for.
/// A row leaves in the statement that adds it elsewhere, so it counts once.
pub async fn condense(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with moved as (
             delete from usage_latency
             where grain = 'slot' and slot < date_trunc('hour', $1::timestamptz - interval '1 hour', 'UTC') returning *)
         insert into usage_latency
         select 'hour', date_trunc('hour', slot, 'UTC'), provider, phase, bucket, sum(n), sum(sum_ms) from moved
         group by 2, 3, 4, 5 order by 2, 3, 4, 5
         on conflict (grain, slot, provider, phase, bucket) do update
         set n = usage_latency.n + excluded.n, sum_ms = usage_latency.sum_ms + excluded.sum_ms",
        now,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "with moved as (
             delete from usage_latency
             where grain = 'hour' and slot < date_trunc('day', $1::timestamptz - interval '2 days', 'UTC') returning *)
         insert into usage_latency
         select 'day', date_trunc('day', slot, 'UTC'), provider, phase, bucket, sum(n), sum(sum_ms) from moved
         group by 2, 3, 4, 5 order by 2, 3, 4, 5
         on conflict (grain, slot, provider, phase, bucket) do update
         set n = usage_latency.n + excluded.n, sum_ms = usage_latency.sum_ms + excluded.sum_ms",
        now,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from usage_latency where grain = 'day' and slot < $1::timestamptz - interval '40 days'",
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `latency_bucket` does.
    fn bucket(ms: f64) -> i16 {
        match ms < 1.0 {
            true => 0,
            false => 1 + (ms.ln() / WIDTH.ln()).ceil() as i16,
        }
    }

    fn sketch(all: impl IntoIterator<Item = i64>) -> Sketch {
        let mut sketch = Sketch::default();
        for ms in all {
            sketch.add(bucket(ms as f64), 1, ms);
        }
        sketch
    }

    #[test]
    fn a_value_comes_back_within_one_per_cent_from_a_millisecond_to_an_hour() {
        let mut ms = 1.0_f64;
        while ms < 3_600_000.0 {
            let error = (value(bucket(ms)) - ms).abs() / ms;
            assert!(error <= 0.010_001, "{ms}: {error}");
            ms *= 1.003;
        }
        assert_eq!(sketch([0]).percentile(0.5), 0);
        assert_eq!((sketch([1]).percentile(1.0), sketch([2]).percentile(1.0)), (1, 2));
    }

    #[test]
    fn merged_percentiles_are_those_of_all_requests_and_no_average() {
        // a fast data plane with many requests, a slow one with few
        let fast: Vec<i64> = (0..9_000).map(|n| 20 + n % 80).collect();
        let slow: Vec<i64> = (0..1_000).map(|n| 4_000 + n * 2).collect();
        let mut merged = sketch(fast.iter().copied());
        merged.merge(&sketch(slow.iter().copied()));
        let mut all: Vec<i64> = fast.into_iter().chain(slow).collect();
        all.sort_unstable();
        for (share, rank) in [
            (0.5, 5_000),
            (0.9, 9_000),
            (0.95, 9_500),
            (0.99, 9_900),
            (1.0, 10_000),
        ] {
            let (exact, got) = (all[rank - 1] as f64, f64::from(merged.percentile(share)));
            assert!(
                (got - exact).abs() / exact <= 0.02,
                "{share}: {got} and not {exact}"
            );
        }
        assert_eq!(merged.count(), 10_000);
        let average = all.iter().sum::<i64>() as f64 / 10_000.0;
        assert!((merged.average() - average).abs() < 1e-9);
    }

    #[test]
    fn of_nothing_there_is_nothing() {
        let nothing = Sketch::default();
        assert_eq!((nothing.percentile(0.95), nothing.count()), (0, 0));
        assert!(nothing.average().abs() < f64::EPSILON);
    }
}
