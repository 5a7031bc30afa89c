//! Failures: two margins, ladders, and what makes another question of it.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::{PLAN, check, check_at, minutes, now, synced};
use crate::decide::{Step, decide};
use crate::failure::{Failure, Reason};
use crate::schedule::{Life, after, before};
use crate::seen::{Announcement, Inputs, PassFailure, Ready, Refreshing, Seen};

fn failing(reason: Reason, minutes_left: i64) -> Seen {
    let mut seen = synced();
    let ends = after(now(), minutes(minutes_left));
    let life = Life { issued: before(ends, minutes(60)), ends };
    seen.past.lives = vec![life];
    seen.past.held.as_mut().unwrap().lives = vec![life];
    let mut failure = Failure::new(reason, "code", "it failed".to_owned(), now());
    failure.asking = Some(seen.asking());
    seen.pass.failure = Some(PassFailure { failure, ready: None });
    seen.past.announced = BTreeSet::from([Announcement::Failed(reason)]);
    seen
}

/// Two margins: a failed renewal is told at once, and makes an object not ready only near the end.
#[test]
fn a_failed_renewal_keeps_it_ready_until_the_alarm() {
    for reason in
        [Reason::Throttled, Reason::Unavailable, Reason::AccessDenied, Reason::BadBaseCredential]
    {
        for (left, is_ready) in [(12, true), (4, true), (3, false), (1, false)] {
            let Step::WriteStatus(verdict) = decide(&failing(reason, left), now()) else {
                panic!()
            };
            assert_eq!(verdict.ready.is_ready(), is_ready, "{reason:?}, {left} min left");
            assert_eq!(verdict.refreshing, Refreshing::Failed(reason));
        }
    }
    // A change of plan that fails is told at once: what is stored answers another question.
    let mut seen = failing(Reason::AccessDenied, 30);
    seen.inputs = Inputs::Ready { plan: "other".to_owned(), sharers: 1, key_version: None };
    let Step::WriteStatus(verdict) = decide(&seen, now()) else { panic!() };
    assert!(!verdict.ready.is_ready());
    // So is what could not be written.
    let mut seen = failing(Reason::InvalidSpec, 30);
    seen.pass.failure.as_mut().unwrap().ready = Some(Ready::NotWritten);
    let Step::WriteStatus(verdict) = decide(&seen, now()) else { panic!() };
    assert_eq!(verdict.ready, Ready::NotWritten);
}

#[test]
fn once_more_just_before_the_alarm_whatever_the_class() {
    let seen = failing(Reason::InvalidRequest, 10);
    let Step::WriteStatus(verdict) = decide(&seen, now()) else { panic!() };
    let mut seen = seen;
    seen.past.failure = seen.pass.failure.take().map(|it| it.failure);
    let attempts = 20;
    seen.past.failure.as_mut().unwrap().attempts = attempts;
    seen.past.refreshing = Some(verdict.refreshing);
    // By its ladder it would be tried in hours.
    let Step::WakeAt(wake) = decide(&seen, now()) else { panic!() };
    let alarm = seen.alarm().unwrap();
    assert!(wake < alarm && wake > before(alarm, SignedDuration::from_secs(30)), "{wake}");
    check_at(&seen, wake, "mint");
}

#[test]
fn a_failure_is_tried_again_at_once_when_the_question_changes() {
    let mut seen = failing(Reason::AccessDenied, 10);
    seen.past.failure = seen.pass.failure.take().map(|it| it.failure);
    seen.past.refreshing = Some(Refreshing::Failed(Reason::AccessDenied));
    seen.past.failure.as_mut().unwrap().last = now();
    check(&seen, "wait");
    let mut changed = seen.clone();
    changed.object.version = "2-a".to_owned();
    check(&changed, "mint");
    let mut generator = seen.clone();
    generator.inputs = Inputs::Ready { plan: "other".to_owned(), sharers: 500, key_version: None };
    check(&generator, "mint");
    // A key that was put right is seen by its version alone.
    let mut key = seen.clone();
    let failure = key.past.failure.as_mut().unwrap();
    failure.reason = Reason::BadBaseCredential;
    failure.key_version = Some("base=u/1".to_owned());
    key.past.refreshing = Some(Refreshing::Failed(Reason::BadBaseCredential));
    key.past.announced = BTreeSet::from([Announcement::Failed(Reason::BadBaseCredential)]);
    let looked = |version: &str| Inputs::Ready {
        plan: PLAN.to_owned(),
        sharers: 1,
        key_version: Some(version.to_owned()),
    };
    key.inputs = looked("base=u/1");
    check(&key, "wait");
    key.inputs = looked("base=u/2");
    check(&key, "mint");
}

/// After a start the failure of the status stands, and is mended as any other one.
#[test]
fn a_failure_of_an_earlier_process_is_mended_by_a_change() {
    for reason in Reason::ALL {
        let mut seen = synced();
        let mut failure = Failure::new(reason, "code", "it failed".to_owned(), now());
        failure.planned = Some(after(now(), minutes(20)));
        failure.asking = Some(seen.asking());
        seen.past.failure = Some(failure.clone());
        seen.past.refreshing = Some(Refreshing::Failed(reason));
        seen.past.announced = BTreeSet::from([Announcement::Failed(reason)]);
        let mut changed = seen.clone();
        changed.object.version = "2-b".to_owned();
        changed.past.held = None;
        check(&changed, "mint");
        // A target that went away, and with it what stood in the way of a write.
        let mut gone = seen.clone();
        gone.target = crate::seen::Target::Absent;
        check(&gone, "write");
    }
}

/// What is not asked for any more, or was a passing fault, is not held against what is there.
#[test]
fn a_failure_of_nothing_that_is_due_is_over() {
    let mut seen = synced();
    let failure = Failure::new(Reason::AccessDenied, "AccessDenied", String::new(), now());
    seen.past.failure = Some(failure);
    seen.past.ready = Some(Ready::NoData);
    seen.past.refreshing = Some(Refreshing::Failed(Reason::AccessDenied));
    let Step::WriteStatus(verdict) = decide(&seen, now()) else { panic!() };
    assert_eq!((verdict.ready, verdict.refreshing), (Ready::Synced, Refreshing::Scheduled));
    assert_eq!(verdict.failure, None);
}

/// A failure that is over does not hide that the credential has ended and is not renewed.
#[test]
fn an_end_that_is_not_renewed_is_told_over_a_failure_that_is_over() {
    let mut seen = synced();
    let failure = Failure::new(Reason::AccessDenied, "AccessDenied", String::new(), now());
    seen.past.failure = Some(failure);
    seen.past.refreshing = Some(Refreshing::Failed(Reason::AccessDenied));
    seen.past.announced = BTreeSet::from([Announcement::PolicyNever]);
    let crate::seen::Wanted::Secret(spec) = &mut seen.wanted else { panic!() };
    spec.refresh = crate::seen::RefreshPolicy::CreatedOnce;
    let end = seen.ends().unwrap();
    let Step::WriteStatus(verdict) = decide(&seen, end) else { panic!() };
    assert_eq!((verdict.ready, verdict.refreshing), (Ready::NoData, Refreshing::PolicyNever));
    assert_eq!(verdict.failure, None);
}

#[test]
fn a_status_that_could_not_be_written_is_written_soon() {
    let mut seen = synced();
    seen.past.is_unreported = true;
    let Step::WriteStatus(_) = decide(&seen, now()) else { panic!() };
    seen.pass.has_reported = true;
    let Step::WakeAt(wake) = decide(&seen, now()) else { panic!() };
    assert_eq!(wake.duration_since(now()), SignedDuration::from_secs(5));
}
