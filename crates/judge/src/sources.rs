//! What judging and logins ask, for as long as the server runs.

use std::sync::Arc;

use directory::Directory;
use state::State;

use super::files::Files;
use super::identity::Identities;
use super::lock::RelayLock;
use super::next_hops::NextHops;
use super::records::Records;
use super::session::SessionIds;
use super::uses::Uses;

/// Accounts, evidence, names, and the keys that are the process's own.
pub struct Sources {
    /// Accounts, addresses, secrets.
    pub directory: Arc<Directory>,
    /// Evidence of logins, failed guesses.
    pub state: Arc<State>,
    /// Names of clients, and where mail goes; `None`: there are no name servers.
    pub dns: Option<Arc<dns::Resolver>>,
    /// What lists and SPF say of clients and domains.
    pub reputation: reputation::Reputation,
    /// The way to whoever asks next hops.
    pub next_hops: NextHops,
    /// Who follows decisions.
    pub records: Records,
    /// What trusted addresses show of who is behind them.
    pub identities: Identities,
    /// Whether relaying is locked down.
    pub relay_lock: RelayLock,
    /// When each right to relay was last used.
    pub uses: Uses,
    /// Work on mailboxes.
    pub files: Files,
    /// Counts the sessions.
    pub sessions: SessionIds,
    /// By which an unknown login gets a salt of its own, the same at each try (SCRAM).
    pub decoy_key: [u8; 32],
    /// Keys the hash under which wrong guesses are told apart; new at each start.
    pub guess_key: [u8; 32],
}
