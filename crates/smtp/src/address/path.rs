//! The reverse-path and the forward-path of an envelope, and the grammar that both share (RFC 5321 §4.1.2).

use std::fmt;

use super::{AddressError, Domain, Host, LocalForm, LocalPart, Mailbox, is_dot_atom};

/// Where a bounce would go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: no bounce is wanted, as this is one (RFC 5321 §4.5.5).
    Null,
    /// An address.
    Mailbox(Mailbox),
}

/// Where a mail shall go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain: this server's own (RFC 5321 §4.5.1).
    Postmaster,
    /// An address.
    Mailbox(Mailbox),
}

/// A forward-path with what was dropped from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardPathParse {
    /// The path without its route.
    pub path: ForwardPath,
    /// Hosts stood in front of the mailbox (`<@a,@b:user@c>`). They are never followed (RFC 5321 appendix C).
    pub had_source_route: bool,
}

impl ReversePath {
    /// A whole text as a path in angle brackets; `<>` is the null reverse-path.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (path, rest) = Self::parse_prefix(text)?;
        whole(path, rest)
    }

    /// A path at the start of `text`, and what stands behind it.
    pub fn parse_prefix(text: &str) -> Result<(Self, &str), AddressError> {
        if let Some(rest) = text.strip_prefix("<>") {
            return Ok((Self::Null, rest));
        }
        let (mailbox, _, rest) = routed_mailbox(text)?;
        Ok((Self::Mailbox(mailbox), rest))
    }

    /// A path at the start of `text` as many programs write it, and what stands behind it: without brackets, or with blanks
    /// inside them. It is still one mailbox by the grammar, or none. `completion`: the domain of one that has none.
    pub fn read_prefix<'a>(text: &'a str, completion: Option<&Domain>) -> Result<(Self, &'a str), AddressError> {
        let written = Written::of(text);
        if let Written::Bracketed(inner) = written
            && let Some(rest) = inner.strip_prefix('>')
        {
            return Ok((Self::Null, rest));
        }
        let (mailbox, _, rest) = written.routed_mailbox(completion)?;
        Ok((Self::Mailbox(mailbox), rest))
    }

    /// The address, unless this is the null reverse-path.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        if let Self::Mailbox(mailbox) = self { Some(mailbox) } else { None }
    }

    /// Whether this is `<>`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl ForwardPath {
    /// A whole text as a path in angle brackets.
    pub fn parse(text: &str) -> Result<ForwardPathParse, AddressError> {
        let (path, rest) = Self::parse_prefix(text)?;
        whole(path, rest)
    }

    /// A path at the start of `text`, and what stands behind it.
    pub fn parse_prefix(text: &str) -> Result<(ForwardPathParse, &str), AddressError> {
        let head = text.split_at_checked("<postmaster>".len());
        if let Some((_, rest)) = head.filter(|(head, _)| head.eq_ignore_ascii_case("<postmaster>")) {
            return Ok((ForwardPathParse { path: Self::Postmaster, had_source_route: false }, rest));
        }
        let (mailbox, had_source_route, rest) = routed_mailbox(text)?;
        Ok((ForwardPathParse { path: Self::Mailbox(mailbox), had_source_route }, rest))
    }

    /// A path at the start of `text` as many programs write it: see [`ReversePath::read_prefix`].
    pub fn read_prefix<'a>(
        text: &'a str,
        completion: Option<&Domain>,
    ) -> Result<(ForwardPathParse, &'a str), AddressError> {
        let written = Written::of(text);
        if let Some(rest) = written.postmaster() {
            return Ok((ForwardPathParse { path: Self::Postmaster, had_source_route: false }, rest));
        }
        let (mailbox, had_source_route, rest) = written.routed_mailbox(completion)?;
        Ok((ForwardPathParse { path: Self::Mailbox(mailbox), had_source_route }, rest))
    }

    /// The address, unless this is the bare postmaster.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        if let Self::Mailbox(mailbox) = self { Some(mailbox) } else { None }
    }
}

impl From<Mailbox> for ForwardPath {
    fn from(mailbox: Mailbox) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl From<Mailbox> for ReversePath {
    fn from(mailbox: Mailbox) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<postmaster>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

fn whole<T>(path: T, rest: &str) -> Result<T, AddressError> {
    if rest.is_empty() { Ok(path) } else { Err(AddressError::Trailing) }
}

/// `"<" [ A-d-l ":" ] Mailbox ">"`; tells whether a route was there.
fn routed_mailbox(text: &str) -> Result<(Mailbox, bool, &str), AddressError> {
    let inner = text.strip_prefix('<').ok_or(AddressError::Brackets)?;
    let at_mailbox = source_route(inner)?;
    let (mailbox, rest) = mailbox(at_mailbox)?;
    let had_source_route = at_mailbox.len() != inner.len();
    match rest.strip_prefix('>') {
        Some(rest) => Ok((mailbox, had_source_route, rest)),
        None if rest.is_empty() => Err(AddressError::Brackets),
        None => Err(AddressError::Trailing),
    }
}

/// Blanks around and inside a path.
const BLANKS: [char; 2] = [' ', '\t'];

/// How a path was written, beyond what the grammar has: the text behind its bracket and blanks, or all of it.
#[derive(Clone, Copy)]
enum Written<'a> {
    Bracketed(&'a str),
    Bare(&'a str),
}

impl<'a> Written<'a> {
    fn of(text: &'a str) -> Self {
        match text.strip_prefix('<') {
            Some(inner) => Self::Bracketed(inner.trim_start_matches(BLANKS)),
            None => Self::Bare(text),
        }
    }

    fn text(self) -> &'a str {
        let (Self::Bracketed(text) | Self::Bare(text)) = self;
        text
    }

    /// `[ A-d-l ":" ] Mailbox` and its end; tells whether a route was there.
    fn routed_mailbox(self, completion: Option<&Domain>) -> Result<(Mailbox, bool, &'a str), AddressError> {
        let text = self.text();
        if text.is_empty() {
            return Err(AddressError::Brackets);
        }
        if let Some((mailbox, rest)) = completion.and_then(|domain| self.completed(domain)) {
            return Ok((mailbox, false, rest));
        }
        let at_mailbox = source_route(text)?;
        let (mailbox, rest) = mailbox(at_mailbox)?;
        Ok((mailbox, at_mailbox.len() != text.len(), self.end(rest)?))
    }

    /// A local part alone, with the domain that it is short for.
    fn completed(self, domain: &Domain) -> Option<(Mailbox, &'a str)> {
        let (local_part, rest) = local_part(self.text()).ok()?;
        let rest = self.end(rest).ok()?;
        Some((Mailbox::new(local_part, domain.clone()), rest))
    }

    fn postmaster(self) -> Option<&'a str> {
        let (head, rest) = self.text().split_at_checked("postmaster".len())?;
        if head.eq_ignore_ascii_case("postmaster") { self.end(rest).ok() } else { None }
    }

    /// What stands behind the end of the path, if `rest` begins with that.
    fn end(self, rest: &'a str) -> Result<&'a str, AddressError> {
        match self {
            Self::Bare(_) if rest.is_empty() || rest.starts_with(BLANKS) => Ok(rest),
            Self::Bare(_) => Err(AddressError::Trailing),
            Self::Bracketed(_) => {
                let rest = rest.trim_start_matches(BLANKS);
                let no_end = if rest.is_empty() { AddressError::Brackets } else { AddressError::Trailing };
                rest.strip_prefix('>').ok_or(no_end)
            }
        }
    }
}

/// Steps over `@a,@b:`; each hop must be a real domain or literal.
fn source_route(text: &str) -> Result<&str, AddressError> {
    let mut rest = text;
    if !rest.starts_with('@') {
        return Ok(text);
    }
    loop {
        rest = rest.strip_prefix('@').ok_or(AddressError::SourceRoute)?;
        rest = host(rest).map_err(|_| AddressError::SourceRoute)?.1;
        if let Some(mailbox) = rest.strip_prefix(':') {
            return Ok(mailbox);
        }
        rest = rest.strip_prefix(',').ok_or(AddressError::SourceRoute)?;
    }
}

/// `Local-part "@" ( Domain / address-literal )` at the start of `text`, and what stands behind it.
pub(super) fn mailbox(text: &str) -> Result<(Mailbox, &str), AddressError> {
    let (local_part, rest) = local_part(text)?;
    let rest = rest.strip_prefix('@').ok_or(match rest.chars().next() {
        None | Some('>') => AddressError::NoHost,
        Some(_) => AddressError::LocalPart,
    })?;
    let (host, rest) = host(rest)?;
    Ok((Mailbox { local_part, host }, rest))
}

fn local_part(text: &str) -> Result<(LocalPart, &str), AddressError> {
    if text.starts_with('"') { quoted_string(text) } else { dot_string(text) }
}

/// `Dot-string`, with dots anywhere (T42: `a..b@docomo.ne.jp`).
fn dot_string(text: &str) -> Result<(LocalPart, &str), AddressError> {
    let end = text.find(|c| !is_dot_atom(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return Err(AddressError::LocalPart);
    }
    Ok((LocalPart::checked(name, LocalForm::DotString)?, rest))
}

/// `Quoted-string`; `LocalPart::checked` refuses the controls.
fn quoted_string(text: &str) -> Result<(LocalPart, &str), AddressError> {
    let mut unquoted = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((LocalPart::checked(&unquoted, LocalForm::QuotedString)?, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, escaped)) if escaped.is_ascii() => unquoted.push(escaped),
                _ => return Err(AddressError::LocalPart),
            },
            c => unquoted.push(c),
        }
    }
    Err(AddressError::LocalPart)
}

fn host(text: &str) -> Result<(Host, &str), AddressError> {
    if text.starts_with('[') {
        let end = text.find(']').ok_or(AddressError::Literal)? + 1;
        return Ok((Host::parse(&text[..end])?, &text[end..]));
    }
    let ends_domain = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.');
    let (name, rest) = text.split_at(text.find(ends_domain).unwrap_or(text.len()));
    if name.is_empty() {
        return Err(AddressError::NoHost);
    }
    Ok((Host::Domain(Domain::parse(name)?), rest))
}
