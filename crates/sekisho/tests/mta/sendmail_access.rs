//! The files that sendmail reads, read by the guard as they are: the same fate for the same mail.

use std::net::Ipv4Addr;

use super::{EXAMPLES, Sendmail, Setup};
use crate::demo::{Demo, Dialogue};
use crate::support::{Folder, OUTSIDE, file_text, root};

/// Addresses that the example's `access` names, and a stranger's.
const CLIENTS: &[[u8; 4]] =
    &[[127, 0, 0, 66], [127, 0, 0, 31], [127, 0, 0, 41], [127, 0, 0, 42], [127, 0, 0, 43], [127, 0, 0, 45]];
const SENDERS: &[&str] = &[
    "x@elsewhere.example",
    "",
    "x@spam.example",
    "X@Spam.Example",
    "x@mail.spam.example",
    "friend@spam.example",
    "offers@elsewhere.example",
];
const RECIPIENTS: &[&str] = &[
    "alice@example.test",
    "closed@example.test",
    "away@example.test",
    "b@enemy.example",
    "b@mail.enemy.example",
    "b@partner.example",
    "b@mail.partner.example",
    "b@branch.example",
    OUTSIDE,
];

/// Taken, put off or refused, by the deciding reply of sendmail.
fn fate_at_sendmail(sendmail: &Sendmail, from: Ipv4Addr, sender: &str, recipient: &str) -> char {
    let mut smtp = Dialogue::connect(from, sendmail.port);
    let mut answer = smtp.reply();
    for line in ["EHLO client.example".to_owned(), format!("MAIL FROM:<{sender}>"), format!("RCPT TO:<{recipient}>")] {
        if answer.starts_with('2') {
            answer = smtp.say(&line);
        }
    }
    answer.chars().next().unwrap_or('-')
}

/// The same by the guard's word, stage for stage, where it decides about relaying.
fn fate_at_guard(demo: &Demo, from: Ipv4Addr, sender: &str, recipient: &str) -> char {
    let mut policy = demo.dial("policy");
    for stage in ["CONNECT", "EHLO", "MAIL", "RCPT"] {
        let (sender, recipient) = match stage {
            "RCPT" => (sender, recipient),
            "MAIL" => (sender, ""),
            _ => ("", ""),
        };
        policy.send(format!(
            "request=smtpd_access_policy\nprotocol_state={stage}\nprotocol_name=ESMTP\nclient_address={from}\n\
             client_name=unknown\nreverse_client_name=unknown\nhelo_name=client.example\nsender={sender}\n\
             recipient={recipient}\nrecipient_count=0\npolicy_context=foreign\n\
             instance={from}.{sender}.{recipient}\n\n"
        ));
        let action = policy.reply();
        assert_eq!(policy.reply(), "\n", "the end of the answer {action}");
        match action.trim().strip_prefix("action=").and_then(|action| action.split(' ').next()).unwrap_or_default() {
            "DUNNO" | "OK" | "PREPEND" | "WARN" => {}
            "DISCARD" | "HOLD" => return '2',
            "REJECT" => return '5',
            "DEFER" | "DEFER_IF_PERMIT" => return '4',
            code => return code.chars().next().unwrap_or('-'),
        }
    }
    '2'
}

/// The guard with sendmail's files. Its own domain is no relay domain to it.
fn guard(folder: &Folder) -> Demo {
    let at = |name: &str| root().join(EXAMPLES).join(name).display().to_string();
    let others = file_text(&root().join(EXAMPLES).join("relay-domains"));
    let others: Vec<&str> = others.lines().filter(|line| *line != "example.test").collect();
    let relay_domains = folder.write("relay-domains", &others.join("\n"));
    Demo::start_with(&[
        &format!("access=[{{map=\"sendmail-access:{}\"}}]", at("access")),
        &format!("relay.maps=[\"sendmail-access:{}\"]", at("access")),
        &format!(
            "domains.maps=[\"local-host-names:{}\",\"relay-domains:{}\",\"mailertable:{}\"]",
            at("local-host-names"),
            relay_domains.display(),
            at("mailertable")
        ),
    ])
}

#[test]
fn the_same_fate_as_with_sendmail() {
    compare(CLIENTS, SENDERS, RECIPIENTS);
}

/// sendmail's class `R` means the domains below too.
#[test]
fn the_same_fate_below_relay_domains() {
    compare(&CLIENTS[..1], &SENDERS[..1], &["b@mail.branch.example", "b@notbranch.example"]);
}

fn compare(clients: &[[u8; 4]], senders: &[&str], recipients: &[&str]) {
    let folder = Folder::new();
    let demo = guard(&folder);
    let sendmail = Sendmail::start(&Setup::default());
    let mut wrong = Vec::new();
    for client in clients.iter().copied().map(Ipv4Addr::from) {
        for sender in senders {
            for recipient in recipients {
                let theirs = fate_at_sendmail(&sendmail, client, sender, recipient);
                let ours = fate_at_guard(&demo, client, sender, recipient);
                if ours != theirs {
                    wrong.push(format!("{client} {sender} {recipient}: sendmail {theirs}, guard {ours}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the table above must hold in sendmail itself, so that it compares something.
#[test]
fn the_example_does_what_its_comments_say() {
    let sendmail = Sendmail::start(&Setup::default());
    let cases: &[([u8; 4], &str, &str, &str)] = &[
        ([127, 0, 0, 66], "x@elsewhere.example", "alice@example.test", "250"),
        ([127, 0, 0, 66], "x@elsewhere.example", OUTSIDE, "550 5.7.1"),
        ([127, 0, 0, 31], "x@elsewhere.example", OUTSIDE, "250"),
        ([127, 0, 0, 41], "x@elsewhere.example", "alice@example.test", "550 5.7.1"),
        ([127, 0, 0, 42], "x@elsewhere.example", "alice@example.test", "450 4.7.1 Come back tomorrow"),
        ([127, 0, 0, 43], "x@elsewhere.example", "alice@example.test", "550 5.7.1 Not from there"),
        ([127, 0, 0, 45], "x@elsewhere.example", "alice@example.test", "250"),
        ([127, 0, 0, 45], "x@elsewhere.example", OUTSIDE, "550 5.7.1"),
        ([127, 0, 0, 66], "x@mail.spam.example", "alice@example.test", "550 5.7.1"),
        ([127, 0, 0, 66], "friend@spam.example", "alice@example.test", "250"),
        (
            [127, 0, 0, 66],
            "offers@elsewhere.example",
            "alice@example.test",
            "550 5.7.1 <offers@elsewhere.example>... We want no offers",
        ),
        ([127, 0, 0, 66], "x@elsewhere.example", "closed@example.test", "550 5.2.1"),
        (
            [127, 0, 0, 66],
            "x@elsewhere.example",
            "away@example.test",
            "550 5.1.1 <away@example.test>... She works elsewhere now",
        ),
        ([127, 0, 0, 66], "x@elsewhere.example", "b@partner.example", "250"),
        ([127, 0, 0, 66], "x@elsewhere.example", "b@branch.example", "250"),
        ([127, 0, 0, 31], "x@elsewhere.example", "b@enemy.example", "550 5.2.1"),
    ];
    let mut wrong = Vec::new();
    for (client, sender, recipient, expected) in cases {
        let answer = sendmail.rcpt(Ipv4Addr::from(*client), sender, recipient);
        if !answer.starts_with(expected) {
            wrong.push(format!("{client:?} {sender} {recipient}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
