//! Records to publish: what a new server needs, and what a look at a domain finds missing.

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

/// Longest string of a text record (RFC 1035 §3.3).
const STRING_OCTETS_MAX: usize = 255;

/// A record, as a zone file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// With the dot at its end.
    pub name: String,
    /// Its type.
    pub kind: &'static str,
    /// The rest of the line.
    pub value: String,
}

impl Record {
    fn new(name: impl Into<String>, kind: &'static str, value: impl Into<String>) -> Self {
        Self { name: name.into(), kind, value: value.into() }
    }

    /// A text; a long one stands in several strings.
    pub fn text(name: &str, text: &str) -> Self {
        let octets: Vec<char> = text.chars().collect();
        let strings = octets.chunks(STRING_OCTETS_MAX).map(|chunk| format!("\"{}\"", chunk.iter().collect::<String>()));
        Self::new(format!("{name}."), "TXT", strings.collect::<Vec<_>>().join(" "))
    }

    /// Who takes a domain's mail.
    pub fn exchange(domain: &str, host: &str) -> Self {
        Self::new(format!("{domain}."), "MX", format!("10 {host}."))
    }

    /// The name of an address.
    pub fn name_of(address: IpAddr, host: &str) -> Self {
        Self::new(reverse(address), "PTR", format!("{host}."))
    }

    /// Only the domain's exchanges send for it.
    pub fn spf(domain: &str) -> Self {
        Self::text(domain, "v=spf1 mx -all")
    }

    /// What receivers do with forged mail, at first nothing but tell.
    pub fn dmarc(domain: &str) -> Self {
        Self::text(&format!("_dmarc.{domain}"), &format!("v=DMARC1; p=none; rua=mailto:postmaster@{domain}"))
    }

    /// The key of a host's certificate (DANE-EE, SHA-256; RFC 7672 §3.1.1).
    pub fn certificate(host: &str, port: u16, key_digest: &[u8]) -> Self {
        let digest = keep::text::hex(key_digest);
        Self::new(format!("_{port}._tcp.{host}."), "TLSA", format!("3 1 1 {digest}"))
    }

    /// Where reports of failed TLS go.
    pub fn tls_reports(domain: &str) -> Self {
        Self::text(&format!("_smtp._tls.{domain}"), &format!("v=TLSRPTv1; rua=mailto:postmaster@{domain}"))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} IN {} {}", self.name, self.kind, self.value)
    }
}

/// The name under which an address' names stand.
pub(crate) fn reverse(address: IpAddr) -> String {
    let zone = if address.is_ipv4() { "in-addr.arpa." } else { "ip6.arpa." };
    reputation::by_address(address, zone)
}

/// What a new server's operator publishes.
pub fn for_new_server(hostname: &str, domain: &str) -> Vec<Record> {
    let host = format!("{hostname}.");
    let mut records = vec![
        Record::new(&*host, "A", "the IPv4 address of this host"),
        Record::new(&*host, "AAAA", "its IPv6 address, if it has one"),
        Record::new("(of each address)", "PTR", format!("{host} (set by whoever gave you the address)")),
        Record::exchange(domain, hostname),
        Record::spf(domain),
        Record::text(hostname, "v=spf1 a -all"),
        Record::dmarc(domain),
    ];
    // Where mail programs find us (RFC 6186, RFC 8314).
    for (service, port) in [("submissions", 465), ("submission", 587), ("pop3s", 995), ("pop3", 110)] {
        records.push(Record::new(format!("_{service}._tcp.{domain}."), "SRV", format!("0 1 {port} {host}")));
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stand_as_in_a_zone_file() {
        for (record, line) in [
            (Record::spf("d.example"), "d.example. IN TXT \"v=spf1 mx -all\""),
            (Record::exchange("d.example", "mx.d.example"), "d.example. IN MX 10 mx.d.example."),
            (
                Record::name_of("192.0.2.1".parse().unwrap(), "mx.d.example"),
                "1.2.0.192.in-addr.arpa. IN PTR mx.d.example.",
            ),
        ] {
            assert_eq!(record.to_string(), line);
        }
        assert!(reverse("2001:db8::1".parse().unwrap()).ends_with(".8.b.d.0.1.0.0.2.ip6.arpa."));
        assert_eq!(Record::text("d", &"x".repeat(256)).value, format!("\"{}\" \"x\"", "x".repeat(255)));
    }
}
