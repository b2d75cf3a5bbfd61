use super::*;
use crate::{Kind, Table};

fn hosts(text: &str) -> Table {
    Table::parse(Kind::HostsAllow, "allow", text).unwrap()
}

/// What the file says of a client that asks a daemon, and by which line.
fn said(hosts: &Table, daemon: &str, addr: &str) -> Option<(String, u32)> {
    hosts.get(&format!("{daemon} {addr}")).map(|found| (found.value.into_owned(), found.line))
}

#[test]
fn a_pop_server_for_the_house() {
    let hosts = hosts("ipop3d:LOCAL,192.168.1.\nALL: ALL: DENY\n");
    for (daemon, addr, verdict, line) in
        [("ipop3d", "192.168.1.7", "allow", 1), ("ipop3d", "10.0.0.1", "deny", 2), ("smtpd", "192.168.1.7", "deny", 2)]
    {
        assert_eq!(said(&hosts, daemon, addr), Some((verdict.to_owned(), line)), "{daemon} {addr}");
    }
}

#[test]
fn patterns() {
    let cases = [
        ("ALL", "1.2.3.4", true),
        ("131.155.", "131.155.1.2", true),
        ("131.155.", "131.15.5.2", false),
        ("131.155.72.0/255.255.254.0", "131.155.73.255", true),
        ("131.155.72.0/23", "131.155.74.0", false),
        ("[3ffe:505:2:1::]/64", "3ffe:505:2:1::5", true),
        ("[3ffe:505:2:1::]", "3ffe:505:2:1::5", false),
        ("192.0.2.7", "192.0.2.7", true),
        ("KNOWN", "1.2.3.4", false),
        ("UNKNOWN", "1.2.3.4", true),
        ("ALL EXCEPT 1.2.3.", "1.2.3.4", false),
        ("ALL EXCEPT 1.2.3. EXCEPT 1.2.3.4", "1.2.3.4", true),
        ("ALL EXCEPT 1.2.3. EXCEPT 1.2.3.4", "1.2.3.5", false),
        ("10. EXCEPT 10.1.", "11.0.0.1", false),
        ("1.2.*.4", "1.2.33.4", true),
        ("10.0.7.0/255.0.255.0", "10.9.7.1", true),
        ("10.0.7.0/255.0.255.0", "10.9.8.1", false),
    ];
    for (clients, addr, matches) in cases {
        let hosts = hosts(&format!("d: {clients}\n"));
        assert_eq!(said(&hosts, "d", addr).is_some(), matches, "{clients} {addr}");
    }
}

#[test]
fn the_first_rule_that_matches() {
    let hosts =
        hosts("# who may\na b: 10. : severity mail.info : allow\n\\\n\nb: 11. \\\n  12.\na EXCEPT b: 10. 11. : deny\n");
    for (daemon, addr, expected) in [
        ("a", "10.0.0.1", Some(("allow", 2))),
        ("b", "12.0.0.1", Some(("allow", 5))),
        ("a", "11.0.0.1", Some(("deny", 7))),
        ("b", "13.0.0.1", None),
        ("c", "10.0.0.1", None),
    ] {
        let expected = expected.map(|(verdict, line)| (verdict.to_owned(), line));
        assert_eq!(said(&hosts, daemon, addr), expected, "{daemon} {addr}");
    }
}

#[test]
fn mistakes_are_named() {
    let cases = [
        ("ALL\n", "f:1:1: no colon between services and clients; write SERVICES : CLIENTS"),
        ("ALL: ALL", "f:1:9: the last line has no line end; end it, or tcpd overlooks it"),
        (
            "a: x : spawn (mail root)\n",
            "f:1:7: \"spawn (mail root)\" would run a command; nothing is run here: take it out, or write the rule without it",
        ),
        (
            "a: x : twist /bin/echo\n",
            "f:1:7: \"twist /bin/echo\" would run a command; nothing is run here: take it out, or write the rule without it",
        ),
        ("a: 1.2.3.4/33\n", "f:1:4: \"1.2.3.4/33\" is no network; write NET/BITS, NET/MASK or [NET6]/BITS"),
        ("a: 1.2.3.4/24\n", "f:1:4: \"1.2.3.4/24\" has host bits, and matches nobody; clear them"),
        ("a: 0.0.0.0/0\n", "f:1:4: \"0.0.0.0/0\" matches nobody; write ALL, or 0.0.0.0/0.0.0.0"),
        ("a: 1.2.3.4/255.255.255.255\n", "f:1:4: \"1.2.3.4/255.255.255.255\" matches nobody; write the address alone"),
        ("a: b, @group\n", "f:1:7: \"@group\" is a netgroup; list its hosts"),
        ("a: /etc/list\n", "f:1:4: \"/etc/list\" is another file; list here what is in it"),
        ("a: u@h\n", "f:1:4: \"u@h\" asks for a user by ident; name the host alone"),
        ("a@h: b\n", "f:1:1: \"a@h\" depends on our own address; name the service alone"),
        ("a:\n", "f:1:3: an empty list; name at least one, or ALL"),
        ("a: ALL EXCEPT\n", "f:1:3: an empty list; name at least one, or ALL"),
        ("a: b : deny : severity x\n", "f:1:7: deny before the end of the rule; put it last"),
    ];
    for (text, message) in cases {
        let mistakes = Table::parse(Kind::HostsAllow, "f", text).unwrap_err();
        assert_eq!(mistakes[0].to_string(), message, "{text}");
    }
}

#[test]
fn only_relayclient_is_a_word_about_relaying() {
    let text = "tcp-env: 10. , .example.com 192.0.2.7 : setenv = RELAYCLIENT\nsmtpd: ALL\nALL: 11.\n\
                tcp-env: ALL EXCEPT 12. : setenv RELAYCLIENT x\n";
    let table = Table::parse(Kind::HostsAllow, "f", text).unwrap();
    let entries: Vec<String> = table
        .relay_entries()
        .map(|entry| match &entry.what {
            RelayWhat::Client(pattern) => format!("{} {pattern}", entry.line),
            RelayWhat::Domain(domain) => panic!("{domain}"),
        })
        .collect();
    assert_eq!(entries, ["1 10.0.0.0/8", "1 .example.com", "1 192.0.2.7"]);
    assert_eq!(table.warnings().len(), 1);
    assert_eq!(table.get("smtpd 1.2.3.4").unwrap().value, "allow");
    assert_eq!(table.get("ftpd 11.0.0.1").unwrap().line, 3);
    assert_eq!(table.get("ftpd 1.2.3.4"), None);
}
