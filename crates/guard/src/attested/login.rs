//! Who authenticated, and the bounds of the device by which he did.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use smtp::address::{Domain, ForwardPath, Host, Mailbox};

/// Who authenticated by SMTP AUTH, asked anew at each command.
/// ```compile_fail,E0451
/// let forged = guard::Login { login: "alice@example.test".into(), device: None };
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Login {
    #[serde(serialize_with = "name_of_login")]
    login: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<Arc<Device>>,
}

/// The device whose secret was used, with what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its name within the account.
    pub name: String,
    /// What it logs in with; its messages are counted under it.
    pub login: String,
    /// The only reverse-path it may use; `None`: any of the account's.
    #[serde(serialize_with = "text_of_path", skip_serializing_if = "Option::is_none")]
    pub reverse_path: Option<Mailbox>,
    /// To whom it may send.
    pub scope: RecipientScope,
    /// Messages that it may send in an hour; `None`: no bound of its own.
    pub messages_per_hour: Option<u32>,
}

/// To whom a device may send. Recipients hosted here are always within it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipientScope {
    /// Anybody.
    Anyone,
    /// Only recipients hosted here.
    HostedOnly,
    /// Also these domains, not their subdomains.
    Domains(#[serde(serialize_with = "texts_of_domains")] Vec<Domain>),
}

fn name_of_login<S: Serializer>(login: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(login)
}

#[expect(clippy::ref_option, reason = "as serde hands it")]
fn text_of_path<S: Serializer>(path: &Option<Mailbox>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(ToString::to_string).serialize(serializer)
}

fn texts_of_domains<S: Serializer>(domains: &[Domain], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(domains.iter().map(Domain::as_str))
}

impl Login {
    /// The caller vouches that this login passed SMTP AUTH, in this very session or at the mail server that asks, and may
    /// still log in. `login` is the directory's form.
    pub fn attest_authenticated(login: Arc<str>, device: Option<Arc<Device>>) -> Self {
        Self { login, device }
    }

    /// The account.
    pub fn login(&self) -> &str {
        &self.login
    }

    /// The device.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_deref()
    }
}

impl RecipientScope {
    /// Whether a recipient that is not hosted here is within it.
    pub(crate) fn holds(&self, path: &ForwardPath) -> bool {
        match self {
            Self::Anyone => true,
            Self::HostedOnly => false,
            Self::Domains(domains) => match path.mailbox().map(|mailbox| &mailbox.host) {
                Some(Host::Domain(domain)) => domains.contains(domain),
                _ => false,
            },
        }
    }
}
