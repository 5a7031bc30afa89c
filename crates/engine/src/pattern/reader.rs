//! What is left of a pattern: a slice, so that looking ahead copies nothing.
//!
//! Every pattern is read in a time linear in its length, since a manifest may be hostile: a look
//! ahead stops at the first character that ends it, and no part is looked at over and over.

/// A pattern, read from its front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a str,
    /// The length of the rest that begins with the last `:]`: asked once, since a pattern full of
    /// `[:` would have it searched for again and again.
    last_name_end: Option<usize>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let last_name_end = text.rfind(":]").map(|at| text.len() - at);
        Self { rest: text, last_name_end }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        self.next_if(|_| true)
    }

    pub(super) fn next_if(&mut self, is_meant: impl Fn(char) -> bool) -> Option<char> {
        let c = self.peek().filter(|c| is_meant(*c))?;
        self.skip(c.len_utf8());
        Some(c)
    }

    /// Takes `text` if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let is_next = self.rest.starts_with(text);
        if is_next {
            self.skip(text.len());
        }
        is_next
    }

    /// Takes all characters up to the first that `is_meant` does not hold for.
    pub(super) fn take_while(&mut self, is_meant: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest;
        let end = rest.find(|c| !is_meant(c)).unwrap_or(rest.len());
        self.skip(end);
        &rest[..end]
    }

    /// Whether `:]` comes anywhere, at once or later.
    pub(super) fn has_name_end(&self) -> bool {
        self.last_name_end.is_some_and(|length| length <= self.rest.len())
    }

    fn skip(&mut self, bytes: usize) {
        #[cfg(test)]
        STEPS.set(STEPS.get() + bytes);
        self.rest = &self.rest[bytes..];
    }
}

#[cfg(test)]
thread_local! {
    /// How many bytes were gone over, by copies too: what a test can count in place of seconds.
    pub(super) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
