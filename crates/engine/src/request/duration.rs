//! How long a session lasts, and how people write it.

use jiff::SignedDuration;

/// How long a role session lasts.
///
/// Always a whole number of seconds between [`SessionDuration::MIN`] and [`SessionDuration::MAX`]:
/// the type is the proof, so no later stage checks again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionDuration(u32);

impl SessionDuration {
    /// 900 s, the least that STS accepts.
    pub const MIN: Self = Self(900);
    /// 3 600 s (1 h), what is sent where nothing was asked: the documented default of STS, and
    /// never the SDK provider's 900.
    pub const DEFAULT: Self = Self(3_600);
    /// 3 600 s (1 h), the most that STS accepts when the caller holds temporary credentials.
    pub const MAX_CHAINED: Self = Self(3_600);
    /// 43 200 s (12 h), the most that STS accepts for a role that allows it.
    pub const MAX: Self = Self(43_200);

    /// Accepts a duration in seconds.
    ///
    /// # Errors
    ///
    /// [`InvalidSessionDuration`] when `seconds` is outside 900..=43 200.
    pub fn from_seconds(seconds: i64) -> Result<Self, InvalidSessionDuration> {
        match u32::try_from(seconds) {
            Ok(inside) if (Self::MIN.0..=Self::MAX.0).contains(&inside) => Ok(Self(inside)),
            _ => Err(InvalidSessionDuration { seconds }),
        }
    }

    /// The duration in seconds.
    pub const fn seconds(self) -> u32 {
        self.0
    }
}

/// A duration that no role session can have.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be 900 to 43200 seconds (15 min to 12 h), is {seconds}")]
pub struct InvalidSessionDuration {
    seconds: i64,
}

/// How long a session of GetSessionToken lasts: 900 s to 129 600 s (36 h).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SessionTokenDuration(u32);

impl SessionTokenDuration {
    const MIN: u32 = 900;
    const MAX: u32 = 129_600;

    /// Accepts a duration in seconds.
    ///
    /// # Errors
    ///
    /// [`InvalidSessionTokenDuration`] when `seconds` is outside 900..=129 600.
    pub fn from_seconds(seconds: i64) -> Result<Self, InvalidSessionTokenDuration> {
        match u32::try_from(seconds) {
            Ok(inside) if (Self::MIN..=Self::MAX).contains(&inside) => Ok(Self(inside)),
            _ => Err(InvalidSessionTokenDuration { seconds }),
        }
    }

    /// The duration in seconds.
    pub const fn seconds(self) -> u32 {
        self.0
    }
}

/// A duration that GetSessionToken does not accept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be 900 to 129600 seconds (15 min to 36 h), is {seconds}")]
pub struct InvalidSessionTokenDuration {
    seconds: i64,
}

/// Reads a duration as people write it: `3600` (seconds), `1h`, `90m`, `1h30m`.
///
/// # Errors
///
/// [`InvalidDurationText`] when it is neither.
pub fn seconds_from_text(text: &str) -> Result<i64, InvalidDurationText> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(seconds);
    }
    let shown = || InvalidDurationText { text: text.chars().take(40).collect() };
    let duration: SignedDuration = text.parse().map_err(|_| shown())?;
    if duration.subsec_nanos() != 0 {
        return Err(shown());
    }
    Ok(duration.as_secs())
}

/// A text that is no duration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{text}' is not a duration: write seconds (3600) or 1h, 90m, 1h30m")]
pub struct InvalidDurationText {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_inside() {
        for (seconds, ok) in
            [(899, false), (900, true), (43_200, true), (43_201, false), (-1, false)]
        {
            assert_eq!(SessionDuration::from_seconds(seconds).is_ok(), ok, "{seconds}");
        }
        for (seconds, ok) in [(899, false), (900, true), (129_600, true), (129_601, false)] {
            assert_eq!(SessionTokenDuration::from_seconds(seconds).is_ok(), ok, "{seconds}");
        }
    }

    #[test]
    fn people_write_durations_in_several_ways() {
        for (text, seconds) in
            [("3600", 3_600), ("1h", 3_600), ("90m", 5_400), ("1h30m", 5_400), ("1h 30m", 5_400)]
        {
            assert_eq!(seconds_from_text(text), Ok(seconds), "{text}");
        }
        for text in ["", "soon", "1.5", "1500ms", "99999999999999999999"] {
            assert!(seconds_from_text(text).is_err(), "{text}");
        }
    }
}
