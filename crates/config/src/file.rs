//! The whole file: its sections, and the keys before the first of them.
//!
//! What is written is [`File`], what it means [`Settings`]; each section has both in its own module. The doc comment of a written
//! field is its entry in `sekisho config reference` and in `sekisho.toml(5)`; the attributes beside it are what
//! `sekisho config schema` and the checker go by.

use crate::reading::Reading;
use crate::restart::Restart;
use crate::section::access::{self, Access, WrittenAccess};
use crate::section::account::{Account, WrittenAccount};
use crate::section::admin::{Admin, WrittenAdmin};
use crate::section::alarms::{Alarms, WrittenAlarms};
use crate::section::auth::{Auth, WrittenAuth};
use crate::section::delivery::{Delivery, WrittenDelivery};
use crate::section::directory::{Directory, WrittenDirectory};
use crate::section::dns::{Dns, WrittenDns};
use crate::section::dnsbl::{self, Dnsbl, WrittenDnsbl};
use crate::section::domains::{Domains, WrittenDomains};
use crate::section::guard::{Guard, WrittenGuard};
use crate::section::limits::{Limits, WrittenLimits};
use crate::section::listener::{self, Certificate, Listener, WrittenListener};
use crate::section::log::{Log, WrittenLog};
use crate::section::metrics::{Metrics, WrittenMetrics};
use crate::section::records::{Records, WrittenRecords};
use crate::section::relay::{Relay, WrittenRelay};
use crate::section::spool::{Spool, WrittenSpool};
use crate::section::state::{State, WrittenState};
use crate::section::tls::{Tls, WrittenTls};
use crate::section::watch::{self, Watch, WrittenWatch};
use crate::value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc};

/// The configuration of a Sekisho server.
///
/// A relative path is meant from `data_dir`. Sizes are in octets, times in the unit that ends the key's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Name of this server in its greeting, in `Received:` and in reports: a fully qualified domain name that resolves to
    /// this host. Required.
    pub hostname: String,
    /// Folder for everything that the server stores; a relative path starts at the folder of the configuration file.
    /// Default `"/var/lib/sekisho"`.
    #[serde(default = "data_dir")]
    pub data_dir: String,
    /// Domains for which the server accepts mail. Domains with accounts are in the directory (`sekisho domain add`).
    #[serde(default)]
    pub domains: WrittenDomains,
    /// Where the server listens. A service without a `[[listener]]` does not listen.
    #[serde(default)]
    pub listener: Vec<WrittenListener>,
    /// Certificate for STARTTLS, submissions and POP3S. Without it no listener offers TLS.
    #[serde(default)]
    pub tls: WrittenTls,
    /// Who may relay, that is: send mail to domains of other servers. Nobody, unless you write it here.
    #[serde(default)]
    pub relay: WrittenRelay,
    /// Maps with entries that refuse, in the order in which they are asked. They are asked at RCPT, when everything is known.
    #[serde(default)]
    pub access: Vec<WrittenAccess>,
    /// What counts against strangers that write to recipients of this server: rules with weights, and what happens from which score on.
    #[serde(default)]
    pub guard: WrittenGuard,
    /// Logs of other POP and IMAP servers with their logins, if you cannot change anything at those servers.
    #[serde(default)]
    pub watch: Vec<WrittenWatch>,
    /// Limits on what a peer may cost. Each has its own reply.
    #[serde(default)]
    pub limits: WrittenLimits,
    /// Logins: mechanisms, password hashing, the throttle of failed attempts.
    #[serde(default)]
    pub auth: WrittenAuth,
    /// The accounts.
    #[serde(default)]
    pub directory: WrittenDirectory,
    /// Login records and rates: the basis of relay decisions.
    #[serde(default)]
    pub state: WrittenState,
    /// The durable queue: the server answers 250 when a mail is here.
    #[serde(default)]
    pub spool: WrittenSpool,
    /// Where mail goes from the queue.
    #[serde(default)]
    pub delivery: WrittenDelivery,
    /// Name servers.
    #[serde(default)]
    pub dns: WrittenDns,
    /// DNS lists that are asked about strangers who send to recipients of this server. None by default.
    #[serde(default)]
    pub dnsbl: Vec<WrittenDnsbl>,
    /// The log: one line per event.
    #[serde(default)]
    pub log: WrittenLog,
    /// Decision records: why each recipient was accepted or refused.
    #[serde(default)]
    pub records: WrittenRecords,
    /// The admin API: `sekisho user`, `grant`, `queue` and `reload` use it to talk to the running server.
    #[serde(default)]
    pub admin: WrittenAdmin,
    /// What users of this machine may do with their own account, by `sekisho passwd` and `sekisho account`.
    #[serde(default)]
    pub account: WrittenAccount,
    /// Numbers for Prometheus, and health checks.
    #[serde(default)]
    pub metrics: WrittenMetrics,
    /// Who gets alarms, and when; the log has every alarm.
    #[serde(default)]
    pub alarms: WrittenAlarms,
}

fn data_dir() -> String {
    "/var/lib/sekisho".to_owned()
}

/// Everything the server was told.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each section is told at its key above")]
pub struct Settings {
    /// Name of the configuration file, as it was given.
    pub file: Arc<str>,
    /// Which configuration it is: the first 16 digits of the SHA-256 of what `sekisho config show` prints.
    pub fingerprint: Arc<str>,
    pub hostname: String,
    pub data_dir: PathBuf,
    pub domains: Domains,
    pub listeners: Vec<Listener>,
    /// `None`: no certificate, and so no TLS.
    pub tls: Option<Tls>,
    pub relay: Relay,
    pub access: Vec<Access>,
    pub guard: Guard,
    pub watch: Vec<Watch>,
    pub limits: Limits,
    pub auth: Auth,
    pub directory: Directory,
    pub state: State,
    pub spool: Spool,
    pub delivery: Delivery,
    pub dns: Dns,
    pub dnsbl: Vec<Dnsbl>,
    pub log: Log,
    pub records: Records,
    pub admin: Admin,
    pub account: Account,
    pub metrics: Metrics,
    pub alarms: Alarms,
}

impl File {
    /// A text that says the same, each key with its value; ends with a line break.
    pub fn text(&self) -> Result<String, toml::ser::Error> {
        Ok(toml::to_string_pretty(self)?.trim_end().to_owned() + "\n")
    }

    fn fingerprint(&self) -> Arc<str> {
        use sha2::Digest as _;
        let sum = sha2::Sha256::digest(self.text().unwrap_or_default());
        keep::text::hex(&sum[..8]).into()
    }

    /// What the file means. With a mistake in `reading`, the result is only fit to be thrown away.
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Settings {
        let tls = self.tls.meant(reading);
        let certificate = if tls.is_some() { Certificate::Given } else { Certificate::Missing };
        let dnsbl = dnsbl::meant(&self.dnsbl, reading);
        self.guard.check_lists(&dnsbl, reading);
        let domains = self.domains.meant(reading);
        let postmaster = domains.postmaster.as_ref().map(ToString::to_string);
        Settings {
            file: reading.position("hostname").file,
            fingerprint: self.fingerprint(),
            hostname: self.hostname(reading),
            data_dir: reading.data_dir.clone(),
            domains,
            listeners: listener::meant(&self.listener, certificate, reading),
            tls,
            relay: self.relay.meant(reading),
            access: access::meant(&self.access, reading),
            guard: self.guard.meant(reading),
            watch: watch::meant(&self.watch, reading),
            limits: self.limits.meant(reading),
            auth: self.auth.meant(reading),
            directory: self.directory.meant(reading),
            state: self.state.meant(reading),
            spool: self.spool.meant(reading),
            delivery: self.delivery.meant(reading),
            dns: self.dns.meant(reading),
            dnsbl,
            log: self.log.meant(reading),
            records: self.records.meant(reading),
            admin: self.admin.meant(reading),
            account: self.account.meant(reading),
            metrics: self.metrics.meant(reading),
            alarms: self.alarms.meant(postmaster, reading),
        }
    }

    fn hostname(&self, reading: &mut Reading<'_>) -> String {
        let name = reading.parsed("hostname", value::host_name(&self.hostname));
        name.map(|name| name.as_str().to_owned()).unwrap_or_default()
    }
}

impl Settings {
    /// The keys in which `new` differs and which are read at the start only. Everything else is taken over by a reload.
    pub fn needing_a_restart(&self, new: &Self) -> Vec<&'static str> {
        let mut restart = Restart::default();
        restart.compare("hostname", &self.hostname, &new.hostname);
        restart.compare("data_dir", &self.data_dir, &new.data_dir);
        self.directory.needing_a_restart(&new.directory, &mut restart);
        self.state.needing_a_restart(&new.state, &mut restart);
        self.records.needing_a_restart(&new.records, &mut restart);
        self.admin.needing_a_restart(&new.admin, &mut restart);
        self.account.needing_a_restart(&new.account, &mut restart);
        self.metrics.needing_a_restart(&new.metrics, &mut restart);
        self.dns.needing_a_restart(&new.dns, &mut restart);
        self.relay.needing_a_restart(&new.relay, &mut restart);
        self.auth.needing_a_restart(&new.auth, &mut restart);
        self.spool.needing_a_restart(&new.spool, &mut restart);
        self.delivery.needing_a_restart(&new.delivery, &mut restart);
        restart.keys()
    }
}
