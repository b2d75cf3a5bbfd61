//! Exchanges driven by hand, message by message; the pairs of client and server are in `client`'s tests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::{Context, Exchange, Failure, PasswordVerdict, Step};
use crate::prepare::Unfit;
use crate::scram::{Keys, Salted};
use crate::{Mechanism, SecretBytes, SecretKind, StoredSecret, cram};

fn context() -> Context {
    Context {
        hostname: "mx.example.test".into(),
        channel_binding: Some(vec![0xcb; 32]),
        plus_offered: true,
        nonce: *b"24 octets of randomness!",
        unix_secs: 1_896,
        decoy_key: [9; 32],
    }
}

fn exchange(mechanism: Mechanism) -> Exchange {
    Exchange::new(mechanism, context())
}

fn keys() -> Vec<StoredSecret> {
    vec![StoredSecret::ScramSha256(Keys::derive(b"pencil", [5; 16], 4096).unwrap())]
}

#[track_caller]
fn challenge(step: Step) -> Vec<u8> {
    match step {
        Step::Challenge(challenge) => challenge,
        other => panic!("{other:?}"),
    }
}

fn is_done(step: &Step) -> bool {
    matches!(step, Step::Done { .. })
}

#[track_caller]
fn failure(step: Step) -> Failure {
    match step {
        Step::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn asked_password(step: Step) -> (String, SecretBytes) {
    match step {
        Step::NeedPassword { login, password, .. } => (login, password),
        other => panic!("{other:?}"),
    }
}

/// The client's last message for a server-first, with the password and the channel binding of one's choice.
fn client_final(bare: &str, server_first: &[u8], password: &[u8], channel: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(server_first).unwrap();
    let fields: Vec<&str> = text.split(',').map(|field| &field[2..]).collect();
    let salted = Salted::new(password, &STANDARD.decode(fields[1]).unwrap(), fields[2].parse().unwrap());
    let without_proof = format!("c={},r={}", STANDARD.encode(channel), fields[0]);
    let proof = salted.proof(&[bare.as_bytes(), b",", server_first, b",", without_proof.as_bytes()]);
    format!("{without_proof},p={}", STANDARD.encode(proof)).into_bytes()
}

#[test]
fn plain_with_and_without_initial_response() {
    let mut first = exchange(Mechanism::Plain);
    let (login, password) = asked_password(first.start(Some(b"\0tim\0tanstaaftanstaaf")));
    assert_eq!((&*login, password.expose()), ("tim", &b"tanstaaftanstaaf"[..]));
    assert!(
        matches!(first.password_checked(PasswordVerdict::Right), Step::Done { login, last: None } if login == "tim")
    );

    let mut second = exchange(Mechanism::Plain);
    assert_eq!(challenge(second.start(None)), b"");
    let _ = asked_password(second.respond(b"tim\0tim\0wrong"));
    assert_eq!(failure(second.password_checked(PasswordVerdict::Wrong)), Failure::Denied);
}

#[test]
fn login_in_two_steps_or_with_the_name_at_once() {
    let mut two = exchange(Mechanism::Login);
    assert_eq!(challenge(two.start(None)), b"Username:");
    assert_eq!(challenge(two.respond(b"tim")), b"Password:");
    assert_eq!(asked_password(two.respond(b"secret")).0, "tim");

    let mut one = exchange(Mechanism::Login);
    assert_eq!(challenge(one.start(Some(b"tim"))), b"Password:");
    let _ = asked_password(one.respond(b"secret"));
    assert!(matches!(one.password_checked(PasswordVerdict::Right), Step::Done { .. }));
}

#[test]
fn cram_md5_with_any_of_the_secrets() {
    for (secret, proved) in [("device", true), ("main", true), ("other", false)] {
        let mut exchange = exchange(Mechanism::CramMd5);
        let challenge = challenge(exchange.start(None));
        assert!(challenge.starts_with(b"<") && challenge.ends_with(b".1896@mx.example.test>"));
        let response = format!("a user {}", cram::digest(&challenge, secret.as_bytes()));
        let step = exchange.respond(response.as_bytes());
        assert!(matches!(step, Step::NeedSecret { login, kind: SecretKind::CramMd5 } if login == "a user"));
        let found = ["device", "main"].map(|secret| StoredSecret::Clear(secret.into())).to_vec();
        assert_eq!(matches!(exchange.secret("user", Some(found)), Step::Done { .. }), proved, "{secret}");
    }
}

#[test]
fn cram_md5_takes_no_initial_response_and_no_unknown_login() {
    assert!(failure(exchange(Mechanism::CramMd5).start(Some(b"x"))).is_syntax());
    for found in [None, Some(vec![]), Some(keys())] {
        let mut exchange = exchange(Mechanism::CramMd5);
        let challenge = challenge(exchange.start(None));
        let _ = exchange.respond(format!("nobody {}", cram::digest(&challenge, b"")).as_bytes());
        assert_eq!(failure(exchange.secret("user", found)), Failure::Denied);
    }
}

#[test]
fn scram_proves_both_sides() {
    let mut exchange = exchange(Mechanism::ScramSha256);
    assert_eq!(challenge(exchange.start(None)), b"");
    let step = exchange.respond(b"n,,n=us=2Cer,r=abc");
    assert!(matches!(step, Step::NeedSecret { login, kind: SecretKind::ScramSha256 } if login == "us,er"));
    let server_first = challenge(exchange.secret("user", Some(keys())));
    assert!(server_first.starts_with(b"r=abcMjQgb2N0ZXRz"), "{server_first:?}");
    let last = client_final("n=us=2Cer,r=abc", &server_first, b"pencil", b"n,,");
    assert!(
        matches!(exchange.respond(&last), Step::Done { login, last: Some(v) } if login == "us,er" && v.starts_with(b"v="))
    );
}

#[test]
fn scram_refuses_what_does_not_prove() {
    let bare = "n=user,r=abc";
    let first = format!("n,,{bare}");
    for (password, channel, found, expected) in [
        (&b"penciL"[..], &b"n,,"[..], Some(keys()), Failure::Denied),
        (b"pencil", b"n,,", None, Failure::Denied),
        (b"pencil", b"n,,", Some(vec![StoredSecret::Clear("pencil".into())]), Failure::Denied),
        (b"pencil", b"y,,", Some(keys()), Failure::ChannelBinding),
        (b"pencil", b"n,,x", Some(keys()), Failure::ChannelBinding),
    ] {
        let mut exchange = exchange(Mechanism::ScramSha256);
        let _ = exchange.start(Some(first.as_bytes()));
        let server_first = challenge(exchange.secret("user", found));
        let last = client_final(bare, &server_first, password, channel);
        assert_eq!(failure(exchange.respond(&last)), expected, "{password:?} {channel:?}");
    }
}

#[test]
fn scram_nonce_must_be_whole() {
    let mut exchange = exchange(Mechanism::ScramSha256);
    let _ = exchange.start(Some(b"n,,n=user,r=abc"));
    let server_first = challenge(exchange.secret("user", Some(keys())));
    let last = String::from_utf8(client_final("n=user,r=abc", &server_first, b"pencil", b"n,,")).unwrap();
    assert!(failure(exchange.respond(last.replace("r=abc", "r=abd").as_bytes())).is_syntax());
}

#[test]
fn channel_binding_and_its_downgrade() {
    use Mechanism::{ScramSha256, ScramSha256Plus};
    let open = Context { channel_binding: None, plus_offered: false, ..context() };
    let table = [
        // In between sits somebody who removed -PLUS from the list: the client's `y` gives it away.
        (ScramSha256, &b"y,,n=u,r=a"[..], context(), Some(Failure::Downgrade)),
        (ScramSha256, b"y,,n=u,r=a", open.clone(), None),
        (ScramSha256, b"n,,n=u,r=a", context(), None),
        (ScramSha256, b"p=tls-exporter,,n=u,r=a", context(), Some(Failure::ChannelBinding)),
        (ScramSha256Plus, b"p=tls-exporter,,n=u,r=a", context(), None),
        (ScramSha256Plus, b"p=tls-exporter,,n=u,r=a", open, Some(Failure::ChannelBinding)),
        (ScramSha256Plus, b"p=tls-unique,,n=u,r=a", context(), Some(Failure::ChannelBinding)),
        (ScramSha256Plus, b"n,,n=u,r=a", context(), Some(Failure::ChannelBinding)),
        (ScramSha256Plus, b"y,,n=u,r=a", context(), Some(Failure::ChannelBinding)),
    ];
    for (mechanism, message, context, expected) in table {
        let step = Exchange::new(mechanism, context).start(Some(message));
        let failed = if let Step::Failed(failure) = step { Some(failure) } else { None };
        assert_eq!(failed, expected, "{mechanism} {}", String::from_utf8_lossy(message));
    }
}

#[test]
fn plus_is_bound_to_this_channel_and_no_other() {
    let header = b"p=tls-exporter,,";
    for (data, proved) in [([0xcb; 32], true), ([0xcc; 32], false)] {
        let mut exchange = exchange(Mechanism::ScramSha256Plus);
        let _ = exchange.start(Some(b"p=tls-exporter,,n=user,r=abc"));
        let server_first = challenge(exchange.secret("user", Some(keys())));
        let channel = [&header[..], &data].concat();
        let step = exchange.respond(&client_final("n=user,r=abc", &server_first, b"pencil", &channel));
        assert_eq!(matches!(step, Step::Done { .. }), proved, "{step:?}");
    }
}

#[test]
fn nobody_acts_as_another() {
    assert_eq!(failure(exchange(Mechanism::Plain).start(Some(b"boss\0tim\0x"))), Failure::OtherAuthzid);
    let first = exchange(Mechanism::ScramSha256).start(Some(b"n,a=boss,n=tim,r=abc"));
    assert_eq!(failure(first), Failure::OtherAuthzid);
    assert!(matches!(exchange(Mechanism::ScramSha256).start(Some(b"n,a=TIM,n=tim,r=abc")), Step::NeedSecret { .. }));
}

#[test]
fn unknown_and_known_logins_look_alike() {
    let shape_as = |login: &str, known_as: &str, found| {
        let mut exchange = exchange(Mechanism::ScramSha256);
        let _ = exchange.start(Some(format!("n,,n={login},r=abc").as_bytes()));
        let first = challenge(exchange.secret(known_as, found));
        String::from_utf8(first).unwrap().split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    let shape = |login: &str, found| shape_as(login, login, found);
    let known = shape("user", Some(vec![StoredSecret::ScramSha256(Keys::derive(b"x", [5; 16], 100_000).unwrap())]));
    let unknown = shape("nobody", None);
    assert_eq!((known[1].len(), &known[2]), (unknown[1].len(), &unknown[2]));
    assert_eq!(unknown, shape("nobody", None), "the salt of a login without keys does not change");
    assert_ne!(unknown[1], shape("nobody2", None)[1]);
    let short = shape_as("Nobody", "nobody@d.test", None);
    assert_eq!(short[1..], shape_as("nobody@d.test", "nobody@d.test", None)[1..], "a short name and its full form");
}

#[test]
fn t13_empty_password_is_not_even_asked_about() {
    assert_eq!(failure(exchange(Mechanism::Plain).start(Some(b"\0tim\0"))), Failure::Password(Unfit::Empty));
    let mut login = exchange(Mechanism::Login);
    let _ = login.start(Some(b"tim"));
    assert_eq!(failure(login.respond(b"")), Failure::Password(Unfit::Empty));
}

#[test]
fn t44_invalid_input_hurts_only_that_exchange() {
    for mechanism in Mechanism::ALL {
        for rubbish in [&b""[..], b"\0", b"\xff\xfe", b"n,,", b"\0\0\0\0", &[b'a'; 5000], b"user zz", b"*"] {
            let mut exchange = exchange(mechanism);
            let mut step = exchange.start(None);
            // LOGIN takes nearly anything for a name; two pieces of rubbish at most end each mechanism.
            for _ in 0..3 {
                match step {
                    Step::Challenge(_) => step = exchange.respond(rubbish),
                    Step::NeedPassword { .. } => step = exchange.password_checked(PasswordVerdict::Wrong),
                    _ => break,
                }
            }
            let _ = failure(step);
            assert_eq!(failure(exchange.respond(b"\0tim\0x")), Failure::OutOfOrder, "over is over");
            assert_eq!(failure(exchange.password_checked(PasswordVerdict::Right)), Failure::OutOfOrder);
            assert_eq!(failure(exchange.secret("user", Some(keys()))), Failure::OutOfOrder);
            assert_eq!(failure(exchange.start(None)), Failure::OutOfOrder);
        }
    }
}

#[test]
fn a_verdict_that_was_not_asked_for_proves_nothing() {
    for mechanism in Mechanism::ALL {
        let mut exchange = exchange(mechanism);
        assert_eq!(failure(exchange.password_checked(PasswordVerdict::Right)), Failure::OutOfOrder);
        let mut exchange = self::exchange(mechanism);
        let _ = exchange.start(None);
        assert_eq!(failure(exchange.password_checked(PasswordVerdict::Right)), Failure::OutOfOrder);
    }
    let mut plain = exchange(Mechanism::Plain);
    let _ = plain.start(Some(b"\0tim\0x"));
    assert_eq!(failure(plain.secret("user", Some(keys()))), Failure::OutOfOrder);
}

proptest! {
    /// Whatever comes, in whatever order: no panic, and no success without the caller's yes or a right secret.
    #[test]
    fn nothing_is_proved_by_chance(
        which in 0..5_usize,
        initial in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80)),
        turns in proptest::collection::vec((0..3_u8, "[ -~\\x00]{0,60}"), 0..6),
    ) {
        let mut exchange = exchange(Mechanism::ALL[which]);
        let mut step = exchange.start(initial.as_deref());
        for (what, text) in turns {
            prop_assert!(!is_done(&step));
            step = match what {
                0 => exchange.respond(text.as_bytes()),
                1 => exchange.password_checked(PasswordVerdict::Wrong),
                _ => exchange.secret("user", Some(vec![StoredSecret::Clear("pencil".into())])),
            };
        }
        prop_assert!(!is_done(&step));
    }
}
