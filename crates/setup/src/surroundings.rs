//! What the surroundings say of a new server: whether its name leads here and back, and whether it reaches others. What cannot be
//! found out from here is said to be so.

use std::net::IpAddr;
use std::time::Duration;

use dns::{Answer, Resolver};
use serde::Serialize;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::plan::Smarthost;

/// How long a host may take to greet.
const GREETING: Duration = Duration::from_secs(15);
/// Domains whose servers greet everybody: the first that can be found is asked, and nothing is sent.
const OTHERS: [&str; 2] = ["gmail.com", "outlook.com"];

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// As it shall be.
    Good,
    /// To be put right.
    Wrong,
    /// It cannot be found out from here, or was not.
    NotProven,
}

impl Standing {
    /// Stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Wrong => "wrong",
            Self::NotProven => "not proven",
        }
    }
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: &'static str,
    /// What came of it.
    pub standing: Standing,
    /// More about it, and what to do.
    pub text: String,
}

fn check(what: &'static str, standing: Standing, text: impl Into<String>) -> Check {
    Check { what, standing, text: text.into() }
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The server's name.
    pub hostname: &'a str,
    /// This machine's own addresses.
    pub own: &'a [IpAddr],
    /// Where mail to others goes; `None`: to their own servers.
    pub smarthost: Option<&'a Smarthost>,
}

/// Looks at everything.
pub async fn look(dns: &Resolver, question: &Question<'_>) -> Vec<Check> {
    let (name, outbound) = tokio::join!(host_name(dns, question), outbound(dns, question.smarthost));
    let (addresses, name) = name;
    let back = reverse(dns, question.hostname, &addresses).await;
    let inbound = check(
        "inbound port 25",
        Standing::NotProven,
        format!("from another network, once the server runs: nc -v {} 25", question.hostname),
    );
    vec![name, back, outbound, inbound]
}

async fn host_name(dns: &Resolver, question: &Question<'_>) -> (Vec<IpAddr>, Check) {
    let name = question.hostname;
    let made = |standing, text: String| check("host name", standing, text);
    match dns.addresses(name).await {
        Answer::Found(found) if found.iter().any(|address| question.own.contains(address)) => {
            let check = made(Standing::Good, format!("{name} leads to {}", list(&found)));
            (found, check)
        }
        Answer::Found(found) => {
            let text = format!(
                "{name} leads to {}, and this machine has {}: right only behind address translation",
                list(&found),
                list(question.own)
            );
            let check = made(Standing::NotProven, text);
            (found, check)
        }
        Answer::None => {
            (Vec::new(), made(Standing::Wrong, format!("{name} leads nowhere: publish its A and AAAA records")))
        }
        Answer::Failed(why) => (Vec::new(), made(Standing::NotProven, format!("DNS does not answer: {why}"))),
    }
}

/// Whether each address leads back to the name: many servers refuse mail from one that does not.
async fn reverse(dns: &Resolver, hostname: &str, addresses: &[IpAddr]) -> Check {
    let made = |standing, text: String| check("PTR", standing, text);
    if addresses.is_empty() {
        return made(Standing::NotProven, "no address is known".to_owned());
    }
    let mut wrong = Vec::new();
    for address in addresses {
        match dns.names(*address).await {
            Answer::Found(names) if names.iter().any(|name| name.as_str().eq_ignore_ascii_case(hostname)) => {}
            Answer::Found(_) | Answer::None => wrong.push(*address),
            Answer::Failed(why) => return made(Standing::NotProven, format!("DNS does not answer: {why}")),
        }
    }
    if wrong.is_empty() {
        return made(Standing::Good, format!("{} leads back", list(addresses)));
    }
    let text = format!("{} does not lead back to {hostname}: ask whoever gave you the address", list(&wrong));
    made(Standing::Wrong, text)
}

async fn outbound(dns: &Resolver, smarthost: Option<&Smarthost>) -> Check {
    if let Some(Smarthost { host, port, .. }) = smarthost {
        let what = "smarthost";
        // From the first octet under TLS nobody greets in clear: a connection is all that can be seen.
        return match tokio::time::timeout(GREETING, TcpStream::connect((host.as_str(), *port))).await {
            Ok(Ok(_)) => check(what, Standing::Good, format!("{host}:{port} takes connections")),
            Ok(Err(error)) => check(what, Standing::Wrong, format!("{host}:{port}: {error}")),
            Err(_) => check(what, Standing::Wrong, format!("{host}:{port}: no answer")),
        };
    }
    let what = "outbound port 25";
    let Some(host) = somebody(dns).await else {
        return check(what, Standing::NotProven, "DNS does not answer");
    };
    if greets(&host).await {
        return check(what, Standing::Good, format!("{host} greets"));
    }
    let todo = "many providers block port 25: have it opened, or send through their server (init --smarthost HOST)";
    check(what, Standing::Wrong, format!("{host} does not answer: {todo}"))
}

/// A server of others.
async fn somebody(dns: &Resolver) -> Option<String> {
    for domain in OTHERS {
        if let Answer::Found(exchanges) = dns.exchanges(domain).await
            && let Some(first) = exchanges.into_iter().min()
        {
            return Some(first.host);
        }
    }
    None
}

async fn greets(host: &str) -> bool {
    let greeting = async {
        let mut tcp = TcpStream::connect((host.trim_end_matches('.'), 25)).await.ok()?;
        let mut code = [0; 3];
        tcp.read_exact(&mut code).await.ok()?;
        (code == *b"220").then_some(())
    };
    tokio::time::timeout(GREETING, greeting).await.ok().flatten().is_some()
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
