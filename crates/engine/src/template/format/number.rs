//! Fractions as Go's `strconv` writes them.

/// Go's `strconv.FormatFloat` with format `g` and the fewest digits; `single` as a `float32`.
pub(in crate::template) fn shortest(float: f64, single: bool) -> String {
    if float.is_nan() {
        return "NaN".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::as_conversions,
        reason = "a float32 is meant"
    )]
    let scientific = if single { format!("{:e}", float as f32) } else { format!("{float:e}") };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // Go decides by six digits where it writes the fewest.
    if (-4..6).contains(&exponent) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::as_conversions,
            reason = "a float32 is meant"
        )]
        return if single { format!("{}", float as f32) } else { format!("{float}") };
    }
    format!("{mantissa}{}", exponent_of(exponent))
}

/// At least two digits, as Go writes an exponent.
pub(super) fn exponent_of(exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("e{sign}{:02}", exponent.abs())
}
