//! At the door: whether a client may come in at all. It is asked before the first word, as soon as the client's address is
//! known and before TLS costs anything; and again at MAIL, since a ban may have come meanwhile and the server may be fuller.
//!
//! All of this is suspicion: what cannot be asked turns nobody away, and nobody is turned away who has logged in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use config::AuthOffer;
use guard::Load;
use judge::hosts::{self, Listed};
use judge::offence::{self, Client};
use judge::{SessionId, Terms, ban};
use listen::{Ceilings, Crowded, Place, Shed};
use state::{NeverBanned, Offence};
use tracing::info;

use crate::away::Away;
use crate::border::Border;
use crate::site::{ListenerSite, Site};

/// Where a client comes in.
#[derive(Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) border: &'a Border,
    pub(crate) site: &'a Site,
    pub(crate) listener: &'a ListenerSite,
}

impl Door<'_> {
    /// Before the first word: the client's place among all connections, if there is one for it. Who is exempt needs none.
    pub(crate) async fn enter(self, client: IpAddr, session: SessionId) -> Result<Option<Place>, Away> {
        match hosts::ask(&self.listener.settings, client, self.border.sources.dns.as_deref()).await {
            Listed::In => {}
            Listed::Out(line) => return Err(Away::Denied(line.clone())),
            Listed::Perhaps(line) => return Err(Away::Unsure(line.clone())),
        }
        let (state, relay) = (&self.border.sources.state, &self.site.terms.policy.relay);
        let can_log_in = self.listener.settings.auth != AuthOffer::Never;
        let load = self.shed().now;
        if state.never_banned(client).is_some() {
            return if load == Load::LoginsOnly && !can_log_in { Err(Away::Busy(load)) } else { Ok(None) };
        }
        if !can_log_in {
            if let Some(ban) = ban::ban_of(state, relay, client).await {
                return Err(Away::Banned(ban));
            }
            if load >= Load::Strained && (load == Load::LoginsOnly || !ban::is_known(state, relay, client).await) {
                return Err(Away::Busy(load));
            }
        }
        match self.border.crowd.enter(client, &self.ceilings(), Instant::now()) {
            Ok(place) => Ok(Some(place)),
            Err(crowded) => {
                if matches!(crowded, Crowded::Begun(_)) {
                    let client = Client { session, listener: &self.listener.settings.name, addr: client };
                    offence::count(&self.border.sources, client, Offence::Connection, 1).await;
                }
                Err(Away::TooMany(crowded))
            }
        }
    }

    /// At MAIL, of a client that has not logged in.
    pub(crate) async fn may_send(self, client: IpAddr, shed: Shed) -> Result<(), Away> {
        if shed.now == Load::LoginsOnly {
            return Err(Away::Busy(shed.now));
        }
        match ban::ban_of(&self.border.sources.state, &self.site.terms.policy.relay, client).await {
            Some(ban) => Err(Away::Banned(ban)),
            None => Ok(()),
        }
    }

    /// How full the listener is, or the memory for messages. A change is told to the log by whoever sees it first.
    pub(crate) fn shed(self) -> Shed {
        let settings = &self.listener.settings;
        let shed = self.listener.gate.load(settings.connections_max, self.border.memory.percent_held());
        if shed.has_changed {
            let (load, percent) = (shed.now.code(), shed.percent);
            info!(listener = &*settings.name, load, percent, "load changed");
        }
        shed
    }

    fn ceilings(self) -> Ceilings {
        let limits = &self.site.settings.limits;
        Ceilings {
            held_by_client: limits.connections_per_client,
            held_by_network: limits.connections_per_network,
            begun_by_client: limits.connections_per_minute_per_client,
            begun_by_network: limits.connections_per_minute_per_network,
        }
    }
}

/// How full a listener is when its connections and the memory for messages are looked at now; a change is told to the log by whoever sees it first.
pub fn load(border: &Border, listener: &ListenerSite) -> Load {
    let site = border.site.load();
    Door { border, site: &site, listener }.shed().now
}

/// Whom no ban and no rate may hit, by the words for what they are: those who are listed with a right of their own or bring others, and
/// gateways, behind which everybody may be (T35).
pub(crate) fn never_banned(site: &Site) -> NeverBanned {
    let terms: Arc<Terms> = Arc::clone(&site.terms);
    let listeners = || site.listeners.iter().map(|listener| &listener.settings);
    let proxies: Vec<_> = listeners().flat_map(|it| it.proxy_from.iter().chain(&it.xclient_from)).copied().collect();
    Box::new(move |addr| {
        let relay = &terms.policy.relay;
        if relay.is_listed_client(addr) {
            Some("a listed relay client")
        } else if proxies.iter().any(|net| net.contains(&addr)) {
            Some("a listed proxy")
        } else {
            relay.never().is_gateway(addr).then_some("a gateway")
        }
    })
}
