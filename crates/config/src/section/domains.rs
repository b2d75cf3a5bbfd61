//! `[domains]` and `[[domains.relay]]`: for whom mail is taken.

use crate::map_file::{self, MapFile};
use crate::reading::Reading;
use crate::source::Position;
use crate::value::{self, HostPort};
use maps::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smtp::address::{Domain, Mailbox};

/// `[domains]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Domains", deny_unknown_fields, default)]
pub struct WrittenDomains {
    /// Domain of a login that is typed without a domain (`alice` for `alice@example.net`). Default none: logins are full
    /// addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Address that gets the mail of `postmaster` in every domain of this server without an account or alias of that name (RFC
    /// 5321 §4.5.1 requires that somebody reads it). Default none: the mail is refused there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postmaster: Option<String>,
    /// Sign that begins the detail in `user+detail@example.net`, which is delivered to `user`; one ASCII sign, or `""` for no
    /// details. Default `"+"`.
    pub detail_delimiter: String,
    /// Domains whose mail the server accepts and passes to a next hop. Default `[]`.
    pub relay: Vec<WrittenRelayDomain>,
    /// Files of other mail servers that name domains, as `TYPE:FILE`: `local-host-names` and `relay-domains` (like `domains.relay`
    /// without a next hop), `mailertable` (next hops for them). Default `[]`.
    pub maps: Vec<String>,
}

impl Default for WrittenDomains {
    fn default() -> Self {
        Self { default: None, postmaster: None, detail_delimiter: "+".to_owned(), relay: Vec::new(), maps: Vec::new() }
    }
}

/// `[[domains.relay]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "RelayDomain", deny_unknown_fields)]
pub struct WrittenRelayDomain {
    /// The domain, without its subdomains: list each one. Required.
    pub domain: String,
    /// Host that gets its mail, `HOST` or `HOST:PORT` (port 25 if not given); `[ADDRESS]:PORT` for IPv6. Default none: the mail
    /// server that asks by `policy`, `milter` or `socketmap` delivers it, and Sekisho's own SMTP listeners do not accept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<String>,
    /// Whether the server asks the next hop for a recipient (RCPT, with the null sender) before it accepts mail: `"no"`; `"yes"`,
    /// and without an answer the recipient is accepted; `"strict"`, and without an answer the recipient is deferred (451). The
    /// server remembers a yes for an hour, a no for 15 minutes. Default `"no"`.
    #[serde(default)]
    pub verify: Verify,
}

/// `domains.relay.verify`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Nobody is asked.
    #[default]
    No,
    /// Without an answer the recipient is taken.
    Yes,
    /// Without an answer it is put off.
    Strict,
}

/// `[domains]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domains {
    /// Domain of a bare login.
    pub default: Option<Domain>,
    /// Who takes the mail of every domain's postmaster.
    pub postmaster: Option<Mailbox>,
    /// What begins a detail; `None`: there are no details.
    pub detail_delimiter: Option<char>,
    /// Domains handed to a next hop.
    pub relay: Vec<RelayDomain>,
    /// Files that name more of them.
    pub maps: Vec<MapFile>,
}

/// `[[domains.relay]]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayDomain {
    /// The domain itself, not those below it.
    pub domain: Domain,
    /// Who takes its mail; `None`: the mail server that asks us.
    pub next_hop: Option<HostPort>,
    /// Whether it is asked for a recipient.
    pub verify: Verify,
    /// The entry.
    pub place: Position,
}

impl Domains {
    /// The entry of a relay domain; none for one that a file names.
    pub fn relay_of(&self, domain: &Domain) -> Option<&RelayDomain> {
        self.relay.iter().find(|relay| relay.domain == *domain)
    }
}

/// What `domains.maps` may be.
const KINDS: [Kind; 3] = [Kind::LocalHostNames, Kind::RelayDomains, Kind::Mailertable];

impl WrittenDomains {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Domains {
        let default = self.default.as_ref();
        let default = default.and_then(|name| reading.parsed("domains.default", value::domain(name)));
        let mut relay: Vec<RelayDomain> = Vec::new();
        for (index, entry) in self.relay.iter().enumerate() {
            let path = format!("domains.relay[{index}]");
            let Some(entry) = entry.meant(&path, reading) else { continue };
            if relay.iter().any(|other| other.domain == entry.domain) {
                let message = format!("`{}` is there twice", entry.domain.as_str());
                reading.wrong(&format!("{path}.domain"), message, "one next hop a domain");
            }
            relay.push(entry);
        }
        let postmaster = self.postmaster.as_ref();
        let postmaster = postmaster.and_then(|it| reading.parsed("domains.postmaster", value::mailbox(it)));
        let delimiter = value::delimiter(&self.detail_delimiter);
        let detail_delimiter = reading.parsed("domains.detail_delimiter", delimiter).flatten();
        let maps = map_file::all("domains.maps", &self.maps, &KINDS, reading);
        Domains { default, postmaster, detail_delimiter, relay, maps }
    }
}

impl WrittenRelayDomain {
    fn meant(&self, path: &str, reading: &mut Reading<'_>) -> Option<RelayDomain> {
        let at = format!("{path}.domain");
        let domain = reading.parsed(&at, value::domain(&self.domain));
        let next_hop = self.next_hop.as_ref();
        let next_hop = next_hop.and_then(|hop| reading.parsed(&format!("{path}.next_hop"), value::host_port(hop, 25)));
        if self.verify != Verify::No && self.next_hop.is_none() {
            let message = format!("`{path}.verify` needs a next hop, which is whom it asks");
            reading.wrong(&format!("{path}.verify"), message, "give next_hop, or leave verify out");
        }
        Some(RelayDomain { domain: domain?, next_hop, verify: self.verify, place: reading.position(&at) })
    }
}
