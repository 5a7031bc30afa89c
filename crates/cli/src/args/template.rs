//! `template`: what was typed.
#![expect(clippy::doc_markdown, reason = "the comments of fields are help texts")]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

const EXAMPLES: &str = "Examples:
  rolecall template -f externalsecret.yaml
  rolecall template -f externalsecret.yaml -f configmap.yaml --data keys.yaml -o data
  rolecall template -f externalsecret.yaml -o diff live.yaml";

#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TemplateArgs {
    /// A file of YAML documents: ExternalSecrets, and the ConfigMaps and Secrets that their templates
    /// name ('-' reads standard input)
    ///
    /// Generators among them are used for their keys; without its document a generator has those of
    /// its kind, an ECRAuthorizationToken those of a private registry.
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The ExternalSecret to render, where the files hold several (NAME or NAMESPACE/NAME)
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// What the generators give: a YAML map of their keys to strings
    ///
    /// A key that it leaves out has its own name in angle brackets for a value; expiration and expires_at
    /// are 1767229200.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value = "secret", value_name = "FORMAT")]
    pub(crate) output: TemplateOutput,
    /// With -o diff: print the values that differ
    #[arg(long)]
    pub(crate) show_values: bool,
    /// With -o diff: a file with the Secret that is there ('-' reads standard input)
    ///
    /// For example from kubectl get secret NAME -o yaml --show-managed-fields, which tells what
    /// others have added.
    #[arg(value_name = "EXISTING")]
    pub(crate) existing: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum TemplateOutput {
    /// The Secret, with the field that each of its keys comes from
    Secret,
    /// Its keys with their values as they are
    Data,
    /// What would change in EXISTING: keys, type and metadata, and no value (the exit status is 0 either way)
    Diff,
}
