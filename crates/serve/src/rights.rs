//! Rights that have ended: the sessions that came by them are cut, evidence founded on them goes, mail that they have queued is
//! held. Nothing of this is what keeps mail from being relayed (each command asks anew); it is that nobody goes on sitting in
//! a session that may do nothing.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use directory::{DirectoryError, RightsMark};
use guard::{AddressRight, Manner};
use judge::evidence::end_grants;
use judge::{Case, Connected, Judge};
use spool::Filter;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use super::border::Border;
use super::sessions::Open;

/// Between two looks at the clock: logins and devices expire by it.
const LOOK: Duration = Duration::from_secs(1);

/// Follows changes of logins until the server stops.
pub(crate) async fn follow(border: Arc<Border>, mut stop: watch::Receiver<bool>) {
    let mut changes = border.sources.directory.login_changes();
    let mut mark = None;
    loop {
        match mark {
            None => mark = before_the_start(&border).await,
            Some(after) if changes.has_changed().unwrap_or(false) => {
                changes.mark_unchanged();
                mark = ended(&border, after).await.or(mark);
            }
            Some(_) => {}
        }
        cut_the_ended(&border).await;
        tokio::select! {
            heard = changes.changed() => {
                if heard.is_err() {
                    return;
                }
                changes.mark_changed();
            }
            () = sleep(LOOK) => {}
            _ = stop.changed() => return,
        }
    }
}

/// Why mail is held whose sender has lost the right by which it came.
const RIGHT_ENDED: &str = "right-ended";

/// Sessions whose login may no more.
async fn cut_the_ended(border: &Border) {
    let directory = &border.sources.directory;
    for open in border.sessions.all() {
        let now = open.now();
        let Some(login) = now.login else { continue };
        // Whether it may is not known: the next command is answered so, and this is asked again.
        if let Ok(Err(why)) = directory.still(&login, now.client).await {
            cut(&open, why.code());
        }
    }
}

/// What other processes have changed, too: the grants of these logins end, and what they have queued waits for the operator.
/// `None`: it could not be found out.
async fn ended(border: &Border, after: RightsMark) -> Option<RightsMark> {
    let found = known(border.sources.directory.ended_rights(after).await)?;
    for login in found.logins {
        hold(border, &login).await;
        end_grants(&border.sources.state, &login).await;
    }
    Some(found.mark)
}

/// While no server ran: of what a login has queued, what came before the change by which its right ended. Grants were seen to
/// when the evidence was opened. `None`: it could not be found out.
async fn before_the_start(border: &Border) -> Option<RightsMark> {
    let directory = &border.sources.directory;
    // First, so that no change falls between.
    let mark = known(directory.rights_mark().await)?;
    for login in border.spool.logins() {
        let Some(ended_at) = known(directory.rights_ended_at(&login).await)? else { continue };
        let filter = Filter { account: Some(login.to_string()), limit: 1, ..Filter::default() };
        let listed = border.spool.list(&filter).await;
        let ended_at = ended_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        if listed.iter().any(|message| u128::from(message.arrived_at_unix_micros) < ended_at) {
            hold(border, &login).await;
        }
    }
    Some(mark)
}

fn known<T>(answer: Result<T, DirectoryError>) -> Option<T> {
    answer.inspect_err(|error| warn!(%error, "directory unavailable")).ok()
}

async fn hold(border: &Border, login: &str) {
    match border.spool.hold_of_login(login, RIGHT_ENDED).await {
        Ok(0) => {}
        Ok(messages) => info!(login, messages, reason = RIGHT_ENDED, "mail held"),
        Err(error) => warn!(login, %error, "hold failed"),
    }
}

/// After a reload: sessions that were relayed for by what the configuration said before, and says no more.
pub(crate) async fn follow_configuration(border: Arc<Border>) {
    let terms = Arc::clone(&border.site.load().terms);
    let judge = Judge { sources: &border.sources, terms: &terms, policy: &terms.policy };
    for open in border.sessions.all() {
        let now = open.now();
        if !now.relays_by_configuration {
            continue;
        }
        let connected = Connected { client: Some(now.client), session: open.id, listener: Arc::clone(&open.listener) };
        let mut case = Case::new(connected, Manner::OWN);
        if !matches!(judge.address_right(&mut case).await, Ok(AddressRight::AnySender)) {
            cut(&open, "configuration");
        }
    }
}

/// Ends a session, and says so; false: it was cut already.
pub fn cut(open: &Open, cause: &'static str) -> bool {
    let is_first = open.cut.say(cause);
    if is_first {
        let now = open.now();
        let login = now.login.as_ref().map(|login| &*login.login);
        info!(session = %open.id, listener = &*open.listener, client = %now.client, login, cause, "cut");
    }
    is_first
}
