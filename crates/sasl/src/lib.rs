//! SASL for mail: who is at the other end, proved by a password or by a secret that never travels.
//!
//! Answers for: the mechanisms on both sides (SCRAM-SHA-256 and -PLUS, CRAM-MD5, PLAIN, LOGIN), the digest of POP3's APOP,
//! and the stored forms of passwords. Everything here is a pure state machine or a pure function: bytes go in, already
//! freed of base64; steps come out; random numbers and the time are arguments.
//!
//! Does not answer for: looking an account up, counting failures, delays (the caller's), and the base64 of the protocols.
//!
//! | file | what |
//! |---|---|
//! | [`mechanism`] | the mechanisms and their names |
//! | [`server`] | one exchange as the server sees it |
//! | [`client`] | one exchange as the client sees it, for a smarthost |
//! | [`scram`] | SCRAM-SHA-256: keys as stored, messages |
//! | [`cram`] | CRAM-MD5: challenge, digest, stored contexts |
//! | [`apop`] | the digest of POP3's APOP |
//! | [`scheme`] | `{ARGON2ID}`, `{SHA512-CRYPT}` … : reading, verifying, making |
//! | [`prepare`] | which logins and passwords are taken at all |
//! | `guess` | a hash by which wrong guesses are told apart |
//! | [`secret`] | octets that are wiped, and never printed |
//! | `stored` | what the directory keeps of a secret, for an exchange |

pub mod apop;
pub mod client;
pub mod cram;
mod guess;
mod hash;
pub mod mechanism;
pub mod prepare;
pub mod scheme;
pub mod scram;
pub mod secret;
pub mod server;
mod stored;

pub use guess::guess_hash;
pub use mechanism::Mechanism;
pub use secret::SecretBytes;
pub use server::{Context, Exchange, Failure, PasswordVerdict, Step};
pub use stored::{SecretKind, StoredSecret};
