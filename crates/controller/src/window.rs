//! `spec.syncWindows`: when a periodic refresh may happen. In UTC.

use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jiff_cron::Schedule;
use rolecall_engine::template::go_duration;
use serde_json::Value;

use crate::schedule::{after, before};

/// The windows of an object; none of them reads the clock.
#[derive(Clone, Debug)]
pub struct Windows {
    allows: bool,
    windows: Vec<Window>,
}

/// One window; inactive where it cannot be read.
#[derive(Clone, Debug)]
struct Window {
    starts: Vec<Start>,
    length: SignedDuration,
}

#[derive(Clone, Debug)]
enum Start {
    Cron(Box<Schedule>),
    /// `@every`: counted from whenever it is asked.
    Every(SignedDuration),
}

impl Windows {
    /// Reads `{kind, windows: [{schedule, duration}]}`; what cannot be read is inactive.
    pub fn read(value: &Value) -> Self {
        let windows = value.get("windows").and_then(Value::as_array);
        let windows = windows.into_iter().flatten().filter_map(|window| {
            let text = |key| window.get(key).and_then(Value::as_str);
            let length = go_duration(text("duration")?)?;
            Some(Window { starts: starts(text("schedule")?)?, length })
        });
        let allows = value.get("kind").and_then(Value::as_str) != Some("deny");
        Self { allows, windows: windows.collect() }
    }

    /// Whether a periodic refresh may happen now.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.windows.iter().any(|window| window.is_active(now)) == self.allows
    }

    /// When it is worth to look again, while they are closed: the next time that one begins or
    /// ends.
    pub fn next_look(&self, now: Timestamp) -> Timestamp {
        let times = self.windows.iter().flat_map(|window| window.turns(now));
        let next = times.filter(|time| *time > now).min();
        next.map_or(after(now, LONGEST), |next| next.max(after(now, SHORTEST)))
    }
}

impl Window {
    /// Whether it began within its length before now.
    fn is_active(&self, now: Timestamp) -> bool {
        let from = before(now, self.length);
        self.starts.iter().any(|start| start.next(from).is_some_and(|time| time <= now))
    }

    fn turns(&self, now: Timestamp) -> Vec<Timestamp> {
        let mut turns = Vec::new();
        for start in &self.starts {
            turns.extend(start.next(now));
            let running = start.next(before(now, self.length));
            turns.extend(running.map(|time| after(time, self.length)));
        }
        turns
    }
}

impl Start {
    fn next(&self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(period) => Some(after(time, *period)),
            Self::Cron(schedule) => {
                let zoned = time.to_zoned(TimeZone::UTC);
                schedule.after(zoned).next().map(|next| next.timestamp())
            }
        }
    }
}

/// No window turns more often than that is looked at.
const SHORTEST: SignedDuration = SignedDuration::from_secs(10);
/// How long nothing is looked at where no window ever turns.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// Five fields, a shorthand, or `@every DURATION`, as <https://pkg.go.dev/github.com/robfig/cron/v3>
/// reads them: where both days are restricted, either will do.
fn starts(text: &str) -> Option<Vec<Start>> {
    if let Some(period) = text.strip_prefix("@every ") {
        let period = go_duration(period.trim())?;
        return (period >= SHORTEST).then(|| vec![Start::Every(period)]);
    }
    let fields: Vec<&str> = match text {
        "@annually" | "@yearly" => vec!["0", "0", "1", "1", "*"],
        "@monthly" => vec!["0", "0", "1", "*", "*"],
        "@weekly" => vec!["0", "0", "*", "*", "0"],
        "@daily" | "@midnight" => vec!["0", "0", "*", "*", "*"],
        "@hourly" => vec!["0", "*", "*", "*", "*"],
        text => text.split_whitespace().collect(),
    };
    let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
    let weekday = &named_weekdays(weekday)?;
    let schedule = |day: &str, weekday: &str| {
        let text = format!("0 {minute} {hour} {day} {month} {weekday}");
        let schedule = Schedule::from_str(&text.replace('?', "*")).ok()?;
        Some(Start::Cron(Box::new(schedule)))
    };
    let is_free = |field: &str| field.starts_with('*') || field.starts_with('?');
    if is_free(day) || is_free(weekday) {
        return Some(vec![schedule(day, weekday)?]);
    }
    Some(vec![schedule(day, "*")?, schedule("*", weekday)?])
}

/// Days of the week by name: numbers begin with Sunday as 0 here, and as 1 there.
fn named_weekdays(field: &str) -> Option<String> {
    const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let named = |item: &str| match item.parse::<usize>() {
        Ok(number) => DAYS.get(number).map(|day| (*day).to_owned()),
        Err(_) => Some(item.to_owned()),
    };
    let mut parts = Vec::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(a, b)| (a, Some(b)));
        let ends: Option<Vec<String>> = range.split('-').map(named).collect();
        let range = ends?.join("-");
        parts.push(step.map_or(range.clone(), |step| format!("{range}/{step}")));
    }
    Some(parts.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn windows(kind: &str, schedule: &str, duration: &str) -> Windows {
        let window = json!({"schedule": schedule, "duration": duration});
        Windows::read(&json!({"kind": kind, "windows": [window]}))
    }

    #[track_caller]
    fn check(schedule: &str, duration: &str, now: &str, is_active: bool) {
        let now: Timestamp = now.parse().unwrap();
        let case = format!("{schedule} for {duration} at {now}");
        assert_eq!(windows("allow", schedule, duration).is_open(now), is_active, "{case}");
        assert_eq!(windows("deny", schedule, duration).is_open(now), !is_active, "{case}");
    }

    #[test]
    fn a_window_is_open_from_its_start_for_its_length() {
        // 2026-01-01 is a Thursday.
        check("0 2 * * *", "3h", "2026-01-01T01:59:59Z", false);
        check("0 2 * * *", "3h", "2026-01-01T02:00:00Z", true);
        check("0 2 * * *", "3h", "2026-01-01T04:59:59Z", true);
        check("0 2 * * *", "3h", "2026-01-01T05:00:01Z", false);
        check("* * * * *", "5m", "2026-01-01T12:34:56Z", true);
        check("0 0 * * 4", "1h", "2026-01-01T00:30:00Z", true);
        check("0 0 * * 0", "1h", "2026-01-04T00:30:00Z", true);
        check("0 0 * * 1-5", "24h", "2026-01-03T12:00:00Z", false);
        check("0 0 * * MON-FRI", "24h", "2026-01-02T12:00:00Z", true);
        // Either day will do where both are restricted.
        check("0 0 13 * 5", "24h", "2026-01-13T12:00:00Z", true);
        check("0 0 13 * 5", "24h", "2026-01-02T12:00:00Z", true);
        check("0 0 13 * 5", "24h", "2026-01-05T12:00:00Z", false);
        check("@daily", "1h", "2026-01-01T00:10:00Z", true);
        check("@weekly", "1h", "2026-01-04T00:10:00Z", true);
        check("@every 1m", "5m", "2026-01-01T12:34:56Z", true);
        check("@every 10m", "5m", "2026-01-01T12:34:56Z", false);
    }

    #[test]
    fn what_cannot_be_read_is_inactive() {
        for (schedule, duration) in [
            ("0 2 * * *", "1d"),
            ("0 99 * * *", "1h"),
            ("@every x", "1h"),
            ("0 0 * * 8", "1h"),
            ("", "1h"),
        ] {
            check(schedule, duration, "2026-01-01T02:30:00Z", false);
        }
    }

    #[test]
    fn the_next_look_is_when_a_window_turns() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let allow = windows("allow", "0 2 * * *", "3h");
        assert_eq!(allow.next_look(at("2026-01-01T06:00:00Z")), at("2026-01-02T02:00:00Z"));
        let deny = windows("deny", "0 2 * * *", "3h");
        assert_eq!(deny.next_look(at("2026-01-01T03:00:00Z")), at("2026-01-01T05:00:00Z"));
    }
}
