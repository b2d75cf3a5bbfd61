//! Every reply that the server gives, by purpose. A golden test prints them all.
//!
//! Plain words: postmasters search for them. Codes by RFC 5321 §4.2, enhanced codes by RFC 3463 and the registry of
//! RFC 5248. `id` is the short id under which the trace of a decision is logged.

use std::fmt::Display;

use crate::address::AddressError;
use crate::reply::{Enhanced, Reply};

/// A row a reply: doc comment, name, code, enhanced code, text.
macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident: $code:literal $class:literal.$subject:literal.$detail:literal $text:literal;)*) => {
        $($(#[$doc])* pub fn $name() -> Reply { Reply::new($code, Enhanced($class, $subject, $detail), $text) })*

        #[cfg(test)]
        fn all_fixed() -> Vec<(&'static str, Reply)> { vec![$((stringify!($name), $name())),*] }
    };
}

fixed! {
    /// RSET, NOOP.
    ok: 250 2 . 0 . 0 "Ok";
    /// QUIT.
    closing: 221 2 . 0 . 0 "Bye";
    /// MAIL was accepted.
    sender_ok: 250 2 . 1 . 0 "Ok";
    /// RCPT was accepted.
    recipient_ok: 250 2 . 1 . 5 "Ok";
    /// VRFY tells nothing (RFC 5321 §7.3).
    vrfy_closed: 252 2 . 5 . 0 "We do not verify addresses; send the mail and see";
    /// HELP.
    help: 214 2 . 0 . 0 "See RFC 5321";
    /// STARTTLS was accepted.
    tls_go_ahead: 220 2 . 0 . 0 "Ready to start TLS";
    /// AUTH succeeded (RFC 4954 §6).
    authenticated: 235 2 . 7 . 0 "Authentication successful";

    /// No such command.
    unknown_command: 500 5 . 5 . 1 "Unknown command";
    /// A command of the standard that this server does not do.
    not_implemented: 502 5 . 5 . 1 "Command not implemented";
    /// Control characters or 8-bit octets where only printable ASCII may stand.
    bad_characters: 500 5 . 5 . 2 "Only printable ASCII in commands";
    /// A request of HTTP; the session ends (T50).
    http_spoken: 500 5 . 5 . 1 "This is no web server; closing";
    /// What another protocol opens with; the session ends (T50).
    other_protocol: 500 5 . 5 . 1 "This port speaks SMTP; closing";
    /// A line in a command ended without CR LF; the session ends.
    bare_line_end: 500 5 . 5 . 2 "Lines must end in CR LF, nothing else";
    /// The limit `command_line_octets`.
    command_too_long: 500 5 . 5 . 2 "Command line too long";
    /// The limit on AUTH responses.
    auth_line_too_long: 500 5 . 5 . 6 "Authentication exchange line is too long";
    /// Arguments to a command that takes none.
    no_arguments: 501 5 . 5 . 4 "This command takes no arguments";
    /// EHLO or HELO without a name, or with one that has other than printable characters.
    bad_helo: 501 5 . 5 . 4 "Say your host name after EHLO";
    /// MAIL that is not `MAIL FROM:<…>`.
    bad_mail: 501 5 . 5 . 4 "Syntax: MAIL FROM:<address>";
    /// RCPT that is not `RCPT TO:<…>`.
    bad_rcpt: 501 5 . 5 . 4 "Syntax: RCPT TO:<address>";
    /// BDAT without a size.
    bad_bdat: 501 5 . 5 . 4 "Syntax: BDAT octets [LAST]; closing, since your data cannot be told from commands";
    /// AUTH without a mechanism.
    bad_auth: 501 5 . 5 . 4 "Syntax: AUTH mechanism [initial-response]";
    /// A malformed XCLIENT.
    bad_xclient: 501 5 . 5 . 4 "Syntax: XCLIENT attribute=value ...";
    /// VRFY or EXPN without an argument.
    argument_missing: 501 5 . 5 . 4 "Argument missing";
    /// The address has non-ASCII characters and MAIL had no SMTPUTF8 (RFC 6531 §3.5).
    needs_smtputf8: 553 5 . 6 . 7 "The address needs SMTPUTF8";

    /// MAIL and others before EHLO.
    helo_first: 503 5 . 5 . 1 "Send EHLO first";
    /// A second MAIL without RSET.
    nested_mail: 503 5 . 5 . 1 "A transaction is open already";
    /// RCPT, DATA or BDAT before MAIL.
    mail_first: 503 5 . 5 . 1 "Send MAIL first";
    /// DATA or BDAT before any recipient was accepted.
    no_recipients: 554 5 . 5 . 1 "No valid recipients";
    /// AUTH, STARTTLS or XCLIENT within a transaction.
    in_transaction: 503 5 . 5 . 1 "Not within a transaction";
    /// DATA, RCPT after BDAT began.
    chunking_begun: 503 5 . 5 . 1 "BDAT has begun";
    /// Octets came before the greeting.
    early_talker: 554 5 . 5 . 0 "You spoke before the greeting";
    /// Octets behind DATA came before 354 (RFC 2920 §3.1).
    data_pipelined: 503 5 . 5 . 0 "Wait for 354 before you send the message";
    /// Octets came together with STARTTLS; the session ends (T26).
    tls_pipelined: 421 4 . 5 . 0 "Nothing may follow STARTTLS before TLS is up";
    /// STARTTLS while TLS is up.
    tls_active: 503 5 . 5 . 1 "TLS is active already";
    /// STARTTLS, AUTH, XCLIENT where they are not offered (T16).
    not_offered: 502 5 . 5 . 1 "Not offered here";
    /// AUTH that is offered only once TLS is up (RFC 4954 §6).
    auth_needs_tls: 538 5 . 7 . 11 "Authentication needs TLS; send STARTTLS first";
    /// A mechanism that is not offered (RFC 4954 §6).
    mechanism_unknown: 504 5 . 5 . 4 "This authentication mechanism is not offered";
    /// AUTH after it succeeded.
    auth_done: 503 5 . 5 . 1 "You are authenticated already";
    /// `*` in an AUTH exchange.
    auth_cancelled: 501 5 . 7 . 0 "Authentication cancelled";
    /// An AUTH response that is not base64 (T44).
    bad_base64: 501 5 . 5 . 2 "Invalid base64";
    /// A second response after the exchange was over.
    auth_not_concluded: 501 5 . 5 . 2 "An empty line was expected";
    /// Wrong login or password: one answer for all causes.
    auth_failed: 535 5 . 7 . 8 "Authentication failed: login or password is wrong";
    /// The accounts cannot be asked now.
    auth_unavailable: 454 4 . 7 . 0 "Authentication is temporarily unavailable; try again later";
    /// Too many failures from this address or for this login.
    auth_throttled: 454 4 . 7 . 0 "Too many failed logins; try again later";
    /// The account needs a stronger way than the one tried.
    mechanism_too_weak: 534 5 . 7 . 9 "This authentication mechanism is too weak for this account";
    /// Mail only after AUTH.
    auth_required: 530 5 . 7 . 0 "Authentication required";
    /// All only after STARTTLS.
    tls_required: 530 5 . 7 . 0 "Send STARTTLS first";

    /// The limit `recipients` (RFC 5321 §4.5.3.1.10).
    too_many_recipients: 452 4 . 5 . 3 "Too many recipients; send the others in another mail";
    /// So many addresses are behind the recipients' aliases that the message cannot be queued; never less by trying again.
    too_many_targets: 554 5 . 5 . 3 "Too many recipients behind these addresses; send the mail to fewer at a time";
    /// The limit `message_octets`.
    message_too_big: 552 5 . 3 . 4 "Message too big";
    /// The limit `text_line_octets`.
    text_line_too_long: 554 5 . 6 . 0 "The message has a line that is too long";
    /// A lone CR or LF in a message; the session ends (T25).
    bare_line_end_in_data: 550 5 . 6 . 0 "The message has a line end that is not CR LF; closing";
    /// A NUL octet in a message.
    nul_in_data: 550 5 . 6 . 0 "The message has a NUL octet";
    /// The limit `errors`.
    too_many_errors: 421 4 . 7 . 0 "Too many errors";
    /// The limit `unknown_commands`.
    too_many_unknown: 421 4 . 7 . 0 "Too many unknown commands";
    /// The limit `auth_failures` (T15).
    too_many_auth_failures: 421 4 . 7 . 0 "Too many failed logins";
    /// The limit `messages`.
    too_many_messages: 421 4 . 7 . 0 "Enough messages for one session; connect again";
    /// The limits `command_timeout` and `data_timeout`.
    timed_out: 421 4 . 4 . 2 "Timeout";
    /// The limit `session_timeout`.
    session_too_long: 421 4 . 4 . 2 "The session lasted too long; connect again";
    /// The server stops.
    shutting_down: 421 4 . 3 . 2 "Shutting down; connect again soon";
    /// The right by which the client came has ended, or the operator ended the session.
    session_cut: 421 4 . 7 . 0 "Your session was ended; log in again if you may";
    /// At the end of a message: its sender's login has ended meanwhile.
    login_ended: 550 5 . 7 . 1 "Your login has ended meanwhile; the message was not taken";
    /// At the end of a message: whether its sender still may cannot be found out.
    right_unknown: 451 4 . 3 . 0 "Your right to send cannot be checked now; try again later";
    /// A fault of the program itself; the session ends.
    internal_fault: 421 4 . 3 . 0 "Internal fault; try again later";

    /// Too many connections of the server as a whole.
    overloaded: 421 4 . 3 . 2 "Too many connections; try again later";
    /// Too many connections from this address.
    too_many_connections: 421 4 . 7 . 0 "Too many connections from your address or network; try again later [too-many-connections]";
    /// The server is nearly full, and nothing is known of the client.
    busy: 421 4 . 3 . 2 "Too busy for new clients; try again later [busy]";
    /// The client is banned for the first time: a mail server that is misjudged keeps its mail and comes again.
    banned_for_now: 421 4 . 7 . 1 "Your address is banned for a while; try again later [banned]";
    /// The client is banned, and was before.
    banned: 554 5 . 7 . 1 "Your address is banned [banned]";
    /// The peer may not talk to this listener.
    connection_refused: 554 5 . 7 . 1 "Access denied";
    /// Whether the peer may talk to this listener depends on its name, which cannot be found out now.
    name_unknown: 421 4 . 4 . 3 "Your host name cannot be looked up now; try again later";
    /// No room on disk.
    disk_full: 452 4 . 3 . 1 "Not enough room; try again later";
    /// The message could not be made durable.
    not_stored: 451 4 . 3 . 0 "The message could not be stored; try again later";
    /// The limit `header_octets`.
    header_too_long: 554 5 . 3 . 4 "The header of the message is too long";
    /// `Received:` headers say that the message goes round in circles.
    loop_detected: 554 5 . 4 . 6 "The message goes round in circles";
}

/// The first words of a session.
pub fn greeting(hostname: &str, software: &str) -> Reply {
    Reply::plain(220, format!("{hostname} ESMTP {software}"))
}

/// HELO.
pub fn helo(hostname: &str) -> Reply {
    Reply::plain(250, hostname.to_owned())
}

/// Send the message now.
pub fn start_data() -> Reply {
    Reply::plain(354, "End data with <CR><LF>.<CR><LF>")
}

/// A challenge of AUTH, in base64.
pub fn challenge(base64: String) -> Reply {
    Reply::plain(334, base64)
}

/// A chunk of BDAT was taken.
pub fn chunk_ok(octets: u64) -> Reply {
    Reply::new(250, Enhanced(2, 0, 0), format!("{octets} octets received"))
}

/// The message is durable.
pub fn queued(queue_id: &dyn Display) -> Reply {
    Reply::new(250, Enhanced(2, 0, 0), format!("Ok: queued as {queue_id}"))
}

/// An address in MAIL or RCPT that the grammar does not have.
pub fn bad_address(error: AddressError) -> Reply {
    let (code, enhanced) = match error {
        AddressError::Brackets | AddressError::Trailing => (501, Enhanced(5, 5, 4)),
        AddressError::Domain(_) | AddressError::NoHost | AddressError::Literal => (553, Enhanced(5, 1, 2)),
        _ => (553, Enhanced(5, 1, 3)),
    };
    Reply::new(code, enhanced, error.to_string())
}

/// A parameter of MAIL or RCPT that is not offered (RFC 5321 §4.1.1.11).
pub fn unknown_parameter(keyword: &str) -> Reply {
    Reply::new(555, Enhanced(5, 5, 4), format!("Unknown parameter {keyword}"))
}

/// A known parameter with a value that it does not have, or given twice.
pub fn bad_parameter(keyword: &str) -> Reply {
    Reply::new(501, Enhanced(5, 5, 4), format!("Bad value for parameter {keyword}"))
}

/// No right to relay. `path` with its brackets.
pub fn relay_denied(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(550, Enhanced(5, 7, 1), format!("{path}: we do not relay [{id}]"))
}

/// The address is itself a route (percent hack, bang path and the like).
pub fn routing_refused(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(550, Enhanced(5, 7, 1), format!("{path}: routes in addresses are not followed, we do not relay [{id}]"))
}

/// A grant by POP login is bound to the account's own addresses.
pub fn sender_not_yours(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(553, Enhanced(5, 7, 1), format!("{path}: this sender address is not yours [{id}]"))
}

/// A hosted domain without this address.
pub fn unknown_user(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(550, Enhanced(5, 1, 1), format!("{path}: no such user here [{id}]"))
}

/// An address of ours that leads to itself or to nobody. For good (RFC 3463 §3.4, X.3.5): only the operator ends it, and its
/// senders should hear of it.
pub fn misconfigured(path: &dyn Display, id: &dyn Display) -> Reply {
    let text = format!(
        "{path}: this address is configured wrongly here, its alias leads to nobody; tell the postmaster [{id}]"
    );
    Reply::new(550, Enhanced(5, 3, 5), text)
}

/// The recipient's mailbox is over its quota.
pub fn mailbox_full(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(552, Enhanced(5, 2, 2), format!("{path}: the mailbox is full [{id}]"))
}

/// An alias has sent on as much as it may for strangers, or for this client.
pub fn forwards_limited(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(450, Enhanced(4, 7, 1), format!("{path}: too much mail is sent on from here; try again later [{id}]"))
}

/// The server that it goes to does not take its mail, and as much as may waits for it.
pub fn destination_crowded(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(450, Enhanced(4, 4, 5), format!("{path}: too much mail waits for its server; try again later [{id}]"))
}

/// Whether the client may relay, or whether the recipient exists, cannot be found out now. Never a relay.
pub fn authority_unavailable(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(451, Enhanced(4, 3, 0), format!("{path}: cannot be decided now, try again later [{id}]"))
}

/// The grant's limit on messages or recipients is used up for now.
pub fn grant_exhausted(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(450, Enhanced(4, 7, 1), format!("{path}: your sending limit is reached, try again later [{id}]"))
}

/// The client has tried too many recipients that nobody is; told for all of them, whoever they are.
pub fn recipients_guessed(path: &dyn Display) -> Reply {
    Reply::new(450, Enhanced(4, 7, 1), format!("{path}: too many unknown recipients from you, try again later"))
}

/// The sender may write only to certain recipients (devices).
pub fn recipient_out_of_scope(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(550, Enhanced(5, 7, 1), format!("{path}: you may not write to this recipient [{id}]"))
}

/// What is held against a stranger adds up to too much.
pub fn suspicious(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(550, Enhanced(5, 7, 1), format!("{path}: refused, your server looks like a source of spam [{id}]"))
}

/// The greeting name is refused.
pub fn helo_refused(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(
        550,
        Enhanced(5, 7, 1),
        format!("{path}: refused, your server greets with a name that is not its own [{id}]"),
    )
}

/// A DNS list has the client or the domain it sends for.
pub fn listed(path: &dyn Display, zone: &str, id: &dyn Display) -> Reply {
    Reply::new(550, Enhanced(5, 7, 1), format!("{path}: refused, you are listed at {zone} [{id}]"))
}

/// A stranger has to come back (RFC 6647). `secs`: how long it has to wait, as far as that is known.
pub fn greylisted(path: &dyn Display, secs: Option<u32>, id: &dyn Display) -> Reply {
    let when = secs.map_or_else(|| "later".to_owned(), |secs| format!("in {secs} seconds"));
    Reply::new(451, Enhanced(4, 7, 1), format!("{path}: greylisted, try again {when} [{id}]"))
}

/// The recipient's domain is switched off for a while.
pub fn domain_off(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(
        450,
        Enhanced(4, 2, 1),
        format!("{path}: mail for this domain is not taken at the moment, try again later [{id}]"),
    )
}

/// Relaying is locked down, since a stranger could relay; only who logs in over SMTP may.
pub fn relay_locked(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(
        451,
        Enhanced(4, 7, 1),
        format!("{path}: relaying is suspended, log in (SMTP AUTH) or try again later [{id}]"),
    )
}

/// The recipient's owner does not take mail of this sender.
pub fn refused_by_recipient(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(550, Enhanced(5, 7, 1), format!("{path}: the recipient does not take your mail [{id}]"))
}

/// Refused by a rule of the operator.
pub fn policy_refused(path: &dyn Display, id: &dyn Display) -> Reply {
    Reply::new(550, Enhanced(5, 7, 1), format!("{path}: refused by policy [{id}]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::DomainError;

    fn all() -> Vec<(&'static str, Reply)> {
        let path = "<b@elsewhere.example>";
        let mut all = all_fixed();
        all.extend([
            ("greeting", greeting("mx.example.test", "Sekisho")),
            ("helo", helo("mx.example.test")),
            ("start_data", start_data()),
            ("challenge", challenge("VXNlcm5hbWU6".into())),
            ("chunk_ok", chunk_ok(1000)),
            ("queued", queued(&"01ABCDEF")),
            ("unknown_parameter", unknown_parameter("X-WHAT")),
            ("bad_parameter", bad_parameter("SIZE")),
            ("relay_denied", relay_denied(&path, &"7kq2m4xd")),
            ("routing_refused", routing_refused(&path, &"7kq2m4xd")),
            ("sender_not_yours", sender_not_yours(&path, &"7kq2m4xd")),
            ("unknown_user", unknown_user(&path, &"7kq2m4xd")),
            ("misconfigured", misconfigured(&path, &"7kq2m4xd")),
            ("mailbox_full", mailbox_full(&path, &"7kq2m4xd")),
            ("forwards_limited", forwards_limited(&path, &"7kq2m4xd")),
            ("destination_crowded", destination_crowded(&path, &"7kq2m4xd")),
            ("authority_unavailable", authority_unavailable(&path, &"7kq2m4xd")),
            ("grant_exhausted", grant_exhausted(&path, &"7kq2m4xd")),
            ("recipients_guessed", recipients_guessed(&path)),
            ("recipient_out_of_scope", recipient_out_of_scope(&path, &"7kq2m4xd")),
            ("suspicious", suspicious(&path, &"7kq2m4xd")),
            ("helo_refused", helo_refused(&path, &"7kq2m4xd")),
            ("listed", listed(&path, "zen.example", &"7kq2m4xd")),
            ("greylisted", greylisted(&path, Some(300), &"7kq2m4xd")),
            ("domain_off", domain_off(&path, &"7kq2m4xd")),
            ("relay_locked", relay_locked(&path, &"7kq2m4xd")),
            ("refused_by_recipient", refused_by_recipient(&path, &"7kq2m4xd")),
            ("policy_refused", policy_refused(&path, &"7kq2m4xd")),
        ]);
        let errors = [
            AddressError::Encoding,
            AddressError::Brackets,
            AddressError::LocalPart,
            AddressError::LocalPartTooLong,
            AddressError::NoHost,
            AddressError::Domain(DomainError::EmptyLabel),
            AddressError::Domain(DomainError::TooLong),
            AddressError::Domain(DomainError::Malformed),
            AddressError::Domain(DomainError::Number),
            AddressError::Domain(DomainError::Idn),
            AddressError::Literal,
            AddressError::SourceRoute,
            AddressError::Trailing,
        ];
        all.extend(errors.map(|error| ("bad_address", bad_address(error))));
        all
    }

    /// `REPLIES_GOLDEN=write cargo test -p smtp golden` accepts a change.
    #[test]
    fn golden_list_of_all_replies() {
        let mut list = Vec::new();
        for (name, reply) in all() {
            list.extend_from_slice(format!("{name:24} ").as_bytes());
            reply.write_to(&mut list);
        }
        let list = String::from_utf8(list).unwrap().replace("\r\n", "\n");
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replies.golden");
        if std::env::var_os("REPLIES_GOLDEN").is_some() {
            std::fs::write(golden, &list).unwrap();
        }
        assert_eq!(list, std::fs::read_to_string(golden).unwrap());
    }

    #[test]
    fn codes_agree_with_each_other() {
        for (name, reply) in all() {
            if let Some(Enhanced(class, ..)) = reply.enhanced() {
                assert_eq!(u16::from(class), reply.code() / 100, "{name}");
            }
        }
    }
}
