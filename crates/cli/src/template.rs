//! `template`: renders ExternalSecrets over made-up keys, without any call.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_engine::arn::Dialect;
use rolecall_engine::fields::Fields;
use rolecall_engine::grant::{ExternalSecret, Grant};
use rolecall_engine::ports::Clock;
use rolecall_engine::render::{Data, Existing, Rendered, Renderer, SecretObject, Text, rewrite};
use rolecall_engine::violation::{Violations, nearest, shown};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::args::{TemplateArgs, TemplateOutput};
use crate::clock::SystemClock;
use crate::diff;
use crate::documents::{Documents, parse, wipe};
use crate::door::unexpected;
use crate::files::{MOST_BYTES, is_input, read_text, shown_file};
use crate::report::Failure;
use crate::secrets::{choose_secrets, find_grant, full_name, push_missing, render, renderer, warn};
use crate::terminal::Terminal;

/// Runs the command.
pub(crate) fn run(args: &TemplateArgs, terminal: Terminal) -> Result<(), Failure> {
    let is_diff = args.output == TemplateOutput::Diff;
    match &args.existing {
        None if is_diff => {
            return Err(Failure::usage("-o diff needs the Secret that is there")
                .hint("add a file: rolecall template -f FILE -o diff EXISTING"));
        }
        Some(file) if !is_diff => {
            let file = file.display();
            return Err(Failure::usage(format!("{file} is used by -o diff only"))
                .hint("files to read are given with -f"));
        }
        _ if args.show_values && !is_diff => {
            return Err(Failure::usage("--show-values is used by -o diff only")
                .hint("-o data prints the values"));
        }
        _ => {}
    }
    let one = args.data.iter().chain(&args.existing);
    if args.files.iter().chain(one).filter(|file| is_input(file)).count() > 1 {
        return Err(Failure::usage("standard input is read once, and - is given twice")
            .hint("write one of the two to a file"));
    }
    let mut violations = Violations::new();
    // No call is made, so any server's ARNs will do.
    let mut documents = Documents::read(&args.files, Dialect::Compatible, &mut violations);
    let chosen = choose_secrets(&mut documents, args.name.as_deref(), &mut violations)?;
    if is_diff && chosen.len() > 1 {
        return Err(Failure::usage(
            "the files hold several ExternalSecrets, and -o diff takes one",
        )
        .hint("choose it with --name"));
    }
    let given = args.data.as_deref().map(|file| read_data(file, &mut violations));
    let existing = args.existing.as_deref().and_then(|file| read_secret(file, &mut violations));
    let planned = plan(chosen, &documents, given, terminal, &mut violations);
    let planned = violations
        .into_result(Some(planned))
        .map_err(|found| Failure::violations("the input is not valid", &found).or_hint(HELP))?;
    let now = SystemClock.now();
    let mut text = Zeroizing::new(String::with_capacity(ROOM));
    for (index, (renderer, keys)) in planned.into_iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        let rendered = render(&renderer, keys, existing.as_ref(), now, terminal)?;
        match &existing {
            Some(existing) => {
                warn_of_another(existing, &rendered.secret, terminal);
                diff::write(&mut text, existing, &rendered.secret, args.show_values);
                if text.is_empty() {
                    terminal.note("nothing differs");
                }
            }
            None => write(&mut text, &rendered, args.output)?,
        }
    }
    Terminal::data(&text)
}

/// A renderer with the keys of each entry.
type Planned = (Renderer, Vec<Vec<(String, Text)>>);

/// Keys of generators that were given, with their values.
type Given = BTreeMap<String, Text>;

fn plan(
    chosen: Vec<ExternalSecret>,
    documents: &Documents,
    given: Option<(String, Given)>,
    terminal: Terminal,
    violations: &mut Violations,
) -> Vec<Planned> {
    let mut planned = Vec::new();
    let mut known = BTreeSet::new();
    let (file, given) = given.unwrap_or_default();
    for external_secret in chosen {
        warn(&external_secret, terminal);
        let mut entries = Vec::new();
        let mut keys = BTreeSet::new();
        for (index, entry) in external_secret.entries.iter().enumerate() {
            let grant = find_grant(&external_secret, entry, &documents.grants);
            let Some(names) = grant
                .map(|grant: &Grant| grant.ask.output_keys())
                .or_else(|| entry.generator.kind.usual_keys())
            else {
                push_missing(&external_secret, index, entry, violations);
                continue;
            };
            known.extend(names.iter().copied());
            let values: Vec<_> = names.iter().map(|name| made_up(name, &given)).collect();
            match rewrite(values.clone(), &entry.rewrites, SystemClock.now()) {
                Ok(rewritten) => keys.extend(rewritten.keys.into_keys()),
                Err(error) => {
                    let name = full_name(&external_secret);
                    let path = format!("{name} spec.dataFrom[{index}].rewrite");
                    violations.push_with_hint(path, &error, error.hint());
                }
            }
            entries.push(values);
        }
        let is_whole = entries.len() == external_secret.entries.len();
        let keys = Some(keys).filter(|_| is_whole && violations.is_empty());
        let renderer = renderer(external_secret, &documents.inputs, keys, violations);
        planned.extend(renderer.map(|renderer| (renderer, entries)));
    }
    // Where nothing is known, a typo cannot be told from a key.
    let is_unknown = |name: &&String| !known.is_empty() && !known.contains(name.as_str());
    for name in given.keys().filter(is_unknown) {
        let all: Vec<&str> = known.iter().copied().collect();
        let hint = match nearest(name, all.iter().copied()) {
            Some(near) => format!("did you mean {near}? The generators give {}", all.join(", ")),
            None => format!("the generators give {}", all.join(", ")),
        };
        let path = format!("{file} {}", shown(name));
        violations.push_with_hint(path, "is no key of these generators", hint);
    }
    planned
}

fn made_up(name: &str, given: &Given) -> (String, Text) {
    let value = match (given.get(name), name) {
        (Some(value), _) => value.clone(),
        // The first hour of 2026.
        (None, "expiration" | "expires_at") => Text::new("1767229200".to_owned()),
        (None, name) => Text::new(format!("<{name}>")),
    };
    (name.to_owned(), value)
}

/// A file of one document; its strings are zeroed when they were read.
fn read_document<T>(
    file: &Path,
    violations: &mut Violations,
    read: impl FnOnce(&Value, &str, &mut Violations) -> Option<T>,
) -> Option<T> {
    let name = shown_file(file);
    let text = violations.keep(&name, read_text(file, MOST_BYTES))?;
    let mut documents = match parse(&text) {
        Ok(documents) => documents,
        Err(not_yaml) => {
            violations.push_with_hint(&name, not_yaml.problem, not_yaml.hint);
            return None;
        }
    };
    let result = match documents.as_slice() {
        [document] => read(document, &name, violations),
        documents => {
            let count = documents.len();
            violations.push(&name, format_args!("holds {count} documents, and one is read"));
            None
        }
    };
    documents.iter_mut().for_each(wipe);
    result
}

fn read_data(file: &Path, violations: &mut Violations) -> (String, Given) {
    let keys = read_document(file, violations, |document, name, violations| {
        let fields = Fields::of(document, name, violations)?;
        let pairs = fields.texts_by_key(violations).into_iter();
        Some(pairs.map(|(key, text)| (key.to_owned(), Text::new(text.to_owned()))).collect())
    });
    (shown_file(file), keys.unwrap_or_default())
}

fn read_secret(file: &Path, violations: &mut Violations) -> Option<Existing> {
    read_document(file, violations, |document, name, violations| match Existing::read(document) {
        Ok(existing) => Some(existing),
        Err(found) => {
            violations.extend(found.below(name));
            None
        }
    })
}

/// A Secret of another name may be meant, and may be a mistake.
fn warn_of_another(existing: &Existing, secret: &SecretObject, terminal: Terminal) {
    let (namespace, name) = &existing.name;
    let namespace = namespace.as_ref().unwrap_or(&secret.namespace);
    let name = name.as_ref().unwrap_or(&secret.name);
    if (namespace, name) != (&secret.namespace, &secret.name) {
        let (there, here) = (format!("{namespace}/{name}"), (&secret.namespace, &secret.name));
        let there = shown(&there);
        terminal.warn(&format!("the Secret that is there is {there}, not {}/{}", here.0, here.1));
    }
}

/// The object, or its values, with where each key comes from.
fn write(out: &mut String, rendered: &Rendered, output: TemplateOutput) -> Result<(), Failure> {
    let Rendered { secret, origins } = rendered;
    for (key, origin) in origins.iter().filter(|(key, _)| secret.data.contains_key(*key)) {
        // Writing to memory cannot fail.
        writeln!(out, "# {key}: {origin}").ok();
    }
    match output {
        TemplateOutput::Data => serde_saphyr::to_fmt_writer(out, &Values(secret)),
        TemplateOutput::Secret | TemplateOutput::Diff => serde_saphyr::to_fmt_writer(out, secret),
    }
    .map_err(|error| unexpected(&error))
}

/// The values of a Secret as they are; what is no text in base64.
struct Values<'a>(&'a SecretObject);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.data.len()))?;
        for (key, value) in &self.0.data {
            map.serialize_entry(key, shown_value(value).as_str())?;
        }
        map.end()
    }
}

/// A value as text; what is none in base64, with a word that says so.
pub(crate) fn shown_value(value: &Data) -> Zeroizing<String> {
    match std::str::from_utf8(value) {
        Ok(text) => Zeroizing::new(text.to_owned()),
        Err(_) => Zeroizing::new(format!("(base64) {}", STANDARD.encode(value.as_slice()))),
    }
}

const HELP: &str = "rolecall template --help tells what each file is";
/// Room for a Secret of the usual size, so that no value is left behind by a growing buffer.
const ROOM: usize = 256 * 1024;
