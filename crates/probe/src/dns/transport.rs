//! Whether others must use TLS on their way to us: MTA-STS (RFC 8461), reports of it (RFC 8460), and DANE (RFC 7672).

use std::fmt::Write as _;

use dns::{Answer, Resolver, Tlsa};
use futures_util::future::join_all;
use reputation::published::{ID_OCTETS_MAX, Tags, sts_id, versioned};

use super::exchanges::Host;
use super::fetch::{self, FetchError};
use super::policy::{Mode, Policy};
use crate::asking::clean;
use crate::finding::{Finding, State};
use crate::publish::Record;

const STS: &str = "MTA-STS";
const REPORTS: &str = "TLS-RPT";
const DANE: &str = "DANE";

/// MTA-STS: the record, and the file.
pub(crate) async fn sts(dns: &Resolver, domain: &str, hosts: &[Host]) -> Vec<Finding> {
    let name = format!("_mta-sts.{domain}");
    let texts = match dns.texts(&name).await {
        Answer::Found(texts) => versioned(&texts, "STSv1"),
        Answer::None => Vec::new(),
        Answer::Failed(failure) => return vec![Finding::unknown(STS, name, &failure)],
    };
    let record = match &texts[..] {
        [] => {
            let text = format!(
                "others may send in the clear if somebody breaks TLS. It needs a certificate that others trust, the file {}, and the record",
                fetch::address(domain)
            );
            let publish = Record::text(&name, "v=STSv1; id=1");
            return vec![Finding::not_offered(STS, name, text).publish(publish)];
        }
        [text] => sts_record(&name, text),
        several => {
            let text = format!("{} records stand there, and senders count none of them: leave one", several.len());
            Finding::wrong(STS, &name, text)
        }
    };
    let file = match fetch::policy(dns, domain).await {
        Ok(text) => sts_file(domain, &text, hosts),
        Err(error) => unfetched(domain, &error),
    };
    vec![record, file]
}

fn sts_record(name: &str, text: &str) -> Finding {
    if let Some(id) = sts_id(text) {
        Finding::good(STS, name, format!("id={id}: change it whenever the file changes"))
    } else {
        let text = format!("the record needs an id of 1 to {ID_OCTETS_MAX} letters and digits");
        Finding::wrong(STS, name, text).publish(Record::text(name, "v=STSv1; id=1"))
    }
}

fn unfetched(domain: &str, error: &FetchError) -> Finding {
    let address = fetch::address(domain);
    let text = format!("the file could not be fetched: {error}. Look yourself: curl -sS {address}");
    let state = if error.is_certain() { State::Wrong } else { State::NotFoundOut };
    Finding::new(state, STS, address, clean(text.as_bytes(), 400))
}

fn sts_file(domain: &str, text: &str, hosts: &[Host]) -> Finding {
    let subject = fetch::address(domain);
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(why) => return Finding::wrong(STS, subject, format!("the file cannot be read: {why}")),
    };
    if let Some(host) = hosts.iter().find(|host| policy.mode != Mode::None && !policy.has(&host.name)) {
        let text = format!("the file does not name {}, so that no mail goes there: add mx: {}", host.name, host.name);
        return Finding::wrong(STS, subject, text);
    }
    let told = match policy.mode {
        Mode::Enforce => "enforced".to_owned(),
        Mode::Testing => "only tried (mode: testing): once there are no reports of failures, take enforce".to_owned(),
        Mode::None => "withdrawn (mode: none)".to_owned(),
    };
    Finding::good(STS, subject, format!("{told}; kept for {} days", policy.max_age_secs / 86_400))
}

/// TLS-RPT.
pub(crate) async fn reports(dns: &Resolver, domain: &str) -> Vec<Finding> {
    let name = format!("_smtp._tls.{domain}");
    let texts = match dns.texts(&name).await {
        Answer::Found(texts) => versioned(&texts, "TLSRPTv1"),
        Answer::None => Vec::new(),
        Answer::Failed(failure) => return vec![Finding::unknown(REPORTS, name, &failure)],
    };
    vec![match &texts[..] {
        [] => {
            let text = "nobody is told when others cannot reach this domain by TLS";
            Finding::not_offered(REPORTS, name, text).publish(Record::tls_reports(domain))
        }
        [text] => reports_record(&name, text, domain),
        several => Finding::wrong(REPORTS, name, format!("{} records stand there: leave one", several.len())),
    }]
}

fn reports_record(name: &str, text: &str, domain: &str) -> Finding {
    let rua = Tags::parse(text).ok().and_then(|tags| tags.value("rua").map(str::to_owned)).unwrap_or_default();
    let sound =
        |address: &str| address.starts_with("mailto:") && address.contains('@') || address.starts_with("https://");
    if !rua.is_empty() && rua.split(',').map(str::trim).all(sound) {
        Finding::good(REPORTS, name, format!("reports go to {}", clean(rua.as_bytes(), 200)))
    } else {
        let text = "the record needs rua= with mailto: or https: addresses";
        Finding::wrong(REPORTS, name, text).publish(Record::tls_reports(domain))
    }
}

/// DANE, of each host that takes mail.
pub(crate) async fn dane(dns: &Resolver, hosts: &[Host]) -> Vec<Finding> {
    join_all(hosts.iter().map(|host| certificates(dns, &host.name))).await
}

async fn certificates(dns: &Resolver, host: &str) -> Finding {
    let name = format!("_25._tcp.{host}");
    match dns.certificates(host, 25).await {
        Answer::Found(records) => told(&name, &records),
        Answer::None => {
            let text =
                format!("only of use in a zone that is signed (DNSSEC); sekisho probe tls {host} prints the record");
            Finding::not_offered(DANE, name, text)
        }
        Answer::Failed(failure) => Finding::unknown(DANE, name, &failure),
    }
}

fn told(name: &str, records: &[Tlsa]) -> Finding {
    let usable: Vec<&Tlsa> = records.iter().filter(|record| is_usable(record)).collect();
    let kinds = |records: &[&Tlsa]| {
        records.iter().fold(String::new(), |mut text, it| {
            // Writing into a string cannot fail.
            let _ = write!(text, " {} {} {},", it.usage, it.selector, it.matching);
            text
        })
    };
    if usable.is_empty() {
        let all: Vec<&Tlsa> = records.iter().collect();
        let text = format!(
            "no TLSA record that mail servers can use:{} only usages 2 and 3 with a whole digest are (RFC 7672 §3.1)",
            kinds(&all)
        );
        return Finding::wrong(DANE, name, text);
    }
    let text = format!(
        "TLSA{} present; whether the zone is signed is not validated here (delv {name} TLSA), nor whether the certificate is the one (sekisho probe tls)",
        kinds(&usable)
    );
    Finding::good(DANE, name, text)
}

fn is_usable(record: &Tlsa) -> bool {
    let whole = match record.matching {
        0 => !record.data.is_empty(),
        1 => record.data.len() == 32,
        2 => record.data.len() == 64,
        _ => false,
    };
    matches!(record.usage, 2 | 3) && matches!(record.selector, 0 | 1) && whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_mail_can_use() {
        let record = |usage, matching, octets| Tlsa { usage, selector: 1, matching, data: vec![7; octets] };
        for (found, expected) in [
            (record(3, 1, 32), State::Good),
            (record(2, 2, 64), State::Good),
            (record(1, 1, 32), State::Wrong),
            (record(3, 1, 31), State::Wrong),
            (record(3, 3, 32), State::Wrong),
        ] {
            assert_eq!(told("_25._tcp.mx.example", &[found]).state, expected);
        }
    }

    #[test]
    fn records_and_what_is_wrong_with_them() {
        for (text, state) in [
            ("v=STSv1; id=20261130T000000", State::Good),
            ("v=STSv1; id=2026-11-30", State::Wrong),
            ("v=STSv1;", State::Wrong),
        ] {
            assert_eq!(sts_record("_mta-sts.d.example", text).state, state, "{text}");
        }
        for (text, state) in [
            ("v=TLSRPTv1; rua=mailto:a@d.example", State::Good),
            ("v=TLSRPTv1; rua=https://d.example/r, mailto:a@d.example", State::Good),
            ("v=TLSRPTv1; rua=a@d.example", State::Wrong),
            ("v=TLSRPTv1", State::Wrong),
        ] {
            assert_eq!(reports_record("_smtp._tls.d.example", text, "d.example").state, state, "{text}");
        }
    }

    #[test]
    fn the_file_names_every_host() {
        let host = |name: &str| Host { name: name.to_owned(), addresses: Vec::new() };
        let file = "version: STSv1\nmode: enforce\nmx: *.d.example\nmax_age: 604800\n";
        let good = sts_file("d.example", file, &[host("mx.d.example")]);
        assert!(good.state == State::Good && good.text.contains("7 days"), "{good:?}");
        let wrong = sts_file("d.example", file, &[host("mx.d.example"), host("mx.e.example")]);
        assert!(wrong.state == State::Wrong && wrong.text.contains("mx.e.example"), "{wrong:?}");
    }
}
