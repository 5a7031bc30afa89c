//! How far the clock of AWS is ahead of this machine's, by the `Date` of its answers.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_sts::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use jiff::{SignedDuration, Timestamp};
use rolecall_engine::ports::Clock;

/// Reads the time of each answer of STS, refusals included.
#[derive(Clone)]
pub(crate) struct ClockOffset {
    clock: Arc<dyn Clock>,
    // A std mutex: never held across an await.
    last: Arc<Mutex<Option<SignedDuration>>>,
}

impl ClockOffset {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: Arc::default() }
    }

    /// What the last answer told.
    pub(crate) fn last(&self) -> Option<SignedDuration> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `Date` counts in whole seconds: what is within one of them is no offset.
    fn heard(&self, date: &str) {
        let Ok(date) = DateTime::from_str(date, Format::HttpDate) else { return };
        let Ok(date) = Timestamp::from_second(date.secs()) else { return };
        let ahead = date.duration_since(self.clock.now());
        let second = SignedDuration::from_secs(1);
        let ahead =
            if ahead.is_negative() { (ahead + second).min(SignedDuration::ZERO) } else { ahead };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for ClockOffset {
    fn name(&self) -> &'static str {
        "clock offset"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.heard(date);
        }
        Ok(())
    }
}

impl std::fmt::Debug for ClockOffset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClockOffset").field("last", &self.last()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Stopped(Timestamp);

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    #[test]
    fn a_date_is_ahead_behind_or_the_same_second() {
        let clock = Stopped("2026-11-01T12:00:00.6Z".parse().unwrap());
        let offset = ClockOffset::new(Arc::new(clock));
        offset.heard("soon");
        assert_eq!(offset.last(), None);
        for (date, millis) in [
            ("Sun, 01 Nov 2026 12:00:00 GMT", 0),
            ("Sun, 01 Nov 2026 12:01:30 GMT", 89_400),
            ("Sun, 01 Nov 2026 11:58:30 GMT", -89_600),
        ] {
            offset.heard(date);
            assert_eq!(offset.last(), Some(SignedDuration::from_millis(millis)), "{date}");
        }
    }
}
