//! Time-based one-time passwords, as MFA devices show them.
//!
//! RFC 6238 with HMAC-SHA-1, steps of 30 s since 1970 and six digits: what AWS's virtual devices
//! do. <https://www.rfc-editor.org/rfc/rfc6238>

use aws_lc_rs::constant_time;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha1::Sha1;

/// How long one code is shown, in seconds.
const STEP_SECONDS: i64 = 30;
/// How far the clock of a device may be off, in steps, either way.
const DRIFT: i64 = 1;
/// Six digits.
const MODULUS: u32 = 1_000_000;

/// The step that `now` lies in.
pub(crate) fn step_at(now: Timestamp) -> i64 {
    now.as_second().div_euclid(STEP_SECONDS)
}

/// The code of one step: six digits.
pub(crate) fn code(seed: &[u8], step: i64) -> String {
    // HMAC takes keys of any length, so this is never nothing.
    let digest = Hmac::<Sha1>::new_from_slice(seed)
        .map(|mac| mac.chain_update(step.to_be_bytes()).finalize().into_bytes().to_vec())
        .unwrap_or_default();
    // RFC 4226, 5.3: the last four bits say where the four bytes of the number begin.
    let offset = usize::from(digest.last().copied().unwrap_or_default() & 0x0f);
    let bytes = digest.iter().skip(offset).take(4);
    let number = bytes.fold(0, |number: u32, byte| (number << 8) | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % MODULUS)
}

/// The step of a right code: the present one or one beside it, and later than `last_used`.
pub(crate) fn accepted_step(
    seed: &[u8],
    given: &str,
    now: Timestamp,
    last_used: Option<i64>,
) -> Option<i64> {
    let is_right = |step: &i64| {
        let expected = code(seed, *step);
        constant_time::verify_slices_are_equal(expected.as_bytes(), given.as_bytes()).is_ok()
    };
    let present = step_at(now);
    (present - DRIFT..=present + DRIFT)
        .filter(|step| last_used.is_none_or(|last| *step > last))
        .find(is_right)
}

/// The code to give next: of the present step, or of the following one when that one is used.
/// Nothing when both are.
pub(crate) fn next_code(seed: &[u8], now: Timestamp, last_used: Option<i64>) -> Option<String> {
    let present = step_at(now);
    let next = last_used.map_or(present, |last| present.max(last + 1));
    (next <= present + DRIFT).then(|| code(seed, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &[u8] = b"12345678901234567890";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[track_caller]
    fn check(second: i64, eight_digits: &str) {
        assert_eq!(code(SEED, step_at(at(second))), eight_digits[2..], "{second}");
    }

    /// RFC 6238, appendix B: the rows of SHA-1. Six digits are the last six of its eight.
    #[test]
    fn the_vectors_of_the_rfc() {
        check(59, "94287082");
        check(1_111_111_109, "07081804");
        check(1_111_111_111, "14050471");
        check(1_234_567_890, "89005924");
        check(2_000_000_000, "69279037");
        check(20_000_000_000, "65353130");
    }

    #[test]
    fn a_device_may_be_off_by_one_step() {
        let now = at(1_234_567_890);
        let present = step_at(now);
        for (shift, expected) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let step = accepted_step(SEED, &code(SEED, present + shift), now, None);
            assert_eq!(step, expected.then_some(present + shift), "{shift}");
        }
    }

    #[test]
    fn e53_neither_a_used_step_nor_an_earlier_one_is_accepted() {
        let now = at(1_234_567_890);
        let present = step_at(now);
        for (shift, expected) in [(-1, false), (0, false), (1, true)] {
            let given = code(SEED, present + shift);
            let step = accepted_step(SEED, &given, now, Some(present));
            assert_eq!(step.is_some(), expected, "{shift}");
        }
    }

    #[test]
    fn the_next_code_is_one_that_is_accepted() {
        let now = at(1_234_567_890);
        let present = step_at(now);
        for last_used in [None, Some(present - 5), Some(present - 1), Some(present)] {
            let next = next_code(SEED, now, last_used).unwrap();
            assert!(accepted_step(SEED, &next, now, last_used).is_some(), "{last_used:?}");
        }
        assert_eq!(next_code(SEED, now, Some(present + 1)), None);
    }
}
