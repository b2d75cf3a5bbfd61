//! `sekisho probe blocklists`, `dns` and `tls` as an operator types them.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::dns::{NameServer, Otherwise, Record};
use crate::support::Demo;

/// The exit code, and what was printed.
fn probed(demo: &Demo, arguments: &[&str]) -> (i32, String) {
    let output = demo.sekisho(&[&["probe"], arguments].concat());
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn looked(demo: &Demo, arguments: &[&str]) -> (i32, Value) {
    let (code, printed) = probed(demo, &[arguments, &["--json"]].concat());
    (code, serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{arguments:?}: {printed}")))
}

#[test]
fn an_operator_looks_from_outside() {
    let two = Record::A(Ipv4Addr::new(127, 0, 0, 2));
    let zone = [
        ("2.0.0.127.bl.spamcop.net.", two),
        ("7.100.51.198.bl.spamcop.net.", two),
        ("d.example.", Record::Mx("mx.d.example")),
        ("d.example.", Record::Txt("v=spf1 mx -all")),
        ("mx.d.example.", Record::A(Ipv4Addr::new(192, 0, 2, 1))),
        ("1.2.0.192.in-addr.arpa.", Record::Ptr("mx.d.example")),
        ("_dmarc.d.example.", Record::Txt("v=DMARC1; p=none; rua=mailto:r@d.example")),
    ];
    let (known, silent) = (NameServer::start(&zone, Otherwise::Denies), NameServer::start(&[], Otherwise::Fails));
    let demo = Demo::start();
    let (asks, fails) = (known.setting(), silent.setting());

    let (code, report) = looked(&demo, &["blocklists", "198.51.100.7", "--set", &asks]);
    assert_eq!((code, &report["listed"], &report["lists"][0]["state"]), (1, &1.into(), &"listed".into()));
    let (code, printed) = probed(&demo, &["blocklists", "198.51.100.8", "--set", &asks]);
    assert!(code == 0 && printed.contains("not listed (lists that answered: 1)"), "{code} {printed}");
    assert_eq!(probed(&demo, &["blocklists", "198.51.100.7", "--set", &fails]).0, 75);
    assert_eq!(probed(&demo, &["blocklists", "10.0.0.1", "--set", &asks]).0, 2);

    let (code, printed) = probed(&demo, &["dns", "d.example", "--set", &asks]);
    assert!(code == 0 && printed.contains("_smtp._tls.d.example. IN TXT"), "{code} {printed}");
    let (code, printed) =
        probed(&demo, &["dns", "d.example", "--selector", "s", "--ip", "198.51.100.9", "--set", &asks]);
    assert!(code == 1 && printed.contains("9.100.51.198.in-addr.arpa. IN PTR mx.d.example."), "{code} {printed}");
    assert_eq!(probed(&demo, &["dns", "d.example", "--set", &fails]).0, 75);
    assert_eq!(probed(&demo, &["dns", "d.example", "--selector", "a b", "--set", &asks]).0, 2);

    let trust = demo.certificate().to_str().unwrap();
    for (port, start) in [("smtp", "smtp"), ("submission", "smtp"), ("submissions", "none"), ("pop3", "pop3")] {
        let host = format!("localhost:{}", demo.port(port));
        let arguments = ["tls", &*host, "--starttls", start, "--trust", trust, "--set", &*asks];
        let (code, report) = looked(&demo, &arguments);
        assert_eq!(code, 0, "{port}: {report:#}");
        let injected = report["findings"].as_array().unwrap().iter().find(|it| it["topic"] == "injection");
        assert!(start == "none" || injected.unwrap()["state"] == "good", "{report:#}");
    }
    let host = format!("127.0.0.1:{}", demo.port("smtp"));
    let (code, printed) = probed(&demo, &["tls", &host, "--set", &asks]);
    assert!(code == 1 && printed.contains("WRONG"), "nobody trusts a self-signed certificate: {code} {printed}");
    assert_eq!(probed(&demo, &["tls", "127.0.0.1:1", "--set", &asks]).0, 75);
}
