//! Regions and the partitions they belong to.
//!
//! A region decides the endpoint, and its partition must be the role's.
//! Partitions: <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>.

use std::fmt;

/// The code of a region: one lower-case label, 1 to 63 characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Region(String);

impl Region {
    /// Reads a region's code.
    ///
    /// # Errors
    ///
    /// [`InvalidRegion`] when it is not one lower-case label: it would become part of a host name.
    pub fn parse(text: &str) -> Result<Self, InvalidRegion> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let edge = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
        let bytes = text.as_bytes();
        let is_label = (1..=63).contains(&bytes.len())
            && bytes.iter().copied().all(inner)
            && edge(bytes.first())
            && edge(bytes.last());
        if is_label {
            return Ok(Self(text.to_owned()));
        }
        if text.trim() != text {
            return Err(InvalidRegion::WhiteSpace);
        }
        Err(InvalidRegion::Form(text.chars().filter(|c| !c.is_control()).take(40).collect()))
    }

    /// The code, as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition this region belongs to; nothing for a region of no known pattern, which is
    /// then left to the service to judge.
    pub fn partition(&self) -> Option<&'static str> {
        let labels: Vec<&str> = self.0.split('-').collect();
        let (number, names) = labels.split_last()?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        match *names {
            ["cn", _] => Some("aws-cn"),
            ["us", "gov", _] => Some("aws-us-gov"),
            ["eusc", "de", _] => Some("aws-eusc"),
            ["us", "iso", _] => Some("aws-iso"),
            ["us", "isob", _] => Some("aws-iso-b"),
            ["eu", "isoe", _] => Some("aws-iso-e"),
            ["us", "isof", _] => Some("aws-iso-f"),
            ["us" | "eu" | "ap" | "sa" | "ca" | "me" | "af" | "il" | "mx", _] => Some("aws"),
            _ => None,
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot be a region.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRegion {
    /// A space or line break at an end, as a value read from a file may have.
    #[error("begins or ends with white space")]
    WhiteSpace,
    /// Upper case, dots, slashes and so on.
    #[error("'{0}' is not a region: a region is one lower-case label such as eu-west-1")]
    Form(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_pattern() {
        let cases = [
            ("eu-west-1", Some("aws")),
            ("ap-southeast-5", Some("aws")),
            ("mx-central-1", Some("aws")),
            ("cn-north-1", Some("aws-cn")),
            ("us-gov-west-1", Some("aws-us-gov")),
            ("eusc-de-east-1", Some("aws-eusc")),
            ("us-iso-east-1", Some("aws-iso")),
            ("us-isob-east-1", Some("aws-iso-b")),
            ("eu-isoe-west-1", Some("aws-iso-e")),
            ("us-isof-south-1", Some("aws-iso-f")),
            ("snow", None),
            ("us-moon-1-beta", None),
        ];
        for (region, partition) in cases {
            assert_eq!(Region::parse(region).unwrap().partition(), partition, "{region}");
        }
    }

    #[test]
    fn what_cannot_be_a_host_label_is_refused() {
        for text in ["", "EU-WEST-1", "eu_west_1", "-eu", "eu-", "eu.west.1", "eu-west-1/", "ü"] {
            assert!(Region::parse(text).is_err(), "{text}");
        }
        assert_eq!(Region::parse("eu-west-1\n"), Err(InvalidRegion::WhiteSpace));
    }
}
