//! `--name`: which of the objects of the files is meant.

use rolecall_engine::violation::nearest;

use crate::report::Failure;

/// Chooses by `NAME` or `NAMESPACE/NAME`; all of them where no name was given.
///
/// `what` is the word for one of them.
pub(crate) fn choose<T>(
    all: Vec<T>,
    name: Option<&str>,
    full_name: impl Fn(&T) -> String,
    what: &str,
) -> Result<Vec<T>, Failure> {
    let Some(name) = name else { return Ok(all) };
    let names: Vec<String> = all.iter().map(&full_name).collect();
    let short = |full: &str| full.rsplit('/').next().map(str::to_owned).unwrap_or_default();
    let is_meant = |one: &T| full_name(one) == name || short(&full_name(one)) == name;
    let chosen: Vec<T> = all.into_iter().filter(is_meant).collect();
    match chosen.len() {
        0 => {
            let failure = Failure::usage(format!("the files hold no {what} named {name}"));
            let near = nearest(name, names.iter().filter_map(|full| full.rsplit('/').next()));
            Err(match near {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None => failure.hint(format!("there are: {}", names.join(", "))),
            })
        }
        1 => Ok(chosen),
        _ => Err(Failure::usage(format!("the files hold several {what}s named {name}"))
            .hint("write NAMESPACE/NAME")),
    }
}
