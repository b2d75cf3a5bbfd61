//! `[delivery.smarthost]`: the one host that all mail to other domains goes to.

use crate::reading::Reading;
use crate::section::permissions::Permissions;
use crate::value::{self, HostPort};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[delivery.smarthost]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Smarthost", deny_unknown_fields)]
pub struct WrittenSmarthost {
    /// Its name or address. Required.
    pub host: String,
    /// Its port. 1 to 65,535. Default 587.
    #[serde(default = "smarthost_port")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: u16,
    /// TLS: never, if offered, STARTTLS required, or from the first octet. Default `"starttls"`.
    #[serde(default)]
    pub tls: SmarthostTls,
    /// Login at the smarthost. Default none: no login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password in its first line, not readable by others. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// Who else may read `password_file`: nobody, or `"any"` if a container mounts it so. Default `"owner"`.
    #[serde(default)]
    pub permissions: Permissions,
    /// Mechanism of the login: `SCRAM-SHA-256`, `CRAM-MD5`, `PLAIN` or `LOGIN`. Default none: the strongest that is offered;
    /// `PLAIN` and `LOGIN` only under TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
}

fn smarthost_port() -> u16 {
    587
}

/// `delivery.smarthost.tls`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SmarthostTls {
    /// Never.
    Off,
    /// If it is offered; the certificate is not checked.
    Offered,
    /// By STARTTLS, certificate checked, or nothing is sent.
    #[default]
    Starttls,
    /// From the first octet, certificate checked.
    Implicit,
}

/// `[delivery.smarthost]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smarthost {
    /// The host.
    pub address: HostPort,
    /// TLS with it.
    pub tls: SmarthostTls,
    /// Login there.
    pub login: Option<SmarthostLogin>,
}

/// Login at the smarthost; the password stays in its file until it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmarthostLogin {
    /// The user.
    pub user: String,
    /// File whose first line is the password.
    pub password_file: PathBuf,
    /// Who else may read it.
    pub permissions: Permissions,
    /// Mechanism in upper case; `None` is the strongest that is offered.
    pub mechanism: Option<String>,
}

impl WrittenSmarthost {
    pub(super) fn meant(&self, reading: &mut Reading<'_>) -> Option<Smarthost> {
        let path = "delivery.smarthost";
        let host = value::host_port(&self.host, self.port);
        let HostPort { host, .. } = reading.parsed(&format!("{path}.host"), host)?;
        let mechanism = self.mechanism.as_ref();
        let mechanism = mechanism.and_then(|name| reading.parsed(&format!("{path}.mechanism"), value::mechanism(name)));
        let login = match (&self.user, &self.password_file) {
            (Some(user), Some(file)) => {
                let (user, password_file) = (user.clone(), reading.below(file));
                Some(SmarthostLogin { user, password_file, permissions: self.permissions, mechanism })
            }
            (None, None) => None,
            _ => {
                let message = "a login at the smarthost has `user` and `password_file`";
                reading.wrong(path, message, "give both, or neither");
                None
            }
        };
        let plain = login.as_ref().is_some_and(|it| matches!(it.mechanism.as_deref(), Some("PLAIN" | "LOGIN")));
        if plain && matches!(self.tls, SmarthostTls::Off | SmarthostTls::Offered) {
            let message = "the password would go over the net in the clear";
            reading.wrong(&format!("{path}.mechanism"), message, "tls = \"starttls\" or \"implicit\"");
        }
        Some(Smarthost { address: HostPort { host, port: self.port }, tls: self.tls, login })
    }
}
