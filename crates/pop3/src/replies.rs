//! Every reply that the server can give, by its purpose.

use crate::reply::{Code, Reply};
use std::borrow::Cow;

/// The greeting; `banner` is the APOP timestamp (RFC 1939 §7).
pub fn greeting(software: &str, banner: Option<&str>) -> Reply {
    match banner {
        Some(banner) => Reply::ok(format!("{software} POP3 server ready {banner}")),
        None => Reply::ok(format!("{software} POP3 server ready")),
    }
}

/// What CAPA tells, as far as it depends on the listener and on TLS.
pub(crate) struct Capabilities<'a> {
    pub(crate) software: &'a str,
    pub(crate) user_pass: bool,
    pub(crate) mechanisms: &'a [&'static str],
    pub(crate) stls: bool,
}

/// RFC 2449 §5: what can be done now.
pub(crate) fn capabilities(now: &Capabilities<'_>) -> Reply {
    let mut lines: Vec<Cow<'static, str>> =
        ["TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "EXPIRE NEVER", "UTF8"].map(Cow::from).into();
    if now.user_pass {
        lines.push("USER".into());
    }
    if !now.mechanisms.is_empty() {
        lines.push(format!("SASL {}", now.mechanisms.join(" ")).into());
    }
    if now.stls {
        lines.push("STLS".into());
    }
    lines.push(format!("IMPLEMENTATION {}", now.software).into());
    Reply::with_lines("capabilities follow", lines)
}

/// The mechanisms, for clients that ask with a bare AUTH.
pub(crate) fn mechanisms(mechanisms: &[&'static str]) -> Reply {
    Reply::with_lines("mechanisms follow", mechanisms.iter().map(|&name| name.into()).collect())
}

/// RFC 1939 §7 USER: the same for known and unknown names.
pub fn user_taken() -> Reply {
    Reply::ok("and the password")
}

/// Logged in, maildrop locked.
pub fn maildrop_open(messages: u32, octets: u64) -> Reply {
    Reply::ok(format!("{messages} messages ({octets} octets)"))
}

/// Wrong name, password, digest or response: one text for all of them.
pub fn auth_failed() -> Reply {
    Reply::coded(Code::Auth, "authentication failed")
}

/// The client sent `*` (RFC 5034 §4).
pub fn auth_cancelled() -> Reply {
    Reply::err("authentication cancelled")
}

/// What should be base64 is not.
pub fn not_base64() -> Reply {
    Reply::coded(Code::Auth, "that is not base64")
}

/// After the server's last word the client must send an empty line (RFC 5034 §4).
pub fn no_more_data() -> Reply {
    Reply::coded(Code::Auth, "an empty line was due")
}

/// The mechanism is not offered, or not without TLS.
pub fn no_such_mechanism() -> Reply {
    Reply::coded(Code::Auth, "no such mechanism here; CAPA lists what is offered")
}

/// USER or PASS where STLS is offered and must come first.
pub fn stls_first() -> Reply {
    Reply::coded(Code::Auth, "passwords only under TLS: send STLS first")
}

/// USER or PASS where they are not offered.
pub fn no_plain_text() -> Reply {
    Reply::coded(Code::Auth, "USER and PASS are not offered here")
}

/// APOP without a banner in the greeting.
pub fn no_apop() -> Reply {
    Reply::coded(Code::Auth, "APOP is not offered here")
}

/// The accounts cannot be asked (RFC 3206).
pub fn auth_unavailable() -> Reply {
    Reply::coded(Code::SysTemp, "authentication is not possible now, try again later")
}

/// Too many failed logins from here or for this account, for a while.
pub fn login_delayed() -> Reply {
    Reply::coded(Code::LoginDelay, "too many failed logins, try again later")
}

/// Another session has it (RFC 2449 §8.1.2).
pub fn in_use() -> Reply {
    Reply::coded(Code::InUse, "the maildrop is in use by another session")
}

/// The maildrop or a message of it cannot be read now.
pub fn maildrop_unavailable() -> Reply {
    Reply::coded(Code::SysTemp, "the maildrop cannot be read now, try again later")
}

/// A message that another client of the mailbox deleted meanwhile.
pub fn message_gone() -> Reply {
    Reply::err("that message was deleted by another client")
}

/// RFC 1939 §6: QUIT with messages that could not be deleted.
pub fn not_all_deleted() -> Reply {
    Reply::coded(Code::SysTemp, "some messages could not be deleted")
}

/// STLS: negotiation begins.
pub fn begin_tls() -> Reply {
    Reply::ok("begin TLS negotiation")
}

/// STLS where it is not offered, or under TLS, or after UTF8 (RFC 6856 §2.1).
pub fn no_stls() -> Reply {
    Reply::err("STLS is not possible here")
}

/// Bytes behind STLS (command injection): the session ends.
pub fn bytes_behind_stls() -> Reply {
    Reply::err("nothing may follow STLS before the negotiation")
}

/// RFC 6856 §2.
pub fn utf8_on() -> Reply {
    Reply::ok("UTF-8 mode")
}

/// STAT (RFC 1939 §5).
pub fn stat(messages: u32, octets: u64) -> Reply {
    Reply::ok(format!("{messages} {octets}"))
}

/// The head of LIST and UIDL.
pub fn listing(messages: u32) -> Reply {
    Reply::ok(format!("{messages} messages"))
}

/// LIST n, UIDL n.
pub fn listed(number: u32, what: &str) -> Reply {
    Reply::ok(format!("{number} {what}"))
}

/// The head of RETR.
pub fn message_follows(octets: u64) -> Reply {
    Reply::ok(format!("{octets} octets"))
}

/// The head of TOP.
pub fn top_follows() -> Reply {
    Reply::ok("top follows")
}

/// DELE.
pub fn marked(number: u32) -> Reply {
    Reply::ok(format!("message {number} will be deleted at QUIT"))
}

/// RSET.
pub fn unmarked(messages: u32, octets: u64) -> Reply {
    maildrop_open(messages, octets)
}

/// NOOP.
pub fn noop() -> Reply {
    Reply::ok("")
}

/// QUIT.
pub fn bye() -> Reply {
    Reply::ok("bye")
}

/// QUIT after deletions.
pub fn bye_deleted(messages: usize) -> Reply {
    Reply::ok(format!("bye, {messages} messages deleted"))
}

/// No message has this number, or it is marked as deleted.
pub fn no_such_message() -> Reply {
    Reply::err("no such message")
}

/// Not a command of POP3.
pub fn unknown_command() -> Reply {
    Reply::err("unknown command")
}

/// A request of HTTP; the session ends.
pub fn http_spoken() -> Reply {
    Reply::err("this is no web server, closing")
}

/// What another protocol opens with; the session ends.
pub fn other_protocol() -> Reply {
    Reply::err("this port speaks POP3, closing")
}

/// A command with wrong arguments; `usage` shows right ones.
pub fn usage(usage: &'static str) -> Reply {
    Reply::err(format!("usage: {usage}"))
}

/// A command that belongs to another state.
pub fn not_now() -> Reply {
    Reply::err("that command is not valid in this state")
}

/// PASS without USER.
pub fn user_first() -> Reply {
    Reply::err("USER first")
}

/// A line beyond the limit.
pub fn line_too_long() -> Reply {
    Reply::err("line too long")
}

/// The last word after too many errors.
pub fn too_many_errors() -> Reply {
    Reply::err("too many errors, closing")
}

/// The last word to a client that was silent.
pub fn idle() -> Reply {
    Reply::err("idle for too long, closing; nothing was deleted")
}

/// The last word when the server stops.
pub fn shutting_down() -> Reply {
    Reply::coded(Code::SysTemp, "the server is shutting down, nothing was deleted; try again later")
}

/// The last word when the login has ended, or the operator ended the session.
pub fn session_cut() -> Reply {
    Reply::coded(Code::SysTemp, "your session was ended, nothing was deleted; log in again if you may")
}

/// The last word when the server contradicts itself.
pub fn internal_fault() -> Reply {
    Reply::coded(Code::SysTemp, "internal fault, closing; nothing was deleted")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All replies as they go over the wire. A change here is a change that clients and log searches see.
    const ALL: &str = "\
+OK Sekisho POP3 server ready <1@h>
+OK capabilities follow
TOP
UIDL
PIPELINING
RESP-CODES
AUTH-RESP-CODE
EXPIRE NEVER
UTF8
USER
SASL PLAIN
IMPLEMENTATION Sekisho
.
+OK mechanisms follow
PLAIN
.
+OK and the password
+OK 2 messages (30 octets)
-ERR [AUTH] authentication failed
-ERR authentication cancelled
-ERR [AUTH] that is not base64
-ERR [AUTH] an empty line was due
-ERR [AUTH] no such mechanism here; CAPA lists what is offered
-ERR [AUTH] passwords only under TLS: send STLS first
-ERR [AUTH] USER and PASS are not offered here
-ERR [AUTH] APOP is not offered here
-ERR [SYS/TEMP] authentication is not possible now, try again later
-ERR [LOGIN-DELAY] too many failed logins, try again later
-ERR [IN-USE] the maildrop is in use by another session
-ERR [SYS/TEMP] the maildrop cannot be read now, try again later
-ERR that message was deleted by another client
-ERR [SYS/TEMP] some messages could not be deleted
+OK begin TLS negotiation
-ERR STLS is not possible here
-ERR nothing may follow STLS before the negotiation
+OK UTF-8 mode
+OK 2 30
+OK 2 messages
+OK 1 10
+OK 10 octets
+OK top follows
+OK message 1 will be deleted at QUIT
+OK 2 messages (30 octets)
+OK
+OK bye
+OK bye, 2 messages deleted
-ERR no such message
-ERR unknown command
-ERR usage: STAT
-ERR that command is not valid in this state
-ERR USER first
-ERR line too long
-ERR this is no web server, closing
-ERR this port speaks POP3, closing
-ERR too many errors, closing
-ERR idle for too long, closing; nothing was deleted
-ERR [SYS/TEMP] the server is shutting down, nothing was deleted; try again later
-ERR [SYS/TEMP] your session was ended, nothing was deleted; log in again if you may
-ERR [SYS/TEMP] internal fault, closing; nothing was deleted
";

    fn all() -> Vec<Reply> {
        let now = Capabilities { software: "Sekisho", user_pass: true, mechanisms: &["PLAIN"], stls: false };
        let mut all = vec![greeting("Sekisho", Some("<1@h>")), capabilities(&now), mechanisms(&["PLAIN"])];
        all.extend([user_taken(), maildrop_open(2, 30), auth_failed(), auth_cancelled(), not_base64(), no_more_data()]);
        all.extend([no_such_mechanism(), stls_first(), no_plain_text(), no_apop(), auth_unavailable()]);
        all.extend([login_delayed(), in_use(), maildrop_unavailable(), message_gone(), not_all_deleted(), begin_tls()]);
        all.extend([no_stls(), bytes_behind_stls(), utf8_on(), stat(2, 30), listing(2), listed(1, "10")]);
        all.extend([message_follows(10), top_follows(), marked(1), unmarked(2, 30), noop(), bye(), bye_deleted(2)]);
        all.extend([no_such_message(), unknown_command(), usage("STAT"), not_now(), user_first(), line_too_long()]);
        all.extend([http_spoken(), other_protocol()]);
        all.extend([too_many_errors(), idle(), shutting_down(), session_cut(), internal_fault()]);
        all
    }

    #[test]
    fn every_reply_as_it_is_sent() {
        let mut wire = Vec::new();
        for reply in all() {
            reply.write_to(&mut wire);
        }
        assert_eq!(String::from_utf8(wire).unwrap().replace("\r\n", "\n"), ALL);
    }
}
