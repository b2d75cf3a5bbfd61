//! Commands of a client, parsed once (RFC 5321 §4.1 and the extensions that the server knows).

mod params;

use crate::address::{AddressError, Domain, ForwardPath, Host, ReversePath};
use crate::replies;
use crate::reply::Reply;
use crate::server::envelope::{Helo, HeloVerb, Mail, Rcpt, XClient};

/// A command that the grammar has. Whether it may come now is the session's matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO, HELO, LHLO.
    Helo(Helo),
    /// MAIL.
    Mail(Mail),
    /// RCPT. A path beyond ASCII is good only if MAIL said SMTPUTF8.
    Rcpt(Rcpt, Charset),
    /// DATA.
    Data,
    /// BDAT: so many octets follow (RFC 3030 §2).
    Bdat {
        /// How many.
        octets: u64,
        /// Whether they are the last of the message.
        last: bool,
    },
    /// RSET.
    Rset,
    /// NOOP with any argument.
    Noop,
    /// QUIT.
    Quit,
    /// VRFY with what it asks for.
    Vrfy(&'a str),
    /// EXPN with what it asks for.
    Expn(&'a str),
    /// HELP with any argument.
    Help,
    /// STARTTLS.
    StartTls,
    /// AUTH (RFC 4954 §4).
    Auth {
        /// The mechanism as written.
        mechanism: &'a str,
        /// The initial response, still in base64; `=` stands for an empty one.
        initial: Option<&'a str>,
    },
    /// XCLIENT.
    XClient(XClient),
    /// XFORWARD, which is known but not done.
    XForward,
}

/// How closely a client must keep to the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// As copiers, RAID cards and old programs write it, and other mail servers read it: paths without brackets or with blanks
    /// in them, tabs and several blanks between words, greetings of all sorts. What a path means is as clear as ever.
    Lenient,
    /// By RFC 5321 §4.1, blanks at the end apart.
    Strict,
}

/// How lines are read.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'d> {
    /// How closely they must keep to the grammar.
    pub syntax: Syntax,
    /// The domain of addresses without one, where the client's are ours; only with [`Syntax::Lenient`].
    pub completion: Option<&'d Domain>,
}

impl From<Syntax> for Reading<'_> {
    fn from(syntax: Syntax) -> Self {
        Self { syntax, completion: None }
    }
}

/// Which characters a path has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// ASCII only.
    Ascii,
    /// Others too.
    Utf8,
}

impl Charset {
    fn of(text: &str) -> Self {
        if text.is_ascii() { Self::Ascii } else { Self::Utf8 }
    }
}

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandError<'a> {
    /// Control characters, or 8-bit octets outside of an address.
    Characters,
    /// No command of any standard.
    Unknown,
    /// A command that only other servers do.
    NotImplemented,
    /// An argument where none may be.
    NoArguments,
    /// No argument where one must be.
    ArgumentMissing,
    /// EHLO or HELO without an acceptable name.
    Helo,
    /// Not `MAIL FROM:<…>`.
    Mail,
    /// Not `RCPT TO:<…>`.
    Rcpt,
    /// A malformed BDAT: nobody knows how many octets of data follow.
    Bdat,
    /// A malformed AUTH.
    Auth,
    /// A malformed XCLIENT.
    XClient,
    /// A malformed path.
    Address(AddressError),
    /// A path beyond ASCII without SMTPUTF8.
    NeedsSmtputf8,
    /// A parameter that is not offered.
    UnknownParameter(&'a str),
    /// A bad or second value of a parameter.
    BadParameter(&'a str),
}

impl CommandError<'_> {
    /// The reply to it.
    pub fn reply(&self) -> Reply {
        match *self {
            Self::Characters => replies::bad_characters(),
            Self::Unknown => replies::unknown_command(),
            Self::NotImplemented => replies::not_implemented(),
            Self::NoArguments => replies::no_arguments(),
            Self::ArgumentMissing => replies::argument_missing(),
            Self::Helo => replies::bad_helo(),
            Self::Mail => replies::bad_mail(),
            Self::Rcpt => replies::bad_rcpt(),
            Self::Bdat => replies::bad_bdat(),
            Self::Auth => replies::bad_auth(),
            Self::XClient => replies::bad_xclient(),
            Self::Address(error) => replies::bad_address(error),
            Self::NeedsSmtputf8 => replies::needs_smtputf8(),
            Self::UnknownParameter(keyword) => replies::unknown_parameter(keyword),
            Self::BadParameter(keyword) => replies::bad_parameter(keyword),
        }
    }
}

impl<'a> Command<'a> {
    /// Reads a line without its CR LF.
    pub fn parse(line: &'a [u8], reading: Reading<'_>) -> Result<Self, CommandError<'a>> {
        let syntax = reading.syntax;
        if syntax == Syntax::Lenient
            && let Some(greeting) = greeting(line)
        {
            return greeting;
        }
        let is_bad = |b: &u8| b.is_ascii_control() && (*b != b'\t' || syntax == Syntax::Strict);
        if line.iter().any(is_bad) {
            return Err(CommandError::Characters);
        }
        let text = std::str::from_utf8(line).map_err(|_| CommandError::Characters)?;
        // Blanks at the end are to be tolerated (RFC 5321 §4.1.1).
        let text = text.trim_end_matches(BLANKS);
        let (verb, argument) = match syntax {
            Syntax::Strict => text.split_once(' ').unwrap_or((text, "")),
            Syntax::Lenient => {
                let text = text.trim_start_matches(BLANKS);
                text.split_once(BLANKS).map_or((text, ""), |(verb, rest)| (verb, rest.trim_start_matches(BLANKS)))
            }
        };
        let mut upper = [0; 8];
        let verb = upper.get_mut(..verb.len()).map(|upper| {
            upper.copy_from_slice(verb.as_bytes());
            upper.make_ascii_uppercase();
            &*upper
        });
        match verb {
            Some(b"MAIL") => mail(argument, reading).map(Self::Mail),
            Some(b"RCPT") => rcpt(argument, reading),
            // Who is about to go is not held back, whatever else he says.
            Some(b"QUIT") if syntax == Syntax::Lenient => Ok(Self::Quit),
            Some(b"VRFY") => present(argument).map(Self::Vrfy),
            Some(b"EXPN") => present(argument).map(Self::Expn),
            _ if !argument.is_ascii() => Err(CommandError::Characters),
            Some(verb) => simple(verb, argument),
            None => Err(CommandError::Unknown),
        }
    }
}

/// What parts the words of a command.
const BLANKS: [char; 2] = [' ', '\t'];

fn simple<'a>(verb: &[u8], argument: &'a str) -> Result<Command<'a>, CommandError<'a>> {
    match verb {
        b"EHLO" => helo(HeloVerb::Ehlo, argument),
        b"HELO" => helo(HeloVerb::Helo, argument),
        b"LHLO" => helo(HeloVerb::Lhlo, argument),
        b"DATA" => alone(Command::Data, argument),
        b"BDAT" => bdat(argument).ok_or(CommandError::Bdat),
        b"RSET" => alone(Command::Rset, argument),
        b"NOOP" => Ok(Command::Noop),
        b"QUIT" => alone(Command::Quit, argument),
        b"HELP" => Ok(Command::Help),
        b"STARTTLS" => alone(Command::StartTls, argument),
        b"AUTH" => auth(argument).ok_or(CommandError::Auth),
        b"XCLIENT" => params::xclient(argument).map(Command::XClient).ok_or(CommandError::XClient),
        b"XFORWARD" => Ok(Command::XForward),
        b"SEND" | b"SOML" | b"SAML" | b"TURN" | b"ETRN" | b"ATRN" => Err(CommandError::NotImplemented),
        _ => Err(CommandError::Unknown),
    }
}

fn alone<'a>(command: Command<'a>, argument: &str) -> Result<Command<'a>, CommandError<'a>> {
    if argument.is_empty() { Ok(command) } else { Err(CommandError::NoArguments) }
}

fn present(argument: &str) -> Result<&str, CommandError<'_>> {
    if argument.is_empty() { Err(CommandError::ArgumentMissing) } else { Ok(argument) }
}

/// EHLO, HELO or LHLO with any text behind it: what a client calls itself is no reason to turn it away.
fn greeting(line: &[u8]) -> Option<Result<Command<'_>, CommandError<'_>>> {
    let line = line.trim_ascii();
    let (verb, name) = line.split_at(line.iter().position(|b| matches!(b, b' ' | b'\t')).unwrap_or(line.len()));
    let known = [(b"EHLO", HeloVerb::Ehlo), (b"HELO", HeloVerb::Helo), (b"LHLO", HeloVerb::Lhlo)];
    let (_, verb) = known.into_iter().find(|(word, _)| verb.eq_ignore_ascii_case(*word))?;
    let host =
        Host::read_greeting(name).ok_or(if name.contains(&0) { CommandError::Characters } else { CommandError::Helo });
    Some(host.map(|host| Command::Helo(Helo { verb, host })))
}

fn helo(verb: HeloVerb, argument: &str) -> Result<Command<'_>, CommandError<'_>> {
    let host = Host::parse_greeting(argument.trim_start_matches(' ')).ok_or(CommandError::Helo)?;
    Ok(Command::Helo(Helo { verb, host }))
}

/// The path behind `FROM:` or `TO:`. Blanks behind the colon are wrong but common.
fn path_of<'a>(argument: &'a str, keyword: &str, syntax: Syntax) -> Option<&'a str> {
    let (head, rest) = argument.split_at_checked(keyword.len())?;
    let path = if syntax == Syntax::Strict { rest } else { rest.trim_start_matches(BLANKS) };
    head.eq_ignore_ascii_case(keyword).then_some(path)
}

fn mail<'a>(argument: &'a str, reading: Reading<'_>) -> Result<Mail, CommandError<'a>> {
    let text = path_of(argument, "FROM:", reading.syntax).ok_or(CommandError::Mail)?;
    let read = match reading.syntax {
        Syntax::Lenient => ReversePath::read_prefix(text, reading.completion),
        Syntax::Strict => ReversePath::parse_prefix(text),
    };
    let (reverse_path, rest) = read.map_err(CommandError::Address)?;
    let params = params::mail(params_behind(rest)?)?;
    if Charset::of(&text[..text.len() - rest.len()]) == Charset::Utf8 && !params.smtputf8 {
        return Err(CommandError::NeedsSmtputf8);
    }
    Ok(Mail { reverse_path, params })
}

fn rcpt<'a>(argument: &'a str, reading: Reading<'_>) -> Result<Command<'a>, CommandError<'a>> {
    let text = path_of(argument, "TO:", reading.syntax).ok_or(CommandError::Rcpt)?;
    let read = match reading.syntax {
        Syntax::Lenient => ForwardPath::read_prefix(text, reading.completion),
        Syntax::Strict => ForwardPath::parse_prefix(text),
    };
    let (parsed, rest) = read.map_err(CommandError::Address)?;
    let params = params::rcpt(params_behind(rest)?)?;
    let charset = Charset::of(&text[..text.len() - rest.len()]);
    let rcpt = Rcpt { forward_path: parsed.path, had_source_route: parsed.had_source_route, params };
    Ok(Command::Rcpt(rcpt, charset))
}

/// Parameters stand behind a blank; anything glued to the path is not one.
fn params_behind(rest: &str) -> Result<&str, CommandError<'_>> {
    match rest.strip_prefix(BLANKS) {
        Some(params) => Ok(params),
        None if rest.is_empty() => Ok(rest),
        None => Err(CommandError::Address(AddressError::Trailing)),
    }
}

/// The words of an argument.
fn words(argument: &str) -> impl Iterator<Item = &str> {
    argument.split(BLANKS).filter(|word| !word.is_empty())
}

fn bdat(argument: &str) -> Option<Command<'_>> {
    let mut words = words(argument);
    let octets = params::number(words.next()?)?;
    let last = match words.next() {
        Some(last) if last.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return None,
        None => false,
    };
    words.next().is_none().then_some(Command::Bdat { octets, last })
}

fn auth(argument: &str) -> Option<Command<'_>> {
    let mut words = words(argument);
    let (mechanism, initial) = (words.next()?, words.next());
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let named = (1..=20).contains(&mechanism.len()) && mechanism.bytes().all(is_name);
    (named && words.next().is_none()).then_some(Command::Auth { mechanism, initial })
}

#[cfg(test)]
mod tests;
