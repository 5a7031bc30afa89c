//! The bounds of one rendering: work and size, counted and never timed.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use super::fault::Fault;
use super::value::Text;
use crate::pattern::Pattern;

/// What a rendering may still do, and the regular expressions that it has compiled.
pub struct Run {
    work: u64,
    patterns: BTreeMap<Text, Option<Pattern>>,
}

/// Shows no regular expression: a template may have made it of a value.
impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("work", &self.work).finish_non_exhaustive()
    }
}

impl Default for Run {
    fn default() -> Self {
        Self::new()
    }
}

impl Run {
    /// The work of one Secret with all its templates.
    pub fn new() -> Self {
        Self { work: MAX_WORK, patterns: BTreeMap::new() }
    }

    /// A regular expression, compiled once; nothing where it is none.
    pub(super) fn pattern(&mut self, text: &Text) -> Result<Option<Pattern>, Fault> {
        if let Some(known) = self.patterns.get(text) {
            return Ok(known.clone());
        }
        self.spend(COMPILING)?;
        let pattern = std::str::from_utf8(text.as_bytes()).ok();
        let pattern = pattern.and_then(|text| Pattern::parse(text).ok());
        self.patterns.insert(text.clone(), pattern.clone());
        Ok(pattern)
    }

    /// Takes `units` off the budget: about one for each byte that is made or looked at.
    pub(super) fn spend(&mut self, units: usize) -> Result<(), Fault> {
        let units = u64::try_from(units).unwrap_or(u64::MAX);
        let rest = self.work.checked_sub(units);
        self.work = rest.unwrap_or_default();
        rest.map(drop).ok_or(OVER_WORK)
    }

    /// Whether nothing more can be done.
    pub(crate) fn is_spent(&self) -> bool {
        self.work == 0
    }

    /// One step of the interpreter.
    pub(super) fn step(&mut self) -> Result<(), Fault> {
        self.spend(STEP)
    }

    /// An empty buffer whose growth is paid for.
    pub(super) fn buffer(&mut self) -> Buffer<'_> {
        Buffer { bytes: Zeroizing::new(Vec::new()), run: self }
    }
}

/// Grows up to [`MAX_BYTES`]; what it leaves behind when it grows is zeroed.
pub(super) struct Buffer<'a> {
    bytes: Zeroizing<Vec<u8>>,
    pub(super) run: &'a mut Run,
}

impl Buffer<'_> {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.run.spend(bytes.len())?;
        grow(&mut self.bytes, bytes)
    }

    pub(super) fn push_char(&mut self, c: char) -> Result<(), Fault> {
        self.push(c.encode_utf8(&mut [0; 4]).as_bytes())
    }

    pub(super) fn push_repeated(&mut self, byte: u8, times: usize) -> Result<(), Fault> {
        if times > MAX_BYTES {
            return Err(OVER_SIZE);
        }
        for _ in 0..times {
            self.push(&[byte])?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }
}

/// Appends to a buffer; the old memory is zeroed where it has to move.
pub(super) fn grow(buffer: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) -> Result<(), Fault> {
    let needed = buffer.len() + bytes.len();
    if needed > MAX_BYTES {
        return Err(OVER_SIZE);
    }
    if needed > buffer.capacity() {
        let mut larger =
            Zeroizing::new(Vec::with_capacity(needed.max(2 * buffer.capacity()).max(64)));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(bytes);
    Ok(())
}

/// The most bytes of one value: what Kubernetes allows a whole Secret.
/// <https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size>
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// Less than a second on a slow core; a pull secret takes some ten thousand.
const MAX_WORK: u64 = 32 * 1024 * 1024;
/// The largest regular expression takes some tens of milliseconds.
const COMPILING: usize = 1024 * 1024;
const STEP: usize = 32;
const OVER_WORK: Fault =
    Fault::TooMuch("it goes on for too long, and nothing after it was rendered");
pub(super) const OVER_SIZE: Fault = Fault::TooMuch("a value grows beyond 1 MiB");
