//! Lines that a shell, Docker or a script reads.

use zeroize::Zeroizing;

use crate::render::Text;

/// Whose syntax the lines have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// `export NAME='VALUE'`, for sh, bash and zsh.
    Posix,
    /// `set -gx NAME 'VALUE';`
    Fish,
    /// `$env:NAME = 'VALUE'`
    PowerShell,
}

/// Variables as statements of a shell.
pub fn shell(variables: &[(&str, Text)], dialect: Dialect) -> Text {
    lines(variables, |out, name, value| match dialect {
        Dialect::Posix => {
            push_all(out, &["export ", name, "='"]);
            push_escaped(out, value, &[('\'', "'\\''")]);
            out.push('\'');
        }
        Dialect::Fish => {
            push_all(out, &["set -gx ", name, " '"]);
            push_escaped(out, value, &[('\\', "\\\\"), ('\'', "\\'")]);
            out.push_str("';");
        }
        Dialect::PowerShell => {
            push_all(out, &["$env:", name, " = '"]);
            push_escaped(out, value, &[('\'', "''")]);
            out.push('\'');
        }
    })
}

/// `KEY=VALUE` lines without quotes, as scripts and `docker --env-file` read them. No value of a
/// session holds a line break: STS's tokens are base64.
pub fn key_lines(pairs: &[(&str, Text)]) -> Text {
    lines(pairs, |out, name, value| push_all(out, &[name, "=", value]))
}

/// Room for every value twice, so that no secret is left behind by a growing buffer.
fn lines(pairs: &[(&str, Text)], mut line: impl FnMut(&mut String, &str, &str)) -> Text {
    let room: usize = pairs.iter().map(|(name, value)| name.len() + 4 * value.len() + 32).sum();
    let mut out = Zeroizing::new(String::with_capacity(room));
    for (name, value) in pairs {
        line(&mut out, name, value);
        out.push('\n');
    }
    out
}

fn push_all(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}

fn push_escaped(out: &mut String, value: &str, escapes: &[(char, &str)]) {
    for character in value.chars() {
        match escapes.iter().find(|(odd, _)| *odd == character) {
            Some((_, instead)) => out.push_str(instead),
            None => out.push(character),
        }
    }
}
