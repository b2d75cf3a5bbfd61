use super::super::{Kind, Table};
use super::*;

fn access(allow: &str, deny: &str) -> HostsAccess {
    let read = |role, name: &str, text: &str| HostsFile::parse(role, name, text).unwrap();
    HostsAccess::new(read(Role::Allow, "allow", allow), read(Role::Deny, "deny", deny))
}

fn said(access: &HostsAccess, daemon: &str, addr: &str, name: HostName<'_>) -> bool {
    access.permits(daemon, addr.parse().unwrap(), name).permits()
}

#[test]
fn a_pop_server_for_the_house() {
    let access = access("ipop3d:LOCAL,192.168.1.\nALL: ALL: DENY\n", "");
    assert!(said(&access, "ipop3d", "192.168.1.7", HostName::Unknown));
    assert!(said(&access, "ipop3d", "10.0.0.1", HostName::Known("pc")));
    assert!(!said(&access, "ipop3d", "10.0.0.1", HostName::Known("pc.example.com")));
    assert!(!said(&access, "ipop3d", "10.0.0.1", HostName::Unknown));
    assert!(!said(&access, "smtpd", "192.168.1.7", HostName::Unknown));
    let denied = access.permits("x", "10.0.0.1".parse().unwrap(), HostName::Forged);
    assert_eq!(denied, Decision::Deny(Place { file: "allow".into(), line: 2 }));
}

#[test]
fn patterns() {
    let name = HostName::Known;
    let cases = [
        ("ALL", "1.2.3.4", HostName::Unknown, true),
        (".tue.nl", "1.2.3.4", name("wzv.win.TUE.nl"), true),
        (".tue.nl", "1.2.3.4", name("tue.nl"), false),
        ("131.155.", "131.155.1.2", HostName::Unknown, true),
        ("131.155.", "131.15.5.2", HostName::Unknown, false),
        ("131.155.72.0/255.255.254.0", "131.155.73.255", HostName::Unknown, true),
        ("131.155.72.0/23", "131.155.74.0", HostName::Unknown, false),
        ("[3ffe:505:2:1::]/64", "3ffe:505:2:1::5", HostName::Unknown, true),
        ("[3ffe:505:2:1::]", "3ffe:505:2:1::5", HostName::Unknown, false),
        ("192.0.2.7", "::ffff:192.0.2.7", HostName::Unknown, true),
        ("KNOWN", "1.2.3.4", name("a.example"), true),
        ("KNOWN", "1.2.3.4", HostName::Forged, false),
        ("UNKNOWN", "1.2.3.4", HostName::Unknown, true),
        ("UNKNOWN", "1.2.3.4", HostName::Forged, false),
        ("PARANOID", "1.2.3.4", HostName::Forged, true),
        ("ALL EXCEPT 1.2.3.", "1.2.3.4", HostName::Unknown, false),
        ("ALL EXCEPT 1.2.3. EXCEPT 1.2.3.4", "1.2.3.4", HostName::Unknown, true),
        ("ALL EXCEPT 1.2.3. EXCEPT 1.2.3.4", "1.2.3.5", HostName::Unknown, false),
        ("10. EXCEPT 10.1.", "11.0.0.1", HostName::Unknown, false),
        ("*.example.c?m", "1.2.3.4", name("a.b.example.com"), true),
        ("1.2.*.4", "1.2.33.4", HostName::Unknown, true),
        ("10.0.7.0/255.0.255.0", "10.9.7.1", HostName::Unknown, true),
        ("10.0.7.0/255.0.255.0", "10.9.8.1", HostName::Unknown, false),
        ("a.example", "1.2.3.4", name("A.Example"), true),
    ];
    for (clients, addr, name, matches) in cases {
        let access = access(&format!("d: {clients}\n"), "ALL:ALL\n");
        assert_eq!(said(&access, "d", addr, name), matches, "{clients} {addr} {name:?}");
    }
}

#[test]
fn the_first_rule_of_allow_then_of_deny() {
    let access = access(
        "# who may\na b: 10. : severity mail.info : allow\n\\\n\nb: 11. \\\n  12.\n",
        "a EXCEPT b: 10.\nc: 10. : allow\nALL: 10. 11.\n",
    );
    for (daemon, addr, permitted) in [
        ("a", "10.0.0.1", true),
        ("b", "12.0.0.1", true),
        ("a", "11.0.0.1", false),
        ("c", "10.0.0.1", true),
        ("d", "10.0.0.1", false),
        ("d", "13.0.0.1", true),
    ] {
        assert_eq!(said(&access, daemon, addr, HostName::Unknown), permitted, "{daemon} {addr}");
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
        let mistakes = HostsFile::parse(Role::Allow, "f", text).unwrap_err();
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
