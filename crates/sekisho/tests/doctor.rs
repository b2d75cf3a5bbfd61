//! `sekisho doctor`: the how-to snippets are healthy, and each way to break them is found.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use migrate::doctor::{self, Finding, Severity};
use std::fs;
use std::path::Path;
use std::process::Command;

const MASTER: &str = "smtp inet n - y - - smtpd\npickup unix n - y 60 1 pickup\n";

fn example(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples").join(name)).unwrap()
}

/// What is found in a folder with these files.
fn found(files: &[(&str, &str)]) -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    doctor::examine(dir.path()).unwrap()
}

fn postfix(main: &str, master: &str) -> Vec<Finding> {
    found(&[("main.cf", &format!("myhostname = mail.example.test\n{main}")), ("master.cf", master)])
}

fn shown(findings: &[Finding]) -> String {
    findings.iter().fold(String::new(), |all, it| all + &it.to_string() + "\n")
}

#[test]
fn the_examples_for_postfix_are_healthy() {
    let [policy, restrict, milter, socketmap, database, sasl, submission] =
        ["policy.cf", "restrict.cf", "milter.cf", "socketmap.cf", "database.cf", "sasl.cf", "master-submission.cf"]
            .map(|name| example(&format!("postfix/{name}")));
    let with_submission = format!("{MASTER}{submission}");
    let cases = [
        ("policy", policy.clone(), MASTER),
        ("restrict", restrict.clone(), MASTER),
        ("milter", milter.clone(), MASTER),
        ("socketmap", socketmap, MASTER),
        ("database", database, MASTER),
        ("policy, submission", format!("{policy}{sasl}"), &with_submission),
        ("restrict, submission", format!("{restrict}{sasl}"), &with_submission),
        ("milter, submission", format!("{milter}{sasl}"), &with_submission),
    ];
    for (name, main, master) in cases {
        let findings = postfix(&main, master);
        assert!(findings.iter().all(|it| it.severity == Severity::Note), "{name}: {}", shown(&findings));
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_breaks_postfix_is_found() {
    use Severity::{Danger, Warning};
    let policy = example("postfix/policy.cf");
    let relay = |list: &str| format!("smtpd_relay_restrictions = {list}\n");
    let guard = "check_policy_service inet:127.0.0.1:10031";
    let after = |text: &str| format!("{policy}{text}\n");
    let milter = |text: &str| format!("{}{text}\n", example("postfix/milter.cf"));
    let cases = [
        (
            relay(&format!("permit_mynetworks, {guard}, reject_unauth_destination")),
            MASTER,
            Danger,
            "permit_mynetworks stands before",
        ),
        (
            relay(&format!("permit_sasl_authenticated, {guard}, reject_unauth_destination")),
            MASTER,
            Danger,
            "permit_sasl_authenticated stands before",
        ),
        (
            relay(&format!("permit_mx_backup, {guard}, reject_unauth_destination")),
            MASTER,
            Danger,
            "permit_mx_backup stands before",
        ),
        (relay(&format!("permit, {guard}, reject_unauth_destination")), MASTER, Danger, "permit stands before"),
        (relay(&format!("check_client_access hash:/nowhere/x, {guard}, reject")), MASTER, Warning, "cannot be read"),
        (relay(guard), MASTER, Danger, "nothing stops mail for others"),
        (relay(&format!("reject_unauth_destination, {guard}")), MASTER, Warning, "comes too late"),
        (
            relay(&format!("{guard}, permit_mx_backup, reject_unauth_destination")),
            MASTER,
            Warning,
            "permit_mx_backup behind",
        ),
        (
            relay("check_policy_service { inet:127.0.0.1:10031, policy_context=foreign }, reject_unauth_destination"),
            MASTER,
            Warning,
            "policy_context=foreign before permit_auth_destination",
        ),
        (
            relay(&format!("permit_auth_destination, {guard}, reject_unauth_destination")),
            MASTER,
            Warning,
            "access rules miss your own recipients",
        ),
        (milter("relay_domains = branch.example"), MASTER, Severity::Note, "does not know that branch.example"),
        (
            after("smtpd_policy_service_default_action = DUNNO"),
            MASTER,
            Danger,
            "while Sekisho is away, everything goes past",
        ),
        (after("smtpd_policy_service_default_action = OK"), MASTER, Danger, "while Sekisho is away"),
        (after("smtpd_policy_service_default_action = 554 no"), MASTER, Warning, "refused for good"),
        (
            relay("check_policy_service { inet:127.0.0.1:10031, default_action=DUNNO }, reject"),
            MASTER,
            Danger,
            "default_action = DUNNO",
        ),
        (after("smtpd_delay_reject = no"), MASTER, Warning, "before sender and recipient are known"),
        (after("mynetworks = 10.0.0.0/8 0.0.0.0/0"), MASTER, Warning, "mynetworks: 0.0.0.0/0"),
        (milter("mynetworks = 0.0.0.0/0"), MASTER, Danger, "mynetworks: 0.0.0.0/0"),
        (milter("mynetworks_style = class"), MASTER, Danger, "mynetworks_style = class"),
        (milter("milter_default_action = accept"), MASTER, Danger, "milter_default_action = accept"),
        (
            policy.clone(),
            "2525 inet n - y - - smtpd\n  -o smtpd_relay_restrictions=permit_mynetworks,reject\n",
            Danger,
            "Sekisho is not asked there",
        ),
        (
            policy.clone(),
            "2525 inet n - y - - smtpd\n -o smtpd_relay_restrictions=permit_mynetworks,reject -o smtpd_end_of_data_restrictions= -o smtpd_client_restrictions= -o smtpd_helo_restrictions= -o smtpd_sender_restrictions= -o smtpd_recipient_restrictions= -o smtpd_data_restrictions=\n",
            Danger,
            "never reaches Sekisho",
        ),
        (
            milter(""),
            "smtp inet n - y - - smtpd\n587 inet n - y - - smtpd -o smtpd_milters=\n",
            Danger,
            "587 inet: its mail never",
        ),
        (policy.clone(), "smtp inet n - y - - smtpd\n628 inet n - y - - qmqpd\n", Warning, "qmqpd"),
        (
            "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n".to_owned(),
            MASTER,
            Danger,
            "nothing in it asks Sekisho",
        ),
    ];
    for (main, master, severity, what) in cases {
        let findings = postfix(&main, master);
        let is = |it: &Finding| it.severity == severity && it.what.contains(what);
        assert!(findings.iter().any(is), "{what}, in\n{main}\n{}", shown(&findings));
    }
}

#[test]
fn a_map_before_the_guard_counts_by_what_it_says() {
    let main = "smtpd_relay_restrictions = check_client_access hash:clients, check_policy_service inet:127.0.0.1:10031, \
                reject_unauth_destination\nmyhostname = mail.example.test\n";
    let harmless = found(&[("main.cf", main), ("clients", "192.0.2.7 REJECT\n# 192.0.2.8 OK\n")]);
    assert!(harmless.is_empty(), "{}", shown(&harmless));
    let around = found(&[("main.cf", main), ("clients", "192.0.2.7 REJECT\n192.0.2.8 OK\n")]);
    assert!(around[0].severity == Severity::Danger && around[0].what.contains("192.0.2.8 OK"), "{}", shown(&around));
}

fn sendmail(change: impl Fn(&str, String) -> String) -> Vec<Finding> {
    let files = ["sendmail.mc", "sekisho.m4", "sekisho-milter.m4", "access"];
    let texts = files.map(|name| (name, change(name, example(&format!("sendmail/{name}")))));
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    found(&texts)
}

#[test]
fn the_example_for_sendmail_is_healthy() {
    let findings = sendmail(|_, text| text);
    assert!(findings.is_empty(), "{}", shown(&findings));
    let drac = found(&[
        ("sendmail.mc", "include(MAIL_SETTINGS_DIR`sekisho-drac.m4')dnl\nMAILER(`smtp')dnl\n"),
        ("sekisho-drac.m4", &example("sendmail/sekisho-drac.m4")),
    ]);
    assert!(drac.is_empty(), "{}", shown(&drac));
}

#[test]
fn what_breaks_sendmail_is_found() {
    use Severity::{Danger, Note, Warning};
    let cases = [
        ("sendmail.mc", "FEATURE(`mailertable')", "FEATURE(`promiscuous_relay')", Danger, "everybody may relay"),
        ("sendmail.mc", "FEATURE(`mailertable')", "FEATURE(`relay_local_from')", Danger, "relay_local_from"),
        ("sendmail.mc", "FEATURE(`mailertable')", "FEATURE(`relay_entire_domain')", Warning, "relay_entire_domain"),
        (
            "sendmail.mc",
            "FEATURE(`mailertable')",
            "FEATURE(`accept_unqualified_senders')",
            Warning,
            "accept_unqualified",
        ),
        (
            "sendmail.mc",
            "FEATURE(`mailertable')",
            "DAEMON_OPTIONS(`Port=587, InputMailFilters=')",
            Danger,
            "leave Sekisho out",
        ),
        ("sekisho-milter.m4", " F=T,", "", Danger, "without F=T"),
        ("sekisho-milter.m4", "F=T,", "F=R,", Warning, "refuses mail for good"),
        ("sekisho-milter.m4", "INPUT_MAIL_FILTER", "MAIL_FILTER", Danger, "no mail reaches it"),
        (
            "sendmail.mc",
            "MAILER(`smtp')dnl\n",
            "RELAY_DOMAIN(`branch.example')\nMAILER(`smtp')dnl\n",
            Note,
            "relay-domains",
        ),
        ("sekisho.m4", "-T<TMPF> SEKISHO", "-t SEKISHO", Warning, "as if it had said no"),
        ("sekisho.m4", "$(relay ", "$(other ", Danger, "no rule asks it"),
        (
            "sendmail.mc",
            "MAILER(`smtp')dnl\n",
            "MAILER(`smtp')dnl\nLOCAL_RULESETS\nSLocal_check_rcpt\nR$*\t\t$: $1\n",
            Danger,
            "there twice",
        ),
    ];
    for (file, from, to, severity, what) in cases {
        let findings = sendmail(|name, text| if name == file { text.replace(from, to) } else { text });
        let is = |it: &Finding| it.severity == severity && it.what.contains(what);
        assert!(findings.iter().any(is), "{file}: {to}\n{}", shown(&findings));
    }
    let cf = "V10/Berkeley\n#####  $Id: promiscuous_relay.m4,v 8.13 2013-11-22 20:51:11 ca Exp $  #####\nO InputMailFilters=other\n\
              Xsekisho, S=inet:10033@127.0.0.1, F=T\n";
    let findings = found(&[("sendmail.cf", cf)]);
    assert!(findings.iter().any(|it| it.what.contains("promiscuous_relay")), "{}", shown(&findings));
    assert!(findings.iter().any(|it| it.what.contains("does not name sekisho")), "{}", shown(&findings));
}

#[test]
fn the_exit_code_tells() {
    let dir = tempfile::tempdir().unwrap();
    let main = dir.path().join("main.cf");
    let run = |text: &str| {
        fs::write(&main, text).unwrap();
        Command::new(env!("CARGO_BIN_EXE_sekisho")).args(["doctor", main.to_str().unwrap(), "--json"]).output().unwrap()
    };
    assert_eq!(run(&example("postfix/policy.cf")).status.code(), Some(0));
    let broken = run("smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n");
    assert_eq!(broken.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert_eq!(told[0]["severity"], "danger");
    assert_eq!(run("# nothing\n").status.code(), Some(2));
}

#[test]
fn our_own_configuration_is_looked_at() {
    use Severity::{Danger, Note, Warning};
    let head = "hostname = \"mail.example.test\"\ndata_dir = \"data\"\n";
    let mx = "[[listener]]\nname = \"mx\"\nprotocol = \"smtp\"\nbind = [\"0.0.0.0:25\"]\n";
    let listener = |name: &str, protocol: &str, bind: &str, more: &str| {
        format!("[[listener]]\nname = \"{name}\"\nprotocol = \"{protocol}\"\nbind = [\"{bind}\"]\n{more}\n")
    };
    for (text, severity, line, part) in [
        (format!("{mx}[relay]\nnetworks = [\"0.0.0.0/0\"]\n"), Danger, 9, "0.0.0.0/0"),
        (String::new(), Danger, 1, "no [[listener]]"),
        (format!("{mx}[tls]\ncertificate = \"none\"\nkey = \"none\"\n"), Danger, 1, "none: No such file"),
        (mx.to_owned(), Warning, 5, "no TLS: mail from other servers"),
        (listener("s", "submission", "0.0.0.0:587", ""), Warning, 5, "no TLS: hardly a program"),
        (listener("pop", "pop3", "0.0.0.0:110", "auth = \"always\""), Danger, 5, "passwords without TLS"),
        (listener("p", "policy", "127.0.0.1:10031", ""), Warning, 5, "every user and program of this host"),
        (listener("p", "policy", "127.0.0.1:10031", ""), Note, 5, "only takes away"),
        (listener("m", "milter", "127.0.0.1:10033", "relay = \"permit\""), Note, 5, "only hands on"),
        (listener("p", "policy", "192.0.2.1:10031", "peers = [\"192.0.2.2\"]"), Warning, 5, "believes what hosts"),
        (listener("p", "policy", "unix:p", "socket_mode = \"0666\""), Warning, 5, "everybody on this host"),
        (format!("{mx}[relay]\nnetworks = [\"192.0.2.0/28\"]\n"), Note, 9, "every host of 192.0.2.0/28"),
        (format!("{mx}[relay]\nexport = \"hash:relay\"\n"), Warning, 9, "cannot fail closed"),
        (format!("{mx}[relay.drac]\nloopback = true\n"), Warning, 9, "127.0.0.1 may get a grant"),
        (format!("{mx}[relay.drac]\nudp_from_others = true\n"), Warning, 9, "forges a source address"),
        (format!("{mx}[delivery]\nremote = \"sink\"\n"), Warning, 9, "mail to others is not sent"),
        (format!("{mx}[admin]\nmode = \"0660\"\n"), Note, 9, "a group may control the server"),
    ] {
        let findings = found(&[("sekisho.toml", &format!("{head}\n{text}"))]);
        let is = |it: &&Finding| it.severity == severity && it.at.line == line && it.what.contains(part);
        assert!(findings.iter().any(|it| is(&it)), "{text}\n{}", shown(&findings));
    }
    // A mail server in the folder is what was asked about.
    let beside = found(&[("sekisho.toml", head), ("main.cf", "myhostname = mail.example.test\n")]);
    assert!(beside.iter().all(|it| it.at.file.ends_with("main.cf")), "{}", shown(&beside));
}
