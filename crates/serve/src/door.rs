//! At the door: whether a client may come in at all. It is asked before the first word, as soon as the client's address is
//! known and before TLS costs anything; and again at MAIL, since a ban may have come meanwhile and the server may be fuller.
//!
//! All of this is suspicion: what cannot be asked turns nobody away, and nobody is turned away who has logged in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use config::AuthOffer;
use guard::{ConfigLine, Load, Reason, RelayPolicy};
use judge::hosts::{self, Listed};
use judge::offence::{self, Client};
use judge::{SessionId, Terms};
use listen::{Ceilings, Crowded, Place, Shed};
use smtp::replies;
use smtp::reply::Reply;
use state::{Ban, NeverBanned, Offence, State, StateError};
use tracing::{info, warn};

use crate::border::Border;
use crate::site::{ListenerSite, Site};

/// Why a client may not come in.
#[derive(Debug)]
pub(crate) enum Away {
    /// It, or its network, has too many connections.
    TooMany(Crowded),
    /// The server is nearly full.
    Busy(Load),
    /// It is banned.
    Banned(Ban),
    /// An entry of the listener keeps it out.
    Denied(ConfigLine),
    /// The entry does, unless the client's name, which is not known now, lets it in.
    Unsure(ConfigLine),
}

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
        let state = &self.border.sources.state;
        let can_log_in = self.listener.settings.auth != AuthOffer::Never;
        let load = self.shed().now;
        if state.never_banned(client).is_some() {
            return if load == Load::LoginsOnly && !can_log_in { Err(Away::Busy(load)) } else { Ok(None) };
        }
        if !can_log_in {
            if let Some(ban) = self.ban_of(client).await {
                return Err(Away::Banned(ban));
            }
            if load >= Load::Strained && (load == Load::LoginsOnly || !self.is_known(client).await) {
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
        match self.ban_of(client).await {
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

    async fn ban_of(self, client: IpAddr) -> Option<Ban> {
        ban_of(&self.border.sources.state, &self.site.terms.policy.relay, client).await
    }

    /// Whether somebody proved something there lately: by a login, or by a POP login that counts for relaying still.
    async fn is_known(self, client: IpAddr) -> bool {
        let state = &self.border.sources.state;
        if unknown_is_none(state.has_logged_in_from(client).await, true) {
            return true;
        }
        self.has_evidence(client).await
    }

    async fn has_evidence(self, client: IpAddr) -> bool {
        has_evidence(&self.border.sources.state, &self.site.terms.policy.relay, client).await
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

/// A ban that is in force: who fetched mail from the address by POP lately has proved himself.
pub(crate) async fn ban_of(state: &State, relay: &RelayPolicy, client: IpAddr) -> Option<Ban> {
    let ban = unknown_is_none(state.ban_of(client).await, None)?;
    (!has_evidence(state, relay, client).await).then_some(ban)
}

async fn has_evidence(state: &State, relay: &RelayPolicy, client: IpAddr) -> bool {
    let evidence = state.evidence_at(relay.pop_key(client)).await;
    unknown_is_none(evidence.map(|answer| !answer.value.is_empty()), true)
}

/// What cannot be asked is taken for what does the client no harm.
fn unknown_is_none<T>(asked: Result<T, StateError>, harmless: T) -> T {
    asked.unwrap_or_else(|error| {
        warn!(%error, "door unasked");
        harmless
    })
}

/// How full a listener is when its connections and the memory for messages are looked at now; a change is told to the log by whoever sees it first.
pub fn load(border: &Border, listener: &ListenerSite) -> Load {
    let site = border.site.load();
    Door { border, site: &site, listener }.shed().now
}

impl Away {
    /// The stable word.
    fn reason(&self) -> Reason {
        match self {
            Self::TooMany(_) => Reason::TooManyConnections,
            Self::Busy(_) => Reason::Busy,
            Self::Banned(_) => Reason::Banned,
            Self::Denied(_) => Reason::AccessDenied,
            Self::Unsure(_) => Reason::AccessDeferred,
        }
    }

    /// What an SMTP client is told. Whoever is banned for the first time may be a mail server that is misjudged: it comes
    /// again and loses no mail.
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::TooMany(_) => replies::too_many_connections(),
            Self::Busy(_) => replies::busy(),
            Self::Banned(ban) if ban.before == 0 && is_offence(&ban.reason) => replies::banned_for_now(),
            Self::Banned(_) => replies::banned(),
            Self::Denied(_) => replies::connection_refused(),
            Self::Unsure(_) => replies::name_unknown(),
        }
    }

    /// What a POP3 client is told (RFC 3206).
    pub(crate) fn pop3(&self) -> &'static [u8] {
        match self {
            Self::TooMany(_) => b"-ERR [SYS/TEMP] Too many connections; try again later\r\n",
            Self::Busy(_) => b"-ERR [SYS/TEMP] Too busy; try again later\r\n",
            Self::Banned(_) => b"-ERR [SYS/PERM] Your address is banned\r\n",
            Self::Denied(_) => b"-ERR [SYS/PERM] Access denied\r\n",
            Self::Unsure(_) => b"-ERR [SYS/TEMP] Your host name cannot be looked up now; try again later\r\n",
        }
    }

    /// Tells the log what the client was told.
    pub(crate) fn log(&self, client: Client<'_>, reply: &str) {
        info!(
            session = %client.session,
            listener = client.listener,
            client = %client.addr,
            reply,
            reason = self.reason().code(),
            cause = self.cause(),
            "turned away"
        );
    }

    /// What it is about.
    fn cause(&self) -> String {
        match self {
            Self::TooMany(Crowded::Held(network)) => format!("{network} holds too many"),
            Self::TooMany(Crowded::Begun(network)) => format!("{network} begins too many a minute"),
            Self::Busy(load) => load.code().to_owned(),
            Self::Banned(ban) => ban.reason.clone(),
            Self::Denied(line) | Self::Unsure(line) => line.to_string(),
        }
    }
}

fn is_offence(reason: &str) -> bool {
    Offence::ALL.iter().any(|offence| offence.code() == reason)
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
