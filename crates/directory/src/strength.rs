//! Which new passwords are too weak. What NIST SP 800-63B asks of a password that is chosen: long enough, and none that is tried
//! first, among them the login itself. Nothing is asked of capitals, digits or signs, and no password grows old.

use zxcvbn::{Score, zxcvbn};

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It has fewer characters than are asked for.
    #[error("the new password is too short: use {chars_min} characters or more")]
    TooShort {
        /// So many are.
        chars_min: usize,
    },
    /// It is among those that are tried first.
    #[error(
        "the new password is easy to guess: it is a common one, or made of the login, a name, a date or a pattern. Use several words"
    )]
    EasyToGuess,
}

/// Whether a login may have a password from now on.
pub(crate) fn check(login: &str, password: &[u8], chars_min: Option<usize>) -> Result<(), Weakness> {
    let Some(chars_min) = chars_min else { return Ok(()) };
    let text = String::from_utf8_lossy(password);
    if text.chars().count() < chars_min {
        return Err(Weakness::TooShort { chars_min });
    }
    let (local, domain) = login.rsplit_once('@').unwrap_or((login, ""));
    let parts = local.split(|it: char| !it.is_alphanumeric()).chain(domain.split('.')).filter(|part| part.len() > 1);
    let own: Vec<&str> = [login, local, domain].into_iter().filter(|name| !name.is_empty()).chain(parts).collect();
    // Two: fewer than a million guesses find it, and so many can be made against a throttle in some years.
    if zxcvbn(&text, &own).score() < Score::Two { Err(Weakness::EasyToGuess) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weakness(password: &str) -> Option<Weakness> {
        check("taro.yamada@example.net", password.as_bytes(), Some(8)).err()
    }

    #[test]
    fn short_ones_and_those_tried_first_are_refused() {
        for short in ["", "a", "x7#Kq2m", "\u{5c71}\u{7530}\u{592a}\u{90ce}"] {
            assert_eq!(weakness(short), Some(Weakness::TooShort { chars_min: 8 }), "{short}");
        }
        for tried_first in [
            "password",
            "Passw0rd",
            "12345678",
            "qwertyui",
            "iloveyou",
            "aaaaaaaaaa",
            "abcdefgh",
            "taro.yamada",
            "tarotaro",
            "yamada123",
            "example.net",
            "taro.yamada@example.net",
            "19870401",
        ] {
            assert_eq!(weakness(tried_first), Some(Weakness::EasyToGuess), "{tried_first}");
        }
    }

    #[test]
    fn nothing_is_asked_of_signs() {
        for good in [
            "a long password",
            "another password",
            "first secret",
            "second secret",
            "third secret",
            "umbrella of 12",
            "new and long",
            "a new secret",
            "pelican umbrella",
            "kq2m4xd8w",
            "correct horse battery staple",
            "\u{5c71}\u{306e}\u{4e0a}\u{306e}\u{9752}\u{3044}\u{96f2}\u{3068}\u{98a8}",
        ] {
            assert_eq!(weakness(good), None, "{good}");
        }
        let long = "pelican umbrella ".repeat(60);
        assert_eq!(weakness(&long), None);
    }

    #[test]
    fn where_nothing_is_asked_all_are_taken() {
        assert!(check("taro@example.net", b"a", None).is_ok());
        assert!(check("taro@example.net", b"\xff\xfe", Some(8)).is_err());
    }
}
