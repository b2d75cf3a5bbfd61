//! Why a login failed: for the log, and for whether it counts as a guess. The client learns one thing only, that it failed.

use directory::SecretUse;

/// Whether a try by a stored secret can hit nothing: many clients take the first mechanism that is offered, whatever their
/// account has, and are not to be slowed down for it. What the client is told is the same. Behind CRAM-MD5 and APOP are long
/// random secrets of devices, and nobody else's: names without one are alike there, whether they exist or not.
pub(crate) fn is_no_guess(wanted: SecretUse, why: directory::Why) -> bool {
    match wanted {
        SecretUse::CramMd5 | SecretUse::Apop => {
            matches!(why, directory::Why::NoSecret | directory::Why::UnknownLogin)
        }
        SecretUse::ScramSha256 => why == directory::Why::NoSecret,
    }
}

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denial {
    /// The directory says so.
    #[error(transparent)]
    Directory(directory::Why),
    /// Another server says so.
    #[error("refused by the server that asked")]
    Elsewhere,
    /// The proof was wrong; there was a secret to prove.
    #[error(transparent)]
    Exchange(sasl::Failure),
}

impl Denial {
    pub(crate) fn is_of_known_login(&self) -> bool {
        !matches!(self, Self::Directory(directory::Why::UnknownLogin) | Self::Elsewhere)
    }
}

/// What the log shows of a login that nobody is known to have: people type their password where the login should be.
pub(crate) fn shown(login: &str) -> &str {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"@._+-".contains(&octet);
    let is_address = login.len() <= 64 && login.contains('@') && login.bytes().all(plain);
    if is_address { login } else { "?" }
}
