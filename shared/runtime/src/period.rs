//! Periods of a calendar: days, weeks and months of a time zone, in which money is counted.
//!
//! A data plane counts in a period and a control plane sums up what belongs to it, so both have to mean the same span
//! of time by the same name.

use chrono::{DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveTime, TimeZone, Utc};
pub use chrono_tz::Tz;

/// Clocks are put forward by less than this.
const LARGEST_GAP_MINUTES: i64 = 24 * 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Calendar {
    Daily,
    /// From Monday on, as ISO 8601 counts.
    Weekly,
    Monthly,
}

/// One day, week or month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Of all periods of all calendars and zones, the only one of this name.
    pub name: String,
    pub starts_at: DateTime<Utc>,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
}

// === impl Calendar ===

impl Calendar {
    pub const ALL: [Self; 3] = [Self::Daily, Self::Weekly, Self::Monthly];

    pub fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|calendar| calendar.name() == name)
    }

    /// The period that holds `now`.
    pub fn period(self, now: DateTime<Utc>, zone: Tz) -> Period {
        let today = now.with_timezone(&zone).date_naive();
        let (first, next) = match self {
            Self::Daily => (today, today + Days::new(1)),
            Self::Weekly => {
                let monday = today - Days::new(today.weekday().num_days_from_monday().into());
                (monday, monday + Days::new(7))
            }
            Self::Monthly => {
                let first = today - Days::new(today.day0().into());
                (first, first + Months::new(1))
            }
        };
        let (starts_at, ends_at) = (midnight(first, zone), midnight(next, zone));
        Period {
            // by its instant: the same date begins elsewhere in another zone
            name: format!("{}:{}", self.name(), starts_at.timestamp()),
            starts_at,
            ends_at,
        }
    }
}

/// The zone of an IANA name; empty means UTC.
pub fn zone(name: &str) -> Option<Tz> {
    if name.is_empty() {
        return Some(Tz::UTC);
    }
    name.parse().ok()
}

/// The first instant of a day. Where clocks are put forward at midnight, the day begins later.
fn midnight(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let start = day.and_time(NaiveTime::MIN);
    (0..=LARGEST_GAP_MINUTES / 15)
        .find_map(|quarters| {
            let local = zone.from_local_datetime(&(start + Duration::minutes(15 * quarters)));
            local.earliest()
        })
        .map_or_else(|| start.and_utc(), |local| local.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(calendar: Calendar, now: &str, zone: Tz) -> [String; 2] {
        let period = calendar.period(now.parse().unwrap(), zone);
        [period.starts_at, period.ends_at].map(|at| at.format("%F %R").to_string())
    }

    #[test]
    fn a_period_holds_now_and_begins_where_its_zone_says() {
        use Calendar::{Daily, Monthly, Weekly};
        let (utc, berlin, kolkata) = (Tz::UTC, Tz::Europe__Berlin, Tz::Asia__Kolkata);
        let table = [
            (
                Daily,
                "2026-11-29T00:00:00Z",
                utc,
                ["2026-11-29 00:00", "2026-11-30 00:00"],
            ),
            (
                Daily,
                "2026-11-28T23:59:59Z",
                utc,
                ["2026-11-28 00:00", "2026-11-29 00:00"],
            ),
            (
                Daily,
                "2026-11-28T23:30:00Z",
                berlin,
                ["2026-11-28 23:00", "2026-11-29 23:00"],
            ),
            (
                Daily,
                "2026-11-28T18:29:00Z",
                kolkata,
                ["2026-11-27 18:30", "2026-11-28 18:30"],
            ),
            // a Sunday, the last day of its week
            (
                Weekly,
                "2026-11-29T12:00:00Z",
                utc,
                ["2026-11-23 00:00", "2026-11-30 00:00"],
            ),
            (
                Weekly,
                "2026-11-30T00:00:00Z",
                utc,
                ["2026-11-30 00:00", "2026-12-07 00:00"],
            ),
            (
                Monthly,
                "2026-12-31T23:59:59Z",
                utc,
                ["2026-12-01 00:00", "2027-01-01 00:00"],
            ),
            (
                Monthly,
                "2024-02-29T12:00:00Z",
                utc,
                ["2024-02-01 00:00", "2024-03-01 00:00"],
            ),
            // clocks go forward and back in between
            (
                Daily,
                "2026-03-29T12:00:00Z",
                berlin,
                ["2026-03-28 23:00", "2026-03-29 22:00"],
            ),
            (
                Daily,
                "2026-10-25T12:00:00Z",
                berlin,
                ["2026-10-24 22:00", "2026-10-25 23:00"],
            ),
        ];
        for (calendar, now, zone, expected) in table {
            assert_eq!(bounds(calendar, now, zone), expected, "{calendar:?} {now} {zone}");
        }
    }

    #[test]
    fn a_day_without_a_midnight_begins_when_it_begins() {
        // Lebanon puts its clocks forward at midnight
        let day = bounds(Calendar::Daily, "2026-03-29T12:00:00Z", Tz::Asia__Beirut);
        assert_eq!(day, ["2026-03-28 22:00", "2026-03-29 21:00"]);
    }

    #[test]
    fn no_two_periods_share_a_name() {
        let now = "2026-06-01T12:00:00Z".parse().unwrap();
        let names = Calendar::ALL.map(|calendar| calendar.period(now, Tz::UTC).name);
        assert_eq!(
            names,
            ["daily:1780272000", "weekly:1780272000", "monthly:1780272000"]
        );
        assert_ne!(Calendar::Daily.period(now, Tz::Europe__Berlin).name, names[0]);
    }

    #[test]
    fn a_zone_has_a_name_or_is_utc() {
        assert_eq!(zone(""), Some(Tz::UTC));
        assert_eq!(zone("UTC"), Some(Tz::UTC));
        assert_eq!(zone("Europe/Berlin"), Some(Tz::Europe__Berlin));
        assert_eq!(zone("Middle/Earth"), None);
    }
}
