//! Domains in order and mistaken ones, on a name server on loopback.
#![expect(clippy::format_collect, reason = "short, and not on the way of a mail")]

use probe::dns::{Question, Report, probe};
use probe::finding::State;

use crate::name_server::Entry;
use crate::{Names, address, asking, text};

async fn looked(names: &Names<'_>, domain: &str, selectors: &[&str]) -> Report {
    let (_server, dns) = asking(names).await;
    let selectors = selectors.iter().map(|it| (*it).to_owned()).collect();
    let question = Question { domain: domain.to_owned(), selectors, addresses: Vec::new(), host: None };
    probe(&dns, &question).await
}

fn found<'r>(report: &'r Report, topic: &str, subject: &str) -> (State, &'r str) {
    let finding = report.findings.iter().find(|it| it.topic == topic && it.subject == subject);
    let finding = finding.unwrap_or_else(|| panic!("{topic} {subject}: {:#?}", report.findings));
    (finding.state, &finding.text)
}

#[tokio::test]
async fn a_domain_in_order() {
    let ed25519 = "v=DKIM1; k=ed25519; p=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    let names = [
        (
            "d.example",
            [vec![Entry::Mx(10, "mx.d.example".to_owned())], text("v=spf1 mx include:spf.e.example -all")].concat(),
        ),
        ("mx.d.example", address("192.0.2.1")),
        ("1.2.0.192.in-addr.arpa", vec![Entry::Ptr("mx.d.example".to_owned())]),
        ("spf.e.example", text("v=spf1 ip4:198.51.100.0/24 a:mx.d.example ~all")),
        ("s._domainkey.d.example", text(ed25519)),
        ("_dmarc.d.example", text("v=DMARC1; p=reject; rua=mailto:r@reports.example")),
        ("d.example._report._dmarc.reports.example", text("v=DMARC1")),
        ("_smtp._tls.d.example", text("v=TLSRPTv1; rua=mailto:r@d.example")),
        ("_25._tcp.mx.d.example", vec![Entry::Tlsa([&[3, 1, 1][..], &[7; 32]].concat())]),
    ];
    let report = looked(&names, "d.example", &["s"]).await;
    assert!(!report.is_wrong() && !report.is_unsure(), "{:#?}", report.findings);
    let (state, told) = found(&report, "SPF", "d.example");
    assert!(state == State::Good && told.contains("3 look-ups of 10") && told.contains("all others fail"), "{told}");
    assert_eq!(found(&report, "PTR", "192.0.2.1").0, State::Good);
    assert_eq!(found(&report, "DKIM", "s._domainkey.d.example").1, "Ed25519");
    assert_eq!(found(&report, "MTA-STS", "_mta-sts.d.example").0, State::NotOffered);
    let (state, told) = found(&report, "DANE", "_25._tcp.mx.d.example");
    assert!(state == State::Good && told.contains("not validated here"), "{told}");
    // It holds for what is below, too; there is nothing else there, and each record is named.
    let report = looked(&names, "below.d.example", &[]).await;
    assert!(found(&report, "DMARC", "_dmarc.d.example").1.contains("holds for below.d.example"));
    assert_eq!(found(&report, "DKIM", "below.d.example").0, State::NotAsked);
    let told = report.told();
    for line in [
        "below.d.example. IN MX 10 mail.below.d.example.",
        "below.d.example. IN TXT \"v=spf1 mx -all\"",
        "_smtp._tls.below.d.example. IN TXT \"v=TLSRPTv1; rua=mailto:postmaster@below.d.example\"",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
}

#[tokio::test]
async fn a_domain_with_mistakes() {
    let exchanges = ["alias.d.example", "gone.d.example", "mx.d.example", "home.d.example", "late.d.example"];
    let exchanges = exchanges.map(|host| Entry::Mx(10, host.to_owned())).to_vec();
    let names = [
        ("d.example", [exchanges, text("v=spf1 a:nowhere.example ptr +all")].concat()),
        ("alias.d.example", vec![Entry::Cname("mx.d.example".to_owned())]),
        ("mx.d.example", address("192.0.2.1")),
        ("home.d.example", address("192.168.0.1")),
        ("late.d.example", vec![Entry::Silence]),
        ("1.2.0.192.in-addr.arpa", vec![Entry::Ptr("other.example".to_owned())]),
        ("old._domainkey.d.example", text("v=DKIM1; p=")),
        ("_dmarc.d.example", text("v=DMARC1; p=none; rua=mailto:r@reports.example")),
        ("_smtp._tls.d.example", text("v=TLSRPTv1; rua=r@d.example")),
        ("_25._tcp.mx.d.example", vec![Entry::Tlsa(vec![0, 0, 1, 7])]),
    ];
    let report = looked(&names, "d.example", &["old", "none"]).await;
    for (topic, subject, state, part) in [
        ("MX", "alias.d.example", State::Wrong, "alias (CNAME) of mx.d.example"),
        ("MX", "gone.d.example", State::Wrong, "no address"),
        ("MX", "home.d.example", State::Wrong, "nobody outside"),
        ("MX", "late.d.example", State::NotFoundOut, "timed out"),
        ("MX", "mx.d.example", State::Good, "192.0.2.1"),
        ("PTR", "192.0.2.1", State::Wrong, "other.example"),
        ("DKIM", "old._domainkey.d.example", State::Wrong, "revoked"),
        ("DKIM", "none._domainkey.d.example", State::Missing, "no key"),
        ("DMARC", "_dmarc.d.example", State::Good, "only reported"),
        ("DMARC", "d.example._report._dmarc.reports.example", State::Missing, "takes them"),
        ("TLS-RPT", "_smtp._tls.d.example", State::Wrong, "rua="),
        ("DANE", "_25._tcp.mx.d.example", State::Wrong, "0 0 1"),
    ] {
        let (found, told) = found(&report, topic, subject);
        assert!(found == state && told.contains(part), "{topic} {subject}: {found:?} {told}");
    }
    let of_spf: Vec<&str> = report.findings.iter().filter(|it| it.topic == "SPF").map(|it| &*it.text).collect();
    assert!(
        of_spf.iter().any(|text| text.contains("everybody")) && of_spf.iter().any(|text| text.contains("ptr")),
        "{of_spf:?}"
    );
    assert!(report.told().contains("1.2.0.192.in-addr.arpa. IN PTR "), "{}", report.told());
}

/// RFC 7208 §4.5, §4.6.4: what makes a record count nothing, or cost more than receivers pay.
#[tokio::test]
async fn records_of_spf_and_what_is_wrong_with_them() {
    let includes: String = (0..11).map(|at| format!(" include:i{at}.example")).collect();
    let mut names = vec![
        ("two.example", [text("v=spf1 -all"), text("v=spf1 mx -all")].concat()),
        ("typo.example", text("v=spf1 mx ip4:1.2.3 -all")),
        ("open.example", text("v=spf1 ip4:192.0.2.1")),
        ("loop.example", text("v=spf1 include:loop2.example -all")),
        ("loop2.example", text("v=spf1 redirect=loop.example")),
        ("lost.example", text("v=spf1 include:nothing.example -all")),
        ("void.example", text("v=spf1 a:n1.example a:n2.example exists:n3.example -all")),
        ("macro.example", text("v=spf1 exists:%{i}.list.example -all")),
        ("*.list.example", address("127.0.0.2")),
    ];
    let many = format!("v=spf1{includes} -all");
    names.push(("many.example", text(&many)));
    let endless = format!("v=spf1{} -all", " a:b.cd".repeat(100));
    names.push(("endless.example", text(&endless)));
    let hosts: Vec<String> = (0..11).map(|at| format!("i{at}.example")).collect();
    names.extend(hosts.iter().map(|host| (&**host, text("v=spf1 ip4:192.0.2.9 ?all"))));
    let (_server, dns) = asking(&names).await;
    for (domain, part) in [
        ("two.example", "only one may stand there"),
        ("typo.example", "\"ip4:1.2.3\""),
        ("open.example", "everybody else"),
        ("loop.example", "brought in by itself"),
        ("lost.example", "nothing.example, which has no SPF record"),
        ("void.example", "3 terms ask for names that are not there"),
        ("many.example", "11 terms ask DNS"),
        ("endless.example", "100 terms ask DNS"),
        ("macro.example", "depend on the client"),
    ] {
        let question = Question { domain: domain.to_owned(), selectors: Vec::new(), addresses: Vec::new(), host: None };
        let report = probe(&dns, &question).await;
        let spf: Vec<&str> = report.findings.iter().filter(|it| it.topic == "SPF").map(|it| &*it.text).collect();
        assert!(spf.iter().any(|text| text.contains(part)), "{domain}: {spf:?}");
    }
}

#[tokio::test]
async fn what_dns_does_not_answer_is_neither_missing_nor_good() {
    let report = looked(&[("*.example", vec![Entry::Failure])], "d.example", &["s"]).await;
    assert!(report.is_unsure() && !report.is_wrong(), "{:#?}", report.findings);
    assert!(report.told().is_empty(), "nothing is to be published: {}", report.told());
}
