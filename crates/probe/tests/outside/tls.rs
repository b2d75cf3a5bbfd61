//! Mail hosts on loopback: in order, without TLS, ones that answer what was put in, and hostile ones.

use std::net::SocketAddr;
use std::sync::Arc;

use probe::finding::State;
use probe::target::Target;
use probe::tls::{Question, Report, Start, probe};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// 2026-11-30.
const NOW_SECS: i64 = 1_796_000_000;

/// How a host behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    InOrder,
    /// What came before TLS is taken for what comes within.
    KeepsWhatWasPutIn,
    /// What stands behind STARTTLS is a reason to refuse it; there is room for so many connections.
    Refuses(usize),
    /// Has room for so many connections.
    GoneAfter(usize),
    /// Logins in the clear, and no TLS.
    NoTls,
    /// A line without end.
    Endless,
    /// Takes the connection, and says something else.
    NoMail,
}

struct Host {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
}

impl Host {
    async fn start(kind: Kind, versions: &[&'static rustls::SupportedProtocolVersion]) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let certificate = made.cert.der().clone();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let config = builder.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
        let (acceptor, listener) =
            (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut connections = 0;
            while let Ok((mut stream, _)) = listener.accept().await {
                connections += 1;
                if matches!(kind, Kind::GoneAfter(most) | Kind::Refuses(most) if connections > most) {
                    let _ = stream.write_all(b"421 too many\r\n").await;
                    continue;
                }
                tokio::spawn(serve(stream, acceptor.clone(), kind));
            }
        });
        Self { address, certificate }
    }

    async fn probed(&self, trusted: Vec<CertificateDer<'static>>) -> Report {
        let target = Target { host: self.address.ip().to_string(), port: self.address.port() };
        probe(None, &Question { target, start: Start::Smtp, trusted }, NOW_SECS).await
    }
}

async fn serve(mut stream: TcpStream, acceptor: TlsAcceptor, kind: Kind) {
    match kind {
        Kind::Endless => while stream.write_all(&[b'2'; 4_096]).await.is_ok() {},
        Kind::NoMail => {
            let _ = stream.write_all(b"HTTP/1.0 400 no\r\n\r\n").await;
        }
        _ => {
            let _ = stream.write_all(b"220 mx.example ready\r\n").await;
            let mut pending = Vec::new();
            if converse(&mut stream, &mut pending, kind).await == Some(()) {
                if kind != Kind::KeepsWhatWasPutIn {
                    pending.clear();
                }
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    converse(&mut stream, &mut pending, kind).await;
                    let _ = stream.shutdown().await;
                }
            }
        }
    }
}

/// Answers until TLS is to begin; `None`: the connection ends.
async fn converse(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), pending: &mut Vec<u8>, kind: Kind) -> Option<()> {
    loop {
        while !pending.contains(&b'\n') {
            let mut octets = [0; 512];
            let length = stream.read(&mut octets).await.ok().filter(|length| *length > 0)?;
            pending.extend_from_slice(&octets[..length]);
        }
        let end = pending.iter().position(|octet| *octet == b'\n').unwrap();
        let line: Vec<u8> = pending.drain(..=end).collect();
        let reply: &[u8] = match &line[..4] {
            b"STAR" if matches!(kind, Kind::Refuses(_)) && !pending.is_empty() => b"454 not with that\r\n",
            b"EHLO" if kind == Kind::NoTls => b"250-mx.example\r\n250 AUTH PLAIN CRAM-MD5\r\n",
            b"EHLO" => b"250-mx.example\r\n250 STARTTLS\r\n",
            b"STAR" => b"220 go on\r\n",
            b"QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        stream.write_all(reply).await.ok()?;
        match &line[..4] {
            b"STAR" if reply.starts_with(b"220") => return Some(()),
            b"QUIT" => return None,
            _ => {}
        }
    }
}

fn state(report: &Report, topic: &str) -> State {
    let finding = report.findings.iter().find(|it| it.topic == topic);
    finding.unwrap_or_else(|| panic!("{topic}: {:#?}", report.findings)).state
}

#[tokio::test]
async fn a_host_in_order_and_one_that_nobody_trusts() {
    let host = Host::start(Kind::InOrder, rustls::ALL_VERSIONS).await;
    let report = host.probed(vec![host.certificate.clone()]).await;
    assert!(!report.is_wrong() && !report.is_unsure(), "{:#?}", report.findings);
    for topic in ["TLS", "TLS 1.2", "names", "validity", "key", "trust", "logins", "injection"] {
        assert_eq!(state(&report, topic), State::Good, "{topic}");
    }
    assert_eq!(state(&report, "older versions"), State::NotAsked);
    let other = Host::start(Kind::InOrder, &[&rustls::version::TLS12]).await;
    let report = other.probed(vec![host.certificate.clone()]).await;
    assert_eq!((state(&report, "trust"), state(&report, "TLS 1.3")), (State::Wrong, State::NotOffered));
}

#[tokio::test]
async fn what_was_put_in_behind_starttls_is_found_out() {
    let host = Host::start(Kind::KeepsWhatWasPutIn, &[&rustls::version::TLS13]).await;
    let report = host.probed(vec![host.certificate.clone()]).await;
    assert_eq!((state(&report, "injection"), state(&report, "TLS 1.2")), (State::Wrong, State::NotOffered));
}

#[tokio::test]
async fn only_what_was_not_answered_within_tls_is_good() {
    for (kind, expected) in [
        (Kind::Refuses(usize::MAX), State::Good),
        // It takes STARTTLS no more at all.
        (Kind::Refuses(3), State::NotFoundOut),
        // One for the handshake, one for TLS 1.2.
        (Kind::GoneAfter(2), State::NotFoundOut),
    ] {
        let host = Host::start(kind, rustls::ALL_VERSIONS).await;
        let report = host.probed(vec![host.certificate.clone()]).await;
        assert_eq!(state(&report, "injection"), expected, "{:#?}", report.findings);
    }
    let host = Host::start(Kind::GoneAfter(1), rustls::ALL_VERSIONS).await;
    let report = host.probed(vec![host.certificate.clone()]).await;
    assert_eq!(state(&report, "TLS 1.2"), State::NotFoundOut);
}

#[tokio::test]
async fn hosts_without_tls_and_hostile_ones_end() {
    let report = Host::start(Kind::NoTls, rustls::ALL_VERSIONS).await.probed(Vec::new()).await;
    assert_eq!((state(&report, "TLS"), state(&report, "logins")), (State::Missing, State::Wrong));
    for kind in [Kind::Endless, Kind::NoMail] {
        let report = Host::start(kind, rustls::ALL_VERSIONS).await.probed(Vec::new()).await;
        assert_eq!(state(&report, "TLS"), State::NotFoundOut, "{:#?}", report.findings);
        assert!(!report.is_wrong() && report.is_unsure());
    }
    let host = Host::start(Kind::NoMail, rustls::ALL_VERSIONS).await;
    let target = Target { host: "127.0.0.1".to_owned(), port: host.address.port() };
    let report = probe(None, &Question { target, start: Start::Implicit, trusted: Vec::new() }, NOW_SECS).await;
    assert_eq!(state(&report, "TLS"), State::Wrong);
}
