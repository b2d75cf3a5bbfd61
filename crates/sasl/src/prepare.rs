//! Which logins and passwords are taken at all: the bounds, and a small part of RFC 8265.
//!
//! Whole: no empty login or password (T13), lengths, no control characters, non-ASCII blanks of a password become U+0020
//! before it is hashed (OpaqueString, RFC 8265 §4.2.2). Left out: normalisation to NFC, as its tables are not worth their
//! weight here; a password with composed letters verifies in the form in which it was set.

use crate::SecretBytes;

/// Longest login, in octets.
pub const LOGIN_OCTETS_MAX: usize = 255;
/// Longest password or device secret, in octets.
pub const PASSWORD_OCTETS_MAX: usize = 1024;
/// Longest message of a client within an exchange, in octets, freed of base64. Room for SCRAM with a login in which every
/// octet is escaped, and for PLAIN with all three fields at their longest.
pub const MESSAGE_OCTETS_MAX: usize = 4096;

/// Why a login or password was not even tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is nothing in it.
    #[error("empty")]
    Empty,
    /// Longer than its bound.
    #[error("longer than {octets_max} octets")]
    TooLong {
        /// The bound, in octets.
        octets_max: usize,
    },
    /// A control character, NUL included.
    #[error("contains a control character")]
    Control,
    /// A login must be UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
}

/// Checks a login: UTF-8, not empty, at most [`LOGIN_OCTETS_MAX`], no control characters. Its case is left as it is.
pub fn login(octets: &[u8]) -> Result<&str, Unfit> {
    check_length(octets, LOGIN_OCTETS_MAX)?;
    let login = str::from_utf8(octets).map_err(|_| Unfit::NotUtf8)?;
    if login.chars().any(char::is_control) { Err(Unfit::Control) } else { Ok(login) }
}

/// Checks a password: not empty, at most [`PASSWORD_OCTETS_MAX`], no control characters. One that is not UTF-8 is taken as
/// it is, since old programs send Latin-1 or Shift_JIS, and a hash brought from elsewhere is of just these octets.
pub fn password(octets: &[u8]) -> Result<&[u8], Unfit> {
    check_length(octets, PASSWORD_OCTETS_MAX)?;
    let control = match str::from_utf8(octets) {
        Ok(text) => text.chars().any(char::is_control),
        Err(_) => octets.iter().any(u8::is_ascii_control),
    };
    if control { Err(Unfit::Control) } else { Ok(octets) }
}

/// The password in the one form in which it is hashed when it is set: other blanks (U+3000 among them) become U+0020.
/// It may be longer than what was given in no case. `None` if that is just what was given.
pub fn opaque(password: &[u8]) -> Option<SecretBytes> {
    let text = str::from_utf8(password).ok()?;
    if !text.chars().any(is_foreign_blank) {
        return None;
    }
    let mut mapped = Vec::with_capacity(text.len());
    for letter in text.chars() {
        let letter = if is_foreign_blank(letter) { ' ' } else { letter };
        mapped.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(SecretBytes::new(mapped))
}

fn check_length(octets: &[u8], octets_max: usize) -> Result<(), Unfit> {
    match octets.len() {
        0 => Err(Unfit::Empty),
        length if length > octets_max => Err(Unfit::TooLong { octets_max }),
        _ => Ok(()),
    }
}

/// A blank of Unicode (general category Zs) other than U+0020.
fn is_foreign_blank(letter: char) -> bool {
    matches!(letter, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

#[cfg(test)]
mod tests {
    use super::{Unfit, login, opaque, password};

    #[test]
    fn logins() {
        let too_long = "a".repeat(256);
        let table: &[(&[u8], Result<&str, Unfit>)] = &[
            (b"alice", Ok("alice")),
            (b"Alice@Example.test", Ok("Alice@Example.test")),
            ("利用者@example.test".as_bytes(), Ok("利用者@example.test")),
            (b"with blank", Ok("with blank")),
            (b"", Err(Unfit::Empty)),
            (b"a\0", Err(Unfit::Control)),
            (b"a\nb", Err(Unfit::Control)),
            ("a\u{85}".as_bytes(), Err(Unfit::Control)),
            (b"a\xff", Err(Unfit::NotUtf8)),
            (too_long.as_bytes(), Err(Unfit::TooLong { octets_max: 255 })),
        ];
        for (octets, expected) in table {
            assert_eq!(login(octets), *expected, "{octets:?}");
        }
    }

    #[test]
    fn passwords() {
        assert_eq!(password(b""), Err(Unfit::Empty));
        assert_eq!(password(b"a\0b"), Err(Unfit::Control));
        assert_eq!(password(&[b'x'; 1025]), Err(Unfit::TooLong { octets_max: 1024 }));
        assert!(password(&[b'x'; 1024]).is_ok());
        assert!(password(b"\x83p\x83X").is_ok(), "Shift_JIS is taken as it is");
        assert_eq!(password(b"\x83\x07\xff"), Err(Unfit::Control));
    }

    #[test]
    fn foreign_blanks_become_blanks() {
        assert_eq!(opaque("a\u{3000}b".as_bytes()).unwrap().expose(), b"a b");
        assert_eq!(opaque(b"a b"), None);
        assert_eq!(opaque(b"\xff\xe3\x80\x80"), None);
    }
}
