//! Signals to rolecall while a command of the user's runs, and after it.
//!
//! Without a terminal: with one, Ctrl-C reaches the command from there.

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::Case;

const WEB: &str = "arn:aws:iam::111122223333:role/web";

fn case() -> Case {
    let mut case = Case::new();
    case.env("AWS_REGION", "eu-west-1").without_terminal();
    case
}

/// How many living processes have this argument; of a zombie there is none.
fn count_of(marker: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let arguments = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let words = |text: &Vec<u8>| text.split(|b| *b == 0).any(|word| word == marker.as_bytes());
    arguments.filter(words).count()
}

fn send(signal: Signal, id: u32) {
    let id = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}

#[test]
fn a_signal_ends_the_command_with_all_that_it_started_and_then_rolecall() {
    for (number, signal) in
        [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT].into_iter().enumerate()
    {
        let marker = format!("14{number}.{}", std::process::id());
        let command = format!("sleep {marker} & sleep {marker}; echo over");
        let case = case();
        let mut run = case.command(&["assume", WEB, "--web-identity-command", &command]);
        let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while count_of(&marker) < 2 {
            assert!(child.try_wait().unwrap().is_none(), "it has ended before the signal");
            std::thread::yield_now();
        }
        send(signal, child.id());
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
        while count_of(&marker) > 0 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_signal_after_the_command_ends_rolecall_as_ever() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let arguments =
            ["assume", WEB, "--web-identity-command", "echo token", "--endpoint-url", &endpoint];
        let case = case();
        let mut run = case.command(&arguments);
        let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Once it calls the command has run.
        let call = silent.accept().unwrap();
        send(signal, child.id());
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
        drop(call);
    }
}
