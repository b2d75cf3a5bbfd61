use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use keep::Language;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::outcome::of_reply;
use super::run::is_local;
use super::talk::{self, Numbered, Setting};
use super::wire::Times;
use super::*;

const TIMES: Times = Times { reply: Duration::from_millis(400), quiet: Duration::from_millis(50) };

fn values() -> Values {
    Values {
        target_user: "relaytest".to_owned(),
        target_domain: "target.example".to_owned(),
        local_user: "alice".to_owned(),
        local_domain: "example.test".to_owned(),
        local_host: "mail.example.test".to_owned(),
        local_ip: "127.0.0.1".parse().unwrap(),
        helo: "prober.example".to_owned(),
    }
}

#[test]
fn the_catalog_is_whole_and_the_classic_nineteen_come_first() {
    let probes = probes().unwrap();
    assert_eq!(probes.len(), 155);
    let first: Vec<&str> = probes.iter().take(19).map(|probe| probe.id.as_str()).collect();
    assert_eq!(first, CLASSIC);
    assert_eq!(probes.iter().map(|probe| &probe.id).collect::<BTreeSet<_>>().len(), 155);
    for probe in &probes {
        for text in [&probe.mail_from, &probe.rcpt_to] {
            let filled = values().fill(text);
            assert!(!filled.contains("{target") && !filled.contains("{local") && !filled.contains("{rep"), "{filled}");
        }
    }
}

#[test]
fn placeholders_are_filled() {
    let table = [
        ("<{target_user}%{target_domain}@[{local_ip}]>", "<relaytest%target.example@[127.0.0.1]>"),
        ("<{rep:a:3}@{local_domain_shy}>", "<aaa@e\u{ad}xample.test>"),
        ("<${{run{{/bin/true}}}}@x>", "<${run{/bin/true}}@x>"),
        ("{target_domain_fwdot} {target_domain_upper}", "target\u{3002}example TARGET.EXAMPLE"),
        ("{target_ip_int} {target_ip_hex}", "3221226009 0xc0000219"),
        ("{rep:x:99999999999", "{rep:x:99999999999"),
    ];
    for (text, expected) in table {
        assert_eq!(values().fill(text), expected);
    }
    let hostile = Values { local_host: "a\r\nQUIT\r\n".to_owned(), ..values() };
    assert_eq!(hostile.fill("{local_host}"), "aQUIT", "a server's name ends no line");
    assert_eq!(values().octets("\u{a5}\u{3002}", Charset::Latin1), [0xa5, b'?']);
}

#[test]
fn hosts_that_may_be_probed_unasked() {
    for (ip, local) in
        [("127.0.0.9", true), ("::1", true), ("192.0.2.1", false), ("224.0.0.1", false), ("0.0.0.0", false)]
    {
        assert_eq!(is_local(ip.parse().unwrap()), local, "{ip}");
    }
}

fn response(code: u16, enhanced: Option<[u16; 3]>) -> smtp::client::Response {
    smtp::client::Response { code, enhanced, text: String::new() }
}

#[test]
fn a_reply_that_says_later_is_a_doubt() {
    let table = [
        (250, None, Outcome::Accepted),
        (550, Some([5, 7, 1]), Outcome::Refused),
        (454, Some([4, 7, 1]), Outcome::Refused),
        (451, Some([4, 7, 1]), Outcome::Deferred),
        (450, Some([4, 2, 0]), Outcome::Deferred),
        (550, Some([5, 1, 2]), Outcome::Refused),
    ];
    for (code, enhanced, expected) in table {
        assert_eq!(of_reply(&response(code, enhanced)), expected, "{code} {enhanced:?}");
    }
}

fn played(id: &str, outcome: Outcome) -> Played {
    let text = String::new;
    let (id, dialogue) = (id.to_owned(), Vec::new());
    Played {
        number: 1,
        id,
        class: text(),
        tried: text(),
        said: text(),
        outcome,
        note: text(),
        may_be_local: false,
        dialogue,
    }
}

#[test]
fn open_by_one_mail_and_closed_only_without_a_doubt() {
    let table: [(&[Outcome], Verdict); 7] = [
        (&[Outcome::Refused, Outcome::Skipped, Outcome::Local], Verdict::Closed),
        (&[Outcome::Refused, Outcome::Accepted], Verdict::Uncertain),
        (&[Outcome::Refused, Outcome::Sent], Verdict::Uncertain),
        (&[Outcome::Refused, Outcome::Deferred], Verdict::Uncertain),
        (&[Outcome::Unanswered], Verdict::Uncertain),
        (&[Outcome::Refused, Outcome::Sent, Outcome::Delivered], Verdict::Open),
        (&[Outcome::Skipped], Verdict::Uncertain),
    ];
    for (outcomes, expected) in table {
        let all: Vec<Played> = outcomes.iter().map(|outcome| played("plain-foreign", *outcome)).collect();
        assert_eq!(Verdict::of(&all), expected, "{outcomes:?}");
    }
    assert_eq!(Verdict::of(&[]), Verdict::Uncertain);
}

/// A server that does with each connection what `does` says.
async fn server<F>(does: fn(TcpStream) -> F) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(does(stream));
        }
    });
    addr
}

async fn first(addr: SocketAddr) -> Played {
    let (values, probes) = (values(), probes().unwrap());
    let setting = Setting { server: addr, source: None, times: TIMES, values: &values, token: None };
    talk::play(&setting, Numbered { number: 1, probe: &probes[0] }).await
}

#[tokio::test]
async fn a_hostile_server_holds_up_nobody() {
    async fn endless(mut stream: TcpStream) {
        while stream.write_all(b"220-more\r\n").await.is_ok() {}
    }
    async fn one_long_line(mut stream: TcpStream) {
        while stream.write_all(&[b'a'; 1_000]).await.is_ok() {}
    }
    async fn slow(mut stream: TcpStream) {
        while stream.write_all(b"2").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    async fn nul(mut stream: TcpStream) {
        let _ = stream.write_all(b"220 \0\x1b[2J\r\n\0\0\0\0\r\n").await;
        let _ = stream.read(&mut [0; 100]).await;
    }
    async fn gone(_: TcpStream) {}
    let began = Instant::now();
    for addr in [server(endless).await, server(one_long_line).await, server(slow).await, server(gone).await] {
        let one = first(addr).await;
        assert_eq!(one.outcome, Outcome::Unanswered, "{one}");
    }
    let one = first(server(nul).await).await;
    assert_eq!(one.outcome, Outcome::Unanswered, "{one}");
    assert!(one.dialogue.iter().all(|it| !it.said.contains(char::is_control)), "{:?}", one.dialogue);
    assert!(began.elapsed() < Duration::from_secs(10));
}

/// Takes everything, mail too.
async fn open(stream: TcpStream) {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let mut stream = BufReader::new(stream);
    let _ = stream.write_all(b"220 mail.example.test ESMTP\r\n").await;
    let mut line = String::new();
    while matches!(stream.read_line(&mut line).await, Ok(1..)) {
        assert!(!line.starts_with("DATA"), "nothing is sent without a sink");
        let _ = stream.write_all(b"250 2.0.0 ok\r\n").await;
        line.clear();
    }
}

#[tokio::test]
async fn without_a_sink_an_accepted_recipient_is_a_doubt_and_nothing_is_sent() {
    let one = first(server(open).await).await;
    assert_eq!((one.outcome, one.said.as_str()), (Outcome::Accepted, "250 2.0.0 ok"), "{one}");
    assert_eq!(one.tried, "MAIL FROM:<spamtest@target.example> · RCPT TO:<relaytest@target.example>");
}

fn plan(place: &str, sink: Option<Sink>) -> Plan {
    Plan {
        target: place.parse().unwrap(),
        is_confirmed: false,
        source: None,
        helo: None,
        local_user: None,
        pace: Duration::ZERO,
        sink,
    }
}

#[tokio::test]
async fn a_host_of_somebody_else_is_not_probed() {
    let error = run(&plan("192.0.2.1", None), &mut |_, _| {}).await.unwrap_err();
    assert!(error.is_misuse() && error.to_string().contains("--i-run-this-host"), "{error}");
    let nowhere = run(&plan("127.0.0.1:1", None), &mut |_, _| {}).await.unwrap_err();
    assert!(!nowhere.is_misuse(), "{nowhere}");
}

#[test]
fn a_mail_is_known_by_its_token() {
    let (ours, other) = (Token::new().unwrap(), Token::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    for folder in ["new", "cur"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let put = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
    put("new/1", mail::text(&values(), &ours.of(1)));
    put("cur/2:2,S", mail::text(&values(), &ours.of(17)));
    put("new/3", mail::text(&values(), &other.of(2)));
    put("new/4", format!("Subject: returned\r\n\r\n{}", mail::text(&values(), &ours.of(3))));
    let mut seen = BTreeSet::new();
    let found: BTreeSet<usize> = sink::look(dir.path(), &ours, &mut seen).unwrap().into_iter().collect();
    assert_eq!(found, BTreeSet::from([1, 17]));
    assert_eq!(sink::look(dir.path(), &ours, &mut seen).unwrap(), Vec::<usize>::new(), "each is read once");
}

#[test]
fn the_page_runs_nothing_of_the_servers() {
    let report = Report {
        host: "mail.example.test:25".to_owned(),
        address: "127.0.0.1:25".parse().unwrap(),
        name: "mail.example.test".to_owned(),
        began: "2026-11-30T15:00:00+09:00".to_owned(),
        verdict: Verdict::Uncertain,
        counts: Counts::default(),
        sink: None,
        token: None,
        probes: vec![Played {
            said: "250 <script>alert(1)</script>\"'&".to_owned(),
            ..played("plain-foreign", Outcome::Accepted)
        }],
    };
    for lang in [Language::English, Language::Japanese] {
        let page = report.html(lang).unwrap();
        assert!(!page.contains("<script") && page.contains("&#60;script"), "{page}");
        assert!(page.contains(&format!("<html lang=\"{}\">", lang.tag())) && page.contains("@media print"));
    }
    assert!(report.html(Language::Japanese).unwrap().contains("判定できません"));
    let words = super::words::Words(Language::Japanese);
    assert_eq!((words.note("needs a login"), words.note("other")), ("ログインが必要", "other"));
}
