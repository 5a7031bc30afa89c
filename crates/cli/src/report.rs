//! What went wrong, for people and for the exit status.
//!
//! `error:` what was tried, then every fault of the input or `Caused by:` why it failed, then
//! `hint:` what to do.

use std::sync::Arc;

use rolecall_engine::error::{Class, Error, Retry, SourceError};
use rolecall_engine::violation::Violations;

/// How a command failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// 1: the rest, such as output that cannot be written.
    Other,
    /// 2: usage, a request that cannot be sent, something named that is missing.
    Usage,
    /// 3: refused, or a person must act.
    Refused,
    /// 4: try later.
    Later,
}

impl Exit {
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Later => 4,
        }
    }
}

/// A failure that is ready to be shown.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// A stable word for programs: the engine's, or one of `usage`, `guard`, `metadata` and `output`.
    code: &'static str,
    summary: String,
    problems: Vec<String>,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, summary: impl Into<String>) -> Self {
        let (problems, causes, hints) = (Vec::new(), Vec::new(), Vec::new());
        let code = match exit {
            Exit::Usage => "usage",
            Exit::Other | Exit::Refused | Exit::Later => "output",
        };
        Self { exit, code, summary: summary.into(), problems, causes, hints }
    }

    /// Relay's metadata API gave no answer, or refused.
    pub(crate) fn metadata(summary: impl Into<String>) -> Self {
        Self { code: "metadata", ..Self::new(Exit::Other, summary) }
    }

    /// The same failure with another status.
    pub(crate) fn exits(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    pub(crate) fn usage(summary: impl Into<String>) -> Self {
        Self::new(Exit::Usage, summary)
    }

    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// One of several faults that stand beside each other.
    pub(crate) fn problem(mut self, problem: impl Into<String>) -> Self {
        self.problems.push(problem.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// A hint that comes before those that are there.
    pub(crate) fn hint_first(mut self, hint: String) -> Self {
        self.hints.insert(0, hint);
        self
    }

    /// Every violation of an input.
    pub(crate) fn violations(summary: impl Into<String>, violations: &Violations) -> Self {
        violations.iter().fold(Self::usage(summary), |failure, violation| {
            let failure = failure.problem(violation.to_string());
            match &violation.hint {
                Some(hint) => failure.hint(format!("{}: {hint}", violation.path)),
                None => failure,
            }
        })
    }

    /// A session that the guards do not let out.
    pub(crate) fn guards(violations: &Violations) -> Self {
        let failure = Self::violations("a guard refused the session that STS gave", violations);
        Self { exit: Exit::Refused, code: "guard", ..failure }
            .hint("nothing of it was printed; it stays valid until it ends")
    }

    /// What the engine says, for the grant or role it was about.
    pub(crate) fn engine(error: &Arc<Error>) -> Self {
        let exit = match (error.as_ref(), error.class()) {
            (Error::Plan(_), _) | (_, Class::NotSendable | Class::NoSource) => Exit::Usage,
            (_, class) => match class.retry() {
                Retry::Later => Exit::Later,
                Retry::Never => Exit::Refused,
            },
        };
        let mut failure = Self { code: error.code(), ..Self::new(exit, error.to_string()) };
        let mut source = std::error::Error::source(error.as_ref());
        while let Some(error) = source {
            failure = failure.cause(error.to_string());
            source = error.source();
        }
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// Says which grant it was about.
    pub(crate) fn about(mut self, name: &str) -> Self {
        self.summary = format!("{name}: {}", self.summary);
        self
    }

    /// A hint for when nothing more fitting was said.
    pub(crate) fn or_hint(self, hint: &str) -> Self {
        if self.hints.is_empty() { self.hint(hint) } else { self }
    }

    /// What it says in one line, without its hints.
    pub(crate) fn one_line(&self) -> String {
        let words = [&self.summary].into_iter().chain(&self.problems).chain(&self.causes);
        on_one_line(&words.map(String::as_str).collect::<Vec<_>>().join(": "))
    }

    /// Every fault of the input on a line of its own, with what to do; else the whole on one.
    pub(crate) fn render_lines(&self) -> String {
        let hints = |of: Option<&str>| -> String {
            let fitting = self.hints.iter().filter_map(|hint| match of {
                None => Some(hint.as_str()),
                Some(problem) => hint.split_once(": ").and_then(|(path, hint)| {
                    problem.starts_with(&format!("{path}: ")).then_some(hint)
                }),
            });
            fitting.flat_map(|hint| ["; ", hint]).collect()
        };
        if self.problems.is_empty() {
            let said = self.one_line();
            let line = format!("{}{}", said.trim_end_matches('.'), hints(None));
            return format!("error: {}\n", on_one_line(&line));
        }
        let mut text = String::new();
        for problem in &self.problems {
            let line = format!("{problem}{}", hints(Some(problem)));
            text.extend(["error: ", &on_one_line(&line), "\n"]);
        }
        text
    }

    /// The whole of it as one line of JSON.
    pub(crate) fn render_json(&self) -> String {
        let Self { exit, code, summary, problems, causes, hints } = self;
        let error = serde_json::json!({
            "code": code,
            "exit": exit.status(),
            "message": summary,
            "problems": problems,
            "causes": causes,
            "hints": hints,
        });
        format!("{}\n", serde_json::json!({ "error": error }))
    }

    /// The whole of it for people.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("error: {}\n", self.summary);
        for problem in &self.problems {
            text.push_str("  ");
            text.push_str(problem);
            text.push('\n');
        }
        for cause in &self.causes {
            text.push_str("  Caused by: ");
            text.push_str(cause);
            text.push('\n');
        }
        for (index, hint) in self.hints.iter().enumerate() {
            text.push_str(if index == 0 { "\nhint: " } else { "hint: " });
            text.push_str(hint);
            text.push('\n');
        }
        text
    }
}

/// No line may be so long that a reader of logs gives up: Relay's takes 64 KiB.
fn on_one_line(text: &str) -> String {
    const MOST: usize = 8_000;
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MOST).collect()
}

/// What a source lacks, at the flag or field that names it.
pub(crate) fn push_source_error(error: SourceError, path: &str, violations: &mut Violations) {
    let problem = error.to_string();
    match Error::from(error).hint() {
        Some(hint) => violations.push_with_hint(path, problem, hint),
        None => violations.push(path, problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented() {
        let page = include_str!("../../../docs/reference/exit-codes.md");
        let classes = [
            Class::Throttled,
            Class::Unavailable,
            Class::Unreadable,
            Class::ExpiredCaller,
            Class::Token,
            Class::Clock,
            Class::Denied,
            Class::BaseKey,
            Class::Configuration,
            Class::NotSendable,
            Class::NoSource,
            Class::NeedsPerson,
        ];
        for code in
            classes.map(Class::code).into_iter().chain(["usage", "guard", "metadata", "output"])
        {
            assert!(page.contains(&format!("`{code}`")), "{code}");
        }
    }
}
