//! `assume`: prints the credentials of a role.

use rolecall_engine::output::{
    Dialect, assume_role_json, credential_process, key_lines, shell, variables,
};
use rolecall_engine::render::Text;

use crate::args::{AssumeArgs, AssumeOutput};
use crate::door::{Door, unexpected};
use crate::report::Failure;
use crate::request::{Answer, run as request};
use crate::settings::Settings;
use crate::terminal::Terminal;

/// Runs the command.
pub(crate) async fn run(
    args: &AssumeArgs,
    settings: &Settings,
    terminal: Terminal,
) -> Result<(), Failure> {
    let source = &args.request.source;
    if source.emulate.is_some() && args.output == AssumeOutput::CredentialProcess {
        return Err(Failure::usage("--emulate does not go with -o credential-process")
            .hint("what an SDK reads would outlive this process and could be taken for real"));
    }
    let door = Door::open(source, &args.request.guards, settings, terminal).await?;
    let answer = request(&args.request, settings, &door).await;
    door.close().await;
    Terminal::data(&encode(&answer?, args.output)?)
}

fn encode(answer: &Answer, output: AssumeOutput) -> Result<Text, Failure> {
    let session = &answer.session;
    let variables = || variables(session, &answer.region);
    match output {
        AssumeOutput::Env => Ok(shell(&variables(), Dialect::Posix)),
        AssumeOutput::Fish => Ok(shell(&variables(), Dialect::Fish)),
        AssumeOutput::Powershell => Ok(shell(&variables(), Dialect::PowerShell)),
        AssumeOutput::Dotenv => Ok(key_lines(&variables())),
        AssumeOutput::Json => assume_role_json(session).map_err(|error| unexpected(&error)),
        AssumeOutput::CredentialProcess => {
            credential_process(session).map_err(|error| unexpected(&error))
        }
    }
}
