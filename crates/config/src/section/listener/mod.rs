//! `[[listener]]`: where and how a peer is met.

mod bind;
mod check;
mod hosts;
mod offer;
mod peers;

pub use hosts::ListedClients;
pub use offer::{AuthOffer, Protocol, RelayMode, TlsOffer};

use super::permissions::Permissions;
use crate::reading::Reading;
use crate::value::count;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// `[[listener]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Listener", deny_unknown_fields)]
pub struct WrittenListener {
    /// Name in the log and for `--set listener.NAME.KEY=VALUE`; each name once. Required.
    pub name: String,
    /// Protocol of the listener. Required.
    pub protocol: Protocol,
    /// Addresses: `ADDRESS:PORT`, `[ADDRESS]:PORT` for IPv6. `[::]:PORT` is IPv6 only; give `0.0.0.0:PORT` beside it. The
    /// interfaces for other mail servers (`policy`, `socketmap`, `milter`, `dovecot-auth`) also listen at `unix:PATH`. Required.
    #[schemars(length(min = 1))]
    pub bind: Vec<String>,
    /// Networks that may connect at all. Default `[]`: everybody. The interfaces for other mail servers believe what these say
    /// about a client: there the default is loopback, and no network may be wider than in `relay.networks`.
    #[serde(default)]
    pub peers: Vec<String>,
    /// For SMTP and POP3: clients that may connect even if `deny` names them. Each entry is a client list as in hosts.allow of
    /// TCP wrappers: `192.0.2.`, `198.51.100.0/255.255.255.0`, `[2001:db8::]/32`, `.example.com`, `LOCAL`, `KNOWN`, `UNKNOWN`,
    /// `ALL`, `… EXCEPT …`. A name counts only if DNS confirms it both ways. Default `[]`.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Clients that may not connect, in the same form; they get 554. `["ALL"]`: only the clients of `allow` may connect. If that
    /// depends on a name that cannot be looked up now, the client gets 421. Default `[]`.
    #[serde(default)]
    pub deny: Vec<String>,
    /// For `policy`, `milter` and `socketmap`: who decides about relaying. `"permit"`: this server; for a grant it answers OK.
    /// Without a grant it refuses a recipient if the mail server says that it does not have it: by `policy_context=foreign`, or
    /// to a milter by a mailer that is not its own (`local`, `virtual`, `lmtp`). In Postfix the policy service must then come
    /// before `reject_unauth_destination`. `"restrict"`: the mail server that asks decides; Sekisho only refuses. Default
    /// `"restrict"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<RelayMode>,
    /// For `auth-policy`: file with the secret that every request must contain, in its first line; at least 16 characters, not
    /// readable by others. Dovecot sends it by `auth_policy_server_api_header = X-API-Key: SECRET`. Required there. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<String>,
    /// Who else may read `secret_file`: nobody, or `"any"` if a container mounts it so. Default `"owner"`.
    #[serde(default)]
    pub permissions: Permissions,
    /// For `auth-policy`: further names of this host in `auth_policy_server_url`. Its addresses, `localhost`, `hostname` and
    /// names without a dot are known; a request for another name is refused. Default `[]`.
    #[serde(default)]
    pub host_names: Vec<String>,
    /// Permissions of the `unix:` sockets, octal. Default `"0660"`.
    #[serde(default = "socket_mode")]
    pub socket_mode: String,
    /// When a login is offered: never, only under TLS (plain-text mechanisms) or always. Default `"never"` for `smtp`, `"tls"`
    /// for the others; mechanisms that do not send the password are offered without TLS too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthOffer>,
    /// Whether mail is accepted only after a login. Default `true` for `submission` and `submissions`, otherwise `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_required: Option<bool>,
    /// Whether STARTTLS (STLS) is offered, or required before anything else. Default `"offered"` if `[tls]` has a certificate,
    /// otherwise `"off"`. Protocols that end in `s` begin with TLS and ignore this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOffer>,
    /// Proxies that must begin with a PROXY protocol header (v1 or v2); nobody else may send one. The address in the header is
    /// the client, and never inherits the proxy's own rights. The networks must be as narrow as in `relay.networks`. Default
    /// `[]`.
    #[serde(default)]
    pub proxy_from: Vec<String>,
    /// Clients that may use XCLIENT. Each XCLIENT must name an address, which does not inherit the proxy's own rights; after a
    /// PROXY header nobody may use it. The networks must be as narrow as in `relay.networks`. Default `[]`.
    #[serde(default)]
    pub xclient_from: Vec<String>,
    /// Connections at a time; further ones get 421. 1 to 1,000,000. Default 10,000.
    #[serde(default = "connections_max")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_max: u32,
    /// Connections at a time of one client: an IPv4 address or an IPv6 /64; with a PROXY header, the address in it. 1 to
    /// 1,000,000. Default 100.
    #[serde(default = "connections_per_client_max")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_client_max: u32,
    /// Wait before the greeting of SMTP, in milliseconds: a client that speaks before the greeting is not a mail server, and gets
    /// 554. A client that waited and behaved is greeted at once for 30 days. 0 to 60,000. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 60_000))]
    pub greet_pause_ms: u32,
    /// For SMTP: accept commands only exactly as in RFC 5321. Without it a path may be without brackets or contain blanks, tabs
    /// and several blanks may separate words, and EHLO may have any text: copiers, RAID cards and old programs send such
    /// commands. The recipient is unambiguous in both cases. Default `false`.
    #[serde(default)]
    pub strict: bool,
    /// For SMTP: after a login, leave the address and the name of the client out of the `Received:` of its mail, so that
    /// recipients do not learn where a user is. The log and the records still contain them. Default `false`.
    #[serde(default)]
    pub hide_client: bool,
}

fn socket_mode() -> String {
    "0660".to_owned()
}

fn connections_max() -> u32 {
    10_000
}

fn connections_per_client_max() -> u32 {
    100
}

/// `[[listener]]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Listener {
    pub name: Arc<str>,
    pub protocol: Protocol,
    pub bind: Vec<SocketAddr>,
    /// The `unix:` sockets, and their permissions.
    pub unix: Vec<PathBuf>,
    pub socket_mode: u32,
    /// Empty: everybody.
    pub peers: Vec<IpNet>,
    pub allow: Vec<ListedClients>,
    pub deny: Vec<ListedClients>,
    pub relay: RelayMode,
    pub secret_file: Option<PathBuf>,
    pub permissions: Permissions,
    /// In lower case.
    pub host_names: Vec<String>,
    pub auth: AuthOffer,
    pub auth_required: bool,
    pub tls: TlsOffer,
    pub proxy_from: Vec<IpNet>,
    pub xclient_from: Vec<IpNet>,
    pub connections_max: usize,
    pub connections_per_client_max: usize,
    pub greet_pause: Duration,
    pub strict: bool,
    pub hide_client: bool,
}

/// Whether `[tls]` names a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificate {
    Given,
    Missing,
}

/// All of `[[listener]]`, as meant.
pub(crate) fn meant(written: &[WrittenListener], certificate: Certificate, reading: &mut Reading<'_>) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for (index, entry) in written.iter().enumerate() {
        let path = format!("listener[{index}]");
        let listener = entry.meant(certificate, &path, reading);
        check::certificate(entry, certificate, &path, reading);
        check::protocol(&listener, &path, reading);
        check::others(&listener, &listeners, &path, reading);
        listeners.push(listener);
    }
    listeners
}

impl WrittenListener {
    fn meant(&self, certificate: Certificate, path: &str, reading: &mut Reading<'_>) -> Listener {
        let protocol = self.protocol;
        let bound = bind::meant(&self.bind, protocol, path, reading);
        Listener {
            name: self.name.as_str().into(),
            protocol,
            bind: bound.inet,
            unix: bound.unix,
            socket_mode: bind::socket_mode(&self.socket_mode, path, reading),
            peers: peers::meant(&self.peers, protocol, path, reading),
            allow: hosts::meant(&self.allow, &format!("{path}.allow"), reading),
            deny: hosts::meant(&self.deny, &format!("{path}.deny"), reading),
            relay: self.relay.unwrap_or(RelayMode::Restrict),
            secret_file: self.secret_file.as_ref().map(|file| reading.below(file)),
            permissions: self.permissions,
            host_names: self.host_names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            auth: self.auth.unwrap_or(protocol.default_auth()),
            auth_required: self.auth_required.unwrap_or(protocol.is_submission()),
            tls: self.tls.unwrap_or(match certificate {
                Certificate::Given if !protocol.is_interface() => TlsOffer::Offered,
                _ => TlsOffer::Off,
            }),
            proxy_from: peers::trusted(&self.proxy_from, &format!("{path}.proxy_from"), reading),
            xclient_from: peers::trusted(&self.xclient_from, &format!("{path}.xclient_from"), reading),
            connections_max: count(self.connections_max),
            connections_per_client_max: count(self.connections_per_client_max),
            greet_pause: Duration::from_millis(self.greet_pause_ms.into()),
            strict: self.strict,
            hide_client: self.hide_client,
        }
    }
}
