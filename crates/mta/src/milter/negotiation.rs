//! What the filter may do, which steps it is told, and how both sides agree on it.

use super::MilterError;
use super::macros::Stage;
use super::packet;

/// Oldest protocol version that is spoken.
pub const VERSION_MIN: u32 = 2;
/// Newest protocol version that is spoken.
pub const VERSION_MAX: u32 = 6;

/// The filter asks for its own lists of macros (`SMFIF_SETSYMLIST`).
const SET_MACROS: u32 = 0x100;

/// What the filter may do to a message at its end: a set (`SMFIF_…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Actions(u32);

impl Actions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Add and insert headers.
    pub const ADD_HEADERS: Self = Self(0x01);
    /// Replace the body.
    pub const REPLACE_BODY: Self = Self(0x02);
    /// Add recipients.
    pub const ADD_RECIPIENTS: Self = Self(0x04);
    /// Delete recipients.
    pub const DELETE_RECIPIENTS: Self = Self(0x08);
    /// Change and delete headers.
    pub const CHANGE_HEADERS: Self = Self(0x10);
    /// Put the message aside.
    pub const QUARANTINE: Self = Self(0x20);
    /// Change the reverse-path.
    pub const CHANGE_FROM: Self = Self(0x40);
    /// Add recipients with ESMTP parameters.
    pub const ADD_RECIPIENTS_WITH_PARAMS: Self = Self(0x80);

    /// What is in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Is all of `other` in this?
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The steps that the filter wants to be told, and what it understands besides: a set. A step's bit is that by which a
/// filter declines it (`SMFIP_NO…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Steps(u32);

impl Steps {
    /// Nothing but the ends: of a message, a transaction, a connection, which are always told.
    pub const NONE: Self = Self(0);
    /// A client connects.
    pub const CONNECT: Self = Self(0x01);
    /// HELO and EHLO.
    pub const HELO: Self = Self(0x02);
    /// MAIL.
    pub const MAIL: Self = Self(0x04);
    /// RCPT.
    pub const RCPT: Self = Self(0x08);
    /// The body.
    pub const BODY: Self = Self(0x10);
    /// The headers.
    pub const HEADERS: Self = Self(0x20);
    /// The end of the headers.
    pub const END_OF_HEADERS: Self = Self(0x40);
    /// Commands that the server does not know (protocol version 3).
    pub const UNKNOWN: Self = Self(0x100);
    /// DATA (protocol version 4).
    pub const DATA: Self = Self(0x200);
    /// [`Reply::Skip`](super::Reply::Skip): no more of the body.
    pub const SKIP: Self = Self(0x400);
    /// Also the recipients that the server itself refuses.
    pub const REFUSED_RCPT: Self = Self(0x800);

    const DECLINABLE: u32 = 0x37f;
    const EXTRAS: u32 = 0xc00;

    /// What is in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Is all of `other` in this?
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What a filter asks for.
#[derive(Debug, Clone)]
pub struct Config {
    /// Actions wanted. What the server does not grant is missing in [`Negotiated::actions`].
    pub actions: Actions,
    /// Steps wanted. Others are not told; where a server cannot be told so, the session lets them pass.
    pub steps: Steps,
    /// Macros wanted per step, names divided by spaces, longer ones in braces. A step that is not named has what the server
    /// is configured to send, and so have all if the server is older than version 6. sendmail 8.17 heeds no list for the
    /// end of the message.
    pub macros: Vec<(Stage, &'static str)>,
    /// Most octets of names and values of one message's headers. Default 4 MiB.
    pub header_octets_max: usize,
}

/// All steps of the envelope, with the recipients that the server refuses; headers to be added and mail to be put aside;
/// the macros that tell who the client is, who logged in, and where a recipient goes.
impl Default for Config {
    fn default() -> Self {
        let steps = [Steps::CONNECT, Steps::HELO, Steps::MAIL, Steps::RCPT, Steps::DATA, Steps::REFUSED_RCPT];
        let client =
            "j _ {client_addr} {client_port} {client_name} {client_ptr} {client_resolve} {daemon_name} {daemon_port}";
        let login = "i {auth_type} {auth_authen} {auth_author} {auth_ssf} {tls_version} {cipher} {mail_addr} {mail_host} {mail_mailer}";
        Self {
            actions: Actions::ADD_HEADERS.or(Actions::QUARANTINE),
            steps: steps.into_iter().fold(Steps::NONE, Steps::or),
            macros: vec![
                (Stage::Connect, client),
                (Stage::Mail, login),
                (Stage::Rcpt, "{rcpt_mailer} {rcpt_host} {rcpt_addr}"),
            ],
            header_octets_max: 4 << 20,
        }
    }
}

/// What was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    /// The protocol version, 2 to 6.
    pub version: u32,
    /// What the filter may do.
    pub actions: Actions,
    /// What the filter asked for and the server can do; a step of a newer protocol version may still not come.
    pub steps: Steps,
    /// The server sends the macros that were asked for: one that does not come has no value.
    pub has_chosen_macros: bool,
}

/// What the mail server can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) version: u32,
    pub(super) actions: u32,
    pub(super) protocol: u32,
}

impl Offer {
    /// Reads the data of the server's packet; what newer versions put behind is not looked at.
    pub(super) fn parse(data: &[u8]) -> Result<Self, MilterError> {
        let (words, _) = data.as_chunks::<4>();
        let &[version, actions, protocol, ..] = words else {
            return Err(MilterError::Malformed { command: packet::NEGOTIATE, what: "too short" });
        };
        let number = u32::from_be_bytes;
        Ok(Self { version: number(version), actions: number(actions), protocol: number(protocol) })
    }
}

/// Agrees on what both sides can do, and appends the answer.
pub(super) fn answer(config: &Config, offer: Offer, out: &mut Vec<u8>) -> Result<Negotiated, MilterError> {
    if offer.version < VERSION_MIN {
        return Err(MilterError::Version(offer.version));
    }
    let version = offer.version.min(VERSION_MAX);
    let actions = config.actions.0 & offer.actions;
    let declined = Steps::DECLINABLE & !config.steps.0 & offer.protocol;
    let extras = Steps::EXTRAS & config.steps.0 & offer.protocol;
    let lists = if version >= 6 && offer.actions & SET_MACROS != 0 { macro_lists(config) } else { Vec::new() };
    let set_macros = if lists.is_empty() { 0 } else { SET_MACROS };
    let words = [version, actions | set_macros, declined | extras].map(u32::to_be_bytes);
    packet::write(packet::NEGOTIATE, &[words.as_flattened(), &lists], out);
    let steps = Steps(config.steps.0 & Steps::DECLINABLE | extras);
    Ok(Negotiated { version, actions: Actions(actions), steps, has_chosen_macros: set_macros != 0 })
}

fn macro_lists(config: &Config) -> Vec<u8> {
    let mut lists = Vec::new();
    for (stage, names) in &config.macros {
        lists.extend_from_slice(&stage.request_number().to_be_bytes());
        lists.extend_from_slice(names.as_bytes());
        lists.push(0);
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(config: &Config, words: [u32; 3]) -> Result<(Negotiated, Vec<u8>), MilterError> {
        let data = words.map(u32::to_be_bytes);
        let mut out = Vec::new();
        let agreed = answer(config, Offer::parse(data.as_flattened())?, &mut out)?;
        Ok((agreed, out))
    }

    fn words(answer: &[u8]) -> Vec<u32> {
        assert_eq!(answer[4], packet::NEGOTIATE);
        let (words, _) = answer[5..].as_chunks::<4>();
        words.iter().take(3).map(|word| u32::from_be_bytes(*word)).collect()
    }

    #[test]
    fn both_sides_meet() {
        let plain = Config { actions: Actions::ADD_HEADERS, steps: Steps::RCPT, macros: vec![], header_octets_max: 0 };
        // Version, actions, protocol: offered and answered.
        let table: &[([u32; 3], [u32; 3])] = &[
            // Everything, from a server as new as we are, and from a newer one.
            ([6, 0x1ff, 0x001f_ffff], [6, 0x01, 0x377]),
            ([9, 0xffff_ffff, 0xffff_ffff], [6, 0x01, 0x377]),
            // Older ones cannot be told not to send what they never send.
            ([4, 0x3f, 0x3ff], [4, 0x01, 0x377]),
            ([3, 0x3f, 0x17f], [3, 0x01, 0x177]),
            ([2, 0x3f, 0x7f], [2, 0x01, 0x77]),
            ([2, 0, 0], [2, 0, 0]),
        ];
        for (offered, expected) in table {
            let (_, out) = agreed(&plain, *offered).unwrap();
            assert_eq!(words(&out), expected, "{offered:?}");
            assert_eq!(out.len(), 17);
        }
        assert_eq!(agreed(&plain, [1, 0x0f, 0x3f]), Err(MilterError::Version(1)));
        assert_eq!(agreed(&plain, [0, 0, 0]), Err(MilterError::Version(0)));
        assert!(Offer::parse(b"\0\0\0\x02\0\0\0\x0f").is_err());
    }

    #[test]
    fn what_is_understood_besides_is_only_taken_if_offered() {
        let config = Config { steps: Steps::BODY.or(Steps::SKIP).or(Steps::REFUSED_RCPT), ..Config::default() };
        let (newest, out) = agreed(&config, [6, 0x1ff, 0x001f_ffff]).unwrap();
        assert_eq!(words(&out)[2], 0x36f | 0xc00);
        assert!(newest.steps.contains(config.steps));
        let (older, out) = agreed(&config, [6, 0x1ff, 0x0000_077f]).unwrap();
        assert_eq!(words(&out)[2], 0x36f | 0x400);
        assert!(older.steps.contains(Steps::SKIP) && !older.steps.contains(Steps::REFUSED_RCPT));
        let (oldest, _) = agreed(&config, [2, 0x3f, 0x7f]).unwrap();
        assert!(!oldest.steps.contains(Steps::SKIP) && oldest.steps.contains(Steps::BODY));
    }

    #[test]
    fn macros_are_asked_for_where_that_is_possible() {
        let macros = vec![(Stage::Connect, "j {client_addr}"), (Stage::EndOfHeaders, "i")];
        let config = Config { macros, ..Config::default() };
        let (agreed_on, out) = agreed(&config, [6, 0x1ff, 0x001f_ffff]).unwrap();
        assert_eq!(words(&out)[1], 0x121);
        assert_eq!(&out[17..], b"\0\0\0\0j {client_addr}\0\0\0\0\x06i\0");
        assert_eq!(agreed_on.actions, Actions::ADD_HEADERS.or(Actions::QUARANTINE), "the request is no action");
        let (_, out) = agreed(&config, [6, 0xff, 0x001f_ffff]).unwrap();
        assert_eq!((words(&out)[1], out.len()), (0x21, 17));
        let (_, out) = agreed(&config, [5, 0x1ff, 0x001f_ffff]).unwrap();
        assert_eq!((words(&out)[1], out.len()), (0x21, 17));
    }
}
