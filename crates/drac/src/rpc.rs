//! ONC RPC messages (RFC 5531 §9): a call's header as a server reads it, replies as a client reads them, and the writing of both.
//!
//! Whatever is short stays short: nothing is completed from elsewhere. A header that is not whole, or no call at all, is not
//! answered, so that no reply is longer than what it answers and a forged datagram gains nothing by it.

use crate::xdr::{Malformed, Reader, put_word};

/// Octets of a credential's or verifier's body (RFC 5531 §8.2).
const AUTH_BODY_OCTETS_MAX: usize = 400;
/// Octets of a machine's name in an `AUTH_SYS` credential (RFC 5531 Appendix A).
const MACHINE_NAME_OCTETS_MAX: usize = 255;
/// Groups in an `AUTH_SYS` credential (RFC 5531 Appendix A).
const GROUPS_MAX: u32 = 16;
/// Octets of a call's header with empty credential and verifier: the least there can be.
const HEADER_OCTETS_MIN: usize = 40;

const RPC_VERSION: u32 = 2;
const CALL: u32 = 0;
const REPLY: u32 = 1;
const MSG_ACCEPTED: u32 = 0;
const MSG_DENIED: u32 = 1;
const RPC_MISMATCH: u32 = 0;
const AUTH_ERROR: u32 = 1;
const AUTH_NONE: u32 = 0;
const AUTH_SYS: u32 = 1;
/// The credential does not decode (RFC 5531 §9, `auth_stat`).
const AUTH_BADCRED: u32 = 1;
/// A credential of another kind is wanted (RFC 5531 §9, `auth_stat`).
const AUTH_REJECTEDCRED: u32 = 2;
const SUCCESS: u32 = 0;
const PROG_UNAVAIL: u32 = 1;
const PROG_MISMATCH: u32 = 2;
const PROC_UNAVAIL: u32 = 3;
const GARBAGE_ARGS: u32 = 4;
const SYSTEM_ERR: u32 = 5;

/// Which program, of which versions, a server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its number.
    pub number: u32,
    /// The lowest version.
    pub low: u32,
    /// The highest version.
    pub high: u32,
}

/// A call whose header is whole, for a program that is served, with a credential that is accepted.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The transaction id, which the reply repeats.
    pub xid: u32,
    /// One of the versions of the program.
    pub version: u32,
    /// The procedure, not looked at yet.
    pub procedure: u32,
    /// The arguments and whatever follows them.
    pub arguments: Reader<'a>,
}

/// Why a message is not a [`Call`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCall {
    /// Not answered at all.
    Silence,
    /// Answered with this.
    Reply(Reply),
}

impl From<Malformed> for NoCall {
    fn from(_: Malformed) -> Self {
        Self::Silence
    }
}

/// Reads a call's header, in the order of the original server: header, program, version, credential.
pub fn read_call(message: &[u8], served: Program) -> Result<Call<'_>, NoCall> {
    if message.len() < HEADER_OCTETS_MIN {
        return Err(NoCall::Silence);
    }
    let mut reader = Reader::new(message);
    let (xid, kind, rpc_version) = (reader.word()?, reader.word()?, reader.word()?);
    if kind != CALL {
        return Err(NoCall::Silence);
    }
    if rpc_version != RPC_VERSION {
        return Err(NoCall::Reply(Reply::rpc_mismatch(xid)));
    }
    let (program, version, procedure) = (reader.word()?, reader.word()?, reader.word()?);
    let flavour = reader.word()?;
    let credential = reader.opaque(AUTH_BODY_OCTETS_MAX)?;
    // The verifier says nothing about who calls with AUTH_NONE and AUTH_SYS; it must only be there.
    let _flavour = reader.word()?;
    let _verifier = reader.opaque(AUTH_BODY_OCTETS_MAX)?;
    if program != served.number {
        return Err(NoCall::Reply(Reply::program_unavailable(xid)));
    }
    if version < served.low || version > served.high {
        return Err(NoCall::Reply(Reply::program_mismatch(xid, served)));
    }
    check_credential(flavour, credential).map_err(|status| NoCall::Reply(Reply::auth_error(xid, status)))?;
    Ok(Call { xid, version, procedure, arguments: reader })
}

/// `AUTH_NONE` and `AUTH_SYS` are taken, and prove nothing.
fn check_credential(flavour: u32, body: &[u8]) -> Result<(), u32> {
    match flavour {
        AUTH_NONE => Ok(()),
        AUTH_SYS => check_auth_sys(body).map_err(|Malformed| AUTH_BADCRED),
        _ => Err(AUTH_REJECTEDCRED),
    }
}

/// Stamp, machine name, user, group, further groups. What follows is not looked at, as in the libraries of old.
fn check_auth_sys(body: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader::new(body);
    reader.word()?;
    reader.opaque(MACHINE_NAME_OCTETS_MAX)?;
    reader.word()?;
    reader.word()?;
    let groups = reader.word()?;
    if groups > GROUPS_MAX {
        return Err(Malformed);
    }
    (0..groups).try_for_each(|_| reader.word().map(drop))
}

/// A reply without results of variable length, as it goes into a datagram. It needs no memory of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    octets: [u8; Self::OCTETS_MAX],
    length: usize,
}

impl Reply {
    /// The longest reply, in octets.
    pub const OCTETS_MAX: usize = 32;

    fn of_words<const WORDS: usize>(words: [u32; WORDS]) -> Self {
        const { assert!(WORDS * 4 <= Self::OCTETS_MAX) };
        let mut octets = [0; Self::OCTETS_MAX];
        for (place, word) in octets.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        Self { octets, length: WORDS * 4 }
    }

    /// Done; the procedure has no results.
    pub fn done(xid: u32) -> Self {
        Self::of_words([xid, REPLY, MSG_ACCEPTED, AUTH_NONE, 0, SUCCESS])
    }

    /// Done; the result is one word.
    pub fn word(xid: u32, result: u32) -> Self {
        Self::of_words([xid, REPLY, MSG_ACCEPTED, AUTH_NONE, 0, SUCCESS, result])
    }

    /// `PROG_UNAVAIL`: another program's call.
    pub fn program_unavailable(xid: u32) -> Self {
        Self::of_words([xid, REPLY, MSG_ACCEPTED, AUTH_NONE, 0, PROG_UNAVAIL])
    }

    /// `PROG_MISMATCH`: not a version that is served.
    pub fn program_mismatch(xid: u32, served: Program) -> Self {
        Self::of_words([xid, REPLY, MSG_ACCEPTED, AUTH_NONE, 0, PROG_MISMATCH, served.low, served.high])
    }

    /// `PROC_UNAVAIL`: there is no such procedure.
    pub fn procedure_unavailable(xid: u32) -> Self {
        Self::of_words([xid, REPLY, MSG_ACCEPTED, AUTH_NONE, 0, PROC_UNAVAIL])
    }

    /// `GARBAGE_ARGS`: the arguments are not there whole.
    pub fn garbage_arguments(xid: u32) -> Self {
        Self::of_words([xid, REPLY, MSG_ACCEPTED, AUTH_NONE, 0, GARBAGE_ARGS])
    }

    fn rpc_mismatch(xid: u32) -> Self {
        Self::of_words([xid, REPLY, MSG_DENIED, RPC_MISMATCH, RPC_VERSION, RPC_VERSION])
    }

    fn auth_error(xid: u32, status: u32) -> Self {
        Self::of_words([xid, REPLY, MSG_DENIED, AUTH_ERROR, status])
    }

    /// The message, for a datagram or a record.
    pub fn octets(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

/// Appends the header of a reply with results, which the caller appends.
pub fn put_reply(out: &mut Vec<u8>, xid: u32) {
    out.extend_from_slice(Reply::done(xid).octets());
}

/// Which procedure is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Procedure {
    /// The program's number.
    pub program: u32,
    /// Its version.
    pub version: u32,
    /// The procedure's number in it.
    pub number: u32,
}

/// Appends the header of a call with `AUTH_NONE`; the caller appends the arguments.
pub fn put_call(out: &mut Vec<u8>, xid: u32, procedure: Procedure) {
    let Procedure { program, version, number } = procedure;
    for word in [xid, CALL, RPC_VERSION, program, version, number, AUTH_NONE, 0, AUTH_NONE, 0] {
        put_word(out, word);
    }
}

/// Why a call that was answered has no results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server speaks other versions of ONC RPC.
    #[error("RPC version mismatch; low version = {low}, high version = {high}")]
    RpcMismatch {
        /// The lowest it speaks.
        low: u32,
        /// The highest it speaks.
        high: u32,
    },
    /// The server does not take the credential; the number is an `auth_stat` of RFC 5531 §9.
    #[error("Authentication error {0}")]
    Authentication(u32),
    /// No such program there.
    #[error("Program unavailable")]
    ProgramUnavailable,
    /// The program is there in other versions.
    #[error("Program/version mismatch; low version = {low}, high version = {high}")]
    ProgramMismatch {
        /// The lowest version there.
        low: u32,
        /// The highest version there.
        high: u32,
    },
    /// No such procedure there.
    #[error("Procedure unavailable")]
    ProcedureUnavailable,
    /// The server could not read the arguments.
    #[error("Server can't decode arguments")]
    GarbageArguments,
    /// The server has trouble of its own.
    #[error("Remote system error")]
    SystemError,
    /// The answer is none that RFC 5531 knows.
    #[error("Can't decode result")]
    Malformed,
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Reads the reply to the call `xid`; `None` when the message answers another call or is no reply.
pub fn read_reply(message: &[u8], xid: u32) -> Option<Result<Reader<'_>, Failure>> {
    let mut reader = Reader::new(message);
    let ours = reader.word() == Ok(xid) && reader.word() == Ok(REPLY);
    ours.then(|| read_reply_body(reader))
}

fn read_reply_body(mut reader: Reader<'_>) -> Result<Reader<'_>, Failure> {
    match reader.word()? {
        MSG_ACCEPTED => {}
        MSG_DENIED => return Err(read_denial(reader)?),
        _ => return Err(Failure::Malformed),
    }
    let _flavour = reader.word()?;
    let _verifier = reader.opaque(AUTH_BODY_OCTETS_MAX)?;
    match reader.word()? {
        SUCCESS => Ok(reader),
        PROG_UNAVAIL => Err(Failure::ProgramUnavailable),
        PROG_MISMATCH => Err(Failure::ProgramMismatch { low: reader.word()?, high: reader.word()? }),
        PROC_UNAVAIL => Err(Failure::ProcedureUnavailable),
        GARBAGE_ARGS => Err(Failure::GarbageArguments),
        SYSTEM_ERR => Err(Failure::SystemError),
        _ => Err(Failure::Malformed),
    }
}

fn read_denial(mut reader: Reader<'_>) -> Result<Failure, Failure> {
    match reader.word()? {
        RPC_MISMATCH => Ok(Failure::RpcMismatch { low: reader.word()?, high: reader.word()? }),
        AUTH_ERROR => Ok(Failure::Authentication(reader.word()?)),
        _ => Err(Failure::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SERVED: Program = Program { number: 900_101, low: 1, high: 2 };

    fn call(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn auth_sys_is_read_within_its_bounds() {
        let sixteen: Vec<u32> = [1, 0, 0, 0, 16].into_iter().chain([0; 16]).collect();
        let seventeen: Vec<u32> = [1, 0, 0, 0, 17].into_iter().chain([0; 17]).collect();
        let cases: &[(&[u32], bool)] = &[
            (&[1, 0, 0, 0, 0], true),
            (&[1, 4, 0x686f_7374, 0, 0, 1, 7], true),
            (&[1, 0, 0, 0, 0, 9, 9], true),
            (&sixteen, true),
            (&seventeen, false),
            (&[1, 0, 0, 0, 1], false),
            (&[1, 256, 0, 0, 0], false),
            (&[1, u32::MAX, 0, 0, 0], false),
            (&[1, 0, 0, 0], false),
            (&[], false),
        ];
        for (words, fits) in cases {
            assert_eq!(check_auth_sys(&call(words)).is_ok(), *fits, "{words:?}");
        }
    }

    #[test]
    fn replies_are_understood_by_the_client() {
        let cases = [
            (Reply::program_unavailable(7), Failure::ProgramUnavailable),
            (Reply::program_mismatch(7, SERVED), Failure::ProgramMismatch { low: 1, high: 2 }),
            (Reply::procedure_unavailable(7), Failure::ProcedureUnavailable),
            (Reply::garbage_arguments(7), Failure::GarbageArguments),
            (Reply::rpc_mismatch(7), Failure::RpcMismatch { low: 2, high: 2 }),
            (Reply::auth_error(7, AUTH_BADCRED), Failure::Authentication(1)),
        ];
        for (reply, failure) in cases {
            assert_eq!(read_reply(reply.octets(), 7).unwrap().unwrap_err(), failure);
            assert!(read_reply(reply.octets(), 8).is_none(), "the answer to another call");
        }
        let reply = Reply::word(7, 42);
        let mut results = read_reply(reply.octets(), 7).unwrap().unwrap();
        assert_eq!(results.word(), Ok(42));
        assert!(read_reply(Reply::done(7).octets(), 7).unwrap().unwrap().rest().is_empty());
    }

    #[test]
    fn broken_replies_are_failures() {
        for words in [
            &[7, 1][..],
            &[7, 1, 2],
            &[7, 1, 0, 0],
            &[7, 1, 0, 0, 401],
            &[7, 1, 0, 0, 0, 9],
            &[7, 1, 1, 5],
            &[7, 1, 1, 0, 2],
        ] {
            assert_eq!(read_reply(&call(words), 7).unwrap().unwrap_err(), Failure::Malformed, "{words:?}");
        }
        assert!(read_reply(&call(&[7, 0, 0]), 7).is_none(), "a call is no reply");
        assert!(read_reply(b"\0\0\0", 0).is_none());
    }

    proptest! {
        /// No call can be used to send somebody else more than it has itself.
        #[test]
        fn no_reply_is_longer_than_its_call(head in prop::collection::vec(0_u32..4, 0..12), rest: Vec<u8>, cut in 0_usize..48) {
            let mut message = call(&head);
            if let Some(place) = message.get_mut(8..24) {
                // Most often a call for us, so that the further checks are reached.
                place[..8].copy_from_slice(&call(&[2, SERVED.number]));
            }
            message.truncate(cut);
            message.extend(rest);
            if let Err(NoCall::Reply(reply)) = read_call(&message, SERVED) {
                prop_assert!(reply.octets().len() <= message.len());
                prop_assert_eq!(&reply.octets()[..4], &message[..4]);
            }
        }

        /// What we call, we read.
        #[test]
        fn calls_come_back(xid: u32, version in 1_u32..=2, number: u32, arguments: Vec<u8>) {
            let mut message = Vec::new();
            put_call(&mut message, xid, Procedure { program: SERVED.number, version, number });
            message.extend_from_slice(&arguments);
            let read = read_call(&message, SERVED).unwrap();
            prop_assert_eq!((read.xid, read.version, read.procedure), (xid, version, number));
            prop_assert_eq!(read.arguments.rest(), arguments.as_slice());
        }
    }
}
