//! A certificate from an authority: fetched by ACME (RFC 8555), kept, and renewed in time.
//!
//! Answers for the account at the authority, for showing that a name is ours ([`challenge`]), for when it is time ([`due`]), and for
//! trying again. Not for showing the certificate: who runs this is told when a new one lies in its file.
//!
//! Below `data_dir`, in `acme`, readable by the server's user only:
//!
//! | file | what | lost, it means |
//! |---|---|---|
//! | `certificate.pem` | the certificate's key and its chain, in one file: both change at once | a new one is fetched at the start |
//! | `issued.json` | from which authority it is, and for which name | the same |
//! | `account.json` | the account's key | a new account |

mod account;
mod challenge;
mod due;
mod http;
mod keeper;
mod order;
mod store;

pub use keeper::{Keeper, State, Ways};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The authority cannot be reached, or does not answer as one.
    #[error("{directory}: {why}")]
    Away {
        /// The authority.
        directory: String,
        /// What happened.
        why: String,
    },
    /// The authority refuses.
    #[error("the authority refuses: {0}")]
    Refused(String),
    /// It could not be shown that the name is ours.
    #[error("{0}")]
    Unproven(String),
    /// Something here does not work.
    #[error("{0}")]
    Here(String),
}
