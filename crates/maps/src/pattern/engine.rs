//! What matches. Most patterns are regular and are matched in time linear in the key; what looks around, refers back or
//! wants PCRE's or POSIX's own choice of parts goes back and forth, within a bound.

use super::PatternError;

/// So often a pattern may go back on one key.
const BACKTRACK_MAX: usize = 1_000_000;
/// So big a pattern may become, in octets.
const COMPILED_OCTETS_MAX: usize = 10 << 20;

/// Stands behind each repetition in patterns that go back, matching nothing, always. The engine's optimizer takes
/// `a+b*a+` for `a+(?:b+a+)?`, and repeats what is empty less often than PCRE does; it does neither across this.
pub(super) const FENCE: &str = "(?<=)";

/// A pattern in our engine's syntax. Of its two texts one may be missing.
#[derive(Debug)]
pub(super) struct Translated {
    /// If it is regular.
    pub(super) linear: Option<String>,
    /// With fences, if it is not regular, or its parts want it.
    pub(super) back: Option<String>,
    pub(super) flags: Flags,
}

/// How a pattern is matched.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "the engine's switches")]
pub(super) struct Flags {
    pub(super) caseless: bool,
    pub(super) multi_line: bool,
    pub(super) dot_all: bool,
    /// Of all matches from the first place on, the longest.
    pub(super) longest: bool,
}

/// A pattern that was compiled.
#[derive(Debug)]
pub(super) struct Engine {
    /// Whether a key matches, and the parts where the other gives up.
    linear: Option<regex::bytes::Regex>,
    back: Option<fancy_regex::Regex>,
}

/// What the compilers say; the last line says what, those before draw a picture.
fn refused(error: &str) -> PatternError {
    let last = error.lines().last().unwrap_or("").trim();
    PatternError::new(0, format!("not understood here: {last}"), "write it in another way")
}

fn linear(text: &str, flags: Flags) -> Result<regex::bytes::Regex, PatternError> {
    let mut builder = regex::bytes::RegexBuilder::new(text);
    builder
        .unicode(false)
        .case_insensitive(flags.caseless)
        .multi_line(flags.multi_line)
        .dot_matches_new_line(flags.dot_all)
        .size_limit(COMPILED_OCTETS_MAX);
    builder.build().map_err(|e| refused(&e.to_string()))
}

fn back(text: &str, flags: Flags) -> Result<fancy_regex::Regex, PatternError> {
    let mut builder = fancy_regex::RegexBuilder::new(text);
    builder
        .bytes_mode(fancy_regex::BytesMode::Ascii)
        .unicode_mode(false)
        .case_insensitive(flags.caseless)
        .multi_line(flags.multi_line)
        .dot_matches_new_line(flags.dot_all)
        .leftmost_longest(flags.longest)
        .backtrack_limit(BACKTRACK_MAX)
        .delegate_size_limit(COMPILED_OCTETS_MAX)
        .max_prog_size(COMPILED_OCTETS_MAX / 16);
    builder.build().map_err(|e| refused(&e.to_string()))
}

impl Engine {
    pub(super) fn new(pattern: &Translated) -> Result<Self, PatternError> {
        let linear = pattern.linear.as_deref().map(|text| linear(text, pattern.flags)).transpose()?;
        let back = pattern.back.as_deref().map(|text| back(text, pattern.flags)).transpose()?;
        Ok(Self { linear, back })
    }

    /// How many groups it has.
    pub(super) fn groups(&self) -> usize {
        let back = self.back.as_ref().map(fancy_regex::Regex::captures_len);
        let linear = self.linear.as_ref().map(regex::bytes::Regex::captures_len);
        back.or(linear).unwrap_or(1) - 1
    }

    /// `None`: given up as too laborious.
    pub(super) fn matches(&self, key: &[u8]) -> Option<bool> {
        match (&self.linear, &self.back) {
            (Some(regex), _) => Some(regex.is_match(key)),
            (None, Some(regex)) => regex.is_match(key).ok(),
            (None, None) => None,
        }
    }

    /// The parts of a key that matches, the whole first.
    pub(super) fn parts<'k>(&self, key: &'k [u8]) -> Option<Vec<Option<&'k [u8]>>> {
        // Most keys do not match, and that is told fast.
        if self.linear.as_ref().is_some_and(|regex| !regex.is_match(key)) {
            return None;
        }
        if let Some(captures) = self.back.as_ref().and_then(|regex| regex.captures(key).ok()) {
            return captures.map(|c| c.iter().map(|part| part.map(|p| p.as_bytes())).collect());
        }
        let captures = self.linear.as_ref()?.captures(key)?;
        Some(captures.iter().map(|part| part.map(|p| p.as_bytes())).collect())
    }
}
