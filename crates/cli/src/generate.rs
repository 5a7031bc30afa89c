//! `generate`: runs the generators of a manifest and prints their output keys.

use std::collections::{BTreeMap, HashMap};

use rolecall_engine::mint::Minted;
use rolecall_engine::output::{KeyMap, generator_keys, key_lines, pretty};
use rolecall_engine::render::Text;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::{GenerateArgs, GenerateOutput};
use crate::door::{Door, unexpected};
use crate::grants::{Planned, full_name, plan_files};
use crate::report::Failure;
use crate::settings::Settings;
use crate::terminal::Terminal;

/// Runs the command.
pub(crate) async fn run(
    args: &GenerateArgs,
    settings: &Settings,
    terminal: Terminal,
) -> Result<(), Failure> {
    let door = Door::open(&args.source, &args.guards, settings, terminal).await?;
    let result = answer(args, settings, &door).await;
    door.close().await;
    Terminal::data(&result?)
}

async fn answer(args: &GenerateArgs, settings: &Settings, door: &Door) -> Result<Text, Failure> {
    let planned = plan_files(&args.grants.files, &args.grants.choice, settings, door).await?;
    let names = distinct_names(&planned);
    if args.output == GenerateOutput::Keys && names.len() > 1 {
        return Err(Failure::usage("the files hold several grants, and keys prints one")
            .hint(format!("choose one with --name: {}", names.join(", ")))
            .hint("or print all of them with -o json or -o yaml"));
    }
    let minter = door.minter(planned.inputs);
    let mut minted = Vec::new();
    for (grant, plan) in &planned.grants {
        // Nothing is printed before all of them are there.
        match door.mint(&minter, plan).await {
            Ok(session) => minted.push(session),
            Err(failure) if planned.grants.len() > 1 => {
                return Err(failure.about(&full_name(grant)));
            }
            Err(failure) => return Err(failure),
        }
    }
    minter.drain().await;
    encode(&names, &minted, args.output)
}

fn encode(names: &[String], minted: &[Minted], output: GenerateOutput) -> Result<Text, Failure> {
    match (minted, output) {
        ([only], GenerateOutput::Keys) => Ok(key_lines(&generator_keys(&only.issued))),
        ([only], output) => map(&KeyMap(&only.issued), output),
        (several, output) => {
            let sessions = several.iter().map(|minted| KeyMap(&minted.issued));
            let by_name: BTreeMap<&String, KeyMap<'_>> = names.iter().zip(sessions).collect();
            map(&by_name, output)
        }
    }
}

fn map(value: &impl Serialize, output: GenerateOutput) -> Result<Text, Failure> {
    if output != GenerateOutput::Yaml {
        return pretty(value).map_err(|error| unexpected(&error));
    }
    let mut text = Zeroizing::new(String::with_capacity(ROOM));
    serde_saphyr::to_fmt_writer(&mut *text, value).map_err(|error| unexpected(&error))?;
    Ok(text)
}

/// Room for many sessions, so that no secret is left behind by a growing buffer.
const ROOM: usize = 64 * 1024;

/// The name of each grant, with its namespace where two share the name.
fn distinct_names(planned: &Planned) -> Vec<String> {
    let mut count: HashMap<&str, usize> = HashMap::new();
    for (grant, _) in &planned.grants {
        *count.entry(&grant.name).or_default() += 1;
    }
    let name = |(grant, _): &(rolecall_engine::grant::Grant, _)| {
        if count.get(grant.name.as_str()) == Some(&1) {
            grant.name.clone()
        } else {
            full_name(grant)
        }
    };
    planned.grants.iter().map(name).collect()
}
