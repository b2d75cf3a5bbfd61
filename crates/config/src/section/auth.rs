//! `[auth]`: logins.

use crate::reading::Reading;
use crate::restart::Restart;
use crate::value::{self, count, minutes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, time::Duration};

/// `[auth]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Auth", deny_unknown_fields, default)]
pub struct WrittenAuth {
    /// Mechanisms to offer, from `SCRAM-SHA-256-PLUS`, `SCRAM-SHA-256`, `CRAM-MD5`, `PLAIN`, `LOGIN`. `CRAM-MD5` is offered
    /// without TLS only: only devices have a password for it, and under TLS a client might choose it before `PLAIN`. Default
    /// `["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"]`.
    pub mechanisms: Vec<String>,
    /// Whether POP3 offers APOP (for devices). Default `true`.
    pub apop: bool,
    /// Memory of one argon2id, in KiB. A cheaper hash is replaced at the next login. 8,192 to 1,048,576. Default 19,456.
    #[schemars(range(min = 8_192, max = 1_048_576))]
    pub argon2_memory_kib: u32,
    /// Passes of one argon2id. 1 to 32. Default 2.
    #[schemars(range(min = 1, max = 32))]
    pub argon2_passes: u32,
    /// Password checks at a time; 0 is one a processor. 0 to 1,024. Default 0.
    #[schemars(range(min = 0, max = 1_024))]
    pub argon2_concurrency: u32,
    /// How long a checked password is remembered (as a keyed hash in memory), in minutes; 0 is not at all. 0 to 60. Default 10.
    #[schemars(range(min = 0, max = 60))]
    pub cache_minutes: u32,
    /// Different wrong guesses from one client address within `failure_minutes`, before it must wait. 1 to 10,000. Default 20.
    #[schemars(range(min = 1, max = 10_000))]
    pub failures_per_client: u32,
    /// Different wrong guesses at one account within `failure_minutes`, before logins to it must wait. 1 to 10,000. Default 50.
    #[schemars(range(min = 1, max = 10_000))]
    pub failures_per_account: u32,
    /// How long a wrong guess counts, in minutes. 1 to 1,440. Default 60.
    #[schemars(range(min = 1, max = 1_440))]
    pub failure_minutes: u32,
    /// Wait before a login from an address where one failed, in milliseconds; doubled with each further failure, up to 16 times
    /// and 2,500. A login from a network where it succeeded a short time ago does not wait. 0 to 10,000. Default 500.
    #[schemars(range(min = 0, max = 10_000))]
    pub failure_delay_ms: u32,
    /// Shortest password that may be set, in characters. One that is easy to guess is refused however long it is. 8 to 64. Default 8.
    #[schemars(range(min = 8, max = 64))]
    pub password_chars_min: u32,
    /// Addresses from which many users log in, for example of a webmail, a proxy or a health check: failures there count against
    /// the accounts alone, so that one user does not lock out the others. Default `[]`.
    pub shared_addresses: Vec<String>,
    /// Whether a login may be written `user%domain`, for clients that cannot send an at sign. Default `false`.
    pub percent_logins: bool,
    /// Whether EHLO lists the mechanisms a second time as `AUTH=LOGIN PLAIN`, for clients from before the standard. Default
    /// `false`.
    pub ehlo_equals: bool,
}

impl Default for WrittenAuth {
    fn default() -> Self {
        let mechanisms = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"];
        Self {
            mechanisms: mechanisms.map(str::to_owned).to_vec(),
            apop: true,
            argon2_memory_kib: 19_456,
            argon2_passes: 2,
            argon2_concurrency: 0,
            cache_minutes: 10,
            failures_per_client: 20,
            failures_per_account: 50,
            failure_minutes: 60,
            failure_delay_ms: 500,
            password_chars_min: 8,
            shared_addresses: Vec::new(),
            percent_logins: false,
            ehlo_equals: false,
        }
    }
}

/// `[auth]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Auth {
    /// Names in upper case, in the order of the file.
    pub mechanisms: Vec<String>,
    pub apop: bool,
    pub argon2_memory_kib: u32,
    pub argon2_passes: u32,
    /// At least 1.
    pub argon2_concurrency: usize,
    pub cache_lifetime: Duration,
    pub failures_per_client: u32,
    pub failures_per_account: u32,
    pub failure_lifetime: Duration,
    pub failure_delay: Duration,
    pub password_chars_min: usize,
    pub shared_addresses: Vec<IpAddr>,
    pub percent_logins: bool,
    pub ehlo_equals: bool,
}

impl WrittenAuth {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Auth {
        let mechanisms = reading.each("auth.mechanisms", &self.mechanisms, value::mechanism);
        let shared_addresses = reading.addresses("auth.shared_addresses", &self.shared_addresses);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Auth {
            mechanisms,
            apop: self.apop,
            argon2_memory_kib: self.argon2_memory_kib,
            argon2_passes: self.argon2_passes,
            argon2_concurrency: if self.argon2_concurrency == 0 { processors } else { count(self.argon2_concurrency) },
            cache_lifetime: minutes(self.cache_minutes),
            failures_per_client: self.failures_per_client,
            failures_per_account: self.failures_per_account,
            failure_lifetime: minutes(self.failure_minutes),
            failure_delay: Duration::from_millis(self.failure_delay_ms.into()),
            password_chars_min: count(self.password_chars_min),
            shared_addresses,
            percent_logins: self.percent_logins,
            ehlo_equals: self.ehlo_equals,
        }
    }
}

impl Auth {
    /// The throttle is made once; mechanisms and hashing follow a reload.
    pub(crate) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("auth.failures_per_client", &self.failures_per_client, &new.failures_per_client);
        restart.compare("auth.failures_per_account", &self.failures_per_account, &new.failures_per_account);
        restart.compare("auth.failure_minutes", &self.failure_lifetime, &new.failure_lifetime);
        restart.compare("auth.failure_delay_ms", &self.failure_delay, &new.failure_delay);
    }
}
