//! What the TLS of a mail host shows: versions, cipher, certificate; whether passwords may go in the clear before it, and whether what
//! is sent in the clear behind STARTTLS is answered within TLS (CVE-2011-0411).
//!
//! Answers for: that a host is asked by few connections, one at a time, each bounded in octets and time. Does not answer for: SSL 3 to
//! TLS 1.1, which rustls cannot offer, nor for revocation; both are said to be not looked at.
//!
//! | file | answers for |
//! |---|---|
//! | `talk` | the lines of SMTP or POP3 around TLS |
//! | `trust` | the chain as it was shown, and what a mail program would say of it |
//! | `certificate` | what the certificates say |

mod certificate;
mod talk;
pub(crate) mod trust;

pub use trust::{TrustError, trusted};

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dns::{Answer, Resolver};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::{CertificateDer, ServerName};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::asking::clean;
use crate::finding::{Finding, State, records};
use crate::target::Target;
use certificate::Chain;
use talk::{Offers, Protocol, REPLY_WAIT_MAX, Talk, TalkError, greeting_name};
use trust::Recorder;

/// Longest wait for a connection.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// Addresses of the host that are tried.
const ADDRESSES_MAX: usize = 4;
/// Longest wait for the whole.
const WAIT_MAX: Duration = Duration::from_mins(2);
/// Ways to log in that send the password itself.
const PLAIN_LOGINS: [&str; 3] = ["PLAIN", "LOGIN", "USER"];
/// What is sent in the clear behind STARTTLS: harmless, and answered by a line in either protocol.
const PUT_IN: &str = "NOOP\r\n";
const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// STARTTLS of SMTP (RFC 3207).
    Smtp,
    /// STLS of POP3 (RFC 2595).
    Pop3,
    /// At once.
    Implicit,
}

impl Start {
    /// What is usual on a port.
    pub fn usual(port: u16) -> Self {
        match port {
            443 | 465 | 993 | 995 => Self::Implicit,
            110 => Self::Pop3,
            _ => Self::Smtp,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Whom.
    pub target: Target,
    /// How TLS begins there.
    pub start: Start,
    /// Certificates that are trusted besides those of the system.
    pub trusted: Vec<CertificateDer<'static>>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Host and port.
    pub host: String,
    /// The address that was asked.
    pub address: Option<IpAddr>,
    /// In the order of the handshake.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether something is missing or wrong.
    pub fn is_wrong(&self) -> bool {
        self.findings.iter().any(|it| matches!(it.state, State::Missing | State::Wrong))
    }

    /// Whether something was not found out.
    pub fn is_unsure(&self) -> bool {
        self.findings.iter().any(|it| it.state == State::NotFoundOut)
    }

    /// The header of [`Report::rows`].
    pub const HEADER: [&str; 3] = ["WHAT", "STATE", "FOUND"];

    /// A row for each finding.
    pub fn rows(&self) -> impl Iterator<Item = [String; 3]> {
        self.findings.iter().map(|it| [it.topic.to_owned(), it.state.word().to_owned(), it.text.clone()])
    }

    /// The records to publish.
    pub fn told(&self) -> String {
        records(&self.findings)
    }
}

/// Looks at a host; without a resolver only at one that is named by its address. `now_secs` is the time since 1970, by which
/// certificates are judged.
pub async fn probe(dns: Option<&Resolver>, question: &Question, now_secs: i64) -> Report {
    let mut look = Look { question, address: None, findings: Vec::new(), now_secs };
    if tokio::time::timeout(WAIT_MAX, Box::pin(look.all(dns))).await.is_err() {
        look.add("connection", State::NotFoundOut, "it took too long");
    }
    Report {
        host: question.target.to_string(),
        address: look.address.map(|address| address.ip()),
        findings: look.findings,
    }
}

struct Look<'q> {
    question: &'q Question,
    address: Option<SocketAddr>,
    findings: Vec<Finding>,
    now_secs: i64,
}

/// A connection on which TLS can begin, and what was offered before.
struct Ready {
    stream: TcpStream,
    before: Option<Offers>,
}

/// Why TLS did not come about.
#[derive(Debug, thiserror::Error)]
enum NoTls {
    #[error("{0}")]
    Connect(TalkError),
    #[error("STARTTLS is not offered")]
    NotOffered(Offers),
    #[error("before TLS: {0}")]
    Before(TalkError),
    /// What came to STARTTLS, and to what was sent behind it.
    #[error("STARTTLS: {0}")]
    Start(TalkError),
    #[error("the handshake fails: {0}")]
    Handshake(String),
    /// Nothing that either side said of TLS.
    #[error("the handshake broke off: {0}")]
    BrokeOff(TalkError),
}

impl Look<'_> {
    fn add(&mut self, topic: &'static str, state: State, text: impl Into<String>) {
        self.findings.push(Finding::new(state, topic, self.question.target.to_string(), text));
    }

    async fn addresses(&self, dns: Option<&Resolver>) -> Result<Vec<IpAddr>, String> {
        let target = &self.question.target;
        if let Some(addresses) = target.known_addresses() {
            return Ok(addresses);
        }
        let Some(dns) = dns else { return Err("there are no name servers to ask".to_owned()) };
        match dns.addresses(&target.host).await {
            Answer::Found(addresses) => Ok(addresses),
            Answer::None => Err("the host has no address".to_owned()),
            Answer::Failed(failure) => {
                Err(format!("DNS did not answer ({})", clean(failure.to_string().as_bytes(), 100)))
            }
        }
    }

    async fn all(&mut self, dns: Option<&Resolver>) {
        let addresses = match self.addresses(dns).await {
            Ok(addresses) => addresses,
            Err(why) => return self.add("connection", State::NotFoundOut, why),
        };
        let mut why = TalkError::Closed;
        for address in addresses.iter().take(ADDRESSES_MAX) {
            let address = SocketAddr::new(*address, self.question.target.port);
            match connect(address).await {
                Ok(stream) => {
                    self.address = Some(address);
                    return self.tls(address, stream).await;
                }
                Err(error) => why = error,
            }
        }
        self.add("connection", State::NotFoundOut, format!("no connection: {why}"));
    }

    async fn tls(&mut self, address: SocketAddr, stream: TcpStream) {
        let ready = match self.ready(stream).await {
            Ok(ready) => ready,
            Err(error) => return self.without(&error),
        };
        let before = ready.before;
        let (stream, chain) = match self.handshake(ready.stream, BOTH).await {
            Ok(done) => done,
            Err(error) => return self.without(&error),
        };
        let highest = self.negotiated(&stream);
        self.other_version(address, highest).await;
        let text =
            "SSL 3, TLS 1.0, TLS 1.1: this program cannot offer them; nor does it look at revocation (OCSP, CRL)";
        self.add("older versions", State::NotAsked, text);
        let target = &self.question.target;
        let chain = Chain { target, certificates: &chain, trusted: &self.question.trusted, now_secs: self.now_secs };
        self.findings.extend(certificate::look(&chain));
        if let (Some(before), Some(protocol)) = (before, self.protocol()) {
            let mut talk = Talk::new(stream, protocol);
            let after = talk.offers(&greeting_name(None)).await.ok();
            talk.quit(1).await;
            self.logins(&before, after.as_ref());
            self.injection(address, protocol).await;
        }
    }

    fn protocol(&self) -> Option<Protocol> {
        match self.question.start {
            Start::Smtp => Some(Protocol::Smtp),
            Start::Pop3 => Some(Protocol::Pop3),
            Start::Implicit => None,
        }
    }

    fn without(&mut self, error: &NoTls) {
        let text = clean(error.to_string().as_bytes(), 300);
        match error {
            NoTls::Connect(_) | NoTls::Before(_) | NoTls::Start(_) | NoTls::BrokeOff(_) => {
                self.add("TLS", State::NotFoundOut, text);
            }
            NoTls::NotOffered(offers) => {
                self.add("TLS", State::Missing, "STARTTLS is not offered: all mail and passwords go in the clear");
                let offers = offers.clone();
                self.logins(&offers, None);
            }
            NoTls::Handshake(_) => self.add("TLS", State::Wrong, text),
        }
    }

    /// Leads a connection to where TLS begins.
    async fn ready(&self, stream: TcpStream) -> Result<Ready, NoTls> {
        self.ready_with(stream, "").await
    }

    /// The same, with something sent in the clear behind STARTTLS.
    async fn ready_with(&self, stream: TcpStream, behind: &str) -> Result<Ready, NoTls> {
        let Some(protocol) = self.protocol() else { return Ok(Ready { stream, before: None }) };
        let name = greeting_name(stream.local_addr().ok());
        let mut talk = Talk::new(stream, protocol);
        let greeting = talk.reply().await.map_err(NoTls::Before)?;
        if !greeting.is_positive {
            return Err(NoTls::Before(TalkError::Refused(greeting.text)));
        }
        let before = talk.offers(&name).await.map_err(NoTls::Before)?;
        if !before.starttls {
            talk.quit(1).await;
            return Err(NoTls::NotOffered(before));
        }
        let stream = talk.start_tls(behind).await.map_err(NoTls::Start)?;
        Ok(Ready { stream, before: Some(before) })
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<(TlsStream<TcpStream>, Vec<CertificateDer<'static>>), NoTls> {
        let failed = |error: String| NoTls::Handshake(clean(error.as_bytes(), 200));
        let (config, recorder) = Recorder::client(versions).map_err(|error| failed(error.to_string()))?;
        let name =
            ServerName::try_from(self.question.target.host.clone()).map_err(|error| failed(error.to_string()))?;
        let done = TlsConnector::from(config).connect(name, stream);
        match tokio::time::timeout(REPLY_WAIT_MAX, Box::pin(done)).await {
            Ok(Ok(stream)) => Ok((stream, recorder.chain())),
            Ok(Err(error)) if matches!(error.get_ref(), Some(of) if of.is::<rustls::Error>()) => {
                Err(failed(error.to_string()))
            }
            Ok(Err(error)) => Err(NoTls::BrokeOff(error.into())),
            Err(_) => Err(NoTls::BrokeOff(TalkError::TimedOut)),
        }
    }

    /// Tells what was agreed; whether that was the higher version.
    fn negotiated(&mut self, stream: &TlsStream<TcpStream>) -> Highest {
        let (_, session) = stream.get_ref();
        let highest = match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => Highest::Tls13,
            _ => Highest::Tls12,
        };
        let suite = session.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())).unwrap_or_default();
        let group = session.negotiated_key_exchange_group().map(|group| format!(", key exchange {:?}", group.name()));
        let text = format!("{}, {suite}{}", highest.name(), group.unwrap_or_default());
        self.add("TLS", State::Good, text);
        highest
    }

    async fn other_version(&mut self, address: SocketAddr, highest: Highest) {
        if highest == Highest::Tls12 {
            return self.add("TLS 1.3", State::NotOffered, "the host takes TLS 1.2 though 1.3 was offered");
        }
        let tried = async {
            let stream = connect(address).await.map_err(NoTls::Connect)?;
            let ready = self.ready(stream).await?;
            self.handshake(ready.stream, &[&TLS12]).await
        };
        match tried.await {
            Ok(_) => self.add("TLS 1.2", State::Good, "offered too"),
            Err(NoTls::Handshake(why)) => {
                self.add("TLS 1.2", State::NotOffered, format!("{why}: older programs and servers cannot connect"));
            }
            Err(error) => self.add("TLS 1.2", State::NotFoundOut, clean(error.to_string().as_bytes(), 200)),
        }
    }

    /// Whether a password could go in the clear.
    fn logins(&mut self, before: &Offers, after: Option<&Offers>) {
        let list = |logins: &[String]| clean(logins.join(" ").as_bytes(), 200);
        let plain: Vec<String> =
            before.logins.iter().filter(|login| PLAIN_LOGINS.contains(&login.as_str())).cloned().collect();
        let within = match after {
            Some(after) if after.logins.is_empty() => "; none within TLS".to_owned(),
            Some(after) => format!("; within TLS {}", list(&after.logins)),
            None => String::new(),
        };
        if !plain.is_empty() {
            let text = format!("offered before TLS, so that passwords go in the clear: {}{within}", list(&plain));
            self.add("logins", State::Wrong, text);
        } else if before.logins.is_empty() {
            self.add("logins", State::Good, format!("none offered before TLS{within}"));
        } else {
            let text = format!("before TLS only such as hide the password: {}{within}", list(&before.logins));
            self.add("logins", State::Good, text);
        }
    }

    /// TLS over a connection on which nothing is put in.
    async fn without_more(&self, address: SocketAddr) -> Result<(), NoTls> {
        let stream = connect(address).await.map_err(NoTls::Connect)?;
        let ready = self.ready(stream).await?;
        let (stream, _) = self.handshake(ready.stream, BOTH).await?;
        if let Some(protocol) = self.protocol() {
            Talk::new(stream, protocol).quit(1).await;
        }
        Ok(())
    }

    /// A command sent in the clear behind STARTTLS must not be answered within TLS: whoever sits in the middle could send it.
    async fn injection(&mut self, address: SocketAddr, protocol: Protocol) {
        let tried = async {
            let stream = connect(address).await.map_err(NoTls::Connect)?;
            let ready = self.ready_with(stream, PUT_IN).await?;
            let (stream, _) = self.handshake(ready.stream, BOTH).await?;
            Ok::<u32, NoTls>(Talk::new(stream, protocol).quit(3).await)
        };
        let (state, text) = match tried.await {
            // The reply to QUIT, and nothing before it.
            Ok(1) => (State::Good, "a command in the clear behind STARTTLS was thrown away".to_owned()),
            Ok(0) => (State::NotFoundOut, "the host said nothing within TLS".to_owned()),
            Ok(_) => {
                let text = "a command sent in the clear behind STARTTLS was answered within TLS (CVE-2011-0411): others can put words into a session; update the server";
                (State::Wrong, text.to_owned())
            }
            Err(error @ (NoTls::Start(TalkError::Refused(_)) | NoTls::Handshake(_))) => {
                // Only if it takes STARTTLS alone now, that was for what stood behind it.
                let takes_it_alone = self.without_more(address).await.is_ok();
                let state = if takes_it_alone { State::Good } else { State::NotFoundOut };
                (state, format!("with a command in the clear behind STARTTLS there is no TLS: {error}"))
            }
            Err(error) => (State::NotFoundOut, error.to_string()),
        };
        self.add("injection", state, clean(text.as_bytes(), 300));
    }
}

/// The version that was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Highest {
    Tls12,
    Tls13,
}

impl Highest {
    fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, TalkError> {
    let connected = tokio::time::timeout(CONNECT_WAIT_MAX, TcpStream::connect(address)).await;
    Ok(connected.map_err(|_| TalkError::TimedOut)??)
}
