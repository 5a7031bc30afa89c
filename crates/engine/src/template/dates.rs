//! Times as Go writes them: by an example of the layout.

use jiff::fmt::strtime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, Zoned};

/// How a time is printed by itself.
pub(super) const PRINTED: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

/// RFC 3339, with as many digits of a second as there are.
pub(super) const RFC_3339: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// A moment in a zone of the IANA database; in UTC where there is no such zone.
///
/// `Local` is UTC: a cluster's controller has no other, and a Secret must not depend on where it is
/// rendered.
pub(super) fn in_zone(moment: Timestamp, zone: &str) -> Zoned {
    let zone = match zone {
        "" | "Local" | "UTC" => TimeZone::UTC,
        zone => {
            let found = TimeZoneDatabase::bundled().get(zone).ok();
            // Names are told apart by case.
            found.filter(|found| found.iana_name() == Some(zone)).unwrap_or(TimeZone::UTC)
        }
    };
    moment.to_zoned(zone)
}

/// Writes a time by Go's layout. <https://pkg.go.dev/time#Layout>
pub(super) fn format(time: &Zoned, layout: &str) -> String {
    let mut out = String::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        let piece = fraction(rest).map(|(digits, is_short, length)| {
            (fraction_of(time, rest.get(..1).unwrap_or("."), digits, is_short), length)
        });
        let (text, length) =
            piece.or_else(|| element(time, rest)).unwrap_or_else(|| (c.to_string(), c.len_utf8()));
        out.push_str(&text);
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// An element of the layout at the beginning of `rest`: what it becomes, and its length.
fn element(time: &Zoned, rest: &str) -> Option<(String, usize)> {
    let (example, directive) = ELEMENTS.iter().find(|(example, _)| {
        let follows_lower = |text: &str| text.starts_with(|c: char| c.is_ascii_lowercase());
        rest.strip_prefix(example)
            .is_some_and(|after| !matches!(*example, "Jan" | "Mon") || !follows_lower(after))
    })?;
    let text = match directive.strip_prefix("offset") {
        Some(_) if example.starts_with('Z') && time.offset().is_zero() => "Z".to_owned(),
        Some(_) => offset(time, example),
        None => written(time, directive),
    };
    Some((text, example.len()))
}

/// The offset with as many parts as the example has, the rest cut off.
fn offset(time: &Zoned, example: &str) -> String {
    let seconds = time.offset().seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let colon = if example.contains(':') { ":" } else { "" };
    let digits = example.bytes().filter(u8::is_ascii_digit).count();
    let parts = [seconds / 3600, seconds / 60 % 60, seconds % 60];
    let parts: Vec<String> =
        parts.iter().take(digits / 2).map(|part| format!("{part:02}")).collect();
    format!("{sign}{}", parts.join(colon))
}

fn written(time: &Zoned, directive: &str) -> String {
    strtime::format(directive, time).unwrap_or_default()
}

/// `.000` or `,999` behind seconds: how many digits, whether zeros at the end are left out, and its
/// length.
fn fraction(rest: &str) -> Option<(usize, bool, usize)> {
    let digits = rest.strip_prefix(['.', ','])?;
    let kind = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = digits.chars().take_while(|c| *c == kind).count();
    let ends = !digits.get(count..)?.starts_with(|c: char| c.is_ascii_digit());
    (ends && count <= 9).then_some((count, kind == '9', count + 1))
}

fn fraction_of(time: &Zoned, separator: &str, digits: usize, is_short: bool) -> String {
    let nanoseconds = format!("{:09}", time.subsec_nanosecond());
    let shown = nanoseconds.get(..digits).unwrap_or(&nanoseconds);
    let shown = if is_short { shown.trim_end_matches('0') } else { shown };
    if shown.is_empty() { String::new() } else { format!("{separator}{shown}") }
}

/// Go's `time.ParseDuration`: `1h30m`, `-1.5s`, `300ms`.
pub fn duration(text: &str) -> Option<SignedDuration> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut total = SignedDuration::ZERO;
    let mut rest = Some(unsigned).filter(|text| !text.is_empty())?;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let nanoseconds: i64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && part.is_empty() {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let mut nanos = whole.checked_mul(nanoseconds)?;
        let mut scale = nanoseconds;
        for digit in part.chars() {
            scale /= 10;
            nanos = nanos.checked_add(i64::from(digit.to_digit(10)?) * scale)?;
        }
        total = total.checked_add(SignedDuration::from_nanos(nanos))?;
        rest = after;
    }
    Some(if text.starts_with('-') { -total } else { total })
}

/// Go's elements, those first that begin like others, with what `strftime` calls them.
const ELEMENTS: &[(&str, &str)] = &[
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "%Z"),
    ("2006", "%Y"),
    ("__2", "%_j"),
    ("_2006", "_%Y"),
    ("_2", "%e"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("-07:00:00", "offset"),
    ("-070000", "offset"),
    ("-07:00", "offset"),
    ("-0700", "offset"),
    ("-07", "offset"),
    ("Z07:00:00", "offset"),
    ("Z070000", "offset"),
    ("Z07:00", "offset"),
    ("Z0700", "offset"),
    ("Z07", "offset"),
];
