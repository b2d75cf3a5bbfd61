//! `sekisho probe blocklists`, `dns` and `tls` as an operator types them.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::dns::{NameServer, Otherwise, Record};
use crate::support::{Demo, base64, message};

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

/// Whether the cause of a listing still stands is told from the server's own records, with a server and without.
#[test]
fn whether_the_cause_of_a_listing_stands() {
    let (two, spam) = (Record::A(Ipv4Addr::new(127, 0, 0, 2)), Record::A(Ipv4Addr::new(127, 0, 1, 2)));
    let zone = [
        ("2.0.0.127.bl.spamcop.net.", two),
        ("7.100.51.198.bl.spamcop.net.", two),
        ("dbltest.com.dbl.spamhaus.org.", spam),
        ("example.test.dbl.spamhaus.org.", spam),
    ];
    let lists = NameServer::start(&zone, Otherwise::Denies);
    let mut demo = Demo::start();
    let asks = lists.setting();
    let cause = |demo: &Demo, subject: &str, more: &[&str]| {
        let (code, report) = looked(demo, &[&["blocklists", subject, "--set", &asks], more].concat());
        assert_eq!(code, 1, "{report:#}");
        report["lists"][0]["listing"]["cause"].as_str().unwrap_or_else(|| panic!("{report:#}")).to_owned()
    };
    let none = cause(&demo, "198.51.100.7", &["--set", "records.enabled=false"]);
    assert!(none.contains("nothing is known"), "{none}");

    let alice = demo.account("alice");
    let guess = base64(&format!("\0{}\0wrong", alice.login));
    demo.under_tls("submission").say(&format!("AUTH PLAIN {guess}"));
    demo.ruled(&["records", "list"]);
    let nothing = cause(&demo, "198.51.100.7", &[]);
    assert!(nothing.contains("relayed nothing") && nothing.contains("no address of this machine"), "{nothing}");

    let mut smtp = demo.submission(&alice);
    let to = "x@outside.example";
    assert!(smtp.mail(&alice.address, to, message(&alice.address, to, "cause")).starts_with("250"));
    demo.ruled(&["records", "list"]);
    for subject in ["198.51.100.7", "example.test"] {
        let open = cause(&demo, subject, &[]);
        assert!(open.contains("may still stand") && open.contains(&format!("{} (1; last ", alice.login)), "{open}");
    }
    let (code, printed) = probed(&demo, &["blocklists", "198.51.100.7", "--set", &asks]);
    assert!(code == 1 && printed.contains("The cause: it may still stand"), "{printed}");

    demo.ruled(&["user", "lock", &alice.login]);
    demo.under_tls("submission").say(&format!("AUTH PLAIN {guess}"));
    assert!(demo.stop());
    let over = cause(&demo, "198.51.100.7", &[]);
    assert!(over.contains("seems to be over") && over.contains("login-failed"), "{over}");
}
