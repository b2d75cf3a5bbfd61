//! Who may tell of logins at other servers, and what may not be granted whoever tells.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use drac::allow::Allow;
use guard::never_granted::{Loopback, NeverGranted};
use tracing::warn;

use super::gateways;
use config::Drac;

/// `dracd.allow` is small; more is no such file.
const ALLOW_OCTETS_MAX: u64 = 1 << 20;

/// Who may tell of logins at other servers, and which addresses are nobody's.
#[derive(Debug)]
pub struct Outside {
    /// The servers that may add by DRAC.
    pub allow: Allow,
    /// Addresses that are never granted when another server names them.
    pub never: NeverGranted,
}

impl Outside {
    /// Reads the allow list and asks the system for its gateways.
    pub fn load(drac: &Drac) -> Result<Self, String> {
        let loopback = if drac.loopback { Loopback::Granted } else { Loopback::Refused };
        let never = NeverGranted::new(loopback, default_gateways().into_iter().chain(drac.never.iter().copied()));
        let Some(path) = &drac.allow else { return Ok(Self { allow: Allow::loopback_only(), never }) };
        let loaded = read_allow(path)?;
        for warning in &loaded.warnings {
            warn!(%warning, "dracd.allow");
        }
        Ok(Self { allow: loaded.allow, never })
    }
}

/// Reads a `dracd.allow`.
pub fn read_allow(path: &Path) -> Result<drac::allow::Loaded, String> {
    let name = path.display().to_string();
    let octets = fs::metadata(path).map_err(|error| format!("{name}: {error}"))?.len();
    if octets > ALLOW_OCTETS_MAX {
        return Err(format!("{name}: {octets} octets are no allow list; at most {ALLOW_OCTETS_MAX}"));
    }
    let text = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
    Allow::parse(&name, &text).map_err(|error| error.to_string())
}

/// Behind a container's or a home router's gateway is everybody.
pub fn default_gateways() -> Vec<IpAddr> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut found = gateways::ipv4(&read("/proc/net/route"));
    found.extend(gateways::ipv6(&read("/proc/net/ipv6_route")));
    found
}
