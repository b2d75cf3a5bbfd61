use super::*;
use guard::Effects;

const MODE: RelayMode = RelayMode::Permit;

fn request(attributes: &[(&str, &str)]) -> Request {
    let mut decoder = Decoder::default();
    decoder.push(b"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.7\n");
    for (name, value) in attributes {
        decoder.push(format!("{name}={value}\n").as_bytes());
    }
    decoder.push(b"\n");
    decoder.next_request().unwrap().unwrap()
}

fn wants(effects: Effects) -> Message {
    let mut message = Message::default();
    message.effects = effects;
    message
}

#[test]
fn effects_are_told_once_the_gravest_first() {
    let prepend = vec!["X-One: 1".to_owned(), "X-Two: 2".to_owned()];
    let mut message = wants(Effects { hold: true, prepend: prepend.clone(), ..Effects::default() });
    assert_eq!(message.effect(Stage::Rcpt), Some(Reply::Hold("access rule".into())));
    assert_eq!(message.effect(Stage::Rcpt), Some(Reply::Prepend("X-One: 1".into())));
    assert_eq!(message.effect(Stage::EndOfMessage), None, "too late for a header");
    assert_eq!(message.effect(Stage::Data), Some(Reply::Prepend("X-Two: 2".into())));
    assert_eq!(message.effect(Stage::Data), None);
    let mut message = wants(Effects { discard: true, hold: true, prepend, ..Effects::default() });
    assert_eq!(message.effect(Stage::EndOfMessage), Some(Reply::Discard("access rule".into())));
    assert_eq!(message.effect(Stage::EndOfMessage), None, "what is thrown away needs nothing else");
}

#[tokio::test]
async fn a_message_is_remembered_while_there_is_something_to_remember() {
    let messages = Messages::default();
    let (now, asked) = (Instant::now(), request(&[("instance", "1.2.3")]));
    let by = Asker { listener: "policy", mode: MODE };
    let kept = messages.of(by, &asked, now);
    kept.done(kept.message().await);
    assert!(messages.known(by, &asked, now).is_none(), "nothing to remember");

    let kept = messages.of(by, &asked, now);
    let mut message = kept.message().await;
    message.effects.hold = true;
    kept.done(message);
    assert!(messages.known(by, &asked, now).is_some());
    let others = [
        request(&[("instance", "1.2.4")]),
        request(&[("instance", "1.2.3"), ("client_address", "192.0.2.8")]),
        request(&[("instance", "1.2.3"), ("sender", "b@example.test")]),
        request(&[("instance", "1.2.3"), ("sasl_username", "bob")]),
        request(&[]),
    ];
    for other in &others {
        assert!(messages.known(by, other, now).is_none(), "{other:?} is another message");
    }
    assert!(messages.known(Asker { listener: "other", ..by }, &asked, now).is_none());
    assert!(messages.known(Asker { mode: RelayMode::Restrict, ..by }, &asked, now).is_none());
}

#[tokio::test]
async fn what_is_remembered_is_bounded_in_time_and_number() {
    let messages = Messages::default();
    let (begun, by) = (Instant::now(), Asker { listener: "policy", mode: MODE });
    let remember = async |asked: &Request, now| {
        let kept = messages.of(by, asked, now);
        let mut message = kept.message().await;
        message.effects.hold = true;
        kept.done(message);
    };
    let asked = request(&[("instance", "1")]);
    remember(&asked, begun).await;
    let minutes = |minutes| begun + Duration::from_mins(minutes);
    assert!(messages.known(by, &asked, minutes(9)).is_some());
    assert!(messages.known(by, &asked, minutes(11)).is_some(), "asked for 2 minutes ago");
    assert!(messages.known(by, &asked, minutes(60)).is_none());

    let kept = request(&[("instance", "kept")]);
    remember(&kept, begun).await;
    for n in 0..20_000 {
        let other = request(&[("instance", &n.to_string())]);
        remember(&other, begun).await;
        assert!(messages.known(by, &other, begun).is_some());
    }
    assert!(messages.known(by, &kept, begun).is_none(), "10,000 at most");
}

/// A broken-off question leaves its message; those without an `instance` share none.
#[tokio::test]
async fn without_an_instance_each_question_stands_alone() {
    let (messages, by) = (Messages::default(), Asker { listener: "policy", mode: MODE });
    let asked = request(&[]);
    let kept = messages.of(by, &asked, Instant::now());
    let mut message = kept.message().await;
    message.effects.hold = true;
    kept.done(message);
    assert!(messages.known(by, &asked, Instant::now()).is_none());
}
