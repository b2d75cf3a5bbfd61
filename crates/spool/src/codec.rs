//! Envelope and state of a message as octets: varints and counted strings, all bounded.
//!
//! The meaning of each octet belongs to the version in the segment's header: a change here is a new version there.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::state::{MessageState, RecipientNow, State};
use crate::{Envelope, Origin, Ownership, Recipient, Ret, Sender, Target, Via};

/// Most recipients of one message.
pub(crate) const RECIPIENTS_MAX: usize = 65_536;
/// Longest string in an envelope.
pub(crate) const TEXT_OCTETS_MAX: usize = 65_536;
/// Longest envelope.
pub(crate) const META_OCTETS_MAX: usize = 16 << 20;
/// Longest reason that is kept.
const REASON_OCTETS_MAX: usize = 400;

const SMTPUTF8: u8 = 1;
const EIGHT_BIT: u8 = 1 << 1;
const ENVID: u8 = 1 << 2;
const RET_FULL: u8 = 1 << 3;
const RET_HEADERS: u8 = 1 << 4;

/// Beside a target's number: the alias by which it came stands behind the recipient.
const VIA: u8 = 1 << 4;

/// The tag of an [`Origin::Account`] since form 3; before it was 2.
const SENDER: u8 = 3;
const PROVED: u8 = 1;
const ACCOUNT_ID: u8 = 1 << 1;
const CLIENT: u8 = 1 << 2;

/// Why a message is held whose record, of form 1 or 2, does not tell.
const HELD_BEFORE: &str = "earlier-release";

/// These octets are no record of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7F) as u8);
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_optional(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put_text(out, text);
    }
}

/// Takes values off the front of a slice.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn octet(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed("ends early"))?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            if shift == 63 && octet > 1 {
                break;
            }
            number |= u64::from(octet & 0x7F) << shift;
            if octet & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed("number too long"))
    }

    /// A count that is at most `max`.
    fn count(&mut self, max: usize) -> Result<usize, Malformed> {
        let count = usize::try_from(self.number()?).map_err(|_| Malformed("count too high"))?;
        if count > max { Err(Malformed("count too high")) } else { Ok(count) }
    }

    pub(crate) fn word(&mut self) -> Result<u64, Malformed> {
        let (word, rest) = self.rest.split_first_chunk::<8>().ok_or(Malformed("ends early"))?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*word))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let octets = self.count(TEXT_OCTETS_MAX)?;
        let (text, rest) = self.rest.split_at_checked(octets).ok_or(Malformed("ends early"))?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| Malformed("text is not UTF-8"))
    }

    fn address(&mut self) -> Result<IpAddr, Malformed> {
        let (octets, rest) = self.rest.split_first_chunk::<16>().ok_or(Malformed("ends early"))?;
        self.rest = rest;
        Ok(IpAddr::V6(Ipv6Addr::from(*octets)).to_canonical())
    }

    fn optional(&mut self) -> Result<Option<&'a str>, Malformed> {
        match self.octet()? {
            0 => Ok(None),
            1 => self.text().map(Some),
            _ => Err(Malformed("unknown option")),
        }
    }
}

/// Checks what the form on disk can hold.
pub(crate) fn check_envelope(envelope: &Envelope) -> Result<(), &'static str> {
    let long = |text: &str| text.len() > TEXT_OCTETS_MAX;
    if envelope.recipients.is_empty() {
        return Err("no recipient");
    }
    if envelope.recipients.len() > RECIPIENTS_MAX {
        return Err("too many recipients");
    }
    let origin_long = match &envelope.origin {
        Origin::Account(sender) => sender.login.as_deref().is_some_and(long) || long(&sender.grant),
        Origin::Outside | Origin::Bounce => false,
    };
    let recipient_long = |recipient: &Recipient| {
        let (_, target) = target_parts(&recipient.target);
        let via_long = recipient.via.as_ref().is_some_and(|via| long(&via.given) || long(&via.alias));
        long(&recipient.forward_path) || long(target) || recipient.orcpt.as_deref().is_some_and(long) || via_long
    };
    let head_long =
        long(&envelope.reverse_path) || long(&envelope.session) || envelope.envid.as_deref().is_some_and(long);
    if origin_long || head_long || envelope.recipients.iter().any(recipient_long) {
        return Err("a text is too long");
    }
    Ok(())
}

pub(crate) fn put_envelope(out: &mut Vec<u8>, envelope: &Envelope) {
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let ret = match envelope.ret {
        None => 0,
        Some(Ret::Full) => RET_FULL,
        Some(Ret::Headers) => RET_HEADERS,
    };
    out.push(
        flag(envelope.smtputf8, SMTPUTF8)
            | flag(envelope.eight_bit, EIGHT_BIT)
            | flag(envelope.envid.is_some(), ENVID)
            | ret,
    );
    put_number(out, envelope.arrived_at_unix_micros);
    put_number(out, envelope.message_octets);
    match &envelope.origin {
        Origin::Outside => out.push(0),
        Origin::Bounce => out.push(1),
        Origin::Account(sender) => put_sender(out, sender),
    }
    put_text(out, &envelope.session);
    put_text(out, &envelope.reverse_path);
    if let Some(envid) = &envelope.envid {
        put_text(out, envid);
    }
    put_number(out, envelope.recipients.len() as u64);
    for recipient in &envelope.recipients {
        let (tag, target) = target_parts(&recipient.target);
        put_text(out, &recipient.forward_path);
        out.push(tag | if recipient.via.is_some() { VIA } else { 0 });
        put_text(out, target);
        out.push(recipient.notify);
        put_optional(out, recipient.orcpt.as_deref());
        if let Some(via) = &recipient.via {
            put_text(out, &via.given);
            put_text(out, &via.alias);
        }
    }
}

fn put_sender(out: &mut Vec<u8>, sender: &Sender) {
    out.push(SENDER);
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    out.push(
        flag(sender.reverse_path == Ownership::Proved, PROVED)
            | flag(sender.account_id.is_some(), ACCOUNT_ID)
            | flag(sender.client.is_some(), CLIENT),
    );
    if let Some(id) = sender.account_id {
        put_number(out, id);
    }
    match sender.client {
        Some(IpAddr::V4(client)) => out.extend_from_slice(&client.to_ipv6_mapped().octets()),
        Some(IpAddr::V6(client)) => out.extend_from_slice(&client.octets()),
        None => (),
    }
    put_optional(out, sender.login.as_deref());
    put_text(out, &sender.grant);
}

fn target_parts(target: &Target) -> (u8, &str) {
    match target {
        Target::Maildir { account } => (0, account),
        Target::Remote { host } => (1, host),
        Target::Lmtp { server } => (2, server),
        Target::NextHop { server } => (3, server),
    }
}

/// Reads an envelope, which must be all that is left.
pub(crate) fn read_envelope(reader: &mut Reader<'_>) -> Result<Envelope, Malformed> {
    let flags = reader.octet()?;
    let ret = match (flags & RET_FULL != 0, flags & RET_HEADERS != 0) {
        (false, false) => None,
        (true, false) => Some(Ret::Full),
        (false, true) => Some(Ret::Headers),
        (true, true) => return Err(Malformed("two RETs")),
    };
    if flags >= RET_HEADERS << 1 {
        return Err(Malformed("unknown flag"));
    }
    let arrived_at_unix_micros = reader.number()?;
    let message_octets = reader.number()?;
    let origin = read_origin(reader)?;
    let session = reader.text()?.to_owned();
    let reverse_path = reader.text()?.to_owned();
    let envid = if flags & ENVID != 0 { Some(reader.text()?.to_owned()) } else { None };
    let count = reader.count(RECIPIENTS_MAX)?;
    if count == 0 {
        return Err(Malformed("no recipient"));
    }
    let recipients = (0..count).map(|_| read_recipient(reader)).collect::<Result<Vec<_>, _>>()?;
    if !reader.is_empty() {
        return Err(Malformed("octets left over"));
    }
    Ok(Envelope {
        reverse_path,
        recipients,
        origin,
        arrived_at_unix_micros,
        session,
        smtputf8: flags & SMTPUTF8 != 0,
        eight_bit: flags & EIGHT_BIT != 0,
        envid,
        ret,
        message_octets,
    })
}

fn read_origin(reader: &mut Reader<'_>) -> Result<Origin, Malformed> {
    match reader.octet()? {
        0 => Ok(Origin::Outside),
        1 => Ok(Origin::Bounce),
        2 => {
            let (login, grant) = (reader.optional()?.map(str::to_owned), reader.text()?.to_owned());
            // Forms 1 and 2 do not tell; a right with a login was for reverse-paths of that login.
            let reverse_path = if login.is_some() { Ownership::Proved } else { Ownership::Unproved };
            Ok(Origin::Account(Sender { login, account_id: None, grant, client: None, reverse_path }))
        }
        SENDER => read_sender(reader).map(Origin::Account),
        _ => Err(Malformed("unknown origin")),
    }
}

fn read_sender(reader: &mut Reader<'_>) -> Result<Sender, Malformed> {
    let flags = reader.octet()?;
    if flags >= CLIENT << 1 {
        return Err(Malformed("unknown flag"));
    }
    let account_id = if flags & ACCOUNT_ID != 0 { Some(reader.number()?) } else { None };
    let client = if flags & CLIENT != 0 { Some(reader.address()?) } else { None };
    let login = reader.optional()?.map(str::to_owned);
    let grant = reader.text()?.to_owned();
    let reverse_path = if flags & PROVED != 0 { Ownership::Proved } else { Ownership::Unproved };
    Ok(Sender { login, account_id, grant, client, reverse_path })
}

fn read_recipient(reader: &mut Reader<'_>) -> Result<Recipient, Malformed> {
    let forward_path = reader.text()?.to_owned();
    let tag = reader.octet()?;
    let target = reader.text()?.to_owned();
    let target = match tag & !VIA {
        0 => Target::Maildir { account: target },
        1 => Target::Remote { host: target },
        2 => Target::Lmtp { server: target },
        3 => Target::NextHop { server: target },
        _ => return Err(Malformed("unknown target")),
    };
    let (notify, orcpt) = (reader.octet()?, reader.optional()?.map(str::to_owned));
    let via = if tag & VIA != 0 {
        Some(Box::new(Via { given: reader.text()?.to_owned(), alias: reader.text()?.to_owned() }))
    } else {
        None
    };
    Ok(Recipient { forward_path, target, notify, orcpt, via })
}

/// The state of a message: absolute values, so that reading one twice does no harm.
pub(crate) fn put_state(out: &mut Vec<u8>, state: &MessageState<'_>) {
    match state.hold.as_deref() {
        None => out.push(0),
        Some(reason) => {
            out.push(2);
            put_text(out, cut(reason));
        }
    }
    put_number(out, state.recipients.len() as u64);
    for recipient in &*state.recipients {
        out.push(recipient.state as u8);
        put_number(out, u64::from(recipient.attempts));
        put_number(out, recipient.due);
        put_optional(out, recipient.reason.as_deref().map(cut));
    }
}

fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_OCTETS_MAX)]
}

pub(crate) fn read_state(reader: &mut Reader<'_>) -> Result<MessageState<'static>, Malformed> {
    let hold: Option<Arc<str>> = match reader.octet()? {
        0 => None,
        1 => Some(HELD_BEFORE.into()),
        2 => Some(reader.text()?.into()),
        _ => return Err(Malformed("unknown flag")),
    };
    let count = reader.count(RECIPIENTS_MAX)?;
    let recipients = (0..count).map(|_| read_recipient_state(reader)).collect::<Result<_, _>>()?;
    Ok(MessageState { hold, recipients })
}

fn read_recipient_state(reader: &mut Reader<'_>) -> Result<RecipientNow, Malformed> {
    let state = match reader.octet()? {
        0 => State::Waiting,
        1 => State::Delivered,
        2 => State::Failed,
        3 => State::Expired,
        4 => State::Held,
        _ => return Err(Malformed("unknown state")),
    };
    let attempts = u16::try_from(reader.number()?).map_err(|_| Malformed("count too high"))?;
    Ok(RecipientNow { state, attempts, due: reader.number()?, reason: reader.optional()?.map(Into::into) })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_origin() -> impl Strategy<Value = Origin> {
        prop_oneof![Just(Origin::Outside), Just(Origin::Bounce), any_sender().prop_map(Origin::Account),]
    }

    fn any_sender() -> impl Strategy<Value = Sender> {
        let ownership = prop_oneof![Just(Ownership::Proved), Just(Ownership::Unproved)];
        let client = any::<Option<IpAddr>>().prop_map(|client| client.map(|client| client.to_canonical()));
        (any::<Option<String>>(), any::<Option<u64>>(), any::<String>(), client, ownership).prop_map(
            |(login, account_id, grant, client, reverse_path)| Sender {
                login,
                account_id,
                grant,
                client,
                reverse_path,
            },
        )
    }

    fn any_recipient() -> impl Strategy<Value = Recipient> {
        let target = prop_oneof![
            any::<String>().prop_map(|account| Target::Maildir { account }),
            any::<String>().prop_map(|host| Target::Remote { host }),
            any::<String>().prop_map(|server| Target::Lmtp { server }),
            any::<String>().prop_map(|server| Target::NextHop { server }),
        ];
        let via = any::<Option<(String, String)>>();
        (any::<String>(), target, any::<u8>(), any::<Option<String>>(), via).prop_map(
            |(forward_path, target, notify, orcpt, via)| {
                let via = via.map(|(given, alias)| Box::new(Via { given, alias }));
                Recipient { forward_path, target, notify, orcpt, via }
            },
        )
    }

    pub(crate) fn any_envelope() -> impl Strategy<Value = Envelope> {
        let ret = prop_oneof![Just(None), Just(Some(Ret::Full)), Just(Some(Ret::Headers))];
        let head = (any::<String>(), any_origin(), any::<u64>(), any::<String>(), any::<(bool, bool)>());
        let tail = (any::<Option<String>>(), ret, any::<u64>(), proptest::collection::vec(any_recipient(), 1..4));
        (head, tail).prop_map(|((reverse_path, origin, arrived, session, flags), (envid, ret, octets, recipients))| {
            Envelope {
                reverse_path,
                recipients,
                origin,
                arrived_at_unix_micros: arrived,
                session,
                smtputf8: flags.0,
                eight_bit: flags.1,
                envid,
                ret,
                message_octets: octets,
            }
        })
    }

    proptest! {
        #[test]
        fn an_envelope_written_then_read_is_the_same(envelope in any_envelope()) {
            let mut out = Vec::new();
            put_envelope(&mut out, &envelope);
            prop_assert_eq!(read_envelope(&mut Reader::new(&out)), Ok(envelope));
            out.pop();
            prop_assert!(read_envelope(&mut Reader::new(&out)).is_err());
        }

        #[test]
        fn a_number_written_then_read_is_the_same(number in any::<u64>()) {
            let mut out = Vec::new();
            put_number(&mut out, number);
            prop_assert_eq!(Reader::new(&out).number(), Ok(number));
        }

        #[test]
        fn any_octets_are_read_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_envelope(&mut Reader::new(&octets));
            let _ = read_state(&mut Reader::new(&octets));
        }
    }

    #[test]
    fn hostile_counts_allocate_nothing() {
        for octets in [&[0xFF; 10][..], &[0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], &[0x80; 11]] {
            assert!(Reader::new(octets).number().is_err() || read_state(&mut Reader::new(octets)).is_err());
        }
    }
}
