//! Delivery as the settings want it: routes, limits, and what it must ask the rest of the program.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use delivery::{
    Asker, Bracketed, Config, Delivery, Fate, Limits, Lookups, Mailbox, Mx, OverQuota, Own, RemoteRoute, Tls,
    Unavailable,
};
use directory::{Directory, DirectoryError};
use rustls::ClientConfig;
use tokio::sync::mpsc;
use tracing::info;

use super::border::Border;
use crate::{route, secrets};
use config::{Remote, Settings, Smarthost, SmarthostTls};
use judge::ahead::NO_SPAN;
use judge::next_hops::Question;

/// Why delivery does not start.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The smarthost's password file.
    #[error("delivery.smarthost.password_file {path}: {why}")]
    Password {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The sink.
    #[error("delivery.sink {path}: {error}")]
    Sink {
        /// Its Maildir.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Mail leaves by MX records, and there is nobody to ask for them.
    #[error("delivery.remote: no usable name servers")]
    NoNameServers,
    /// TLS cannot be set up.
    #[error("delivery: tls: {0}")]
    Tls(#[from] rustls::Error),
    /// Anything else.
    #[error(transparent)]
    Start(#[from] delivery::StartError),
}

/// Starts delivery from the border's queue.
pub fn start(border: &Arc<Border>) -> Result<Delivery, DeliverError> {
    let site = border.site.load_full();
    if let Remote::Sink(path) = &site.settings.delivery.remote {
        ensure_maildir(path).map_err(|error| DeliverError::Sink { path: path.clone(), error })?;
    }
    let config = config(&site.settings, border.sources.dns.as_ref())?;
    let delivery = Delivery::start(config, Arc::clone(&border.spool), lookups(border), on_fate(border))?;
    if let Some(questions) = border.sources.next_hops.questions() {
        tokio::spawn(ask_next_hops(delivery.asker(), questions));
    }
    Ok(delivery)
}

/// Puts questions to next hops, each for itself: one that does not answer holds no other up. Ends with the sources.
async fn ask_next_hops(asker: Asker, mut questions: mpsc::Receiver<Question>) {
    while let Some(Question { server, forward_path, answer }) = questions.recv().await {
        let asker = asker.clone();
        tokio::spawn(async move {
            // Without a word of the hop it is dropped, which is the answer; and who asked may have gone.
            if let Some(has) = asker.ask(&server, &forward_path).await {
                let _ = answer.send(has);
            }
        });
    }
}

fn config(settings: &Settings, dns: Option<&Arc<dns::Resolver>>) -> Result<Config, DeliverError> {
    let delivery = &settings.delivery;
    let names = std::iter::once(settings.hostname.clone()).collect();
    let addresses = settings.listeners.iter().flat_map(|listener| &listener.bind).map(std::net::SocketAddr::ip);
    Ok(Config {
        hostname: settings.hostname.clone(),
        route: route_of(settings, dns)?,
        own: Own { names, addresses: addresses.collect(), loopback_is_foreign: false },
        over_quota: OverQuota::Fail,
        verified_tls: verified_tls()?,
        limits: Limits {
            connections: delivery.concurrency,
            connections_per_destination: delivery.concurrency_per_destination,
            messages_per_connection: delivery.messages_per_connection as usize,
            connect: delivery.connect_timeout,
            reply: delivery.reply_timeout,
            host_rest: delivery.rest,
            host_rest_max: delivery.rest_max,
            ..Limits::default()
        },
    })
}

fn route_of(settings: &Settings, dns: Option<&Arc<dns::Resolver>>) -> Result<RemoteRoute, DeliverError> {
    Ok(match &settings.delivery.remote {
        Remote::Sink(path) => RemoteRoute::Sink(path.clone()),
        Remote::Smarthost(smarthost) => RemoteRoute::Smarthost(self::smarthost(smarthost)?),
        Remote::Mx => RemoteRoute::Mx(Mx {
            port: 25,
            tls: Tls::Opportunistic,
            resolver: dns.map(Arc::clone).ok_or(DeliverError::NoNameServers)?,
        }),
    })
}

/// The smarthost, with the password that its file holds.
pub fn smarthost(smarthost: &Smarthost) -> Result<delivery::Smarthost, DeliverError> {
    let credentials = smarthost.login.as_ref().map(|login| -> Result<_, DeliverError> {
        let failed = |why: String| DeliverError::Password { path: login.password_file.clone(), why };
        let password = secrets::allowed(login.permissions).read_line(&login.password_file);
        let password = password.map_err(|error| failed(error.to_string()))?;
        let credentials = sasl::client::Credentials::new(&login.user, &password);
        let credentials = credentials.map_err(|error| failed(error.to_string()))?;
        Ok(match login.mechanism.as_deref().and_then(sasl::Mechanism::parse) {
            Some(mechanism) => credentials.only_by(mechanism),
            None => credentials,
        })
    });
    Ok(delivery::Smarthost {
        host: smarthost.address.host.clone(),
        port: smarthost.address.port,
        tls: match smarthost.tls {
            SmarthostTls::Off => Tls::Never,
            SmarthostTls::Offered => Tls::Opportunistic,
            SmarthostTls::Starttls => Tls::Required,
            SmarthostTls::Implicit => Tls::Implicit,
        },
        credentials: credentials.transpose()?,
    })
}

/// Trusts whom the system trusts.
fn verified_tls() -> Result<Arc<ClientConfig>, rustls::Error> {
    use rustls_platform_verifier::BuilderVerifierExt as _;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_platform_verifier()?.with_no_client_auth()))
}

fn lookups(border: &Arc<Border>) -> Lookups {
    let (for_mailbox, for_root, for_targets) = (Arc::clone(border), Arc::clone(border), Arc::clone(border));
    Lookups {
        maildir_root: Arc::new(move || for_root.site.load().settings.delivery.maildir_root.clone()),
        mailbox: Arc::new(move |login| {
            let (border, login) = (Arc::clone(&for_mailbox), login.to_owned());
            Box::pin(async move { mailbox(&border, &login).await })
        }),
        targets: Arc::new(move |address| {
            let (border, address) = (Arc::clone(&for_targets), address.to_owned());
            Box::pin(async move { targets(&border, &address).await })
        }),
    }
}

async fn mailbox(border: &Border, login: &str) -> Result<Option<Mailbox>, Unavailable> {
    let Some((path, octets)) = find(&border.sources.directory, &border.site.load().settings, login).await? else {
        return Ok(None);
    };
    Ok(Some(Mailbox { path, quota: maildir::Quota { octets, messages: None } }))
}

/// The Maildir of a login and its quota; `None`: no such account.
pub(crate) async fn find(
    directory: &Directory,
    settings: &Settings,
    login: &str,
) -> Result<Option<(PathBuf, Option<u64>)>, Unavailable> {
    match directory.mailbox(login).await {
        Ok(Some((maildir, quota))) => {
            let path = settings.delivery.maildir_root.join(&*maildir);
            Ok(Some((path, quota.or(settings.delivery.quota_octets))))
        }
        Ok(None) | Err(DirectoryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(Unavailable(error.to_string())),
    }
}

/// Makes a mailbox that an account has and the disk has not (a new account, a restored directory).
pub fn ensure_maildir(path: &Path) -> io::Result<()> {
    if path.join("tmp").is_dir() { Ok(()) } else { maildir::create(path) }
}

/// Where mail for an address goes that we wrote ourselves (a notification).
pub async fn targets(border: &Border, address: &str) -> Result<Vec<spool::Target>, Unavailable> {
    let Ok(mailbox) = smtp::Mailbox::parse(address) else { return Ok(Vec::new()) };
    let site = border.site.load_full();
    let found = route::mailbox_targets(&border.sources.directory, &site, &mailbox).await;
    let found = match found {
        Ok(found) => found,
        // An alias that leads to nobody: waiting helps nobody either.
        Err(directory::DirectoryError::Alias { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(Unavailable(error.to_string())),
    };
    if !found.is_empty() {
        return Ok(found.into_iter().map(|routed| routed.target).collect());
    }
    let host = mailbox.host.to_string();
    match border.sources.directory.is_hosted(&host).await {
        // Ours, and nobody there: a notification to nobody.
        Ok(true) => Ok(Vec::new()),
        Ok(false) => Ok(vec![spool::Target::Remote { host }]),
        Err(error) => Err(Unavailable(error.to_string())),
    }
}

fn on_fate(border: &Arc<Border>) -> delivery::OnFate {
    let border = Arc::clone(border);
    Arc::new(move |fate| {
        tell(fate);
        border.watch.fate(fate);
        if fate.refuser.is_some() {
            let (border, forward_path) = (Arc::clone(&border), fate.forward_path.to_owned());
            // In memory: over at once, and bounded by the deliveries there are.
            tokio::spawn(async move {
                if let Err(error) = border.sources.state.hop_refused(&forward_path, NO_SPAN).await {
                    tracing::debug!(%error, "refusal unremembered");
                }
            });
        }
    })
}

/// The log's line for one recipient's fate.
fn tell(fate: &Fate<'_>) {
    let Fate { queue_id, session, reverse_path, forward_path, to, given, alias, kind, relay, reply, delay, .. } = *fate;
    let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    info!(session, queue_id = %queue_id, reverse_path = ?Bracketed(reverse_path), forward_path = ?Bracketed(forward_path),
        to = ?Bracketed(to), orig_to = (given != to).then(|| tracing::field::debug(Bracketed(given))),
        alias = alias.map(|alias| tracing::field::debug(Bracketed(alias))), relay = ?relay, reply = ?reply, delay_ms, "{kind}");
}
