//! Serving: who connects is served by its protocol, and what is accepted goes to the queue.
//!
//! | file | answers for |
//! |---|---|
//! | `server` | the running server: opens what it needs (`open`), listens, reloads, stops |
//! | `accept` | takes connections and gives each to its protocol |
//! | `smtp`, `pop3` | our own sessions |
//! | `interfaces` | what other mail servers ask and tell |
//! | `route`, `deliver` | where an accepted mail goes; delivery as the settings want it |
//! | `aside` | what may wait for a disk, on a thread of its own |
//! | `start_error` | why a server does not start |
//! | `border`, `site` | what all sessions share, and one configuration of it |
//! | `sessions`, `rights` | who is connected; what becomes of those whose right has ended |
//! | `background` | what runs beside the listeners |
//! | `certificate` | the certificate's end and its names |
//! | `relayed` | notes elsewhere where the chain of relayed messages stands |
//! | `secrets` | secrets that lie in files, and who may read those |

pub mod accept;
pub mod aside;
mod away;
mod background;
pub mod backup;
pub mod border;
pub mod certificate;
pub mod deliver;
pub mod door;
pub mod interfaces;
mod open;
pub mod pop3;
mod relayed;
pub mod rights;
pub mod route;
pub mod secrets;
mod selfprobe;
pub mod server;
pub mod sessions;
pub mod site;
pub mod smtp;
mod start_error;

pub use open::{CHANGES_PURPOSE, chain_key, directory_settings, look, records_settings, server_key};
pub use server::Server;
pub use start_error::StartError;
