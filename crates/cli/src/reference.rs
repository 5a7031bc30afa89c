//! Holds `docs/reference/cli.md` to the flags: the page is what this module renders.
//!
//! `cargo xtask gen` writes it. A group of flags that several commands share is written once, at
//! the first of them; the others link to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory, Parser};

use crate::args::Cli;

#[test]
fn the_page_is_what_the_flags_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    let page = Page::of(Cli::command()).text;
    #[expect(clippy::disallowed_methods, reason = "cargo xtask gen asks for the page this way")]
    let is_asked_for = std::env::var_os("ROLECALL_GEN").is_some();
    if is_asked_for {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let line = page.lines().zip(written.lines()).position(|(new, old)| new != old);
    assert!(
        page == written,
        "docs/reference/cli.md differs at line {}: run cargo xtask gen",
        line.unwrap_or_else(|| page.lines().count().min(written.lines().count())) + 1
    );
}

#[test]
fn every_example_can_be_parsed() {
    let mut root = Cli::command();
    root.build();
    let mut count = 0;
    for command in root.get_subcommands() {
        let examples = command.get_after_long_help().map(plain).unwrap_or_default();
        for example in examples.lines().filter(|line| line.starts_with("  ")) {
            count += 1;
            let parsed = Cli::try_parse_from(example.split_whitespace());
            assert!(parsed.is_ok(), "{example}: {}", parsed.err().unwrap());
        }
    }
    assert!(count > 10, "only {count} examples were found");
}

/// The page while it is written.
struct Page {
    text: String,
    /// Groups that are written already, by heading and text, with their anchors.
    groups: BTreeMap<(String, String), String>,
}

impl Page {
    fn of(mut root: Command) -> Self {
        root.build();
        let mut page = Self { text: HEAD.to_owned(), groups: BTreeMap::new() };
        page.paragraph(&prose(&root.get_after_help().map(plain).unwrap_or_default()));
        page.paragraph("## Flags of every command");
        let everywhere = |arg: &&Arg| arg.is_global_set() || is_builtin(arg);
        let shared: Vec<&Arg> = root.get_arguments().filter(everywhere).collect();
        let shared = shared.iter().map(|arg| flag(&root, arg)).collect::<String>();
        page.paragraph(shared.trim_end());
        for command in root.get_subcommands() {
            page.command(command, 2);
        }
        page.paragraph("## Values");
        page.paragraph(&values(&root));
        page.text = format!("{}\n", page.text.trim_end());
        page
    }

    fn paragraph(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push_str("\n\n");
    }

    fn command(&mut self, command: &Command, depth: usize) {
        let name = command.get_bin_name().unwrap_or_default();
        self.paragraph(&format!("{} {name}", "#".repeat(depth)));
        let about = command.get_long_about().or(command.get_about()).map(plain).unwrap_or_default();
        self.paragraph(&sentences(&about));
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").lines().map(str::trim);
        self.paragraph(&format!("```text\n{}\n```", usage.collect::<Vec<_>>().join("\n")));
        let mut headings: Vec<&str> = Vec::new();
        let own = |arg: &&Arg| !arg.is_global_set() && !is_builtin(arg) && !arg.is_hide_set();
        let args: Vec<&Arg> = command.get_arguments().filter(own).collect();
        for arg in &args {
            if !headings.contains(&heading(arg)) {
                headings.push(heading(arg));
            }
        }
        for title in headings {
            let of_it = args.iter().filter(|arg| heading(arg) == title);
            let text: String = of_it.map(|arg| flag(command, arg)).collect();
            self.group(name, title, &text);
        }
        if let Some(examples) = command.get_after_long_help().map(plain) {
            let lines = examples.lines().filter_map(|line| line.strip_prefix("  "));
            self.paragraph(&format!("```sh\n{}\n```", lines.collect::<Vec<_>>().join("\n")));
        }
        for command in command.get_subcommands() {
            self.command(command, depth + 1);
        }
    }

    fn group(&mut self, command: &str, title: &str, text: &str) {
        let (short, remark) = title.split_once(", ").unwrap_or((title, ""));
        let key = (title.to_owned(), text.to_owned());
        if let Some(anchor) = self.groups.get(&key) {
            let line = format!("**{short}**: [as above](#{anchor}).");
            return self.paragraph(&line);
        }
        let caption = format!("{short} of {command}");
        self.groups.insert(key, anchor(&caption));
        self.paragraph(&format!("### {caption}"));
        if !remark.is_empty() {
            self.paragraph(&sentences(remark));
        }
        self.paragraph(text.trim_end());
    }
}

/// `--help` and `--version`, which clap adds to every command.
fn is_builtin(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn heading(arg: &Arg) -> &str {
    match arg.get_help_heading() {
        Some(heading) => heading,
        None if arg.is_positional() => "Arguments",
        None => "Options",
    }
}

/// One flag or argument as an item of a list.
fn flag(command: &Command, arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(plain).unwrap_or_default();
    let mut item = format!("- `{}`", spelling(arg));
    let mut paragraphs = help.split("\n\n").map(prose);
    item.extend([": ", &paragraphs.next().unwrap_or_default(), "\n"]);
    let mut more: Vec<String> = paragraphs.collect();
    let is_switch = !arg.is_positional() && !arg.get_action().takes_values();
    let possible = if is_switch { Vec::new() } else { arg.get_possible_values() };
    let defaults = arg.get_default_values();
    if let Some(default) = defaults.first().filter(|_| !is_switch) {
        more.push(format!("Default: `{}`.", default.display()));
    }
    if arg.is_required_set() {
        more.push("Required.".to_owned());
    }
    let conflicts = conflicts(command, arg);
    if !conflicts.is_empty() {
        more.push(format!("Not together with {}.", conflicts.join(", ")));
    }
    if !possible.is_empty() {
        let lines = possible.iter().map(|value| {
            let help = value.get_help().map(plain).unwrap_or_default();
            format!("  - `{}`: {}", value.get_name(), prose(&help))
        });
        more.push(lines.collect::<Vec<_>>().join("\n").trim_start().to_owned());
    }
    for paragraph in more {
        item.extend(["\n  ", &paragraph, "\n"]);
    }
    item
}

/// What an argument does not go with, by its own word or as one of a group.
fn conflicts(command: &Command, arg: &Arg) -> Vec<String> {
    let groups = command.get_groups().filter(|group| !(*group).clone().is_multiple());
    let members = groups.map(|group| group.get_args().collect::<Vec<_>>());
    let siblings: Vec<_> = members.filter(|ids| ids.contains(&arg.get_id())).flatten().collect();
    let of_group = command
        .get_arguments()
        .filter(|other| other.get_id() != arg.get_id() && siblings.contains(&other.get_id()));
    let own = command.get_arg_conflicts_with(arg).into_iter();
    let names: BTreeSet<String> = own.chain(of_group).map(name).collect();
    names.iter().map(|name| format!("`{name}`")).collect()
}

fn spelling(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    if arg.is_positional() { arg.to_string() } else { format!("{short}{arg}") }
}

fn name(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.to_string(),
    }
}

/// What each kind of value is, for every kind that a flag takes.
fn values(root: &Command) -> String {
    let mut rows = String::from("| value | what |\n|---|---|\n");
    for kind in kinds(root) {
        let found = KINDS.iter().find(|(name, _)| *name == kind);
        let (_, what) = found.unwrap_or_else(|| panic!("{kind} is not among the kinds of values"));
        rows.extend(["| `", &kind.replace('|', "\\|"), "` | ", what, " |\n"]);
    }
    rows
}

fn kinds(command: &Command) -> BTreeSet<String> {
    let takes = |arg: &&Arg| arg.is_positional() || arg.get_action().takes_values();
    let names = command.get_arguments().filter(takes).filter_map(Arg::get_value_names);
    let own = names.flatten().map(ToString::to_string);
    own.chain(command.get_subcommands().flat_map(kinds)).collect()
}

fn plain(text: &StyledStr) -> String {
    text.to_string()
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

/// Help text as Markdown paragraphs that end in a full stop.
fn sentences(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let paragraph = prose(paragraph);
        let mut letters = paragraph.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string());
        let text = format!("{}{}", first.unwrap_or_default(), letters.as_str());
        if text.ends_with('.') { text } else { format!("{text}.") }
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Help text as Markdown: what would be typed, or set, stands in code quotes.
fn prose(text: &str) -> String {
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

fn word(word: &str) -> String {
    let core = word.trim_start_matches(['(', '[']).trim_end_matches(['.', ',', ';', ':', ')', ']']);
    let is_variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "_$*".contains(c);
    let is_code = core.starts_with("--")
        || (core.starts_with('-') && core.len() == 2)
        || core.contains("_+=")
        || core == "*"
        || core.starts_with("docs/")
        || (core.contains('_') && !core.contains("://"))
        || (core.starts_with('$') && core.chars().all(is_variable))
        || core.starts_with("arn:");
    match (word.find(core), is_code) {
        (Some(at), true) if !core.is_empty() => {
            let (before, rest) = word.split_at(at);
            let after = &rest[core.len()..];
            match core.strip_prefix("docs/") {
                Some(page) if !core.starts_with("docs/reference/") => {
                    format!("{before}[{core}](../{page}){after}")
                }
                Some(page) => {
                    format!("{before}[{core}]({}){after}", page.trim_start_matches("reference/"))
                }
                None => format!("{before}`{core}`{after}"),
            }
        }
        _ => word.to_owned(),
    }
}

const HEAD: &str = "\
<!-- Written by cargo xtask gen from crates/cli/src/args; change the help texts there. -->

# The command line

Who asks, on which platform and with what, is in [the guide to sources](../guides/sources.md); \
what may stand in a file in [manifests](manifests.md); what is read of the environment in \
[environment variables](environment.md).

";

const KINDS: [(&str, &str); 25] = [
    ("ACCOUNT", "an AWS account's number, 12 digits"),
    ("ADDRESS", "an IP address and a port, `127.0.0.1:4566` or `[::1]:4566`"),
    ("ARN", "an ARN in full, as `arn:aws:iam::111122223333:role/NAME`"),
    ("ARN|JSON", "an ARN, or a JSON object"),
    ("AUDIENCE", "the `aud` of a token"),
    ("CMD", "a command; after `--` as words, in a flag as one line for the shell"),
    ("CODE", "six digits"),
    ("DIR", "the path of a folder"),
    ("DURATION", "seconds (`3600`), or `1h`, `90m`, `1h30m`"),
    ("EXISTING", "the path of a file"),
    ("FILE", "the path of a file"),
    ("FILE|JSON", "a JSON object where it begins with `{`, else the path of a file"),
    ("FORMAT", "one of the formats listed"),
    ("ID", "text as STS takes it for an external ID"),
    ("KEY", "the key of a tag"),
    ("KEY=VALUE", "a tag"),
    ("NAME", "a name"),
    ("PATTERN", "a name or an ARN with `*` and `?`"),
    ("REGION", "a region, as `eu-west-1`"),
    ("ROLE_ARN", "the ARN of a role"),
    ("SERIAL", "the ARN of an MFA device"),
    ("SOURCE", "one of the sources listed"),
    ("SUBJECT", "the `sub` of a token"),
    ("URL", "an http or https URL"),
    ("WORLD", "the path of a [world file](world.md)"),
];
