//! By what is judged: made whole from the settings and the files that they name, replaced whole by a reload.

use std::io;
use std::path::Path;
use std::sync::Arc;

use guard::never_granted::Here;
use guard::suspicion::exempt::Who;
use guard::{ConfigLine, Policy, RelayPolicy, Suspicion};
use smtp::Domain;
use tracing::warn;

use super::gateways;
use super::outside::{self, Outside};
use super::tables::Tables;
use config::Settings;

/// Longest file of exempted clients, in octets.
const EXEMPT_OCTETS_MAX: u64 = 16 << 20;

/// One configuration, as judging and logins go by it.
#[derive(Debug)]
pub struct Terms {
    /// The settings they were made from.
    pub settings: Arc<Settings>,
    /// Who may relay through our own listeners.
    pub policy: Policy,
    /// The same for the mail servers that ask us, whose own domains are no relaying either.
    pub mta_policy: Policy,
    /// Who may tell of logins at other servers.
    pub outside: Outside,
    /// Access maps, and what the files of other mail servers give.
    pub tables: Tables,
}

/// Why a configuration that reads well cannot be gone by.
#[derive(Debug, thiserror::Error)]
pub enum TermsError {
    /// It would relay for strangers.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Dangers(Vec<guard::Danger>),
    /// A map cannot be read.
    #[error("{}", .0.join("\n"))]
    Maps(Vec<String>),
}

impl Terms {
    /// Reads the files that the settings name. A mistake in one, or an entry that would relay for strangers, refuses the whole
    /// configuration.
    /// `version` tells this configuration from those before it in the same process.
    pub fn new(settings: Arc<Settings>, version: u64) -> Result<Self, TermsError> {
        Self::in_place(settings, version, &outside::here())
    }

    /// The same for a machine that stands here.
    pub fn in_place(settings: Arc<Settings>, version: u64, here: &Here) -> Result<Self, TermsError> {
        let tables = Tables::load(&settings).map_err(TermsError::Maps)?;
        let outside = Outside::load(&settings.relay.drac).map_err(|mistake| TermsError::Maps(vec![mistake]))?;
        let relay = settings.relay_policy(&tables.entries, here).map_err(TermsError::Dangers)?;
        tell_of_gateways(&relay, here);
        let rules = Arc::new(tables.rules());
        let exempted = exempted(&settings.guard.exempt_file).map_err(TermsError::Maps)?;
        let suspicion = Arc::new(suspicion(&settings, exempted));
        let policy = Policy { relay, rules: Arc::clone(&rules), suspicion: Arc::clone(&suspicion), version };
        let relay = settings.beside_policy(&tables.entries, here).map_err(TermsError::Dangers)?;
        let mta_policy = Policy { relay, rules, suspicion, version };
        Ok(Self { settings, policy, mta_policy, outside, tables })
    }
}

/// What is held against strangers, and against whom not.
fn suspicion(settings: &Settings, exempted: Vec<(Who, ConfigLine)>) -> Suspicion {
    let mut exempt = settings.guard.exempt.clone();
    for (who, line) in exempted {
        exempt.add(&who, line);
    }
    let own_names = Domain::parse(&settings.hostname).into_iter().collect();
    let lists = settings.dnsbl.iter().map(|list| Arc::clone(&list.name)).collect();
    Suspicion { rules: settings.guard.rules.clone(), exempt, lists, own_names }
}

/// Clients against whom nothing is held, as the file has them that a command writes. Most servers have none.
pub fn exempted(path: &Path) -> Result<Vec<(Who, ConfigLine)>, Vec<String>> {
    let name = path.display().to_string();
    match keep::read(path, EXEMPT_OCTETS_MAX, keep::Accepts::RegularFile) {
        Ok(octets) => config::section::guard::exempted(&name, &String::from_utf8_lossy(&octets)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(vec![format!("{name}: {error}")]),
    }
}

/// A network around a gateway is a site's own; whoever comes through the gateway is not.
fn tell_of_gateways(relay: &RelayPolicy, here: &Here) {
    for gateway in &here.gateways {
        if let Some((network, line)) = relay.networks_around(*gateway).next() {
            warn!(%gateway, %network, %line, note = "a relay network holds the default gateway, which itself may not relay", "gateway excepted");
        }
    }
    for typical in gateways::TYPICAL {
        let gateway = typical.address.into();
        if !here.gateways.contains(&gateway)
            && let Some((network, line)) = relay.networks_around(gateway).next()
        {
            warn!(%gateway, %network, %line, bridge = typical.of, note = "if it is a bridge, everybody outside may come by this address", "gateway suspected");
        }
    }
}
