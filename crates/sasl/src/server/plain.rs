//! The one message of PLAIN: `[authzid] NUL authcid NUL passwd` (RFC 4616 §2).

use super::{Failure, check_authzid};
use crate::prepare;

/// The three fields.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) authzid: &'a str,
    pub(super) login: &'a str,
    /// Not yet judged fit.
    pub(super) password: &'a [u8],
}

impl<'a> Message<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, Failure> {
        let mut fields = message.split(|octet| *octet == 0);
        let (Some(authzid), Some(login), Some(password), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(Failure::Malformed("PLAIN message"));
        };
        let login = prepare::login(login).map_err(Failure::Login)?;
        let authzid = str::from_utf8(authzid).map_err(|_| Failure::Malformed("PLAIN message"))?;
        check_authzid(authzid, login)?;
        Ok(Self { authzid, login, password })
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Message};
    use crate::prepare::Unfit;

    type Fields<'a> = (&'a str, &'a str, &'a [u8]);

    #[test]
    fn table() {
        let malformed = Failure::Malformed("PLAIN message");
        let table: &[(&[u8], Result<Fields<'_>, Failure>)] = &[
            // RFC 4616 §4
            (b"\0tim\0tanstaaftanstaaf", Ok(("", "tim", b"tanstaaftanstaaf"))),
            (b"Ursel\0Kurt\0xipj3plmq", Err(Failure::OtherAuthzid)),
            (b"tim\0tim\0x", Ok(("tim", "tim", b"x"))),
            (b"\0tim\0", Ok(("", "tim", b""))),
            (b"", Err(malformed)),
            (b"tim", Err(malformed)),
            (b"\0tim", Err(malformed)),
            (b"\0tim\0a\0b", Err(malformed)),
            (b"\xff\0tim\0a", Err(malformed)),
            (b"\0\0a", Err(Failure::Login(Unfit::Empty))),
            (b"\0a\tb\0a", Err(Failure::Login(Unfit::Control))),
        ];
        for (message, expected) in table {
            let read = Message::parse(message).map(|m| (m.authzid, m.login, m.password));
            assert_eq!(read, *expected, "{message:?}");
        }
    }
}
