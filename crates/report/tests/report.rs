//! The digest and the statement, over records as the store gives them.
#![expect(clippy::unwrap_used, reason = "a test")]

use keep::Language;
use records::Kept;
use report::abuse::Looking;
use report::{Abuse, Cause, Danger, Digest, Digesting, Gaps, Listed, Subject, Tracing, Wrong};
use serde_json::{Value, json};

/// A record of minute `minute`, as it was written.
fn kept(minute: u64, fields: Value) -> Kept {
    let mut record = json!({
        "form": 2, "id": format!("id{minute}"), "of": {"session": "s", "listener": "mx"}, "policy": 1,
        "at": minute * 60_000_000, "stage": "rcpt", "client": "192.0.2.7", "outcome": "hosted",
    });
    let Value::Object(fields) = fields else { panic!("an object") };
    record.as_object_mut().unwrap().extend(fields);
    serde_json::from_value(record).unwrap()
}

fn refused(minute: u64, reason: &str, more: Value) -> Kept {
    let mut fields = json!({"outcome": "refuse", "refused": {"reason": reason}});
    let Value::Object(more) = more else { panic!("an object") };
    fields.as_object_mut().unwrap().extend(more);
    kept(minute, fields)
}

fn mail(to: &str) -> Value {
    json!({"reverse_path": "<a@far.example>", "forward_path": to})
}

fn relayed(minute: u64, login: Option<&str>, right: &str) -> Kept {
    let fields = json!({
        "outcome": "relayed", "login": login, "right": {"code": right, "line": "sekisho.toml:9"},
        "reverse_path": "<x@our.example>", "forward_path": "<y@far.example>",
    });
    kept(minute, fields)
}

fn week() -> Vec<Kept> {
    vec![
        kept(1, mail("<bob@our.example>")),
        refused(2, "greylisted", mail("<carol@our.example>")),
        refused(3, "greylisted", mail("<dave@our.example>")),
        kept(7, mail("<carol@our.example>")),
        refused(
            8,
            "authority-unavailable",
            json!({
                "reverse_path": "<a@far.example>", "forward_path": "<erin@our.example>",
                "facts": [{"fact": "hosting", "value": {"unknown": "directory:unreachable"}, "at": 1}],
            }),
        ),
        refused(9, "authority-unavailable", mail("<erin@our.example>")),
        kept(12, mail("<erin@our.example>")),
        refused(13, "relay-denied", json!({"client": "192.0.2.8"})),
        relayed(14, Some("taro@our.example"), "auth"),
        relayed(15, Some("hanako@our.example"), "pop"),
        relayed(16, None, "pop"),
        refused(17, "login-failed", json!({"stage": "login", "login": "taro@our.example"})),
        kept(
            18,
            json!({
                "rules": [{"rule": "refuse", "part": "client", "outcome": {"act": "refuse"}, "line": "defaults:14", "mode": "observe"}],
            }),
        ),
    ]
}

fn digest(records: &[Kept]) -> Digest {
    let mut digesting = Digesting::default();
    for kept in records {
        digesting.see(kept);
    }
    digesting.finish(0, 20 * 60_000_000)
}

#[test]
fn a_digest_tells_what_the_records_come_to() {
    let digest = digest(&week());
    assert_eq!((digest.decisions, digest.hosted), (13, 4));
    let counts = |counts: &[report::digest::Count]| {
        counts.iter().map(|it| format!("{} {}", it.of, it.count)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(counts(&digest.relayed), "pop 2, auth 1");
    assert_eq!(counts(&digest.legacy), "192.0.2.7 1, hanako@our.example 1");
    assert_eq!(counts(&digest.guessed), "taro@our.example 1");
    let reasons: Vec<_> = digest.refused.iter().map(|it| (it.reason.as_str(), it.count, it.clients)).collect();
    assert_eq!(
        reasons,
        [("authority-unavailable", 2, 1), ("greylisted", 2, 1), ("login-failed", 1, 1), ("relay-denied", 1, 1)]
    );
    let waited = digest.waited;
    assert_eq!((waited.mails, waited.taken, waited.median_secs), (2, 1, Some(300)));
    let [turned] = &digest.turned_away[..] else { panic!("{:?}", digest.turned_away) };
    assert_eq!((turned.times, turned.unknown.as_deref()), (2, Some("directory:unreachable")));
    assert_eq!(turned.taken, Some(12 * 60_000_000), "the same mail was taken after all");
    let tried: Vec<_> = digest.tried.iter().map(|it| (it.rule.as_str(), it.held, it.taken)).collect();
    assert_eq!(tried, [("refuse", 1, 1)]);
}

/// Both languages have the same sections with the same tables, and say something in each.
#[test]
fn both_languages_say_the_same() {
    let digest = Digest {
        gaps: Gaps { dropped: 3, damaged: 1 },
        wrongly: vec![Wrong { list: "bl.example".into(), subject: "192.0.2.9".into() }],
        dangers: vec![Danger {
            level: "danger".into(),
            what: "Port 25 takes a login without TLS".into(),
            todo: "give [tls] a certificate".into(),
        }],
        ..digest(&week())
    };
    let not_audited = Digest { not_audited: Some("no file".into()), ..Digest::default() };
    for digest in [digest, Digest::default(), not_audited] {
        let page = |language| digest.page(language, |micros| format!("minute {}", micros / 60_000_000));
        let (english, japanese) = (page(Language::English), page(Language::Japanese));
        let shape = |page: &report::Page| -> Vec<(usize, usize, usize)> {
            page.sections.iter().map(|it| (it.says.len(), it.rows.len(), it.todo.len())).collect()
        };
        assert_eq!(shape(&english), shape(&japanese));
        assert!(english.sections.iter().all(|it| it.title.is_ascii() && it.says.iter().all(|say| say.is_ascii())));
        assert!(japanese.sections.iter().all(|it| it.says.iter().all(|say| !say.is_ascii())));
        let mail = String::from_utf8(japanese.mail("a@our.example", "b@our.example", 0).unwrap()).unwrap();
        assert!(mail.contains("multipart/alternative") && mail.contains("Auto-Submitted: auto-generated"), "{mail}");
    }
}

fn abuse(subject: Subject, records: &[Kept]) -> Abuse {
    let mut looking = Looking::new(subject);
    for kept in records {
        looking.see(kept);
    }
    looking.finish(0, Gaps::default())
}

#[test]
fn a_statement_says_what_happened_and_since_when_it_is_stopped() {
    let taro = || Subject::Login("taro@our.example".into());
    let mut records = vec![relayed(1, Some("taro@our.example"), "auth"), relayed(2, Some("taro@our.example"), "auth")];
    let when = |micros: u64| format!("minute {}", micros / 60_000_000);
    let open = abuse(taro(), &records);
    assert!(open.still_stands());
    let text = open.page(Language::English, "mail.our.example", &[], when).text();
    assert!(text.contains("to 2 recipients was relayed, from minute 1 to minute 2"), "{text}");
    assert!(text.contains("sekisho user lock taro@our.example"), "{text}");
    let line = json!({
        "login": "taro@our.example",
        "rules": [{"rule": null, "part": "sender", "outcome": {"act": "refuse"}, "line": "deny:7", "mode": "enforce"}],
    });
    records.push(refused(3, "access-denied", line));
    records.push(relayed(4, Some("hanako@our.example"), "auth"));
    let closed = abuse(taro(), &records);
    assert!(!closed.still_stands());
    let changes = ["minute 3: root locked the account taro@our.example.".to_owned()];
    let text = closed.page(Language::English, "mail.our.example", &changes, when).text();
    assert!(text.contains("Since minute 3 it is refused: access-denied (deny:7)."), "{text}");
    assert!(text.contains("root locked the account"), "{text}");
    assert_eq!(abuse(Subject::Client("192.0.2.7".parse().unwrap()), &records).recipients, 3);
    assert_eq!(abuse(Subject::Everybody, &records).logins[0], ("taro@our.example".to_owned(), 2));
    assert!(!abuse(Subject::Login("bob@our.example".into()), &records).still_stands());
}

/// Whoever guesses at a password elsewhere stops nobody.
#[test]
fn a_strangers_guess_is_no_stop() {
    let taro = || Subject::Login("taro@our.example".into());
    let guess = |minute, client| {
        refused(minute, "login-failed", json!({"stage": "login", "login": "taro@our.example", "client": client}))
    };
    let mut records = vec![relayed(1, Some("taro@our.example"), "auth"), guess(2, "192.0.2.66")];
    assert!(abuse(taro(), &records).still_stands());
    records.push(guess(3, "192.0.2.7"));
    assert!(!abuse(taro(), &records).still_stands(), "where it sent from, it cannot log in any more");
}

fn cause(listed: Listed, records: &[Kept]) -> Cause {
    let mut tracing = Tracing::new(listed);
    for kept in records {
        tracing.see(kept);
    }
    tracing.finish(0, Gaps::default())
}

#[test]
fn the_cause_of_a_listing_is_who_sent_and_is_not_refused() {
    let when = |micros: u64| format!("minute {}", micros / 60_000_000);
    let domain = || Listed::Domain("our.example".into());
    let none = cause(Listed::Address, &[]).text(when);
    assert!(none.contains("nothing is known"), "{none}");
    let quiet = cause(Listed::Address, &[kept(1, json!({}))]).text(when);
    assert!(quiet.contains("relayed nothing"), "{quiet}");
    let mut records = vec![
        relayed(1, Some("Taro@our.example"), "auth"),
        relayed(2, Some("taro@our.example"), "auth"),
        relayed(3, None, "pop"),
    ];
    let open = cause(Listed::Address, &records);
    assert!(open.may_stand() && open.recipients == 3, "{open:?}");
    let text = open.text(when);
    assert!(text.contains("may still stand") && text.contains("taro@our.example (2; last minute 2"), "{text}");
    assert_eq!(cause(domain(), &records).recipients, 3);
    assert_eq!(cause(Listed::Domain("ur.example".into()), &records).recipients, 0);
    records.push(refused(4, "access-denied", json!({"login": "taro@our.example"})));
    assert!(cause(Listed::Address, &records).may_stand(), "the client without a login is not refused");
    records.push(refused(5, "relay-denied", json!({})));
    let over = cause(domain(), &records);
    let text = over.text(when);
    assert!(!over.may_stand() && text.contains("seems to be over"), "{text}");
    assert!(text.contains("refused since minute 4: access-denied"), "{text}");
}
