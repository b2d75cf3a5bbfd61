//! Evidence of logins and the rates of their use: what a verdict is founded on. It holds no right: only
//! `guard::authority` turns evidence into a grant.
//!
//! | file | answers for |
//! |---|---|
//! | `state` | [`State`]: all operations, each whole, async and fallible |
//! | `throttle` | failed logins, above the engines |
//! | `expected` | logins that another server looks at |
//! | `reservation` | [`Reservation`]: places that are kept for one mail |
//! | `engine` | which engine it is |
//! | `embedded` | the engine inside the process |
//! | `evidence` | POP logins, and who vouches for them before the guard |
//! | `charge` | what is counted against what; by which rates, `keep::gcra` says |
//! | `greylist` | who came back after a while |
//! | `bans`, `ban`, `offence` | who is banned for a while, and what brings a ban |
//! | `memory` | what is remembered until its end |
//! | `owners` | networks of an account's owner |
//! | `clock` | [`Clock`], [`Answer`]: the engine's time |
//! | `error` | [`StateError`] |

pub mod ban;
mod bans;
mod charge;
mod clock;
mod embedded;
mod engine;
mod error;
mod evidence;
mod expected;
mod greylist;
mod memory;
mod offence;
mod owners;
mod reservation;
mod state;
mod throttle;

pub use keep::gcra;

pub use ban::Ban;
pub use bans::{BanError, ByHand, NeverBanned, Offender};
pub use charge::{Cause, Charge, Counted, NoRoom, PopCharge, PopLimits, QUOTA_WINDOW_MAX, RateCharge, RateKey};
pub use clock::{Answer, Clock, ManualClock};
pub use error::StateError;
pub use evidence::{PopLogin, Recorded, Revoke};
pub use greylist::{GreylistKey, GreylistTerms, Greylisted};
pub use offence::Offence;
pub use reservation::{Reservation, Reserved};
pub use state::{Opened, State, StateConfig};
pub use throttle::{Admission, Attempt, AuthGate, AuthLimits, TriedLogin, Whence};
