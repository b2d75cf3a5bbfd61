//! `[metrics]`: numbers for Prometheus and others, and whether the server is well.

use crate::reading::Reading;
use crate::restart::Restart;
use crate::value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// `[metrics]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Metrics", deny_unknown_fields, default)]
pub struct WrittenMetrics {
    /// Addresses, `ADDRESS:PORT`, for `/metrics`, `/healthz` and `/readyz` over HTTP. Everybody who can connect can read them:
    /// they name no user, no domain and no client, but tell how busy the server is. Default `[]`: none.
    pub bind: Vec<String>,
}

/// `[metrics]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// Where it is answered.
    pub bind: Vec<SocketAddr>,
}

impl WrittenMetrics {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Metrics {
        Metrics { bind: reading.each("metrics.bind", &self.bind, |text| value::socket_addr(text, None)) }
    }
}

impl Metrics {
    pub(crate) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("metrics.bind", &self.bind, &new.bind);
    }
}
