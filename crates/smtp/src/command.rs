//! Commands of a client, parsed once (RFC 5321 §4.1 and the extensions that the server knows).

mod params;

use crate::address::{AddressError, ForwardPath, Host, ReversePath};
use crate::replies;
use crate::reply::Reply;
use crate::server::{Helo, HeloVerb, Mail, Rcpt, XClient};

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
    pub fn parse(line: &'a [u8]) -> Result<Self, CommandError<'a>> {
        if line.iter().any(u8::is_ascii_control) {
            return Err(CommandError::Characters);
        }
        // Blanks at the end are to be tolerated (RFC 5321 §4.1.1).
        let text = std::str::from_utf8(line).map_err(|_| CommandError::Characters)?.trim_end_matches(' ');
        let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
        let mut upper = [0; 8];
        let verb = upper.get_mut(..verb.len()).map(|upper| {
            upper.copy_from_slice(verb.as_bytes());
            upper.make_ascii_uppercase();
            &*upper
        });
        match verb {
            Some(b"MAIL") => mail(argument).map(Self::Mail),
            Some(b"RCPT") => rcpt(argument),
            Some(b"VRFY") => present(argument).map(Self::Vrfy),
            Some(b"EXPN") => present(argument).map(Self::Expn),
            _ if !argument.is_ascii() => Err(CommandError::Characters),
            Some(verb) => simple(verb, argument),
            None => Err(CommandError::Unknown),
        }
    }
}

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

fn helo(verb: HeloVerb, argument: &str) -> Result<Command<'_>, CommandError<'_>> {
    let host = Host::parse_greeting(argument.trim_start_matches(' ')).ok_or(CommandError::Helo)?;
    Ok(Command::Helo(Helo { verb, host }))
}

/// The path behind `FROM:` or `TO:`. Blanks behind the colon are wrong but common.
fn path_of<'a>(argument: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, rest) = argument.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches(' '))
}

fn mail(argument: &str) -> Result<Mail, CommandError<'_>> {
    let text = path_of(argument, "FROM:").ok_or(CommandError::Mail)?;
    let (reverse_path, rest) = ReversePath::parse_prefix(text).map_err(CommandError::Address)?;
    let params = params::mail(params_behind(rest)?)?;
    if Charset::of(&text[..text.len() - rest.len()]) == Charset::Utf8 && !params.smtputf8 {
        return Err(CommandError::NeedsSmtputf8);
    }
    Ok(Mail { reverse_path, params })
}

fn rcpt(argument: &str) -> Result<Command<'_>, CommandError<'_>> {
    let text = path_of(argument, "TO:").ok_or(CommandError::Rcpt)?;
    let (parsed, rest) = ForwardPath::parse_prefix(text).map_err(CommandError::Address)?;
    let params = params::rcpt(params_behind(rest)?)?;
    let charset = Charset::of(&text[..text.len() - rest.len()]);
    let rcpt = Rcpt { forward_path: parsed.path, had_source_route: parsed.had_source_route, params };
    Ok(Command::Rcpt(rcpt, charset))
}

/// Parameters stand behind a blank; anything glued to the path is not one.
fn params_behind(rest: &str) -> Result<&str, CommandError<'_>> {
    match rest.strip_prefix(' ') {
        Some(params) => Ok(params),
        None if rest.is_empty() => Ok(rest),
        None => Err(CommandError::Address(AddressError::Trailing)),
    }
}

fn bdat(argument: &str) -> Option<Command<'_>> {
    let (octets, last) = match argument.split_once(' ') {
        Some((octets, last)) if last.eq_ignore_ascii_case("LAST") => (octets, true),
        Some(_) => return None,
        None => (argument, false),
    };
    Some(Command::Bdat { octets: params::number(octets)?, last })
}

fn auth(argument: &str) -> Option<Command<'_>> {
    let (mechanism, initial) = match argument.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial)),
        None => (argument, None),
    };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let named = (1..=20).contains(&mechanism.len()) && mechanism.bytes().all(is_name);
    let one_word = initial.is_none_or(|initial| !initial.is_empty() && !initial.contains(' '));
    (named && one_word).then_some(Command::Auth { mechanism, initial })
}

#[cfg(test)]
mod tests;
