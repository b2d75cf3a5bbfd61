//! Commands of a client, parsed once.

/// A command with its arguments, borrowed from its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// RFC 1939 §7: the login.
    User(&'a str),
    /// RFC 1939 §7: the password, blanks and all.
    Pass(Octets<'a>),
    /// RFC 1939 §7: the login and the MD5 digest of banner and secret.
    Apop(&'a str, [u8; 16]),
    /// RFC 5034: a mechanism, in upper case or not, and the initial response in base64; `=` stands for an empty one.
    Auth(&'a str, Option<Octets<'a>>),
    /// A bare AUTH: which mechanisms are there? (RFC 1734's predecessors; some clients still ask.)
    AuthList,
    /// RFC 2595 §4.
    Stls,
    /// RFC 2449 §5.
    Capa,
    /// RFC 6856 §2.
    Utf8,
    /// RFC 1939 §5 and §6.
    Quit,
    /// RFC 1939 §5.
    Stat,
    /// RFC 1939 §5: of one message or all.
    List(Option<u32>),
    /// RFC 1939 §5.
    Retr(u32),
    /// RFC 1939 §5.
    Dele(u32),
    /// RFC 1939 §5.
    Noop,
    /// RFC 1939 §5.
    Rset,
    /// RFC 1939 §7: the message and how many lines of its body.
    Top(u32, u32),
    /// RFC 1939 §7: of one message or all.
    Uidl(Option<u32>),
}

/// Octets of a command that may be a password: not printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Octets<'a>(pub &'a [u8]);

impl std::fmt::Debug for Octets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Octets(…)")
    }
}

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// No such command.
    Unknown,
    /// Wrong arguments; this is how it should look.
    Usage(&'static str),
}

/// What parts words.
const BLANKS: [char; 2] = [' ', '\t'];

impl<'a> Command<'a> {
    /// Parses a line without its line end.
    pub fn parse(line: &'a [u8]) -> Result<Self, Invalid> {
        let line = line.trim_ascii_start();
        let verb_end = line.iter().position(|&octet| is_blank(octet)).unwrap_or(line.len());
        let (verb, rest) = line.split_at(verb_end);
        let mut upper = [b' '; 4];
        if verb.len() > 4 || verb.len() < 3 {
            return Err(Invalid::Unknown);
        }
        for (to, from) in upper.iter_mut().zip(verb) {
            *to = from.to_ascii_uppercase();
        }
        match &upper {
            b"USER" => one_text(rest).map(Self::User).ok_or(Invalid::Usage("USER name")),
            b"PASS" => pass(rest).ok_or(Invalid::Usage("PASS password")),
            b"APOP" => apop(rest).ok_or(Invalid::Usage("APOP name digest")),
            b"AUTH" => auth(rest).ok_or(Invalid::Usage("AUTH [mechanism [initial-response]]")),
            b"LIST" => some_number(rest).map(Self::List).ok_or(Invalid::Usage("LIST [message]")),
            b"UIDL" => some_number(rest).map(Self::Uidl).ok_or(Invalid::Usage("UIDL [message]")),
            b"RETR" => one_number(rest).map(Self::Retr).ok_or(Invalid::Usage("RETR message")),
            b"DELE" => one_number(rest).map(Self::Dele).ok_or(Invalid::Usage("DELE message")),
            b"TOP " => top(rest).ok_or(Invalid::Usage("TOP message lines")),
            b"STLS" => alone(rest, Self::Stls, "STLS"),
            b"CAPA" => alone(rest, Self::Capa, "CAPA"),
            b"UTF8" => alone(rest, Self::Utf8, "UTF8"),
            b"QUIT" => alone(rest, Self::Quit, "QUIT"),
            b"STAT" => alone(rest, Self::Stat, "STAT"),
            b"NOOP" => alone(rest, Self::Noop, "NOOP"),
            b"RSET" => alone(rest, Self::Rset, "RSET"),
            _ => Err(Invalid::Unknown),
        }
    }
}

/// Tabs part words too: some clients send them.
fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

fn alone<'a>(rest: &[u8], command: Command<'a>, usage: &'static str) -> Result<Command<'a>, Invalid> {
    if rest.iter().all(|&octet| is_blank(octet)) { Ok(command) } else { Err(Invalid::Usage(usage)) }
}

/// The arguments: text without control characters, separated by blanks.
fn arguments(rest: &[u8]) -> Option<impl Iterator<Item = &str>> {
    let text = std::str::from_utf8(rest).ok()?;
    if text.bytes().any(|octet| octet.is_ascii_control() && !is_blank(octet)) {
        return None;
    }
    Some(text.split(BLANKS).filter(|word| !word.is_empty()))
}

/// The whole argument: a login may have blanks in it, at least with old clients.
fn one_text(rest: &[u8]) -> Option<&str> {
    arguments(rest)?.next()?;
    let text = std::str::from_utf8(rest).ok()?.trim_matches(BLANKS);
    (!text.contains('\t')).then_some(text)
}

/// One blank separates; further ones belong to the password.
fn pass(rest: &[u8]) -> Option<Command<'_>> {
    let (_, password) = rest.split_first().filter(|(octet, _)| is_blank(**octet))?;
    (!password.is_empty() && !password.contains(&0)).then_some(Command::Pass(Octets(password)))
}

fn apop(rest: &[u8]) -> Option<Command<'_>> {
    let mut words = arguments(rest)?;
    let (login, hex) = (words.next()?, words.next()?);
    if words.next().is_some() || hex.len() != 32 {
        return None;
    }
    let mut digest = [0; 16];
    for (octet, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let (high, low) = (char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?);
        *octet = u8::try_from(high * 16 + low).ok()?;
    }
    Some(Command::Apop(login, digest))
}

fn auth(rest: &[u8]) -> Option<Command<'_>> {
    let mut words = arguments(rest)?;
    let Some(mechanism) = words.next() else { return Some(Command::AuthList) };
    let initial = words.next().map(|word| Octets(word.as_bytes()));
    words.next().is_none().then_some(Command::Auth(mechanism, initial))
}

fn number(word: &str) -> Option<u32> {
    if word.len() > 10 || !word.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    word.parse().ok()
}

fn one_number(rest: &[u8]) -> Option<u32> {
    some_number(rest)?
}

/// `Some(None)`: no argument, which is fine.
#[expect(clippy::option_option, reason = "outer: is it right; inner: is it there")]
fn some_number(rest: &[u8]) -> Option<Option<u32>> {
    let mut words = arguments(rest)?;
    let Some(word) = words.next() else { return Some(None) };
    let number = number(word)?;
    words.next().is_none().then_some(Some(number))
}

fn top(rest: &[u8]) -> Option<Command<'_>> {
    let mut words = arguments(rest)?;
    let (message, lines) = (number(words.next()?)?, number(words.next()?)?);
    words.next().is_none().then_some(Command::Top(message, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_table() {
        for (line, expected) in [
            ("USER alice@example.test", Ok(Command::User("alice@example.test"))),
            ("user  two words ", Ok(Command::User("two words"))),
            ("PASS  a b ", Ok(Command::Pass(Octets(b" a b ")))),
            ("PASS", Err(Invalid::Usage("PASS password"))),
            ("PASS ", Err(Invalid::Usage("PASS password"))),
            ("APOP mrose c4c9334bac560ecc979e58001b3e22fb", Ok(Command::Apop("mrose", DIGEST))),
            ("APOP mrose C4C9334BAC560ECC979E58001B3E22FB", Ok(Command::Apop("mrose", DIGEST))),
            ("APOP mrose c4c9", Err(Invalid::Usage("APOP name digest"))),
            ("AUTH", Ok(Command::AuthList)),
            ("AUTH PLAIN", Ok(Command::Auth("PLAIN", None))),
            ("auth plain =", Ok(Command::Auth("plain", Some(Octets(b"="))))),
            ("AUTH PLAIN a b", Err(Invalid::Usage("AUTH [mechanism [initial-response]]"))),
            ("\tquit\t ", Ok(Command::Quit)),
            (" User\talice\t", Ok(Command::User("alice"))),
            ("pass\ta b\t", Ok(Command::Pass(Octets(b"a b\t")))),
            ("retr\t1 ", Ok(Command::Retr(1))),
            ("Top 1\t0\t", Ok(Command::Top(1, 0))),
            ("LIST", Ok(Command::List(None))),
            ("LIST 3", Ok(Command::List(Some(3)))),
            ("LIST -3", Err(Invalid::Usage("LIST [message]"))),
            ("LIST 3 4", Err(Invalid::Usage("LIST [message]"))),
            ("RETR", Err(Invalid::Usage("RETR message"))),
            ("RETR 4294967296", Err(Invalid::Usage("RETR message"))),
            ("RETR +1", Err(Invalid::Usage("RETR message"))),
            ("TOP 1 0", Ok(Command::Top(1, 0))),
            ("TOP 1", Err(Invalid::Usage("TOP message lines"))),
            ("STAT ", Ok(Command::Stat)),
            ("STAT now", Err(Invalid::Usage("STAT"))),
            ("USER a\0b", Err(Invalid::Usage("USER name"))),
            ("USER a\tb", Err(Invalid::Usage("USER name"))),
            ("", Err(Invalid::Unknown)),
            ("QUI", Err(Invalid::Unknown)),
            ("TOP\0 1 1", Err(Invalid::Unknown)),
            ("XYZZY", Err(Invalid::Unknown)),
        ] {
            assert_eq!(Command::parse(line.as_bytes()), expected, "{line:?}");
        }
    }

    const DIGEST: [u8; 16] =
        [0xc4, 0xc9, 0x33, 0x4b, 0xac, 0x56, 0x0e, 0xcc, 0x97, 0x9e, 0x58, 0x00, 0x1b, 0x3e, 0x22, 0xfb];

    #[test]
    fn passwords_are_not_printed() {
        let printed = format!("{:?}", [Command::parse(b"PASS hunter2"), Command::parse(b"AUTH PLAIN aHVudGVyMg==")]);
        assert!(!printed.contains("104") && !printed.contains("hunter2") && !printed.contains("aHV"), "{printed}");
    }
}
