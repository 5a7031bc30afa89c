//! What becomes of the processes that a command starts, seen in `/proc`.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

use std::future::{pending, poll_fn};
use std::task::Poll;

use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// A length of sleep that no other process has.
fn marker(test: u32) -> String {
    format!("13{test}.{}", std::process::id())
}

/// Living processes with this argument; of a zombie there is none.
fn sleepers(marker: &str) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has_marker = |id: &i32| {
        let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        arguments.split(|b| *b == 0).any(|word| word == marker.as_bytes())
    };
    ids.filter(has_marker).collect()
}

/// Looks at the processes until as many are there as wanted.
async fn until_there_are(count: usize, marker: &str) {
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if sleepers(marker).len() == count { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[tokio::test]
async fn what_a_command_leaves_in_the_background_is_not_waited_for() {
    let marker = marker(1);
    let line = format!("echo token; sleep {marker} &");
    for group in [Group::Own, Group::Ours] {
        let printed = run(&line, &[], Stdio::null(), group, pending()).await;
        assert_eq!(printed.unwrap().as_str(), "token\n");
        // It lives on.
        until_there_are(1, &marker).await;
        for id in sleepers(&marker) {
            kill_process(Pid::from_raw(id).unwrap(), Signal::KILL).unwrap();
        }
        until_there_are(0, &marker).await;
    }
}

#[tokio::test]
async fn all_that_was_printed_is_taken_whoever_prints_it() {
    let line = "head -c 60000 /dev/zero | tr '\\0' a; (echo b) & exit 0";
    let printed = run(line, &[], Stdio::null(), Group::Own, pending()).await.unwrap();
    assert_eq!(printed.len(), 60_002);
}

#[tokio::test]
async fn a_command_that_takes_too_long_ends_with_all_that_it_started() {
    let marker = marker(2);
    let line = format!("sleep {marker} & sleep {marker}; echo over");
    let end = async {
        until_there_are(2, &marker).await;
        CommandError::TimedOut
    };
    let result = run(&line, &[], Stdio::null(), Group::Own, end).await;
    assert_eq!(result, Err(CommandError::TimedOut));
    until_there_are(0, &marker).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_command_with_all_that_it_started() {
    let marker = marker(3);
    let line = format!("sleep {marker} & sleep {marker}; echo over");
    tokio::select! {
        result = run(&line, &[], Stdio::null(), Group::Own, pending()) => panic!("{result:?}"),
        () = until_there_are(2, &marker) => {}
    }
    until_there_are(0, &marker).await;
}

#[tokio::test]
async fn a_command_that_prints_without_end_is_ended() {
    let marker = marker(4);
    let line = format!("sleep {marker} & while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done");
    let result = run(&line, &[], Stdio::null(), Group::Own, pending()).await;
    assert_eq!(result, Err(CommandError::TooMuch));
    until_there_are(0, &marker).await;
}

#[test]
fn the_message_names_the_limit() {
    assert_eq!(CommandError::TimedOut.to_string(), "took longer than 60 s and was ended");
}
