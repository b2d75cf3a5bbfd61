//! What a mail server tells its filter.

use std::net::IpAddr;

/// One step of an SMTP session, as the mail server tells it. Texts are octets as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A client connected.
    Connect {
        /// Its name as the server knows it; without one, its address in brackets.
        hostname: Vec<u8>,
        /// Its address, a v4-mapped one as IPv4; `None` for a Unix socket, standard input or an unknown family.
        addr: Option<IpAddr>,
        /// Its port, 0 if unknown.
        port: u16,
    },
    /// HELO or EHLO with the name that the client gave. May come again, and ends an open transaction.
    Helo(Vec<u8>),
    /// MAIL: a transaction begins, and an older one is over.
    Mail {
        /// The reverse-path as the client wrote it, mostly in angle brackets.
        path: Vec<u8>,
        /// ESMTP parameters, `SIZE=1000`.
        params: Vec<Vec<u8>>,
    },
    /// RCPT.
    Rcpt {
        /// The forward-path as the client wrote it, mostly in angle brackets.
        path: Vec<u8>,
        /// ESMTP parameters.
        params: Vec<Vec<u8>>,
        /// The server refuses this recipient whatever the reply is; only with [`Steps::REFUSED_RCPT`](super::Steps).
        refused: bool,
    },
    /// DATA. Servers of protocol versions below 4 do not tell it.
    Data,
    /// A header field.
    Header {
        /// The name without the colon.
        name: Vec<u8>,
        /// The value without the space behind the colon and the line end at its end; lines are divided by LF.
        value: Vec<u8>,
    },
    /// The empty line behind the headers.
    EndOfHeaders,
    /// A piece of the body, at most [`DATA_OCTETS_MAX`](super::DATA_OCTETS_MAX) octets, cut anywhere.
    Body(Vec<u8>),
    /// The message is complete. Modifications go before the reply. It holds the last piece of the body, mostly nothing.
    EndOfMessage(Vec<u8>),
    /// A command that the server does not know, as the client wrote it.
    Unknown(Vec<u8>),
    /// The transaction is over without a message. Comes outside of one, too.
    Abort,
    /// The client has gone; another's [`Connect`](Event::Connect) may follow on the same connection.
    NextConnection,
    /// The client has gone, and the mail server will close the connection. It may also close without a word, as Postfix
    /// does where the client was refused.
    Quit,
}

impl Event {
    /// Must [`Session::reply`](super::Session::reply) be called once before the next event?
    pub fn wants_reply(&self) -> bool {
        !matches!(self, Event::Abort | Event::NextConnection | Event::Quit)
    }
}

/// A path without its angle brackets, if it has both: `<a@b>` and `a@b` become `a@b`, `<>` nothing.
pub fn path_text(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_go_in_pairs() {
        let table: &[(&[u8], &[u8])] = &[
            (b"<a@b>", b"a@b"),
            (b"a@b", b"a@b"),
            (b"<>", b""),
            (b"", b""),
            (b"<", b"<"),
            (b"<a@b", b"<a@b"),
            (b"a@b>", b"a@b>"),
            (b"<<a@b>>", b"<a@b>"),
        ];
        for (path, text) in table {
            assert_eq!(path_text(path), *text);
        }
    }
}
