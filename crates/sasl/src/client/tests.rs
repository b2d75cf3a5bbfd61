//! Our client against our server, in memory.

use proptest::prelude::*;

use super::{ChannelBinding, Credentials, Exchange, Failure, Plaintext, choose};
use crate::scram::Keys;
use crate::{Context, Mechanism, PasswordVerdict, SecretKind, Step, StoredSecret, server};

const CHANNEL: [u8; 32] = [0xcb; 32];

fn context(plus_offered: bool) -> Context {
    Context {
        hostname: "mx.example.test".into(),
        channel_binding: Some(CHANNEL.to_vec()),
        plus_offered,
        nonce: [1; 24],
        unix_secs: 7,
        decoy_key: [9; 32],
    }
}

fn client(mechanism: Mechanism, login: &str, password: &[u8]) -> Exchange {
    let binding = match mechanism {
        Mechanism::ScramSha256Plus => ChannelBinding::TlsExporter(CHANNEL.to_vec()),
        _ => ChannelBinding::NotOffered,
    };
    Exchange::new(mechanism, Credentials::new(login, password).unwrap(), binding, [2; 24])
}

/// What the server's directory knows: one login, one password.
struct Account<'a> {
    login: &'a str,
    password: &'a [u8],
}

impl Account<'_> {
    fn secrets(&self, login: &str, kind: SecretKind) -> Option<Vec<StoredSecret>> {
        (login == self.login).then(|| match kind {
            SecretKind::CramMd5 => vec![StoredSecret::Clear(self.password.into())],
            SecretKind::ScramSha256 => {
                vec![StoredSecret::ScramSha256(Keys::derive(self.password, [3; 16], 4096).unwrap())]
            }
        })
    }
}

/// Both sides to the end: who the server takes the client for, if it does and the client believes it.
fn run(mut client: Exchange, context: Context, account: &Account<'_>) -> Option<String> {
    let mut server = server::Exchange::new(client.mechanism, context);
    let initial = client.initial().ok()?;
    let mut step = server.start(initial.as_deref());
    loop {
        step = match step {
            Step::Challenge(challenge) => server.respond(&client.respond(&challenge).ok()?),
            Step::NeedPassword { login, password, .. } => {
                let right = login == account.login && password.expose() == account.password;
                server.password_checked(if right { PasswordVerdict::Right } else { PasswordVerdict::Wrong })
            }
            Step::NeedSecret { login, kind } => server.secret(&login, account.secrets(&login, kind)),
            Step::Done { login, last } => {
                if let Some(last) = last {
                    assert!(client.respond(&last).ok()?.is_empty());
                }
                return client.succeeded(None).is_ok().then_some(login);
            }
            Step::Failed(_) => return None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn client_and_server_agree(which in 0..5_usize, login in "[^\\pC]{1,40}", password in "[^\\pC]{1,40}") {
        let mechanism = Mechanism::ALL[which];
        let account = Account { login: &login, password: password.as_bytes() };
        let offered = mechanism == Mechanism::ScramSha256Plus;
        let right = client(mechanism, &login, password.as_bytes());
        prop_assert_eq!(run(right, context(offered), &account), Some(login.clone()));
        let wrong = client(mechanism, &login, format!("{password}x").as_bytes());
        prop_assert_eq!(run(wrong, context(offered), &account), None);
        let unknown = client(mechanism, &format!("{login}x"), password.as_bytes());
        prop_assert_eq!(run(unknown, context(offered), &account), None);
    }

    #[test]
    fn no_challenge_makes_the_client_panic(which in 0..5_usize, challenges in proptest::collection::vec("[ -~]{0,80}", 0..4)) {
        let mut client = client(Mechanism::ALL[which], "tim", b"secret");
        let _ = client.initial();
        for challenge in challenges {
            let _ = client.respond(challenge.as_bytes());
        }
        let _ = client.succeeded(None);
    }
}

#[test]
fn downgrade_is_seen_by_the_server() {
    let account = Account { login: "tim", password: b"secret" };
    let client = client(Mechanism::ScramSha256, "tim", b"secret");
    assert_eq!(run(client, context(true), &account), None);
}

#[test]
fn another_channel_is_seen_by_the_server() {
    let account = Account { login: "tim", password: b"secret" };
    let relayed = Context { channel_binding: Some(vec![0xaa; 32]), ..context(true) };
    assert_eq!(run(client(Mechanism::ScramSha256Plus, "tim", b"secret"), relayed, &account), None);
}

#[test]
fn the_strongest_is_chosen() {
    let bound = ChannelBinding::TlsExporter(vec![1]);
    let table = [
        ("PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-256-PLUS", &bound, Some(Mechanism::ScramSha256Plus)),
        ("PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", &ChannelBinding::Unsupported, Some(Mechanism::ScramSha256)),
        ("LOGIN plain X-OTHER", &bound, Some(Mechanism::Plain)),
        ("LOGIN CRAM-MD5", &bound, Some(Mechanism::CramMd5)),
        ("GSSAPI", &bound, None),
    ];
    for (offered, binding, expected) in table {
        assert_eq!(choose(offered.split(' '), binding, Plaintext::Allowed), expected, "{offered}");
    }
    assert_eq!(choose(["PLAIN", "LOGIN"], &bound, Plaintext::Refused), None);
}

#[test]
fn the_example_of_rfc_2195_and_4616() {
    let mut cram = client(Mechanism::CramMd5, "tim", b"tanstaaftanstaaf");
    assert_eq!(cram.initial(), Ok(None));
    let answer = cram.respond(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
    assert_eq!(answer, b"tim b913a602c7eda7a495b4e6e7334d3890");
    assert_eq!(cram.succeeded(None), Ok(()));
    let mut plain = client(Mechanism::Plain, "tim", b"tanstaaftanstaaf");
    assert_eq!(plain.initial().unwrap().unwrap(), b"\0tim\0tanstaaftanstaaf");
}

#[test]
fn a_server_that_proves_nothing_is_not_believed() {
    let begun = || {
        let mut client = client(Mechanism::ScramSha256, "tim", b"secret");
        let first = client.initial().unwrap().unwrap();
        let nonce = String::from_utf8(first).unwrap().split_once("r=").unwrap().1.to_owned();
        (client, nonce)
    };
    let (mut few, nonce) = begun();
    let answer = few.respond(format!("r={nonce}x,s=AAAA,i=1").as_bytes());
    assert_eq!(answer, Err(Failure::Distrust("too few iterations")));
    let (mut replay, _) = begun();
    assert_eq!(replay.respond(b"r=other,s=AAAA,i=4096"), Err(Failure::Distrust("nonce is not ours")));
    let (mut echo, nonce) = begun();
    assert!(echo.respond(format!("r={nonce},s=AAAA,i=4096").as_bytes()).is_err());
    let (mut silent, nonce) = begun();
    silent.respond(format!("r={nonce}x,s=AAAA,i=4096").as_bytes()).unwrap();
    assert_eq!(silent.succeeded(None), Err(Failure::Distrust("success without its signature")));
    let (mut forged, nonce) = begun();
    forged.respond(format!("r={nonce}x,s=AAAA,i=4096").as_bytes()).unwrap();
    let wrong = b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(forged.respond(wrong), Err(Failure::Distrust("signature is wrong")));
    assert!(forged.succeeded(None).is_err());
    let (mut early, _) = begun();
    assert_eq!(early.succeeded(None), Err(Failure::OutOfOrder));
}

#[test]
fn plus_needs_a_channel() {
    let credentials = Credentials::new("tim", b"x").unwrap();
    let mut client = Exchange::new(Mechanism::ScramSha256Plus, credentials, ChannelBinding::Unsupported, [0; 24]);
    assert_eq!(client.initial(), Err(Failure::ChannelBinding));
}

#[test]
fn t13_no_credentials_without_a_password() {
    assert!(Credentials::new("tim", b"").is_err());
    assert!(Credentials::new("", b"x").is_err());
}
