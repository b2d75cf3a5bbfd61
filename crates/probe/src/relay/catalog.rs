//! The relay probes as data. `data/relay-probes.json` says of itself what each field means.

use serde::Deserialize;

const DATA: &str = include_str!("../../data/relay-probes.json");

/// The nineteen tries of the oldest public relay test, which every operator knows by their number.
pub const CLASSIC: [&str; 19] = [
    "plain-foreign",
    "from-nodomain",
    "from-null",
    "from-local-domain",
    "from-local-host",
    "from-local-ip",
    "from-localhost",
    "pct-host",
    "pct-ip",
    "pct-quoted",
    "quoted-nodomain",
    "quoted-host",
    "at-host",
    "at-ip",
    "route-host",
    "route-ip",
    "bang-bare",
    "bang-host",
    "bang-ip",
];

/// One way to make a server relay.
#[derive(Debug, Clone, Deserialize)]
pub struct Probe {
    /// Stable word.
    pub id: String,
    /// Family of tricks that it belongs to.
    pub class: String,
    /// How it is played.
    pub kind: Kind,
    /// What stands behind `MAIL FROM:`, with placeholders.
    pub mail_from: String,
    /// What stands behind `RCPT TO:`, with placeholders.
    pub rcpt_to: String,
    /// The address can be read as one of the server's own: only what arrives elsewhere tells that it relays.
    pub local_ok: bool,
    /// How the text becomes octets.
    #[serde(default)]
    pub charset: Charset,
    /// What it cannot be played without.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// The steps of a dialogue.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What is offered as the end of a message, where a second one is smuggled in.
    pub eod: Option<String>,
    /// To whom that second one would go.
    pub smuggled_rcpt: Option<String>,
    /// What is sent behind STARTTLS in the same segment.
    pub inject: Option<String>,
}

/// How a probe is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// EHLO, MAIL, RCPT.
    Envelope,
    /// By its steps.
    Dialogue,
    /// A message within a message.
    Smuggle,
    /// Commands in the clear behind STARTTLS.
    TlsInject,
    /// Only in an environment that is made for it.
    Fixture,
}

/// How a text becomes octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Charset {
    /// UTF-8.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// ISO 8859-1.
    #[serde(rename = "latin-1")]
    Latin1,
}

/// What a probe cannot be played without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// A mailbox that the server has.
    LocalUser,
    /// A login.
    Auth,
    /// STARTTLS.
    Starttls,
    /// BDAT.
    Chunking,
}

/// One step of a dialogue.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that is or is not")]
pub struct Step {
    /// What is sent.
    pub send: Option<String>,
    /// How many replies it has.
    pub replies: Replies,
    /// What its reply decides.
    pub mark: Option<Mark>,
    /// Which of several replies decides.
    pub mark_reply: Option<MarkReply>,
    /// Begins TLS.
    pub tls: bool,
    /// Logs in elsewhere first.
    pub auth: bool,
    /// Begins anew over another connection.
    pub reconnect: bool,
    /// Is sent before the greeting has come.
    pub prebanner: bool,
    /// Only when the reply before had this code.
    #[serde(rename = "if")]
    pub only_after: Option<u16>,
}

/// How many replies a step has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Replies {
    /// So many.
    Count(u8),
    /// All until the server is quiet.
    All(String),
}

impl Default for Replies {
    fn default() -> Self {
        Self::Count(1)
    }
}

/// What a marked reply decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The recipient.
    Rcpt,
    /// Whether what must be refused was.
    Refuse,
}

/// Which of several replies decides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum MarkReply {
    /// The one of this number, from 1 on.
    At(u8),
    /// That to DATA afterwards.
    Data(String),
}

#[derive(Deserialize)]
struct Catalog {
    probes: Vec<Probe>,
}

/// All of them, the classic nineteen first and in their order. Fails only if the file in this crate is broken, which a test
/// rules out.
pub fn probes() -> Result<Vec<Probe>, serde_json::Error> {
    let mut probes = serde_json::from_str::<Catalog>(DATA)?.probes;
    let classic = |probe: &Probe| CLASSIC.iter().position(|id| *id == probe.id).unwrap_or(CLASSIC.len());
    probes.sort_by_key(classic);
    Ok(probes)
}
