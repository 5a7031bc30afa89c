//! Session tags (E39-E45).

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::wire::form::Form;
use crate::wire::refusal::Refusal;

/// A session tag. Keys compare without case and keep it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Tag {
    /// Whether this is the tag of `key`.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.key.to_lowercase() == key.to_lowercase()
    }
}

/// The tags of a request, read after the field limits were checked.
pub(crate) fn of_form(form: &Form) -> (Vec<Tag>, Vec<String>) {
    let tags = form.pairs("Tags", ["Key", "Value"]).into_iter().map(|[key, value]| Tag {
        key: key.unwrap_or_default().to_owned(),
        value: value.unwrap_or_default().to_owned(),
    });
    let transitive = form.list("TransitiveTagKeys").into_iter().map(str::to_owned);
    (tags.collect(), transitive.collect())
}

/// What no single field shows: E40, E41, E42 and E45; `inherited` are transitive keys.
pub(crate) fn check(
    tags: &[Tag],
    transitive: &[String],
    inherited: &[String],
) -> Result<(), Refusal> {
    let bad = |message: &str| Err(Refusal::bad("InvalidParameterValue", message));
    let doubled = tags
        .iter()
        .enumerate()
        .any(|(index, tag)| tags.iter().take(index).any(|earlier| earlier.has_key(&tag.key)));
    if doubled {
        return bad("Duplicate tag keys found. Please note that Tag keys are case insensitive.");
    }
    if tags.iter().any(|tag| tag.key.to_lowercase().starts_with("aws:")) {
        return bad("System tags cannot be added: tag keys must not begin with aws:.");
    }
    if transitive.iter().any(|key| !tags.iter().any(|tag| tag.has_key(key))) {
        return bad("The specified transitive tag key must be included in the requested tags.");
    }
    if tags.iter().any(|tag| inherited.iter().any(|key| tag.has_key(key))) {
        return bad(
            "One of the specified transitive tag keys can't be set because it conflicts with a \
             transitive tag key from the calling session.",
        );
    }
    Ok(())
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
pub(crate) fn is_tag_character(character: char) -> bool {
    matches!(
        character.general_category_group(),
        GeneralCategoryGroup::Letter
            | GeneralCategoryGroup::Separator
            | GeneralCategoryGroup::Number
    ) || "_.:/=+-@".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_tags(form: &str, inherited: &[&str], expected: Option<&str>) {
        let (tags, transitive) = of_form(&Form::parse(form.as_bytes()));
        let inherited: Vec<String> = inherited.iter().map(|&key| key.to_owned()).collect();
        let refusal = check(&tags, &transitive, &inherited).err();
        let code = refusal.as_ref().map(|refusal| refusal.code.as_str());
        assert_eq!(code, expected.map(|_| "InvalidParameterValue"), "{form}");
        let message = refusal.map(|refusal| refusal.message).unwrap_or_default();
        assert!(message.contains(expected.unwrap_or_default()), "{message}");
    }

    #[test]
    fn e39_to_e45() {
        let a = "Tags.member.1.Key=Team&Tags.member.1.Value=";
        check_tags(a, &[], None);
        check_tags(&format!("{a}&TransitiveTagKeys.member.1=team"), &[], None);
        check_tags(&format!("{a}&TransitiveTagKeys.member.1=b"), &[], Some("transitive tag key"));
        check_tags(&format!("{a}&Tags.member.2.Key=TEAM"), &[], Some("Duplicate tag keys"));
        check_tags("Tags.member.1.Key=AWS:x", &[], Some("aws:"));
        check_tags(a, &["team"], Some("conflicts"));
    }
}
