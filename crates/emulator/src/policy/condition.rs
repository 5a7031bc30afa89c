//! Conditions of policy statements.
//!
//! Several keys are joined by *and*, several values by *or* (E29); keys ignore case, values only
//! where the operator says so (E21). An operator that is not known here never parses.

use jiff::Timestamp;

/// What is known about a call, by condition key. Keys ignore case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context(Vec<(String, Vec<String>)>);

impl Context {
    /// Adds one value for `key`.
    pub(crate) fn add(&mut self, key: &str, value: impl Into<String>) {
        let key = key.to_ascii_lowercase();
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => self.0.push((key, vec![value])),
        }
    }

    /// Adds a value when there is one.
    pub(crate) fn add_some(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    fn values(&self, key: &str) -> Option<&[String]> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(key))
            .map(|(_, values)| values.as_slice())
    }
}

/// One key of one operator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Condition {
    pub(crate) operator: Operator,
    pub(crate) key: String,
    pub(crate) values: Vec<String>,
}

impl Condition {
    /// Whether the call fulfils it.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let given = context.values(&self.key);
        if self.operator.test == Test::Null {
            return self.values.iter().any(|want| (want == "true") == given.is_none());
        }
        let Some(given) = given else {
            // E29: an absent key fails a plain test; a negated one holds, as IfExists does.
            return self.operator.if_exists
                || self.operator.negated
                || self.operator.set == Some(SetTest::All);
        };
        let one = |value: &String| {
            self.values.iter().any(|want| self.operator.test.holds(want, value))
                != self.operator.negated
        };
        match self.operator.set {
            Some(SetTest::Any) => given.iter().any(one),
            Some(SetTest::All) | None => given.iter().all(one),
        }
    }
}

/// A condition operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Operator {
    test: Test,
    negated: bool,
    if_exists: bool,
    set: Option<SetTest>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum SetTest {
    All,
    Any,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Test {
    Equals,
    EqualsIgnoreCase,
    Like,
    Arn,
    Bool,
    Null,
    Numeric(Compare),
    Date(Compare),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Compare {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// Reads an operator's name, such as `ForAnyValue:StringLikeIfExists`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (set, name) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(SetTest::All), rest),
            Some(("ForAnyValue", rest)) => (Some(SetTest::Any), rest),
            Some(_) => return None,
            None => (None, name),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(rest) if rest != "Null" => (rest, true),
            Some(_) => return None,
            None => (name, false),
        };
        let (test, negated) = Test::parse(name)?;
        Some(Self { test, negated, if_exists, set })
    }

    /// Whether `value` can be compared at all.
    pub(crate) fn accepts(self, value: &str) -> bool {
        match self.test {
            Test::Numeric(_) => value.parse::<f64>().is_ok(),
            Test::Date(_) => date(value).is_some(),
            Test::Bool | Test::Null => matches!(value, "true" | "false"),
            Test::Equals | Test::EqualsIgnoreCase | Test::Like | Test::Arn => true,
        }
    }
}

impl Test {
    fn parse(name: &str) -> Option<(Self, bool)> {
        Some(match name {
            "StringEquals" => (Self::Equals, false),
            "StringNotEquals" => (Self::Equals, true),
            "StringEqualsIgnoreCase" => (Self::EqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Self::EqualsIgnoreCase, true),
            "StringLike" => (Self::Like, false),
            "StringNotLike" => (Self::Like, true),
            "ArnEquals" | "ArnLike" => (Self::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Self::Arn, true),
            "Bool" => (Self::Bool, false),
            "Null" => (Self::Null, false),
            _ => return Self::parse_compare(name),
        })
    }

    fn parse_compare(name: &str) -> Option<(Self, bool)> {
        let (kind, rest): (fn(Compare) -> Self, &str) = match name.strip_prefix("Numeric") {
            Some(rest) => (Self::Numeric, rest),
            None => (Self::Date, name.strip_prefix("Date")?),
        };
        let (compare, negated) = match rest {
            "Equals" => (Compare::Equal, false),
            "NotEquals" => (Compare::Equal, true),
            "LessThan" => (Compare::Less, false),
            "LessThanEquals" => (Compare::LessOrEqual, false),
            "GreaterThan" => (Compare::Greater, false),
            "GreaterThanEquals" => (Compare::GreaterOrEqual, false),
            _ => return None,
        };
        Some((kind(compare), negated))
    }

    fn holds(self, want: &str, given: &str) -> bool {
        match self {
            Self::Equals => want == given,
            Self::EqualsIgnoreCase => want.to_lowercase() == given.to_lowercase(),
            Self::Like => glob(want, given),
            Self::Arn => arn_like(want, given),
            Self::Bool => want.eq_ignore_ascii_case(given),
            // Judged by `Condition::holds`: it is about the key, not about its value.
            Self::Null => false,
            Self::Numeric(compare) => match (given.parse::<f64>(), want.parse::<f64>()) {
                (Ok(given), Ok(want)) => compare.holds(&given, &want),
                _ => false,
            },
            Self::Date(compare) => match (date(given), date(want)) {
                (Some(given), Some(want)) => compare.holds(&given, &want),
                _ => false,
            },
        }
    }
}

impl Compare {
    fn holds<T: PartialOrd>(self, given: &T, want: &T) -> bool {
        match self {
            Self::Equal => given == want,
            Self::Less => given < want,
            Self::LessOrEqual => given <= want,
            Self::Greater => given > want,
            Self::GreaterOrEqual => given >= want,
        }
    }
}

/// A time stamp, or seconds since 1970.
fn date(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| Timestamp::from_second(text.parse().ok()?).ok())
}

/// Compares the six parts of two ARNs, each as a pattern.
fn arn_like(pattern: &str, text: &str) -> bool {
    let mut patterns = pattern.splitn(6, ':');
    let mut texts = text.splitn(6, ':');
    let six = (0..6).all(|_| match (patterns.next(), texts.next()) {
        (Some(pattern), Some(text)) => glob(pattern, text),
        _ => false,
    });
    six || pattern == "*"
}

/// Matches `*` (any characters) and `?` (one character).
///
/// Remembers only the last `*`, so the time is at most the product of both lengths.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut seen) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some('*') => {
                retry = Some((at + 1, seen));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || text.get(seen) == Some(wanted) => {
                at += 1;
                seen += 1;
            }
            _ => match retry {
                Some((after_star, start)) => {
                    retry = Some((after_star, start + 1));
                    (at, seen) = (after_star, start + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(operator: &str, key: &str, values: &[&str], expected: bool) {
        let mut context = Context::default();
        context.add("sts:ExternalId", "abc");
        context.add("n", "5");
        context.add("aws:TagKeys", "a");
        context.add("aws:TagKeys", "b");
        context.add("arn", "arn:aws:iam::111122223333:role/x");
        context.add("when", "2026-01-01T00:00:00Z");
        let condition = Condition {
            operator: Operator::parse(operator).unwrap(),
            key: key.to_owned(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        };
        assert_eq!(condition.holds(&context), expected, "{operator} {key} {values:?}");
    }

    #[test]
    fn e21_keys_ignore_case_and_values_do_not() {
        check("StringEquals", "STS:externalid", &["abc"], true);
        check("StringEquals", "sts:ExternalId", &["ABC"], false);
        check("StringEqualsIgnoreCase", "sts:ExternalId", &["ABC"], true);
    }

    #[test]
    fn e29_absent_keys_and_several_values() {
        check("StringEquals", "absent", &["abc"], false);
        check("StringEquals", "sts:ExternalId", &["x", "abc"], true);
        check("StringNotEquals", "sts:ExternalId", &["x", "abc"], false);
        check("StringNotEquals", "absent", &["x"], true);
        check("Bool", "aws:MultiFactorAuthPresent", &["true"], false);
        check("BoolIfExists", "aws:MultiFactorAuthPresent", &["true"], true);
        check("Null", "absent", &["true"], true);
        check("Null", "n", &["true"], false);
    }

    #[test]
    fn the_other_operators() {
        check("StringLike", "sts:ExternalId", &["a*"], true);
        check("NumericLessThan", "n", &["5"], false);
        check("NumericLessThanEquals", "n", &["5"], true);
        check("ForAllValues:StringEquals", "aws:TagKeys", &["a", "b", "c"], true);
        check("ForAllValues:StringEquals", "aws:TagKeys", &["a"], false);
        check("ForAnyValue:StringEquals", "aws:TagKeys", &["a"], true);
        check("ForAnyValue:StringEquals", "absent", &["a"], false);
        check("ArnLike", "arn", &["arn:aws:iam::*:role/*"], true);
        check("ArnLike", "arn", &["arn:aws:iam::444455556666:role/*"], false);
        check("DateLessThan", "when", &["2026-01-02T00:00:00Z"], true);
    }

    #[test]
    fn e29_an_unknown_operator_is_no_operator() {
        for name in ["StringEqualz", "IpAddress", "ForSome:StringEquals", "NullIfExists", ""] {
            assert_eq!(Operator::parse(name), None, "{name}");
        }
    }

    #[test]
    fn patterns_match_as_a_whole() {
        for (pattern, text, expected) in [
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xxaxxbxb", true),
            ("", "a", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
