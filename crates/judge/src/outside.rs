//! Who may tell of logins at other servers, and where this machine stands, which says whose address proves nobody.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use drac::allow::Allow;
use guard::never_granted::Here;
use tracing::warn;

use super::gateways;
use config::Drac;

/// `dracd.allow` is small; more is no such file.
const ALLOW_OCTETS_MAX: u64 = 1 << 20;

/// The kernel's table of a router with all the Internet's routes is larger than this, and no place for a mail server.
const ROUTES_OCTETS_MAX: u64 = 16 << 20;
/// One alarm about a gateway in so many seconds: a mail client behind it may log in every minute.
const ALARM_EVERY_SECS: u64 = 60;

/// Who may tell of logins at other servers.
#[derive(Debug)]
pub struct Outside {
    /// The servers that may add by DRAC.
    pub allow: Allow,
    /// When the last alarm was given, in seconds since 1970.
    alarmed: AtomicU64,
}

impl Outside {
    /// Reads the allow list.
    pub fn load(drac: &Drac) -> Result<Self, String> {
        let alarmed = AtomicU64::new(0);
        let Some(path) = &drac.allow else { return Ok(Self { allow: Allow::loopback_only(), alarmed }) };
        let loaded = read_allow(path)?;
        for warning in &loaded.warnings {
            warn!(%warning, "dracd allow");
        }
        Ok(Self { allow: loaded.allow, alarmed })
    }

    /// Whether an alarm is due; it is given by whoever is told so.
    pub fn alarm_is_due(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let last = self.alarmed.load(Ordering::Relaxed);
        // A clock that was set back must not silence it.
        let due = now >= last.saturating_add(ALARM_EVERY_SECS) || now < last;
        due && self.alarmed.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Reads a `dracd.allow`.
pub fn read_allow(path: &Path) -> Result<drac::allow::Loaded, String> {
    let name = path.display().to_string();
    let text = keep::read(path, ALLOW_OCTETS_MAX, keep::Accepts::RegularFile);
    let text = text.map_err(|error| format!("{name}: {error}"))?;
    Allow::parse(&name, &text).map_err(|error| error.to_string())
}

/// Where this machine stands: behind a container's or a home router's gateway is everybody.
pub fn here() -> Here {
    let mut gateways = gateways::ipv4(&of_kernel("/proc/net/route"));
    gateways.extend(gateways::ipv6(&of_kernel("/proc/net/ipv6_route")));
    let mut own = gateways::own_ipv4(&of_kernel("/proc/net/fib_trie"));
    own.extend(gateways::own_ipv6(&of_kernel("/proc/net/if_inet6")));
    Here { gateways, own }
}

/// What the kernel tells; empty where it does not (no IPv6, another system).
fn of_kernel(path: &str) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(ROUTES_OCTETS_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => text,
        Err(_) => String::new(),
    }
}
