//! Rights that have ended: the sessions that came by them are cut, evidence founded on them goes, mail that they have queued is
//! held. Nothing of this is what keeps mail from being relayed (each command asks anew); it is that nobody goes on sitting in
//! a session that may do nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use directory::{DirectoryError, RightsMark};
use guard::{AddressRight, Manner, Reason};
use judge::evidence::end_grants;
use judge::{Case, Connected, Judge};
use spool::{Envelope, Filter, Origin};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use super::aside::aside;
use super::border::Border;
use super::sessions::Open;

/// Between two looks at the clock: logins and devices expire by it.
const LOOK: Duration = Duration::from_secs(1);

/// Follows changes of logins until the server stops.
pub(crate) async fn follow(border: Arc<Border>, mut stop: watch::Receiver<bool>) {
    let mut changes = border.sources.directory.login_changes();
    let (mut mark, mut expired) = (None, BTreeSet::new());
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
        hold_of_the_expired(&border, &mut expired).await;
        if let Err(error) = border.sources.directory.keep_uses().await {
            warn!(%error, note = "when devices were used; tried again in a minute", "uses unwritten");
        }
        keep_uses(&border);
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

/// Writes when rights were used last, once a minute. Nobody waits for the disk.
fn keep_uses(border: &Arc<Border>) {
    if border.sources.uses.is_due(Instant::now()) {
        let border = Arc::clone(border);
        tokio::spawn(async move { write_uses(&border).await });
    }
}

pub(crate) async fn write_uses(border: &Arc<Border>) {
    let sources = Arc::clone(&border.sources);
    let written = aside("uses", move || sources.uses.write().map_err(|error| error.to_string())).await;
    if let Err(error) = written.map_err(|error| error.to_string()).flatten() {
        warn!(%error, note = "when rights were used; tried again in a minute", "uses unwritten");
    }
}

/// The rights that the configuration gives by a client's address, as the queue knows them ([`guard::Right::code`]).
const BY_CONFIGURATION: [&str; 2] = ["network", "client-map"];
/// Messages looked at in one turn.
const PAGE: usize = 1_000;
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

/// Holds what logins have queued that the clock has ended. Once: those in `known` are passed by, so that what the operator releases
/// goes.
pub async fn hold_of_the_expired(border: &Border, known: &mut BTreeSet<Arc<str>>) {
    let mut expired = BTreeSet::new();
    for login in border.spool.logins() {
        match border.sources.directory.has_expired(&login).await {
            Ok(true) => expired.insert(login),
            // Not known is asked again.
            Err(_) if known.contains(&login) => expired.insert(login),
            Ok(false) | Err(_) => false,
        };
    }
    for login in expired.difference(known) {
        hold(border, login).await;
    }
    *known = expired;
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
    for grant in BY_CONFIGURATION {
        hold_of_clients(&border, &judge, grant).await;
    }
}

/// What clients have queued that the configuration let relay, and lets no more.
async fn hold_of_clients(border: &Border, judge: &Judge<'_>, grant: &str) {
    let mut over = BTreeSet::new();
    for client in clients_of(border, grant).await {
        let listener = Arc::from("configuration");
        let connected = Connected { client: Some(client), session: border.sources.sessions.next(), listener };
        match judge.address_right(&mut Case::new(connected, Manner::OWN)).await {
            // What cannot be found out now takes nothing back.
            Ok(AddressRight::AnySender) | Err(Reason::AuthorityUnavailable) => {}
            Ok(_) | Err(_) => {
                over.insert(client);
            }
        }
    }
    if over.is_empty() {
        return;
    }
    let is_over = |envelope: &Envelope| match &envelope.origin {
        Origin::Account(sender) => sender.client.is_some_and(|client| over.contains(&client)),
        Origin::Outside | Origin::Bounce => false,
    };
    match border.spool.hold_of_grant(grant, RIGHT_ENDED, is_over).await {
        Ok(messages) => info!(grant, messages, reason = RIGHT_ENDED, "mail held"),
        Err(error) => warn!(grant, %error, "hold failed"),
    }
}

/// The clients of all mail in the queue that came by this right.
async fn clients_of(border: &Border, grant: &str) -> BTreeSet<IpAddr> {
    let mut filter = Filter { account: Some(grant.to_owned()), limit: PAGE, held: Some(false), ..Filter::default() };
    let mut clients = BTreeSet::new();
    loop {
        let page = border.spool.list(&filter).await;
        clients.extend(page.iter().filter_map(|listed| match &listed.origin {
            Origin::Account(sender) => sender.client,
            Origin::Outside | Origin::Bounce => None,
        }));
        filter.after = page.last().map(|listed| listed.id);
        if page.len() < PAGE {
            return clients;
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
