//! Opens what a server needs, as the settings want it: accounts, evidence, the queue, a resolver.
#![expect(clippy::similar_names, reason = "a case has a cause")]
#![expect(clippy::too_many_lines, reason = "a table in order")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use config::{Redaction, Settings};
use directory::{Directory, PasswordTerms, Percent, ServerKey};
use guard::never_granted::Named;
use guard::{PopEvidence, RelayPolicy};
use judge::lock::RelayLock;
use judge::records::Records;
use judge::{SessionIds, Sources};
use sasl::scheme::Argon2Cost;
use spool::{Spool, SpoolConfig};
use state::State;
use tracing::{error, info, warn};

use crate::aside::aside;
use crate::border::Border;
use crate::door;
use crate::interfaces;
use crate::interfaces::dracd::rates::Rates;
use crate::secrets;
use crate::sessions::Sessions;
use crate::site::Site;
use crate::smtp::header::DateClock;
use crate::start_error::StartError;
use listen::memory::Memory;

/// The purpose of the key that binds the lines of administrators' changes.
pub const CHANGES_PURPOSE: &str = "sekisho chain of changes";

/// Opens accounts, evidence and queue.
pub(crate) async fn open(settings: Settings) -> Result<Border, StartError> {
    let places = &settings.directory;
    directory::rotation::settle(&places.path, &places.key, secrets::allowed(places.permissions)).await?;
    let (site, key) = aside("configuration", move || -> Result<_, StartError> {
        // All that is there is seen to fit together before anything is made.
        let site = Site::new(settings, None)?;
        look(&site.settings)?;
        make_dir(&site.settings.data_dir)?;
        make_dir(&judge::relayed::folder(&site.settings))?;
        let key = server_key(&site.settings)?;
        Ok((site, key))
    })
    .await
    .map_err(StartError::at("the configuration's files"))??;
    let settings = &site.settings;
    let directory = Directory::open(&settings.directory.path, &key, directory_settings(settings)).await?;
    let (path, config) = (settings.state.path.clone(), state_config(settings));
    let state = aside("state", move || State::open_with(&path, config)).await;
    let state = state.map_err(StartError::at("state"))??;
    state.share_addresses(settings.auth.shared_addresses.iter().copied());
    state.never_ban(door::never_banned(&site));
    forget_the_locked(&directory, &state).await;
    forget_nobodys(&site.terms.policy.relay, &state).await;
    let chains = chain_key(settings, &key)?;
    let config = spool_config(settings, &chains);
    let (spool, recovery) = aside("spool", move || Spool::open(config)).await.map_err(StartError::at("spool"))??;
    for damage in &recovery.damaged {
        error!(path = %damage.path.display(), offset = damage.offset, octets = damage.octets, note = "the unreadable stretch is kept aside", "spool damaged");
    }
    if recovery.relayed > 0 {
        info!(messages = recovery.relayed, "record recovered");
    }
    info!(messages = recovery.messages, segments = recovery.segments, grants = state.opened().grants, "opened");
    let used = judge::uses::path(&settings.data_dir);
    let uses = aside("uses", move || judge::uses::Uses::open(&used)).await.map_err(StartError::at("uses"))?;
    let mut guess_key = [0; 32];
    getrandom::fill(&mut guess_key)
        .map_err(|error| StartError::Io { what: "random octets".to_owned(), error: io::Error::other(error) })?;
    let dns = resolver(&settings.dns);
    let reputation = reputation::Reputation::new(dns.as_ref());
    reputation.lists.follow(&settings.dnsbl);
    let lock = RelayLock::path(&settings.data_dir);
    let relay_lock = aside("relay lock", move || RelayLock::open(lock)).await.map_err(StartError::at("relay lock"))?;
    let sources = Sources {
        next_hops: judge::next_hops::NextHops::default(),
        records: Records::default(),
        dns,
        reputation,
        directory: Arc::new(directory),
        state: Arc::new(state),
        identities: judge::identity::Identities::default(),
        relay_lock,
        uses,
        files: judge::Files::default(),
        sessions: SessionIds::default(),
        decoy_key: *key.derive("sasl-decoy"),
        guess_key,
    };
    let records = keep_records(settings, &sources.records)?;
    Ok(Border {
        sources: Arc::new(sources),
        records,
        sessions: Arc::new(Sessions::default()),
        crowd: Arc::default(),
        spool,
        changes_key: keep::chain::Key::new(chains.derive(CHANGES_PURPOSE)),
        messages: interfaces::policy::Messages::default(),
        memory: Memory::new(settings.limits.memory_octets),
        dates: DateClock::default(),
        drac_rates: Rates::default(),
        watch: Arc::new(telemetry::Watch::new(settings)),
        site: ArcSwap::from_pointee(site),
    })
}

/// Records that wait to be written: what a second of the densest traffic makes, and a tenth of a megabyte for each hundred.
const RECORDS_WAITING_MAX: usize = 8_192;

/// Begins to keep decisions, if the configuration wants them kept.
fn keep_records(settings: &Settings, from: &Records) -> Result<Option<records::Store>, StartError> {
    if !settings.records.enabled {
        return Ok(None);
    }
    let source = records::Source { records: from.follow(RECORDS_WAITING_MAX), dropped: from.dropped_count() };
    let started = records::Store::start(records_settings(settings), source);
    started.map(Some).map_err(|error| StartError::Io { what: "records".to_owned(), error })
}

/// What the configuration says of records: the same for the server and for the commands that read them themselves.
pub fn records_settings(settings: &Settings) -> records::Settings {
    let of = &settings.records;
    records::Settings {
        dir: of.path.clone(),
        keep: of.keep,
        octets_max: of.max_octets,
        free_octets_min: settings.spool.free_octets_min,
        redact: match of.redact {
            Redaction::None => records::Redact::None,
            Redaction::Addresses => records::Redact::Addresses,
            Redaction::All => records::Redact::All,
        },
    }
}

/// An account that was locked, deleted or given another password while no server ran must not relay by an earlier POP login;
/// nor one that cannot be asked about now.
async fn forget_the_locked(directory: &Directory, state: &State) {
    let grants = state.evidence().await.map(|answer| answer.value).unwrap_or_default();
    // Those of another server's accounts are not ours to know.
    let ours = grants.iter().filter(|grant| !grant.source().is_foreign());
    let mut first: BTreeMap<String, SystemTime> = BTreeMap::new();
    for grant in ours {
        let Some(login) = grant.login() else { continue };
        let granted_at = first.entry(login.to_owned()).or_insert(grant.granted_at());
        *granted_at = (*granted_at).min(grant.granted_at());
    }
    for (login, granted_at) in first {
        let exists = directory.account(&login).await.is_ok_and(|account| !account.locked);
        let ended_at = directory.rights_ended_at(&login).await;
        let may = exists && ended_at.is_ok_and(|ended_at| ended_at.is_none_or(|ended_at| ended_at < granted_at));
        if !may {
            judge::evidence::end_grants(state, &login).await;
        }
    }
}

/// Grants of addresses that prove nobody, as the configuration and the network are now. The guard goes by none of them; other
/// mail servers read them from a file.
pub(crate) async fn forget_nobodys(relay: &RelayPolicy, state: &State) {
    let grants = state.evidence().await.map(|answer| answer.value).unwrap_or_default();
    let addresses: BTreeSet<IpAddr> = grants.iter().map(PopEvidence::addr).collect();
    for addr in addresses {
        if let Some(never) = relay.never().why_named(addr, Named::ByProxy) {
            warn!(client = %addr, cause = %never, "grant revoked");
            if let Err(error) = state.revoke(state::Revoke::Addr(addr)).await {
                warn!(client = %addr, %error, note = "it is taken back in memory, until the next start", "grant unrevoked");
            }
        }
    }
}

/// Whom all of the server asks for names; `None`, and said so, where the system names no name servers.
fn resolver(dns: &config::Dns) -> Option<Arc<dns::Resolver>> {
    let made = dns::Resolver::new(&dns::Settings { servers: dns.servers.clone(), timeout: dns.timeout });
    made.inspect_err(|error| warn!(%error, note = "client names stay unknown", "resolver missing")).ok().map(Arc::new)
}

fn make_dir(dir: &std::path::Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| StartError::Io { what: dir.display().to_string(), error })
}

/// Whether what lies at the configuration's places can be opened by a server that starts now: nobody else has it, the accounts
/// have their key, no later version wrote the queue. Nothing is made or changed.
pub fn look(settings: &Settings) -> Result<(), StartError> {
    ::backup::refuse_unfinished(&settings.data_dir).map_err(StartError::at("restore"))?;
    State::look(&settings.state.path)?;
    Spool::look(&settings.spool.path)?;
    Ok(ServerKey::look_for(&settings.directory.path, &settings.directory.key)?)
}

/// The key of the accounts; made if it is missing and there are no accounts yet.
pub fn server_key(settings: &Settings) -> Result<ServerKey, directory::OpenError> {
    let Settings { directory, .. } = settings;
    ServerKey::load_or_create_for(&directory.path, &directory.key, secrets::allowed(directory.permissions))
}

/// What the keys of the chains of lines are derived from.
pub fn chain_key(settings: &Settings, key: &ServerKey) -> Result<ServerKey, directory::OpenError> {
    directory::rotation::chain_key(&settings.directory.key, key, secrets::allowed(settings.directory.permissions))
}

/// The queue alone, where no server runs. Nothing is delivered from it. Blocks.
pub(crate) fn open_queue(settings: &Settings) -> Result<Arc<Spool>, StartError> {
    let config = spool_config(settings, &chain_key(settings, &server_key(settings)?)?);
    Ok(Spool::open(config)?.0)
}

/// What the configuration says of the directory: the same for the server and for the commands that open it themselves.
pub fn directory_settings(settings: &Settings) -> directory::Settings {
    let (auth, domains) = (&settings.auth, &settings.domains);
    let argon2 = Argon2Cost { memory_kib: auth.argon2_memory_kib, passes: auth.argon2_passes, ..Argon2Cost::default() };
    directory::Settings {
        default_domain: domains.default.as_ref().map(ToString::to_string).unwrap_or_default(),
        detail_delimiter: domains.detail_delimiter,
        postmaster: domains.postmaster.as_ref().map(ToString::to_string),
        percent: if auth.percent_logins { Percent::PartsDomain } else { Percent::Stays },
        passwords: PasswordTerms { argon2, checks_at_once: auth.argon2_concurrency, remembered: auth.cache_lifetime },
        password_chars_min: Some(auth.password_chars_min),
    }
}

fn state_config(settings: &Settings) -> state::StateConfig {
    use state::gcra::Rate;
    let auth = &settings.auth;
    let every = |count: u32| auth.failure_lifetime / count.max(1);
    let defaults = state::AuthLimits::default();
    let limits = state::AuthLimits {
        address: Rate::new(every(auth.failures_per_client), auth.failures_per_client),
        account: Rate::new(every(auth.failures_per_account), auth.failures_per_account),
        delay: auth.failure_delay,
        delay_max: defaults.delay_max.min(auth.failure_delay * 16),
        ..defaults
    };
    state::StateConfig { auth: limits, ..state::StateConfig::default() }
}

fn spool_config(settings: &Settings, key: &ServerKey) -> SpoolConfig {
    let spool = &settings.spool;
    SpoolConfig {
        segment_octets: spool.segment_octets,
        inline_octets: usize::try_from(spool.inline_octets).unwrap_or(usize::MAX),
        free_octets_min: spool.free_octets_min,
        backoff: spool::Backoff { steps: steps(spool.retry_first, spool.retry_max), give_up_after: spool.give_up },
        held: spool::HeldLimits {
            age: spool.held,
            messages_max: usize::try_from(spool.held_messages).unwrap_or(usize::MAX),
            percent: u8::try_from(spool.held_percent).unwrap_or(u8::MAX),
        },
        relayed: Some(judge::relayed::chain(settings, key)),
        ..SpoolConfig::new(&spool.path)
    }
}

/// Waits between attempts: doubling from the first to the longest.
fn steps(first: Duration, max: Duration) -> Vec<Duration> {
    let doubling = std::iter::successors(Some(first), |step| Some(*step * 2));
    let mut steps: Vec<Duration> = doubling.take_while(|step| *step < max).take(32).collect();
    steps.push(max);
    steps
}
