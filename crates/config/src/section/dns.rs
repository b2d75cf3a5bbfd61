//! `[dns]`: name servers.

use crate::reading::Reading;
use crate::restart::Restart;
use crate::value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, time::Duration};

/// `[dns]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Dns", deny_unknown_fields, default)]
pub struct WrittenDns {
    /// Name servers, `ADDRESS` or `ADDRESS:PORT`. Default `[]`: those of `/etc/resolv.conf`.
    pub servers: Vec<String>,
    /// How long one look-up may take before its answer is "unknown", in milliseconds. 100 to 60,000. Default 5,000.
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u32,
}

impl Default for WrittenDns {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout_ms: 5_000 }
    }
}

/// `[dns]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// Empty: those of the system.
    pub servers: Vec<SocketAddr>,
    /// Longest wait for one look-up.
    pub timeout: Duration,
}

impl WrittenDns {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Dns {
        let servers = reading.each("dns.servers", &self.servers, |text| value::socket_addr(text, Some(53)));
        Dns { servers, timeout: Duration::from_millis(self.timeout_ms.into()) }
    }
}

impl Dns {
    pub(crate) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("dns.servers", &self.servers, &new.servers);
        restart.compare("dns.timeout_ms", &self.timeout, &new.timeout);
    }
}
