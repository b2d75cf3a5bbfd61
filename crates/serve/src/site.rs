//! What the sessions need of one configuration: made whole from the settings, replaced whole by a reload.
//!
//! A session keeps the site that it began with, so that a reload changes nothing under its feet.

use std::sync::Arc;

use directory::SecretsKept;
use sasl::Mechanism;
use smtp::command::Syntax;
use smtp::server::{AuthForm, Flavour, Limits, Offer, ServerConfig};
use tracing::warn;

use crate::secrets::{self, SharedSecret, SharedSecretError};
use config::{self, AuthOffer, Protocol, Settings, Tls, TlsOffer};
use judge::{Terms, TermsError};
use listen::tls::{self, Shown, TlsError};
use listen::{Address, Certificate, Gate};

/// One configuration, ready to be served.
#[derive(Debug)]
pub struct Site {
    /// The settings it was made from.
    pub settings: Arc<Settings>,
    /// By what is judged.
    pub terms: Arc<Terms>,
    /// The listeners, by the order of the settings.
    pub listeners: Vec<Arc<ListenerSite>>,
    tls: Option<Shown>,
}

/// One listener of a site.
#[derive(Debug)]
pub struct ListenerSite {
    /// As set.
    pub settings: config::Listener,
    /// For SMTP listeners: what every session is told.
    pub smtp: Offered<ServerConfig>,
    /// For POP3 listeners: what every session is told.
    pub pop3: Offered<pop3::Config>,
    /// What a TLS handshake shows; `None` without a certificate.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// What its peers must show, where they must show something.
    pub secret: Option<Arc<SharedSecret>>,
    /// Counts its connections, those from before a reload too.
    pub gate: Arc<Gate>,
}

/// What sessions are told, for each of what secrets somebody may have: without any, a mechanism that needs one is not offered.
#[derive(Debug)]
pub struct Offered<T>([Arc<T>; 4]);

impl<T> Offered<T> {
    fn each(make: impl Fn(SecretsKept) -> T) -> Self {
        Self(std::array::from_fn(|at| {
            let (scram, devices) = (at & 1 != 0, at & 2 != 0);
            Arc::new(make(SecretsKept { scram, devices, devices_everywhere: false }))
        }))
    }

    /// By what somebody has now.
    pub fn to(&self, kept: SecretsKept) -> &Arc<T> {
        let [nothing, scram, devices, both] = &self.0;
        match (kept.scram, kept.devices) {
            (false, false) => nothing,
            (true, false) => scram,
            (false, true) => devices,
            (true, true) => both,
        }
    }
}

/// Whether somebody can log in by a mechanism.
pub(crate) fn is_usable(mechanism: Mechanism, kept: SecretsKept) -> bool {
    match mechanism {
        Mechanism::ScramSha256Plus | Mechanism::ScramSha256 => kept.scram,
        Mechanism::CramMd5 => kept.devices,
        Mechanism::Plain | Mechanism::Login => true,
    }
}

/// Why a configuration that reads well cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// Nobody can be judged by it.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What a listener's peers must show cannot be read.
    #[error("listener {listener}: secret_file: {error}")]
    Secret {
        /// The listener.
        listener: Arc<str>,
        /// Why.
        error: SharedSecretError,
    },
    /// TLS is asked for and there is no certificate.
    #[error("listener {0}: TLS is wanted and [tls] names no certificate")]
    NoCertificate(Arc<str>),
}

impl Site {
    /// Makes everything that the sessions need, the certificate read anew. `before` is the site that it follows on.
    pub fn new(settings: Settings, before: Option<&Self>) -> Result<Self, SiteError> {
        let settings = Arc::new(settings);
        let terms =
            Arc::new(Terms::new(Arc::clone(&settings), before.map_or(1, |site| site.terms.policy.version + 1))?);
        for warning in &terms.tables.warnings {
            warn!(%warning, "access map");
        }
        let tls = tls_config(&settings, before)?;
        let mut listeners = Vec::with_capacity(settings.listeners.len());
        for listener in &settings.listeners {
            let wanted = listener.protocol.implicit_tls() || listener.tls != TlsOffer::Off;
            if wanted && tls.is_none() {
                return Err(SiteError::NoCertificate(Arc::clone(&listener.name)));
            }
            listeners.push(Arc::new(ListenerSite {
                settings: listener.clone(),
                smtp: Offered::each(|kept| smtp_config(&settings, listener, kept)),
                pop3: Offered::each(|kept| pop3_config(&settings, listener, kept)),
                tls: tls.as_ref().filter(|_| wanted).map(|shown| Arc::clone(&shown.config)),
                secret: secret(listener, before)?,
                gate: before
                    .and_then(|site| site.named(&listener.name))
                    .map(|it| Arc::clone(&it.gate))
                    .unwrap_or_default(),
            }));
        }
        Ok(Self { settings, terms, listeners, tls })
    }

    /// The listener at an address: each address has one.
    pub fn at(&self, address: &Address) -> Option<&Arc<ListenerSite>> {
        self.listeners.iter().find(|listener| match address {
            Address::Inet(address) => listener.settings.bind.contains(address),
            Address::Udp(address) => {
                listener.settings.protocol == Protocol::Dracd && listener.settings.bind.contains(address)
            }
            Address::Unix(path) => listener.settings.unix.contains(path),
        })
    }

    /// What the certificate that is shown says of itself.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.tls.as_ref().and_then(Shown::certificate)
    }

    /// Shows what lies in the certificate's file now, from the next handshake on, in sessions that run too.
    pub fn renew_certificate(&self) -> Result<(), TlsError> {
        let (Some(shown), Some(tls)) = (&self.tls, &self.settings.tls) else { return Ok(()) };
        shown.renew(&tls.certificate, &tls.key, secrets::allowed(tls.permissions))
    }

    /// The listener of a name.
    pub fn named(&self, name: &str) -> Option<&Arc<ListenerSite>> {
        self.listeners.iter().find(|listener| &*listener.settings.name == name)
    }
}

/// The certificate with its key. A key that others may read by now is not taken by a reload: the one in force stays.
fn tls_config(settings: &Settings, before: Option<&Site>) -> Result<Option<Shown>, SiteError> {
    let Some(Tls { certificate, key, permissions, acme }) = &settings.tls else { return Ok(None) };
    if acme.is_some() {
        tls::ensure_first(certificate, &settings.hostname)?;
    }
    match (
        tls::server_config(certificate, key, secrets::allowed(*permissions)),
        before.and_then(|site| site.tls.as_ref()),
    ) {
        (Ok(read), _) => Ok(Some(read)),
        (Err(TlsError::Secret(error)), Some(in_force)) if error.is_exposure() => {
            warn!(cause = ?error.to_string(), note = "the one in force stays", "secret exposed");
            Ok(Some(in_force.clone()))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// What a listener's peers must show, by the same rule.
fn secret(listener: &config::Listener, before: Option<&Site>) -> Result<Option<Arc<SharedSecret>>, SiteError> {
    let Some(path) = &listener.secret_file else { return Ok(None) };
    let in_force = before.and_then(|site| site.named(&listener.name)).and_then(|listener| listener.secret.as_ref());
    match (SharedSecret::read(path, listener.permissions), in_force) {
        (Ok(read), _) => Ok(Some(Arc::new(read))),
        (Err(SharedSecretError::File(error)), Some(in_force)) if error.is_exposure() => {
            warn!(listener = &*listener.name, cause = ?error.to_string(), note = "the one in force stays", "secret exposed");
            Ok(Some(Arc::clone(in_force)))
        }
        (Err(error), _) => Err(SiteError::Secret { listener: Arc::clone(&listener.name), error }),
    }
}

/// The mechanisms that a listener offers without and with TLS, strongest first.
fn mechanisms(
    settings: &Settings,
    listener: &config::Listener,
    kept: SecretsKept,
) -> (Vec<&'static str>, Vec<&'static str>) {
    if listener.auth == AuthOffer::Never {
        return (Vec::new(), Vec::new());
    }
    let is_set = |mechanism: &Mechanism| {
        is_usable(*mechanism, kept) && settings.auth.mechanisms.iter().any(|name| name == mechanism.name())
    };
    let names = |offered: fn(Mechanism, AuthOffer) -> bool| {
        let offered = Mechanism::ALL.into_iter().filter(is_set).filter(|mechanism| offered(*mechanism, listener.auth));
        offered.map(Mechanism::name).collect()
    };
    // -PLUS binds to the TLS channel, so there is nothing to offer without it.
    let in_clear = names(|mechanism, auth| {
        mechanism != Mechanism::ScramSha256Plus && (auth == AuthOffer::Always || !mechanism.is_plaintext())
    });
    // CRAM-MD5 is for devices without TLS. Under TLS many clients would choose it before PLAIN and fail, since only
    // devices have a secret for it.
    let under_tls = names(|mechanism, _| mechanism != Mechanism::CramMd5);
    (in_clear, under_tls)
}

fn smtp_config(settings: &Settings, listener: &config::Listener, kept: SecretsKept) -> ServerConfig {
    let limits = &settings.limits;
    let (clear, under_tls) = mechanisms(settings, listener, kept);
    let auth = match (clear.is_empty(), under_tls.is_empty()) {
        (_, true) => smtp::server::AuthOffer::Never,
        (true, false) => smtp::server::AuthOffer::UnderTls,
        (false, false) => smtp::server::AuthOffer::Always,
    };
    let flavour = if listener.protocol.is_submission() { Flavour::Submission } else { Flavour::Mx };
    ServerConfig {
        hostname: settings.hostname.clone(),
        software: "Sekisho".to_owned(),
        limits: Limits {
            command_line_octets: limits.command_line_octets,
            text_line_octets: limits.text_line_octets,
            message_octets: limits.message_octets,
            recipients: limits.recipients,
            errors: limits.errors,
            unknown_commands: limits.unknown_commands,
            auth_failures: limits.auth_failures,
            messages: limits.messages_per_session,
            command_timeout: limits.command_timeout,
            data_timeout: limits.data_timeout,
            session_timeout: limits.session_timeout,
            body_chunk_octets: limits.body_chunk_octets,
        },
        offer: Offer {
            starttls: listener.tls != TlsOffer::Off && !listener.protocol.implicit_tls(),
            auth,
            auth_mechanisms_clear: clear,
            auth_mechanisms_tls: under_tls,
            auth_form: if settings.auth.ehlo_equals { AuthForm::AlsoEquals } else { AuthForm::Standard },
            auth_required: listener.auth_required,
            tls_required: listener.tls == TlsOffer::Required && !listener.protocol.implicit_tls(),
        },
        flavour,
        default_domain: settings.domains.default.clone(),
        syntax: if listener.strict { Syntax::Strict } else { Syntax::Lenient },
    }
}

fn pop3_config(settings: &Settings, listener: &config::Listener, kept: SecretsKept) -> pop3::Config {
    let limits = &settings.limits;
    let (clear, under_tls) = mechanisms(settings, listener, kept);
    pop3::Config {
        software: "Sekisho".to_owned(),
        limits: pop3::Limits {
            errors: limits.errors,
            auth_failures: limits.auth_failures,
            idle_timeout: limits.pop3_timeout,
            ..pop3::Limits::default()
        },
        offer: pop3::Offer {
            stls: listener.tls != TlsOffer::Off && !listener.protocol.implicit_tls(),
            user_pass: match listener.auth {
                AuthOffer::Never => pop3::PlainText::Never,
                AuthOffer::Tls => pop3::PlainText::UnderTls,
                AuthOffer::Always => pop3::PlainText::Always,
            },
            auth_mechanisms_clear: clear,
            auth_mechanisms_tls: under_tls,
        },
    }
}
