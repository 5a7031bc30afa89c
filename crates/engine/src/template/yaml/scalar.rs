//! In which form a text can stand in YAML, by the rules of libyaml's emitter.

/// In which forms a text can be written.
pub(super) struct Shape {
    pub(super) plain: bool,
    pub(super) single: bool,
    pub(super) block: bool,
}

impl Shape {
    pub(super) fn of(text: &str) -> Self {
        let is_break = |c: char| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let is_blank =
            |c: Option<char>| c.is_none_or(|c| matches!(c, ' ' | '\t' | '\0') || is_break(c));
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut special, mut breaks) = (false, false);
        let (mut break_space, mut space_break) = (false, false);
        let mut before = None;
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            let next_is_blank = is_blank(characters.peek().copied());
            indicators |= match (before, c) {
                (
                    None,
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"'
                    | '%' | '@' | '`',
                ) => true,
                (None, '?' | '-') | (_, ':') => next_is_blank,
                (Some(_), '#') => is_blank(before),
                _ => false,
            };
            special |= !is_printable(c);
            breaks |= is_break(c);
            break_space |= c == ' ' && before.is_some_and(is_break);
            space_break |= is_break(c) && before == Some(' ');
            before = Some(c);
        }
        let is_edge = |c: Option<char>| c.is_some_and(|c| c == ' ' || is_break(c));
        let has_edges = is_edge(text.chars().next()) || is_edge(text.chars().next_back());
        let odd = space_break || special;
        Self {
            plain: !(odd || breaks || break_space || indicators || has_edges),
            single: !(odd || break_space),
            block: !(odd || text.ends_with(' ')),
        }
    }
}

/// What go-yaml writes as it is: of the astral planes nothing.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}

pub(super) fn escaped(c: char) -> String {
    match c {
        '\0' => "\\0".to_owned(),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\u{1b}' => "\\e".to_owned(),
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\u{85}' => "\\N".to_owned(),
        '\u{2028}' => "\\L".to_owned(),
        '\u{2029}' => "\\P".to_owned(),
        c if is_printable(c) => c.to_string(),
        c => match u32::from(c) {
            code @ ..=0xff => format!("\\x{code:02X}"),
            code @ ..=0xffff => format!("\\u{code:04X}"),
            code => format!("\\U{code:08X}"),
        },
    }
}

/// `1:30:00`, a number to other readers of YAML 1.1.
pub(super) fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let is_first = parts.next().is_some_and(|first| {
        first.starts_with(|c: char| c.is_ascii_digit())
            && first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
    });
    let rest: Vec<&str> = parts.collect();
    let is_sixtieth = |text: &str| {
        (1..=2).contains(&text.len()) && text.parse().is_ok_and(|number: u8| number < 60)
    };
    let Some((last, middle)) = rest.split_last() else { return false };
    let last_whole = last.split_once('.').map_or(*last, |(whole, _)| whole);
    let is_fraction = last
        .split_once('.')
        .is_none_or(|(_, fraction)| fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_'));
    is_first
        && middle.iter().all(|part| is_sixtieth(part))
        && is_sixtieth(last_whole)
        && is_fraction
}
