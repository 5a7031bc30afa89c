//! The fields of a request: `a=1&b=2`, and AWS's lists `Tags.member.1.Key`.
//!
//! Never fails: what is not percent-encoding stays as it is, bytes that are no UTF-8 become
//! U+FFFD, which no field admits.

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::percent_decode;

/// The fields in the order they came. `Debug` shows names only: values may be secrets.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body or a query string (E2: `%20` and `+` are both a space).
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let fields = bytes.split(|&byte| byte == b'&').filter(|part| !part.is_empty());
        Self(
            fields
                .map(|part| {
                    let at = part.iter().position(|&byte| byte == b'=').unwrap_or(part.len());
                    let (name, value) = part.split_at(at);
                    (decode(name), decode(value.get(1..).unwrap_or_default()))
                })
                .collect(),
        )
    }

    /// Adds the fields of another part of the request.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The first value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every name and value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The values of `NAME.member.N`, in the order of their numbers, gaps left out.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        self.members(name, "").into_values().collect()
    }

    /// The values of `NAME.member.N.FIELD` for each of two fields.
    pub(crate) fn pairs(&self, name: &str, fields: [&str; 2]) -> Vec<[Option<&str>; 2]> {
        let mut pairs = BTreeMap::<u32, [Option<&str>; 2]>::new();
        for (place, field) in fields.iter().enumerate() {
            for (number, value) in self.members(name, field) {
                if let Some(slot) = pairs.entry(number).or_default().get_mut(place) {
                    *slot = Some(value);
                }
            }
        }
        pairs.into_values().collect()
    }

    fn members(&self, name: &str, field: &str) -> BTreeMap<u32, &str> {
        let member = |(known, value): &'_ (String, String)| -> Option<(u32, usize)> {
            let rest = known.strip_prefix(name)?.strip_prefix(".member.")?;
            let (number, rest) = rest.split_once('.').unwrap_or((rest, ""));
            (rest == field).then_some((number.parse().ok()?, value.len()))
        };
        let mut found = BTreeMap::new();
        for pair in &self.0 {
            if let Some((number, _)) = member(pair) {
                found.entry(number).or_insert(pair.1.as_str());
            }
        }
        found
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn decode(part: &[u8]) -> String {
    let spaced: Vec<u8> = part.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn e2_spaces_and_escapes() {
        let form = Form::parse(b"a=x%20y+z&b=%3a/%2C*&&c&d=%zz");
        assert_eq!(form.get("a"), Some("x y z"));
        assert_eq!(form.get("b"), Some(":/,*"));
        assert_eq!(form.get("c"), Some(""));
        assert_eq!(form.get("d"), Some("%zz"));
    }

    #[test]
    fn lists_are_ordered_by_number() {
        let form = Form::parse(
            b"T.member.2.Key=b&T.member.2.Value=y&T.member.10.Key=c&T.member.1.Value=x&K.member.1=k",
        );
        let pairs = [[None, Some("x")], [Some("b"), Some("y")], [Some("c"), None]];
        assert_eq!(form.pairs("T", ["Key", "Value"]), pairs);
        assert_eq!(form.list("K"), ["k"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let form = Form::parse(&bytes);
            prop_assert!(form.iter().count() <= bytes.len());
        }
    }
}
