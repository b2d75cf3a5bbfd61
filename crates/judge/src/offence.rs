//! What a client did that honest clients seldom do is counted here, by whatever interface, and a ban that comes of it is told.

use std::net::IpAddr;

use state::{Ban, Offence, Offender};
use tracing::{info, warn};

use super::session::SessionId;
use super::sources::Sources;

/// Who did it, and where.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// The session.
    pub session: SessionId,
    /// The listener's name.
    pub listener: &'a str,
    /// The address.
    pub addr: IpAddr,
}

/// Counts it. What cannot be counted bans nobody.
pub async fn count(sources: &Sources, client: Client<'_>, offence: Offence, times: u32) {
    match sources.state.offended(&Offender { addr: client.addr, offence, times }).await {
        Ok(Some(ban)) => tell(client, &ban),
        Ok(None) => {}
        Err(error) => warn!(session = %client.session, %error, "offence uncounted"),
    }
}

fn tell(client: Client<'_>, ban: &Ban) {
    let minutes = ban.ends.duration_since(ban.since).map_or(0, |span| span.as_secs() / 60);
    info!(
        session = %client.session,
        listener = client.listener,
        client = %client.addr,
        reason = &*ban.reason,
        minutes,
        before = ban.before,
        "banned"
    );
}
