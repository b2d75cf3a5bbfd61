//! Strings with macros (RFC 7208 §7): read strictly, expanded no further than a name is long.
//!
//! What only explanations may have (§7.2) is told apart here, since nobody is told an explanation.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::name::{NAME_OCTETS_MAX, cut};

/// A mistake in a record: nothing of it counts (RFC 7208 §4.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// A domain that may be made by macros (RFC 7208 §7.1, `domain-spec`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DomainSpec(Vec<Part>);

/// What macros stand for, each as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'v> {
    /// Local part and domain.
    pub(super) sender: &'v str,
    pub(super) local_part: &'v str,
    pub(super) sender_domain: &'v str,
    /// The domain whose record it is.
    pub(super) domain: &'v str,
    /// The client's octets, or nibbles, with dots.
    pub(super) client: &'v str,
    /// Below which domain of `arpa` the client's name stands.
    pub(super) family: &'v str,
    pub(super) helo: &'v str,
    /// The client's validated name; only asked for if [`DomainSpec::has_client_name`].
    pub(super) client_name: &'v str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// `%%`, `%_` and `%-` are these.
    Escape(&'static str),
    Macro(Macro),
    /// `%{c}`, `%{r}` and `%{t}`: in no domain.
    OfExplanation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Macro {
    value: Value,
    escaping: Escaping,
    /// So many parts at the right are kept.
    kept: usize,
    order: Order,
    /// Where the value is split.
    delimiters: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Sender,
    LocalPart,
    SenderDomain,
    Domain,
    Client,
    ClientName,
    Family,
    Helo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escaping {
    None,
    /// An upper-case letter asks for it (RFC 3986 §2.1).
    Url,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AsItIs,
    Reversed,
}

impl DomainSpec {
    /// Reads one. It ends in a macro, or in a label that can be a top level's (RFC 7208 §12).
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let parts = read(text)?;
        let ended = match parts.last() {
            None => false,
            Some(Part::Literal(text)) => ends_in_top_label(text),
            Some(_) => true,
        };
        if ended && !parts.contains(&Part::OfExplanation) { Ok(Self(parts)) } else { Err(Malformed) }
    }

    /// Whether the client's validated name must be known to expand it.
    pub(super) fn has_client_name(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Macro(of) if of.value == Value::ClientName))
    }

    /// The domain, where it is the same for every client; `None`: it is made of what a client or a sender is.
    pub(super) fn fixed(&self, domain: &str) -> Option<String> {
        let fixed = |part: &Part| !matches!(part, Part::Macro(of) if of.value != Value::Domain);
        let values = Values {
            sender: "",
            local_part: "",
            sender_domain: "",
            domain,
            client: "",
            family: "",
            helo: "",
            client_name: "",
        };
        self.0.iter().all(fixed).then(|| self.expand(&values))
    }

    /// The domain, without the dot at its end, and cut from the left where it is too long (RFC 7208 §7.3). It need not be a name.
    pub(super) fn expand(&self, values: &Values<'_>) -> String {
        let (mut pieces, mut octets) = (Vec::new(), 0);
        // From the right: what stands further to the left than a name is long is cut off, so it is never made. One octet more is the
        // dot at the end.
        for part in self.0.iter().rev() {
            if octets > NAME_OCTETS_MAX + 1 {
                break;
            }
            let piece = part.expand(values);
            octets += piece.len();
            pieces.push(piece);
        }
        pieces.reverse();
        let whole = pieces.concat();
        cut(whole.strip_suffix('.').unwrap_or(&whole)).to_owned()
    }
}

/// Whether this is a `macro-string`, as the values of unknown modifiers are. Nothing is made of it.
pub(super) fn check(text: &str) -> Result<(), Malformed> {
    read(text).map(|_| ())
}

fn read(text: &str) -> Result<Vec<Part>, Malformed> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (literal, behind) = rest.split_at(rest.find('%').unwrap_or(rest.len()));
        if !literal.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(Malformed);
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
        rest = behind;
        if let Some(behind) = rest.strip_prefix("%{") {
            let (inner, behind) = behind.split_once('}').ok_or(Malformed)?;
            parts.push(Part::parse(inner)?);
            rest = behind;
        } else if !rest.is_empty() {
            let (sign, behind) = rest.split_at_checked(2).ok_or(Malformed)?;
            parts.push(Part::Escape(escape(sign)?));
            rest = behind;
        }
    }
    Ok(parts)
}

fn escape(sign: &str) -> Result<&'static str, Malformed> {
    match sign {
        "%%" => Ok("%"),
        "%_" => Ok(" "),
        "%-" => Ok("%20"),
        _ => Err(Malformed),
    }
}

/// `toplabel`, behind a dot and perhaps before one.
fn ends_in_top_label(text: &str) -> bool {
    let Some((_, label)) = text.strip_suffix('.').unwrap_or(text).rsplit_once('.') else { return false };
    let sound = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    let number = label.bytes().all(|octet| octet.is_ascii_digit());
    !number && label.bytes().all(sound) && !label.starts_with('-') && !label.ends_with('-')
}

impl Part {
    /// What stands between the braces.
    fn parse(inner: &str) -> Result<Self, Malformed> {
        let letter = inner.chars().next().ok_or(Malformed)?;
        let transformed = &inner[letter.len_utf8()..];
        let digits = transformed.bytes().take_while(u8::is_ascii_digit).count();
        let (kept, rest) = transformed.split_at(digits);
        let kept = match kept.parse() {
            Ok(0) => return Err(Malformed),
            Ok(kept) => kept,
            // There are none, or it is a number beyond all that a value can have.
            Err(_) => usize::MAX,
        };
        let (order, delimiters) = match rest.strip_prefix(['r', 'R']) {
            Some(delimiters) => (Order::Reversed, delimiters),
            None => (Order::AsItIs, rest),
        };
        if !delimiters.chars().all(|sign| ".-+,/_=".contains(sign)) {
            return Err(Malformed);
        }
        let value = match letter.to_ascii_lowercase() {
            's' => Value::Sender,
            'l' => Value::LocalPart,
            'o' => Value::SenderDomain,
            'd' => Value::Domain,
            'i' => Value::Client,
            'p' => Value::ClientName,
            'v' => Value::Family,
            'h' => Value::Helo,
            'c' | 'r' | 't' => return Ok(Self::OfExplanation),
            _ => return Err(Malformed),
        };
        let escaping = if letter.is_ascii_uppercase() { Escaping::Url } else { Escaping::None };
        let delimiters = if delimiters.is_empty() { "." } else { delimiters }.to_owned();
        Ok(Self::Macro(Macro { value, escaping, kept, order, delimiters }))
    }

    fn expand<'v>(&'v self, values: &Values<'v>) -> Cow<'v, str> {
        match self {
            Self::Literal(text) => Cow::Borrowed(text),
            Self::Escape(text) => Cow::Borrowed(text),
            Self::Macro(of) => Cow::Owned(of.expand(values)),
            Self::OfExplanation => Cow::Borrowed(""),
        }
    }
}

impl Macro {
    /// Split, put into the other order, cut to the parts at the right, joined by dots, and then escaped (RFC 7208 §7.3).
    fn expand(&self, values: &Values<'_>) -> String {
        let value = self.value.of(values);
        let mut parts: Vec<&str> = value.split(|sign| self.delimiters.contains(sign)).collect();
        if self.order == Order::Reversed {
            parts.reverse();
        }
        let kept = parts[parts.len().saturating_sub(self.kept)..].join(".");
        match self.escaping {
            Escaping::None => kept,
            Escaping::Url => url_escaped(&kept),
        }
    }
}

impl Value {
    fn of<'v>(self, values: &Values<'v>) -> &'v str {
        match self {
            Self::Sender => values.sender,
            Self::LocalPart => values.local_part,
            Self::SenderDomain => values.sender_domain,
            Self::Domain => values.domain,
            Self::Client => values.client,
            Self::ClientName => values.client_name,
            Self::Family => values.family,
            Self::Helo => values.helo,
        }
    }
}

/// All that is not unreserved (RFC 3986 §2.3) is written as its octet. What is not ASCII stays, and makes no name of it: a local part
/// of that kind matches nothing (RFC 8616 §4).
fn url_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        if !sign.is_ascii() || sign.is_ascii_alphanumeric() || matches!(sign, '-' | '.' | '_' | '~') {
            escaped.push(sign);
        } else {
            // Writing into a string cannot fail.
            let _ = write!(escaped, "%{:02X}", u32::from(sign));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message of RFC 7208 §7.4.
    const EXAMPLE: Values<'static> = Values {
        sender: "strong-bad@email.example.com",
        local_part: "strong-bad",
        sender_domain: "email.example.com",
        domain: "email.example.com",
        client: "192.0.2.3",
        family: "in-addr",
        helo: "mx.example.org",
        client_name: "mx.example.org",
    };

    fn expanded(text: &str, values: &Values<'_>) -> String {
        DomainSpec(read(text).unwrap()).expand(values)
    }

    #[test]
    fn the_examples_of_the_standard() {
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
            ("%{S}%%%_%-.%{H1R}.", "strong-bad%40email.example.com% %20.mx"),
        ] {
            assert_eq!(expanded(text, &EXAMPLE), expected, "{text}");
        }
        let v6 = "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.b.0.1";
        let values = Values { client: v6, family: "ip6", ..EXAMPLE };
        let expected = "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com";
        assert_eq!(expanded("%{ir}.%{v}._spf.%{d2}", &values), expected);
    }

    #[test]
    fn what_is_a_domain_spec() {
        for text in [
            "d.example",
            "d.example.",
            "%{d}",
            "x%{D99999999999999999999r.-+,/_=}",
            "foo%%",
            ".example",
            "%{p007}",
            "a.x-1",
            "foo:bar/baz.example.xn--zckzah",
        ] {
            assert!(DomainSpec::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "example",
            "example.",
            ".",
            "a..",
            "a.1",
            "a.-b",
            "a.b-",
            "a.b/24",
            "a.b:25",
            "%{d}.",
            "%",
            "a%",
            "%a.b",
            "%{d",
            "%{}",
            "%{x}",
            "%{d0}",
            "%{d00r}",
            "%{drr}",
            "%{d r}",
            "%{d;}",
            "%{é}",
            "%é.example",
            "%{c}",
            "%{r}.example",
            "a b.example",
            "é.example",
        ] {
            assert_eq!(DomainSpec::parse(text), Err(Malformed), "{text}");
        }
        assert_eq!(check("%{c}man:dog/cat"), Ok(()));
        assert_eq!(check("%abc"), Err(Malformed));
    }

    #[test]
    fn a_long_name_is_cut_as_if_it_had_been_made_whole() {
        let long = "a-b.".repeat(40);
        let values = Values { local_part: &long, ..EXAMPLE };
        for text in ["%{l}%{l}%{l}d.example", "%{l}%{l}%{l}d.example.", "%{l}x%{l}%{d}", "%{s}%{l}%{lr-}y.%{l}z"] {
            let spec = DomainSpec(read(text).unwrap());
            let whole: String = spec.0.iter().map(|part| part.expand(&values)).collect();
            assert_eq!(spec.expand(&values), cut(whole.strip_suffix('.').unwrap_or(&whole)), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_expands_within_bounds(text in "([ -~é]{0,3}|%\\{[a-zA-Z][0-9]{0,3}r?[.+-]?\\}|\\.d){0,40}", long in "[ -~]{0,400}") {
            let values = Values { sender: &long, local_part: &long, helo: &long, ..EXAMPLE };
            if let Ok(spec) = DomainSpec::parse(&text) {
                proptest::prop_assert!(spec.expand(&values).len() <= NAME_OCTETS_MAX);
            }
        }
    }
}
