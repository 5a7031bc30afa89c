//! The binary `rolecall`: doors for a person, a process or a CI job.
//!
//! A door is a parser and a writer, nothing else: it parses, plans, mints and encodes, top to
//! bottom. `args` is what was typed, `settings` the environment, `door` what all doors share.

mod args;
mod asker;
mod assume;
mod choice;
mod clock;
mod diff;
mod documents;
mod door;
mod emulate;
mod emulation;
mod exec;
mod files;
mod generate;
mod grants;
mod inputs;
mod mfa;
mod place;
mod planning;
#[cfg(test)]
mod reference;
mod relay;
mod report;
mod request;
mod secrets;
mod settings;
mod signals;
mod source;
mod template;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::report::{Exit, Failure};
use crate::settings::Settings;
use crate::terminal::Terminal;

fn main() -> ExitCode {
    keep_memory_private();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse_usage(&error),
    };
    let terminal = Terminal::new(cli.verbosity);
    let is_exec = matches!(cli.command, Command::Exec(_));
    match run(&cli.command, terminal) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            terminal.failure(&failure);
            ExitCode::from(if is_exec { EXEC_FAILURE } else { failure.exit.status() })
        }
    }
}

fn run(command: &Command, terminal: Terminal) -> Result<u8, Failure> {
    let settings = Settings::from_environment();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::new(Exit::Other, "could not start").cause(error.to_string()))?;
    match command {
        Command::Generate(args) => {
            runtime.block_on(generate::run(args, &settings, terminal)).map(|()| 0)
        }
        Command::Assume(args) => {
            runtime.block_on(assume::run(args, &settings, terminal)).map(|()| 0)
        }
        Command::RelayStep(args) => Ok(runtime.block_on(relay::run(args, &settings, terminal))),
        Command::Template(args) => template::run(args, terminal).map(|()| 0),
        Command::Emulate(args) => runtime.block_on(emulate::run(args, terminal)).map(|()| 0),
        Command::Exec(args) => {
            let next = runtime.block_on(exec::run(args, &settings, terminal))?;
            drop(runtime);
            Ok(match next {
                exec::Next::Replace(command) => exec::replace(*command, terminal),
                exec::Next::Done(status) => status,
            })
        }
    }
}

/// Help and version go to standard output; a mistake is 2, or 125 where a command was to be run.
fn refuse_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let printed = error.print();
        return if printed.is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(Exit::Other.status())
        };
    }
    let mut words = std::env::args_os().skip(1);
    let command = words.find(|word| !word.to_string_lossy().starts_with('-'));
    let is = |name: &str| command.as_deref().is_some_and(|word| word == name);
    // A step of a workflow has one line and one status for all that is wrong.
    if is("relay-step") {
        let failure = json_of(error).exits(Exit::Other);
        let text = if wants_json() {
            failure.render_json()
        } else {
            format!("error: {}", failure.one_line())
        };
        Terminal::banner(text.trim_end());
        return ExitCode::from(Exit::Other.status());
    }
    if wants_json() {
        Terminal::banner(json_of(error).render_json().trim_end());
    } else {
        // Where standard error is closed there is nobody to tell.
        error.print().ok();
    }
    ExitCode::from(if is("exec") { EXEC_FAILURE } else { Exit::Usage.status() })
}

/// What the parser of the flags says: the first line, and what it lists below.
fn json_of(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut lines = text.lines().take_while(|line| !line.starts_with("Usage:"));
    let message = lines.next().unwrap_or_default().trim_start_matches("error: ");
    let listed = lines.filter(|line| line.starts_with("  ")).map(str::trim);
    listed.fold(Failure::usage(message), Failure::problem)
}

/// Whether errors were asked for as JSON, when the flags themselves could not be read.
fn wants_json() -> bool {
    let words: Vec<_> = std::env::args_os().take_while(|word| word != "--").collect();
    words.iter().any(|word| word == "--error-format=json")
        || words
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a == "--error-format" && b == "json"))
}

/// Keys in memory belong into no core dump; a command that is run by `exec` is not affected.
fn keep_memory_private() {
    #[cfg(target_os = "linux")]
    {
        // Where the kernel refuses, the machine's own limits stand.
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).ok();
    }
}

/// What `exec` answers for every failure of its own, so that it is not the command's.
const EXEC_FAILURE: u8 = 125;
