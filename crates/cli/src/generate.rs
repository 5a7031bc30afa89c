//! `generate`: runs the generators of a manifest and prints their output keys.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rolecall_engine::grant::Grant;
use rolecall_engine::mint::Minter;
use rolecall_engine::output::{KeyMap, generator_keys, key_lines, pretty};
use rolecall_engine::plan::Plan;
use rolecall_engine::render::{SecretObject, Text};
use rolecall_engine::session::Issued;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::{GenerateArgs, GenerateOutput};
use crate::door::{Door, unexpected};
use crate::grants::{Planned, full_name, plan_files};
use crate::report::Failure;
use crate::secrets::plan_secrets;
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
    let (files, choice) = (&args.grants.files, &args.grants.choice);
    if args.output == GenerateOutput::Secret {
        let planned = plan_secrets(files, choice, settings, door).await?;
        let minter = door.minter(Arc::clone(&planned.inputs));
        let issued = mint(&planned.grants, &minter, door).await?;
        return documents(&planned.render(issued, door)?);
    }
    let planned = plan_files(files, choice, settings, door).await?;
    let names = distinct_names(&planned);
    if args.output == GenerateOutput::Keys && names.len() > 1 {
        return Err(Failure::usage("the files hold several grants, and keys prints one")
            .hint(format!("choose one with --name: {}", names.join(", ")))
            .hint("or print all of them with -o json or -o yaml"));
    }
    let minter = door.minter(planned.inputs);
    let issued = mint(&planned.grants, &minter, door).await?;
    encode(&names, &issued, args.output)
}

/// Runs every plan: nothing is printed before all of them are there.
async fn mint(
    grants: &[(Grant, Plan)],
    minter: &Minter,
    door: &Door,
) -> Result<Vec<Issued>, Failure> {
    let mut issued = Vec::new();
    for (grant, plan) in grants {
        match door.mint(minter, plan).await {
            Ok(minted) => issued.push(minted.issued),
            Err(failure) => {
                minter.drain().await;
                let is_one_of_many = grants.len() > 1;
                return Err(if is_one_of_many {
                    failure.about(&full_name(grant))
                } else {
                    failure
                });
            }
        }
    }
    minter.drain().await;
    Ok(issued)
}

/// Objects for `kubectl apply`, one document after the other.
fn documents(secrets: &[SecretObject]) -> Result<Text, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(ROOM));
    for (index, secret) in secrets.iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        serde_saphyr::to_fmt_writer(&mut *text, secret).map_err(|error| unexpected(&error))?;
    }
    Ok(text)
}

fn encode(names: &[String], issued: &[Issued], output: GenerateOutput) -> Result<Text, Failure> {
    match (issued, output) {
        ([only], GenerateOutput::Keys) => Ok(key_lines(&generator_keys(only))),
        ([only], output) => map(&KeyMap(only), output),
        (several, output) => {
            let maps = several.iter().map(KeyMap);
            let by_name: BTreeMap<&String, KeyMap<'_>> = names.iter().zip(maps).collect();
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
    let name = |(grant, _): &(Grant, _)| {
        if count.get(grant.name.as_str()) == Some(&1) {
            grant.name.clone()
        } else {
            full_name(grant)
        }
    };
    planned.grants.iter().map(name).collect()
}
