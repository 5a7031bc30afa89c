//! `rewrite[]`: how the keys of an entry are renamed.

use serde_json::Value;

use super::{parse_hint, placeholder, placeholder_in};
use crate::fields::Fields;
use crate::pattern::{Pattern, Replacement};
use crate::template::{Origin, Template};
use crate::violation::Violations;

/// One step of renaming.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rewrite {
    /// `regexp`: every match in every key is replaced.
    Regexp {
        /// What is looked for.
        source: Pattern,
        /// What is put there.
        target: Replacement,
    },
    /// `transform`: every key is what the template makes of it as `.value`.
    Transform(Template),
}

impl Rewrite {
    pub(super) fn read(
        value: &Value,
        path: &str,
        warnings: &mut Vec<String>,
        violations: &mut Violations,
    ) -> Option<Self> {
        let mut step = Fields::of(value, path, violations)?;
        let given = ["regexp", "transform", "merge"].into_iter().filter(|word| step.has(word));
        if given.count() != 1 {
            violations.push(path, "must have exactly one of regexp, transform and merge");
        }
        let regexp = step
            .object("regexp", violations)
            .and_then(|regexp| read_regexp(regexp, warnings, violations));
        let transform = step
            .object("transform", violations)
            .and_then(|transform| read_transform(transform, violations));
        if step.value("merge").is_some() {
            let problem = "cannot work: the values must be JSON objects, and a generator's are not";
            violations.push(step.path_of("merge"), problem);
        }
        step.finish(violations, |_| None);
        regexp.or(transform)
    }
}

fn read_transform(mut transform: Fields<'_>, violations: &mut Violations) -> Option<Rewrite> {
    let text = transform.required_text("template", violations);
    let path = transform.path_of("template");
    transform.finish(violations, |_| None);
    match Template::parse(text?, Origin::Public) {
        Ok(template) => Some(Rewrite::Transform(template)),
        Err(error) => {
            let hint = parse_hint(&error);
            let hint = hint.unwrap_or_else(|| "AWS_{{ .value | upper }} is an example".to_owned());
            violations.push_with_hint(path, format!("unable to parse template: {error}"), hint);
            None
        }
    }
}

fn read_regexp(
    mut regexp: Fields<'_>,
    warnings: &mut Vec<String>,
    violations: &mut Violations,
) -> Option<Rewrite> {
    let source = regexp.required_text("source", violations);
    let target = regexp.required_text("target", violations);
    let (source_path, target_path) = (regexp.path_of("source"), regexp.path_of("target"));
    regexp.finish(violations, |_| None);
    let pattern = source.and_then(|source| match placeholder_in(source) {
        Some(found) => {
            placeholder::report(source_path, found, violations);
            None
        }
        None => violations.keep(&source_path, Pattern::parse(source)),
    });
    let (pattern, target) = pattern.as_ref().zip(target)?;
    // `${NAME}` is a group of the pattern here, and a placeholder only where there is no such group.
    let groups = pattern.group_names();
    let rest =
        groups.fold(target.to_owned(), |text, name| text.replace(&format!("${{{name}}}"), ""));
    if let Some(found) = placeholder_in(&rest) {
        placeholder::report(target_path, found, violations);
        return None;
    }
    let replacement = Replacement::parse(target, pattern);
    for name in replacement.absent_groups() {
        let advice = match name.find(|c: char| !c.is_ascii_digit()) {
            Some(end) if end > 0 => {
                let (number, rest) = name.split_at(end);
                format!("; write ${{{number}}}{rest} for group {number} and then {rest}")
            }
            _ => String::new(),
        };
        let problem = format!("names group '{name}', which the source does not have");
        warnings.push(format!("{target_path}: {problem}: it stands for nothing{advice}"));
    }
    Some(Rewrite::Regexp { source: pattern.clone(), target: replacement })
}
