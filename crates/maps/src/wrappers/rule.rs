//! One rule: `daemons : clients [: option]…`, and its patterns.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Request;
use crate::mistake::{Notes, Position, Wrong, shown};
use crate::relay::{ClientPattern, network};

/// The name of a client whose name is not known.
const UNKNOWN: &str = "unknown";

/// A rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) line: u32,
    daemons: List<Pattern>,
    clients: List<Pattern>,
    pub(super) permits: bool,
    /// It sets `RELAYCLIENT`.
    pub(super) relays: bool,
}

impl Rule {
    pub(super) fn matches(&self, request: Request<'_>) -> bool {
        self.daemons.matches(&|pattern| pattern.is(request.daemon))
            && self.clients.matches(&|pattern| pattern.is_host(request))
    }

    /// Its clients as entries of a list, where all of them are plain.
    pub(super) fn patterns(&self) -> Option<Vec<ClientPattern>> {
        let List { these, except: None } = &self.clients else { return None };
        these.iter().map(Pattern::as_entry).collect()
    }

    /// Takes one option; those that only set something about the connection are named and left.
    fn take(&mut self, option: &Written<'_>, notes: &mut Notes) -> Option<()> {
        let Written { at, text, is_last } = *option;
        let end = text.find([' ', '\t', '=']).unwrap_or(text.len());
        let (word, value) = (text[..end].to_ascii_lowercase(), text[end..].trim_start_matches([' ', '\t', '=']));
        match word.as_str() {
            "allow" | "deny" if !is_last => {
                notes.mistake(at, format!("{word} before the end of the rule"), "put it last");
                return None;
            }
            "allow" => self.permits = true,
            "deny" => self.permits = false,
            "setenv" => self.relays |= value.split([' ', '\t', '=']).next() == Some("RELAYCLIENT"),
            "severity" | "keepalive" | "linger" | "rfc931" | "banners" | "nice" | "umask" | "user" => {
                notes.warn(at.line, || format!("{word} has no effect here"));
            }
            _ => {
                let what = format!("{} would run a command", shown(text));
                notes.mistake(at, what, "nothing is run here: take it out, or write the rule without it");
                return None;
            }
        }
        Some(())
    }
}

/// `a b EXCEPT c EXCEPT d`: of the first those that are not of the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List<P> {
    pub(super) these: Vec<P>,
    pub(super) except: Option<Box<List<P>>>,
}

impl<P> List<P> {
    fn matches(&self, one: &impl Fn(&P) -> bool) -> bool {
        // Not by recursion: a line can be long.
        let mut list = Some(self);
        let mut sign = true;
        while let Some(part) = list {
            if !part.these.iter().any(one) {
                return !sign;
            }
            sign = !sign;
            list = part.except.as_deref();
        }
        !sign
    }
}

/// What is known of a client's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// It has this one, confirmed both ways.
    Is(&'a str),
    /// It has none.
    None,
    /// It cannot be found out now, or was not asked for.
    Unknown,
}

/// Whether a client is one of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Its name decides, and is not known.
    Unknown,
}

/// What a word of a list stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    All,
    Local,
    Known,
    /// `unknown`, `paranoid`: names that a name can have when it has none.
    Word(String),
    /// `.domain`.
    Below(String),
    /// `192.168.1.`
    Octets(String),
    /// With `*` and `?`.
    Wild(String),
    Net(IpNet),
    /// A network whose mask has holes.
    Masked(Ipv4Addr, Ipv4Addr),
}

impl Pattern {
    /// Against one text: a daemon, a name or an address. Patterns are lower case.
    fn is(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        match self {
            Self::All => true,
            Self::Known => text != UNKNOWN,
            Self::Local | Self::Net(_) | Self::Masked(..) => false,
            Self::Word(word) => *word == text,
            Self::Below(domain) => text.len() > domain.len() && text.ends_with(domain.as_str()),
            Self::Octets(octets) => text.starts_with(octets.as_str()),
            Self::Wild(glob) => wild(glob.as_bytes(), text.as_bytes()),
        }
    }

    fn is_host(&self, request: Request<'_>) -> bool {
        match self {
            Self::Known | Self::Local => false,
            Self::Net(net) => net.contains(&request.addr),
            Self::Masked(net, mask) => matches!(request.addr, IpAddr::V4(addr) if addr & *mask == *net),
            _ => self.is(&request.addr.to_string()) || (self.is_of_names() && self.is(UNKNOWN)),
        }
    }

    /// A client whose name may be known.
    pub(super) fn holds(&self, addr: IpAddr, name: Name<'_>) -> Holds {
        let held = |yes: bool| if yes { Holds::Yes } else { Holds::No };
        let of_name = |fits: &dyn Fn(&str) -> bool| match name {
            Name::Is(name) => held(fits(name)),
            Name::None => Holds::No,
            Name::Unknown => Holds::Unknown,
        };
        match self {
            Self::All => Holds::Yes,
            Self::Net(net) => held(net.contains(&addr)),
            Self::Masked(net, mask) => held(matches!(addr, IpAddr::V4(addr) if addr & *mask == *net)),
            Self::Local => of_name(&|name| !name.contains('.')),
            Self::Known => of_name(&|_| true),
            Self::Word(word) if word == UNKNOWN => match name {
                Name::Is(_) => Holds::No,
                Name::None => Holds::Yes,
                Name::Unknown => Holds::Unknown,
            },
            _ if self.is(&addr.to_string()) => Holds::Yes,
            _ if self.is_of_names() => of_name(&|name| self.is(name)),
            _ => Holds::No,
        }
    }

    /// What is made of digits and dots cannot match a name.
    fn is_of_names(&self) -> bool {
        let (Self::Word(text) | Self::Below(text) | Self::Octets(text) | Self::Wild(text)) = self else { return true };
        text.bytes().any(|b| !b.is_ascii_digit() && b != b'.')
    }

    fn as_entry(&self) -> Option<ClientPattern> {
        match self {
            Self::Net(net) => Some(ClientPattern::Net(*net)),
            Self::Octets(octets) => network(octets.trim_end_matches('.')).map(ClientPattern::Net),
            Self::Below(domain) => Some(ClientPattern::Name(domain.clone())),
            Self::Word(word) if word == "unknown" || word == "paranoid" => None,
            Self::Word(word) => Some(
                word.parse::<IpAddr>()
                    .map_or_else(|_| ClientPattern::Name(word.clone()), |addr| ClientPattern::Net(IpNet::from(addr))),
            ),
            _ => None,
        }
    }
}

/// `*` is any text, `?` one octet. Linear in the text for each `*`.
fn wild(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                g += 1;
                t += 1;
            }
            _ => match star {
                Some((star_g, star_t)) => {
                    star = Some((star_g, star_t + 1));
                    g = star_g + 1;
                    t = star_t + 1;
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|c| *c == b'*')
}

/// All rules of a file. A backslash at the end of a line joins it with the next.
pub(super) fn read(text: &str, notes: &mut Notes) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut lines = (1_u32..).zip(text.split_inclusive('\n'));
    while let Some((number, first)) = lines.next() {
        let mut whole = first.to_owned();
        while whole.ends_with("\\\n") {
            whole.truncate(whole.len() - 2);
            match lines.next() {
                Some((_, next)) => whole.push_str(next),
                None => break,
            }
        }
        if whole.starts_with('#') || whole.trim().is_empty() {
            continue;
        }
        if !whole.ends_with('\n') {
            let end = Position::behind(number, &whole);
            notes.mistake(end, "the last line has no line end", "end it, or tcpd overlooks it");
            continue;
        }
        rules.extend(rule(number, whole.trim_end(), notes));
    }
    rules
}

/// What stands between colons.
#[derive(Default)]
struct Field {
    /// Where it begins in the rule, in octets.
    at: usize,
    text: String,
}

/// Splits at colons outside of brackets; `\:` is none.
fn fields(text: &str) -> Vec<Field> {
    let mut fields = vec![Field::default()];
    let mut brackets = false;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            ':' if !brackets => {
                fields.push(Field { at: at + 1, text: String::new() });
                continue;
            }
            '\\' if chars.peek().is_some_and(|(_, next)| *next == ':') => {
                chars.next();
                push(&mut fields, ':');
                continue;
            }
            '[' => brackets = true,
            ']' => brackets = false,
            _ => {}
        }
        push(&mut fields, c);
    }
    fields
}

fn push(fields: &mut [Field], c: char) {
    if let Some(last) = fields.last_mut() {
        last.text.push(c);
    }
}

fn rule(line: u32, text: &str, notes: &mut Notes) -> Option<Rule> {
    let fields = fields(text);
    let position = |field: &Field| Position::behind(line, &text[..field.at]);
    let [daemons, clients, options @ ..] = fields.as_slice() else {
        notes.mistake(Position::start_of(line), "no colon between services and clients", "write SERVICES : CLIENTS");
        return None;
    };
    let daemons = list(position(daemons), &daemons.text, notes, daemon)?;
    let clients = list(position(clients), &clients.text, notes, client)?;
    let mut read = Rule { line, daemons, clients, permits: true, relays: false };
    for (number, field) in options.iter().enumerate() {
        let option = Written { at: position(field), text: field.text.trim(), is_last: number + 1 == options.len() };
        read.take(&option, notes)?;
    }
    Some(read)
}

/// An option as it stands in its rule.
struct Written<'t> {
    at: Position,
    text: &'t str,
    is_last: bool,
}

/// A list, and where it begins; its words are divided by blanks and commas.
pub(super) fn list(
    at: Position,
    text: &str,
    notes: &mut Notes,
    pattern: fn(&str) -> Result<Pattern, Wrong>,
) -> Option<List<Pattern>> {
    let mut parts = vec![Vec::new()];
    for word in text.split([' ', '\t', ',', '\r', '\n']).filter(|word| !word.is_empty()) {
        if word.eq_ignore_ascii_case("EXCEPT") {
            parts.push(Vec::new());
            continue;
        }
        match pattern(word) {
            Ok(pattern) => parts.last_mut()?.push(pattern),
            Err(Wrong { what, hint }) => {
                let before = word.as_ptr() as usize - text.as_ptr() as usize;
                notes.mistake(at.plus(&text[..before]), what, hint);
                return None;
            }
        }
    }
    if parts.iter().any(Vec::is_empty) {
        notes.mistake(at, "an empty list", "name at least one, or ALL");
        return None;
    }
    let rest = parts.drain(1..).rev().fold(None, |except, these| Some(Box::new(List { these, except })));
    Some(List { these: parts.pop()?, except: rest })
}

fn daemon(word: &str) -> Result<Pattern, Wrong> {
    if word.contains('@') {
        return Err(Wrong::new(format!("{} depends on our own address", shown(word)), "name the service alone"));
    }
    Ok(text_pattern(&word.to_ascii_lowercase()))
}

pub(super) fn client(word: &str) -> Result<Pattern, Wrong> {
    if word.starts_with('@') {
        return Err(Wrong::new(format!("{} is a netgroup", shown(word)), "list its hosts"));
    }
    if word.contains('@') {
        return Err(Wrong::new(format!("{} asks for a user by ident", shown(word)), "name the host alone"));
    }
    if word.starts_with('/') {
        return Err(Wrong::new(format!("{} is another file", shown(word)), "list here what is in it"));
    }
    let lower = word.to_ascii_lowercase();
    if lower == "local" {
        return Ok(Pattern::Local);
    }
    if lower.starts_with('[') || lower.contains('/') {
        return masked(&lower);
    }
    Ok(text_pattern(&lower))
}

fn text_pattern(lower: &str) -> Pattern {
    match lower {
        "all" => Pattern::All,
        "known" => Pattern::Known,
        _ if lower.contains(['*', '?']) => Pattern::Wild(lower.to_owned()),
        _ if lower.starts_with('.') => Pattern::Below(lower.to_owned()),
        _ if lower.ends_with('.') => Pattern::Octets(lower.to_owned()),
        _ => Pattern::Word(lower.to_owned()),
    }
}

/// `n.n.n.n/m.m.m.m`, `n.n.n.n/bits`, `[addr]`, `[addr]/bits`.
fn masked(text: &str) -> Result<Pattern, Wrong> {
    let wrong = || Wrong::new(format!("{} is no network", shown(text)), "write NET/BITS, NET/MASK or [NET6]/BITS");
    if text.starts_with('[') {
        return ipv6(text).map(Pattern::Net).ok_or_else(wrong);
    }
    let (addr, mask) = text.split_once('/').ok_or_else(wrong)?;
    let addr: Ipv4Addr = addr.parse().map_err(|_| wrong())?;
    let mask = match mask.parse::<u32>() {
        // Both of these match nobody there: the one is a shift too far, the other its word for "no mask".
        Ok(0) => return Err(Wrong::new(format!("{} matches nobody", shown(text)), "write ALL, or 0.0.0.0/0.0.0.0")),
        Ok(bits @ 1..=32) => Ipv4Addr::from(u32::MAX << (32 - bits)),
        Ok(_) => return Err(wrong()),
        Err(_) if mask == "255.255.255.255" => {
            return Err(Wrong::new(format!("{} matches nobody", shown(text)), "write the address alone"));
        }
        Err(_) => mask.parse().map_err(|_| wrong())?,
    };
    if addr & mask != addr {
        return Err(Wrong::new(format!("{} has host bits, and matches nobody", shown(text)), "clear them"));
    }
    // A mask may have holes.
    Ok(match Ipv4Net::with_netmask(addr, mask) {
        Ok(net) => Pattern::Net(IpNet::V4(net)),
        Err(_) => Pattern::Masked(addr, mask),
    })
}

fn ipv6(text: &str) -> Option<IpNet> {
    let (addr, bits) = text.strip_prefix('[')?.split_once(']')?;
    let addr: Ipv6Addr = addr.parse().ok()?;
    let bits: u8 = if bits.is_empty() { 128 } else { bits.strip_prefix('/')?.parse().ok()? };
    Some(IpNet::V6(Ipv6Net::new(addr, bits).ok()?.trunc()))
}
