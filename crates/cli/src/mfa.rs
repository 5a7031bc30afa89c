//! Codes of MFA devices: from a flag, a command, or the terminal.
//!
//! Standard input is never read for one: it may be a manifest. The prompt goes to the terminal
//! itself, so it works while both output streams are redirected.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::sync::{Mutex, PoisonError};

use rolecall_aws::command;
use rolecall_engine::error::{Class, SourceError};
use rolecall_engine::plan::{Plan, codes_needed};
use rolecall_engine::request::{MfaCode, MfaSerial};
use rolecall_engine::violation::Violations;

use crate::args::MfaArgs;

/// What the flags say of the second factor.
pub(crate) fn read_mfa(
    args: &MfaArgs,
    problems: &mut Violations,
) -> (Option<MfaCode>, Option<MfaSerial>) {
    let MfaArgs { serial, code, .. } = args;
    let code = code.as_deref().and_then(|text| {
        let code = MfaCode::parse(text);
        problems.keep("--mfa-code", code)
    });
    let serial = serial.as_deref().and_then(|text| {
        let serial = MfaSerial::parse(text);
        if text.contains(":user/") {
            let hint = "the device's ARN has :mfa/ where the user's has :user/";
            problems.push_with_hint("--mfa-serial", "is the ARN of a user, not of a device", hint);
        }
        problems.keep("--mfa-serial", serial)
    });
    (code, serial)
}

/// Where codes come from.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    /// The one that a flag gave; it works once.
    given: Mutex<Option<MfaCode>>,
    has_flag: bool,
    command: Option<String>,
    /// Whether a flag gave the command, which must not be lost where no call asks for a code.
    has_command_flag: bool,
}

impl Codes {
    /// `given` is absent where the flag's code could not be read, which was told then.
    pub(crate) fn new(args: &MfaArgs, given: Option<MfaCode>, of_profile: Option<String>) -> Self {
        Self {
            has_flag: args.code.is_some(),
            given: Mutex::new(given),
            has_command_flag: args.command.is_some(),
            command: args.command.clone().or(of_profile),
        }
    }

    /// Refuses plans whose codes nobody could give, and a code that no plan asks for.
    pub(crate) fn check<'a>(
        &self,
        plans: impl Iterator<Item = &'a Plan>,
        violations: &mut Violations,
    ) {
        let plans: Vec<&Plan> = plans.collect();
        let Some(serial) = plans.iter().flat_map(|plan| plan.devices()).next() else {
            let flags = [("--mfa-code", self.has_flag), ("--mfa-command", self.has_command_flag)];
            let unused = flags.into_iter().filter(|(_, is_given)| *is_given);
            if violations.is_empty() {
                for (flag, _) in unused {
                    let hint = "name the device with --mfa-serial";
                    violations.push_with_hint(flag, "is not used: no call asks for a code", hint);
                }
            }
            return;
        };
        let needed = codes_needed(plans.iter().copied());
        if self.has_flag && needed > 1 {
            let problem = format_args!("is one code, and {needed} calls need one each");
            let hint = "run the grants one by one, or give --mfa-command";
            violations.push_with_hint("--mfa-code", problem, hint);
        }
        if !self.can_be_had() {
            let problem =
                format_args!("{serial} needs its code, and there is no terminal to ask at");
            violations.push_with_hint("--mfa-code", problem, "give --mfa-code or --mfa-command");
        }
    }

    /// Whether there is anybody to ask.
    pub(crate) fn can_be_had(&self) -> bool {
        self.has_flag || self.command.is_some() || open_terminal().is_some()
    }

    /// A present code of `serial`.
    pub(crate) async fn code(&self, serial: &MfaSerial) -> Result<MfaCode, SourceError> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(code) = given {
            return Ok(code);
        }
        if self.has_flag {
            return Err(SourceError::Failed {
                origin: format!("MFA device {serial}"),
                reason: "the code of --mfa-code was used by an earlier call, and works once".into(),
                class: Class::NeedsPerson,
                hint: Some("run the calls one by one, or give --mfa-command".to_owned()),
            });
        }
        match &self.command {
            Some(line) => from_command(line, serial).await,
            None => prompt(serial).await,
        }
    }
}

async fn from_command(line: &str, serial: &MfaSerial) -> Result<MfaCode, SourceError> {
    let failed = |reason: String| SourceError::Failed {
        origin: format!("the MFA command for {serial}"),
        reason,
        class: Class::NoSource,
        hint: Some("run it by itself: it must print the six digits of the present code".to_owned()),
    };
    let printed = command::output(line, &[]).await.map_err(|error| failed(error.to_string()))?;
    MfaCode::parse(printed.trim()).map_err(|_| failed("printed no six digits".to_owned()))
}

/// Asks up to three times, since people mistype.
async fn prompt(serial: &MfaSerial) -> Result<MfaCode, SourceError> {
    let serial = serial.clone();
    let answer = tokio::task::spawn_blocking(move || ask(&serial)).await;
    answer.ok().flatten().ok_or_else(|| SourceError::Failed {
        origin: "MFA".to_owned(),
        reason: "no code was given".to_owned(),
        class: Class::NeedsPerson,
        hint: Some("give it at the prompt, or with --mfa-code or --mfa-command".to_owned()),
    })
}

fn ask(serial: &MfaSerial) -> Option<MfaCode> {
    let (reader, mut writer) = open_terminal()?;
    let mut lines = BufReader::new(reader).lines();
    for _ in 0..3 {
        // A code works once, so it may be seen.
        write!(writer, "MFA code of {serial}: ").ok()?;
        writer.flush().ok()?;
        let line = lines.next()?.ok()?;
        if let Ok(code) = MfaCode::parse(line.trim()) {
            return Some(code);
        }
        writeln!(writer, "A code is six digits.").ok()?;
    }
    None
}

/// The terminal that this process was started from, for reading and for writing.
fn open_terminal() -> Option<(File, File)> {
    let open = |path: &str| OpenOptions::new().read(true).write(true).open(path).ok();
    if cfg!(windows) {
        open("CONIN$").zip(open("CONOUT$"))
    } else {
        open("/dev/tty").zip(open("/dev/tty"))
    }
}
