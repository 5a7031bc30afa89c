//! Writes AWS's XML. Every value is escaped here and nowhere else.

/// The namespace of every answer (E16).
pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Elements in the order they were added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// `<name>text</name>`.
    pub(crate) fn leaf(mut self, name: &str, text: &str) -> Self {
        self.open(name);
        escape(text, &mut self.0);
        self.close(name);
        self
    }

    /// The same, when there is a text.
    pub(crate) fn optional(self, name: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.leaf(name, text),
            None => self,
        }
    }

    /// `<name>...</name>` around other elements.
    pub(crate) fn tree(mut self, name: &str, inner: &Self) -> Self {
        self.open(name);
        self.0.push_str(&inner.0);
        self.close(name);
        self
    }

    /// These elements, then those of `other`.
    pub(crate) fn joined(mut self, other: &Self) -> Self {
        self.0.push_str(&other.0);
        self
    }

    /// The document: these elements inside the root element, with the namespace.
    pub(crate) fn document(self, root: &str) -> String {
        format!("<{root} xmlns=\"{NAMESPACE}\">{}</{root}>\n", self.0)
    }

    fn open(&mut self, name: &str) {
        self.0.extend(["<", name, ">"]);
    }

    fn close(&mut self, name: &str) {
        self.0.extend(["</", name, ">"]);
    }
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // A parser would read a bare one as a line feed.
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(character),
            // XML 1.0 has no way to write these.
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let xml = Xml::default().leaf("A", "<&>\"'\r\0é").document("R");
        let inner = "<A>&lt;&amp;&gt;&quot;&apos;&#xD;\u{fffd}é</A>";
        assert_eq!(xml, format!("<R xmlns=\"{NAMESPACE}\">{inner}</R>\n"));
    }
}
