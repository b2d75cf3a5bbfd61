//! Certificates from an authority, by each way to show that a name is ours.

use std::fs;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use crate::pebble::Pebble;
use crate::support::{Made, Server, connect, mode, says, until};

/// Longer than a test takes.
const LONG_SECS: u32 = 3_600;

/// What a listener shows: issuer and serial number.
fn shown(port: u16) -> String {
    let script = format!(
        "openssl s_client -connect 127.0.0.1:{port} -servername mail.example.test </dev/null 2>/dev/null | \
         openssl x509 -noout -issuer -serial -ext subjectAltName 2>/dev/null"
    );
    String::from_utf8(Command::new("sh").args(["-c", &script]).output().unwrap().stdout).unwrap()
}

/// The certificate of the authority that is shown, once it is another than `before`.
fn fetched(made: &Made, pebble: &Pebble, before: &str) -> String {
    let told = || format!("{}\n{}", made.log(), pebble.said());
    until("another certificate", &told, || {
        Some(shown(made.ports[2])).filter(|it| it.contains("Pebble Intermediate CA") && it != before)
    })
}

fn init(pebble: &Pebble, options: &[&str]) -> Made {
    Made::with(&[&["--acme", "--acme-directory", &pebble.directory()], options].concat())
}

fn serve(made: &Made, pebble: &Pebble, set: &str) -> Server {
    made.serve_with(&[set.to_owned()], &[("SSL_CERT_FILE", pebble.trust().to_str().unwrap())])
}

fn answers_at(pebble: &Pebble) -> String {
    format!("tls.acme.http_bind=['127.0.0.1:{}']", pebble.http)
}

/// A process that is ended with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// HTTP-01 on a port of its own; renewed by itself, by an authority too that has forgotten us; no session is dropped.
#[test]
fn a_certificate_is_fetched_by_http_and_renewed_while_sessions_go_on() {
    let mut pebble = Pebble::new(15).start();
    let made = init(&pebble, &["--acme-contact", "admin@example.test"]);
    assert!(made.run(&["config", "check"], "").status.success(), "before there is a certificate");
    let server = serve(&made, &pebble, &answers_at(&pebble));
    let mut session = BufReader::new(connect(made.ports[0]));
    assert!(says(&mut session, "").starts_with("220"));
    let first = fetched(&made, &pebble, "");
    assert!(first.contains("DNS:mail.example.test"), "{first}");
    let second = fetched(&made, &pebble, &first);
    pebble.restart();
    fetched(&made, &pebble, &second);
    assert!(says(&mut session, "NOOP").starts_with("250"), "the session of before the first");
    assert!(says(&mut session, "EHLO c.example.test").starts_with("250"));
    assert!(says(&mut session, "STARTTLS").starts_with("220"));
    for name in ["acme/certificate.pem", "acme/account.json", "acme/issued.json"] {
        assert_eq!(mode(&made.file(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&made.file("acme")), 0o700);
    assert!(std::net::TcpStream::connect(("127.0.0.1", pebble.http)).is_err(), "nobody listens there between two");
    let status = String::from_utf8(made.run(&["status", "--json"], "").stdout).unwrap();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["certificate"]["renewal"]["failures"], 0, "{status}");
    assert_eq!(server.stop(), Some(0));
}

/// HTTP-01 beside a web server, by a file below its document root.
#[test]
fn a_certificate_is_fetched_through_the_document_root_of_a_web_server() {
    let pebble = Pebble::new(LONG_SECS).start();
    let www = tempfile::tempdir().unwrap();
    let root = www.path().to_str().unwrap();
    let mut web = Command::new("python3");
    web.args(["-m", "http.server", "--bind", "127.0.0.1", "--directory", root, &pebble.http.to_string()]);
    let _web = Ended(web.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    connect(pebble.http);
    let made = init(&pebble, &["--acme-webroot", root]);
    let server = serve(&made, &pebble, "log.level='info'");
    fetched(&made, &pebble, "");
    let left = fs::read_dir(www.path().join(".well-known/acme-challenge")).unwrap().count();
    assert_eq!(left, 0, "what was written is removed");
    assert_eq!(server.stop(), Some(0));
    // The next start has it at once, and asks nobody.
    drop(pebble);
    let server = made.serve();
    connect(made.ports[2]);
    assert!(shown(made.ports[2]).contains("Pebble Intermediate CA"));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_certificate_is_fetched_by_tls_alpn() {
    let pebble = Pebble::new(LONG_SECS).start();
    let made = init(&pebble, &["--acme-challenge", "tls-alpn-01"]);
    let server = serve(&made, &pebble, &format!("tls.acme.tls_bind=['127.0.0.1:{}']", pebble.tls));
    fetched(&made, &pebble, "");
    assert_eq!(server.stop(), Some(0));
}

/// DNS-01: a program of the operator's publishes the record, and removes it.
#[test]
fn a_certificate_is_fetched_by_a_record_that_a_program_publishes() {
    let pebble = Pebble::new(LONG_SECS).start();
    let folder = tempfile::tempdir().unwrap();
    let (hook, said) = (folder.path().join("hook"), folder.path().join("said"));
    let script = format!(
        r#"#!/bin/sh
set -e
echo $1 >> '{said}'
case $1 in
add) printf '{{"host":"%s.","value":"%s"}}' "$SEKISHO_ACME_NAME" "$SEKISHO_ACME_VALUE" ;;
remove) printf '{{"host":"%s."}}' "$SEKISHO_ACME_NAME" ;;
esac | curl -sf -d @- http://127.0.0.1:{port}/$([ $1 = add ] && echo set-txt || echo clear-txt)
"#,
        said = said.display(),
        port = pebble.dns_management,
    );
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let made = init(&pebble, &["--acme-challenge", "dns-01", "--acme-hook", hook.to_str().unwrap()]);
    let server = serve(&made, &pebble, "log.level='info'");
    fetched(&made, &pebble, "");
    assert_eq!(fs::read_to_string(said).unwrap(), "add\nremove\n");
    assert_eq!(server.stop(), Some(0));
}

/// While the authority is away the server runs with a certificate of its own, says so, and tries again by itself. So it does where the
/// authority cannot see what it must.
#[test]
fn a_server_runs_without_its_authority_and_asks_again() {
    let pebble = Pebble::new(LONG_SECS);
    let made = init(&pebble, &[]);
    let server = serve(&made, &pebble, &answers_at(&pebble));
    connect(made.ports[2]);
    assert!(shown(made.ports[2]).contains("self signed"), "{}", shown(made.ports[2]));
    let failed = || made.log().matches("certificate_unrenewed").nth(2).map(drop);
    until("three failures", &|| made.log(), failed);
    let status = made.run(&["status"], "");
    let told = String::from_utf8(status.stdout).unwrap();
    assert!(told.contains("certificate-unrenewed") && told.contains("renewal"), "{told}");
    assert_eq!(status.status.code(), Some(1), "an alarm is in force");
    let pebble = pebble.start();
    // By itself, or at once where an operator says so.
    assert!(made.run(&["reload"], "").status.success());
    fetched(&made, &pebble, "");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn what_the_authority_saw_instead_is_told() {
    let pebble = Pebble::new(LONG_SECS).start();
    let made = init(&pebble, &["--acme-webroot", tempfile::tempdir().unwrap().path().to_str().unwrap()]);
    let server = serve(&made, &pebble, "log.level='info'");
    let told = until("a failure", &|| made.log(), || {
        made.log().lines().find(|line| line.contains("certificate_unrenewed")).map(str::to_owned)
    });
    assert!(told.contains("http-01") && told.contains("refused"), "the web server is not there: {told}");
    assert_eq!(server.stop(), Some(0));
}
