//! What a write would change in a Secret: keys, type and metadata, and values only on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rolecall_engine::render::{Existing, SecretObject};
use zeroize::Zeroizing;

use crate::template::shown_value;

/// Writes one line for each difference; nothing where there is none.
pub(crate) fn write(
    out: &mut String,
    existing: &Existing,
    secret: &SecretObject,
    show_values: bool,
) {
    let mut lines = Lines { out, show_values };
    if existing.type_ != secret.type_ {
        let (old, new) = (existing.type_.escape_debug(), secret.type_.escape_debug());
        lines.line(
            '~',
            &format!("type: {old} -> {new} (Kubernetes refuses another type: delete it first)"),
        );
    }
    if existing.immutable != secret.immutable {
        let refused =
            if existing.immutable { " (Kubernetes refuses it: delete it first)" } else { "" };
        let (old, new) = (existing.immutable, secret.immutable);
        lines.line('~', &format!("immutable: {old} -> {new}{refused}"));
    }
    lines.map("metadata.labels", &existing.labels, &secret.labels, |text| text.clone().into());
    let (old, new) = (&existing.annotations, &secret.annotations);
    lines.map("metadata.annotations", old, new, |text| text.clone().into());
    for finalizer in secret.finalizers.iter().filter(|name| !existing.finalizers.contains(name)) {
        lines.line('+', &format!("metadata.finalizers: {}", finalizer.escape_debug()));
    }
    lines.map("data", &existing.data, &secret.data, shown_value);
}

struct Lines<'a> {
    out: &'a mut String,
    show_values: bool,
}

impl Lines<'_> {
    fn line(&mut self, sign: char, text: &str) {
        // Writing to memory cannot fail.
        writeln!(self.out, "{sign} {text}").ok();
    }

    fn map<V: PartialEq>(
        &mut self,
        field: &str,
        old: &BTreeMap<String, V>,
        new: &BTreeMap<String, V>,
        text: impl Fn(&V) -> Zeroizing<String>,
    ) {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let path = format!("{field}.{}", key.escape_debug());
            let value = |value: &V| format!("{:?}", &*text(value));
            match (old.get(key), new.get(key)) {
                (Some(old), Some(new)) if old == new => {}
                (Some(old), Some(new)) if self.show_values => {
                    self.line('~', &format!("{path}: {} -> {}", value(old), value(new)));
                }
                (Some(old), None) if self.show_values => {
                    self.line('-', &format!("{path}: {}", value(old)));
                }
                (None, Some(new)) if self.show_values => {
                    self.line('+', &format!("{path}: {}", value(new)));
                }
                (Some(_), Some(_)) => self.line('~', &format!("{path} (changed)")),
                (Some(_), None) => self.line('-', &path),
                (None, Some(_)) => self.line('+', &path),
                (None, None) => {}
            }
        }
    }
}
