//! A sample file of `relay dev metadata`, in place of Relay.
//!
//! Its tags (`!Connection`, `!Parameter`, `!Output`, `!Secret`) and their `${…}` forms are resolved;
//! functions are refused by name.

mod node;
mod template;

use std::cell::Cell;
use std::path::Path;

use rolecall_engine::violation::shown;
use serde_json::Value;

use self::node::{Node, Reference};
use super::fields::{Field, Fields, PATHS, field_of, found, unknown};
use crate::files::{MOST_BYTES, read_text, shown_file};
use crate::report::Failure;
use crate::terminal::Terminal;

/// The fields of the spec of one step.
pub(crate) fn read(
    file: &Path,
    run: &str,
    step: &str,
    terminal: Terminal,
) -> Result<Fields, Failure> {
    let name = shown_file(file);
    let text = read_text(file, MOST_BYTES)
        .map_err(|problem| Failure::usage(format!("the sample file {name} {problem}")))?;
    let root = node::read(&text).map_err(|problem| {
        Failure::usage(format!("the sample file {name} {problem}"))
            .hint("docs/guides/relay.md has one that works")
    })?;
    let sample = Sample::of(&root, &name, run, step)?;
    let warn = |key: &String| format!("{name}: {key} is not known, and not used");
    let warnings: Vec<String> = sample.unknown.iter().map(warn).collect();
    terminal.warn_each(warnings.iter());
    let Some(spec) = sample.spec else {
        let summary = format!("{name}: step {step} of run {run} has no spec");
        return Err(Failure::usage(summary).hint("write it below spec:"));
    };
    let world = World { root: &root, run: sample.run, left: Cell::new(MOST_VISITS) };
    if !matches!(spec, Node::Map(_)) {
        return Ok(Fields::of(&Value::Bool(false)));
    }
    let mut fields = Fields::default();
    fields.unknown = unknown(&spec.keys_alone());
    for path in PATHS {
        fields.set(path, world.field(spec, path, 0));
    }
    Ok(fields)
}

/// One step of a sample file.
struct Sample<'n> {
    run: &'n Node,
    spec: Option<&'n Node>,
    /// Keys that nobody reads.
    unknown: Vec<String>,
}

impl<'n> Sample<'n> {
    fn of(root: &'n Node, file: &str, run: &str, step: &str) -> Result<Self, Failure> {
        let missing = |what: &str, place: &str, among: Option<&Node>| {
            let known = among.map(|node| node.keys().collect::<Vec<_>>().join(", "));
            let known = known.filter(|known| !known.is_empty());
            let failure = Failure::usage(format!("{file} has no {what} under {place}"));
            match known {
                Some(known) => failure.hint(format!("it has {known}")),
                None => failure.hint("docs/guides/relay.md has a sample file that works"),
            }
        };
        let runs = root.get("runs");
        let found = runs.and_then(|runs| runs.get(run));
        let run_node = found.ok_or_else(|| missing(&format!("run {run}"), "runs", runs))?;
        let steps = run_node.get("steps");
        let found = steps.and_then(|steps| steps.get(step));
        let place = format!("runs.{run}.steps");
        let step_node = found.ok_or_else(|| missing(&format!("step {step}"), &place, steps))?;
        let mut unknown = Vec::new();
        let levels: [(&Node, &str, &[&str]); 3] = [
            (root, "", &["connections", "secrets", "runs", "triggers"]),
            (run_node, "runs.RUN.", &["parameters", "steps"]),
            (
                step_node,
                "runs.RUN.steps.STEP.",
                &["image", "spec", "env", "conditions", "outputs", "state"],
            ),
        ];
        for (node, place, known) in levels {
            let strange = node.keys().filter(|key| !known.contains(key));
            unknown.extend(strange.map(|key| format!("{place}{}", shown(key))));
        }
        Ok(Self { run: run_node, spec: step_node.get("spec"), unknown })
    }
}

/// What references are resolved against.
pub(super) struct World<'n> {
    root: &'n Node,
    run: &'n Node,
    /// How many nodes may still be looked at: aliases can make many of few.
    left: Cell<usize>,
}

/// Why there is no value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Stop {
    Unresolved(String),
    Invalid(String),
}

impl From<Stop> for Field {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Unresolved(what) => Self::Unresolved(what),
            Stop::Invalid(why) => Self::Invalid(why),
        }
    }
}

impl World<'_> {
    /// The field at a path: only what stands on the way is resolved.
    fn field(&self, node: &Node, path: &[&str], from: usize) -> Field {
        match (node, path.get(from)) {
            (_, None) => match self.value(node) {
                Ok(value) => field_of(&value),
                Err(stop) => stop.into(),
            },
            (Node::Map(_), Some(key)) => match node.get(key) {
                Some(inner) => self.field(inner, path, from + 1),
                None => Field::Missing,
            },
            (Node::Value(Value::Null), Some(_)) => Field::Missing,
            _ => match self.value(node) {
                Ok(value) => found(&value, path, from),
                Err(stop) => stop.into(),
            },
        }
    }

    /// A value with everything in it resolved.
    fn value(&self, node: &Node) -> Result<Value, Stop> {
        self.visit()?;
        match node {
            Node::Value(value) => Ok(value.clone()),
            Node::Text(text) => template::evaluate(text, self),
            Node::List(items) => items
                .iter()
                .map(|item| self.value(item))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Node::Map(entries) => entries
                .iter()
                .map(|(key, inner)| Ok((key.clone(), self.value(inner)?)))
                .collect::<Result<_, _>>()
                .map(Value::Object),
            Node::Reference(reference, names) => {
                let names = names.iter().map(|name| match self.value(name)? {
                    Value::String(name) => Ok(name),
                    _ => Err(Stop::Invalid("has a tag whose name is no string".to_owned())),
                });
                self.look_up(*reference, &names.collect::<Result<Vec<_>, _>>()?)
            }
            Node::Refused(what) => {
                Err(Stop::Invalid(format!("has {what}, which is not evaluated here")))
            }
        }
    }

    /// What a reference names; values out of the sample file are not evaluated again.
    fn look_up(&self, reference: Reference, names: &[String]) -> Result<Value, Stop> {
        let (what, node) = match (reference, names) {
            (Reference::Connection, [type_, name]) => {
                let key = format!("{type_}/{name}");
                let connections = self.root.get("connections");
                let node = connections.and_then(|connections| connections.get(&key));
                (format!("the connection {key}"), node)
            }
            (Reference::Parameter, [name]) => {
                let node = self.run.get("parameters").and_then(|all| all.get(name));
                (format!("the parameter {name}"), node)
            }
            (Reference::Output, [step, name]) => {
                let step_node = self.run.get("steps").and_then(|steps| steps.get(step));
                let outputs = step_node.and_then(|step| step.get("outputs"));
                let node = outputs.and_then(|outputs| outputs.get(name));
                (format!("the output {step}.{name}"), node)
            }
            (Reference::Secret, [name]) => {
                let node = self.root.get("secrets").and_then(|all| all.get(name));
                (format!("the secret {name}"), node)
            }
            (reference, _) => {
                let form = reference.form();
                return Err(Stop::Invalid(format!("has a tag that is not of the form {form}")));
            }
        };
        let node = node.ok_or_else(|| Stop::Unresolved(what.clone()))?;
        self.plain(node, &what)
    }

    /// The value as it stands: Relay evaluates nothing in what is referred to.
    fn plain(&self, node: &Node, what: &str) -> Result<Value, Stop> {
        self.visit()?;
        match node {
            Node::Value(value) => Ok(value.clone()),
            Node::Text(text) => Ok(Value::String(text.clone())),
            Node::List(items) => {
                let items = items.iter().map(|item| self.plain(item, what));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            Node::Map(entries) => entries
                .iter()
                .map(|(key, inner)| Ok((key.clone(), self.plain(inner, what)?)))
                .collect::<Result<_, _>>()
                .map(Value::Object),
            Node::Reference(..) | Node::Refused(_) => {
                Err(Stop::Invalid(format!("names {what}, which has a tag where values belong")))
            }
        }
    }

    fn visit(&self) -> Result<(), Stop> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.unwrap_or_default());
        left.map(drop).ok_or_else(|| Stop::Invalid("grows too large by its aliases".to_owned()))
    }
}

/// Far beyond what anybody writes.
const MOST_VISITS: usize = 1_000_000;

#[cfg(test)]
mod tests;
