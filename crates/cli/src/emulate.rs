//! `emulate`: the emulator as a server of its own, and tokens and MFA codes of its world.

use std::io::{IsTerminal as _, Write as _};

use jiff::SignedDuration;
use rolecall_emulator::{Emulator, TokenRequest, Transport};
use rolecall_engine::ports::Clock;
use tempfile::NamedTempFile;

use crate::args::{
    EmulateArgs, EmulateCommand, EmulateMfaCodeArgs, EmulateServeArgs, EmulateTokenArgs,
};
use crate::clock::SystemClock;
use crate::emulation::{load_world, start};
use crate::report::{Exit, Failure};
use crate::signals::Signals;
use crate::terminal::Terminal;

/// Runs the command.
pub(crate) async fn run(args: &EmulateArgs, terminal: Terminal) -> Result<(), Failure> {
    match &args.command {
        Some(EmulateCommand::Token(token)) => print_token(token),
        Some(EmulateCommand::MfaCode(device)) => print_mfa_code(device),
        None => serve(&args.serve, terminal).await,
    }
}

async fn serve(args: &EmulateServeArgs, terminal: Terminal) -> Result<(), Failure> {
    let world = load_world(args.world.as_deref())?;
    let environment = environment(&world);
    let transport = if args.tls { Transport::Https } else { Transport::Http };
    let emulator = start(world, args.listen, transport).await?;
    // From before the first line is out, so that whoever reads it may end us at once.
    let mut signals = Signals::listen().map_err(|error| {
        Failure::new(Exit::Other, "could not wait for a signal").cause(error.to_string())
    })?;
    // Removed when dropped, and so on every way out of here.
    let bundle = emulator.ca_certificate().map(ca_bundle).transpose()?;
    let bundle_line = bundle.as_ref().map_or_else(String::new, |file| {
        format!("export AWS_CA_BUNDLE={}\n", shell_word(&file.path().display().to_string()))
    });
    Terminal::data(&format!("{}{bundle_line}{environment}", addresses(&emulator)))?;
    terminal.note("an emulated STS is running; end it with Ctrl-C");
    signals.next().await;
    emulator.shutdown().await;
    Ok(())
}

/// A new file in the temporary directory with the certificate that clients must trust.
fn ca_bundle(certificate: &str) -> Result<NamedTempFile, Failure> {
    let file = tempfile::Builder::new().prefix("rolecall-ca-").suffix(".pem").tempfile();
    let written = file.and_then(|mut file| {
        file.write_all(certificate.as_bytes())?;
        Ok(file)
    });
    written.map_err(|error| {
        Failure::new(Exit::Other, "could not write the certificate to the temporary directory")
            .cause(error.to_string())
    })
}

/// The text as one word of a shell, in quotes where it needs them.
fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Lines for a shell, so that the AWS CLI and every SDK use the emulator.
fn addresses(emulator: &Emulator) -> String {
    let url = emulator.sts_url();
    let lines = [
        ("AWS_ENDPOINT_URL_STS", url.as_str()),
        ("AWS_ENDPOINT_URL_ECR", url.as_str()),
        ("AWS_ENDPOINT_URL_ECR_PUBLIC", url.as_str()),
        ("ROLECALL_EMULATOR_CONTROL", &emulator.control_url()),
        ("ROLECALL_EMULATOR_TOKEN", emulator.control_token()),
    ];
    lines.map(|(name, value)| format!("export {name}={value}\n")).concat()
}

fn environment(world: &rolecall_emulator::World) -> String {
    let mut lines = vec![format!("export AWS_REGION={}", world.region())];
    lines.push(format!("export AWS_DEFAULT_REGION={}", world.region()));
    if let Some(user) = world.users().first() {
        lines.push(format!("export AWS_ACCESS_KEY_ID={}", user.access_key_id));
        lines.push(format!("export AWS_SECRET_ACCESS_KEY={}", user.secret_access_key));
        lines.push(format!("# the keys are those of {}", user.arn));
    }
    lines.extend(world.roles().iter().map(|role| format!("# a role: {}", role.arn)));
    lines.push(String::new());
    lines.join("\n")
}

fn print_token(args: &EmulateTokenArgs) -> Result<(), Failure> {
    let world = load_world(args.world.as_deref())?;
    let request = TokenRequest {
        issuer: args.issuer.clone(),
        subject: args.sub.clone(),
        audience: args.aud.clone(),
        lifetime: SignedDuration::from_secs(args.lifetime),
    };
    let token = world.sign_token(&request, SystemClock.now()).map_err(|error| {
        Failure::usage("the world cannot sign this token").cause(error.to_string())
    })?;
    // A token file holds the token and nothing else: the SDKs send what is in it.
    let end = if std::io::stdout().is_terminal() { "\n" } else { "" };
    Terminal::data(&format!("{token}{end}"))
}

fn print_mfa_code(args: &EmulateMfaCodeArgs) -> Result<(), Failure> {
    let world = load_world(args.world.as_deref())?;
    let code = world.mfa_code(&args.serial, SystemClock.now()).ok_or_else(|| {
        let serials = world.mfa_serials();
        let known = if serials.is_empty() {
            "no user of this world has mfaDevices".to_owned()
        } else {
            format!("the devices of this world are {}", serials.join(", "))
        };
        Failure::usage(format!("the world has no MFA device {}", args.serial)).hint(known)
    })?;
    Terminal::data(&format!("{code}\n"))
}
