//! What the guard cannot check itself and believes because somebody vouched for it: by a constructor named `attest_…`.
//! None of it permits anything by itself.

pub mod login;
pub mod name;
pub mod pop;

pub use login::{Device, Login, RecipientScope};
pub use name::ConfirmedName;
pub use pop::{PopEvidence, PopSource, Subject};
