//! A mail host on loopback that takes everything, unless told otherwise.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

/// What it does when asked for TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    Clear,
    Tls,
    /// It says 220 to STARTTLS and then nonsense.
    BrokenTls,
    /// It says nothing to STARTTLS.
    MuteTls,
    /// It says 220 to STARTTLS and then nothing.
    StalledTls,
    /// Under TLS it goes at the command of this name.
    FragileTls(&'static str),
}

/// What came in.
#[derive(Debug, Clone, Default)]
pub struct Received {
    pub commands: Vec<String>,
    /// Dot-stuffed as on the wire.
    pub message: String,
    pub tls: bool,
}

/// A reply instead of the usual one, chosen by the command line; `.` is the end of the message.
pub type Script = fn(&str) -> Option<&'static str>;

#[derive(Default)]
pub struct Log {
    pub received: Mutex<Vec<Received>>,
    pub connections: AtomicUsize,
}

impl Log {
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

struct Certificate {
    der: CertificateDer<'static>,
    key: Vec<u8>,
}

static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    Certificate { der: made.cert.der().clone(), key: made.signing_key.serialize_der() }
});

/// Trusts the sink's certificate only.
pub fn trusting_config() -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CERTIFICATE.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(CERTIFICATE.key.clone()));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CERTIFICATE.der.clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Listens on an address of loopback.
pub async fn serve(address: &str, offer: Offer, script: Script) -> (SocketAddr, Arc<Log>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let local = listener.local_addr().unwrap();
    let log = Arc::new(Log::default());
    let shared = Arc::clone(&log);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            shared.connections.fetch_add(1, Ordering::SeqCst);
            stream.set_nodelay(true).unwrap();
            tokio::spawn(converse(stream, Host { offer, script, log: Arc::clone(&shared), lmtp: false }));
        }
    });
    (local, log)
}

/// Listens on a Unix socket, for LMTP.
pub fn serve_lmtp(path: &Path, script: Script) -> Arc<Log> {
    let listener = UnixListener::bind(path).unwrap();
    let log = Arc::new(Log::default());
    let shared = Arc::clone(&log);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let host = Host { offer: Offer::Clear, script, log: Arc::clone(&shared), lmtp: true };
            tokio::spawn(async move { plain(BufStream::new(stream), &host, false).await });
        }
    });
    log
}

struct Host {
    offer: Offer,
    script: Script,
    log: Arc<Log>,
    lmtp: bool,
}

async fn converse(stream: tokio::net::TcpStream, host: Host) {
    if let Some(stream) = plain(BufStream::new(stream), &host, false).await {
        let mut stream = stream.into_inner();
        if host.offer == Offer::StalledTls {
            let mut octets = [0; 4096];
            while stream.read(&mut octets).await.is_ok_and(|count| count > 0) {}
            return;
        }
        if host.offer == Offer::BrokenTls {
            let _ = stream.write_all(b"no TLS here, sorry\r\n").await;
            return;
        }
        if let Ok(stream) = acceptor().accept(stream).await {
            plain(BufStream::new(stream), &host, true).await;
        }
    }
}

/// Until the end, or STARTTLS (then the stream comes back).
async fn plain<S: AsyncRead + AsyncWrite + Unpin>(
    mut io: BufStream<S>,
    host: &Host,
    tls: bool,
) -> Option<BufStream<S>> {
    let mut received = Received { tls, ..Received::default() };
    let mut taken = 0;
    if !tls {
        io.write_all(b"220 sink ESMTP\r\n").await.ok()?;
    }
    loop {
        io.flush().await.ok()?;
        let mut line = String::new();
        if io.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        received.commands.push(line.clone());
        match host.offer {
            Offer::FragileTls(verb) if tls && line.starts_with(verb) => return None,
            Offer::MuteTls if line == "STARTTLS" => continue,
            _ => {}
        }
        let usual = match line.split([' ', ':']).next().unwrap() {
            "EHLO" | "LHLO" if host.offer != Offer::Clear && !tls => "250-sink\r\n250-STARTTLS\r\n250 PIPELINING",
            "EHLO" | "LHLO" => "250-sink\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 1000000",
            "STARTTLS" => "220 go",
            "AUTH" => "235 2.7.0 in",
            "DATA" => "354 go",
            "QUIT" => "221 bye",
            _ => "250 2.0.0 ok",
        };
        let reply = (host.script)(&line).unwrap_or(usual);
        io.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
        match (reply.as_bytes()[0], line.as_str()) {
            (b'4', _) if reply.starts_with("421") => {
                io.flush().await.ok()?;
                return None;
            }
            (b'2', "STARTTLS") => {
                io.flush().await.ok()?;
                return Some(io);
            }
            (b'2', rcpt) if rcpt.starts_with("RCPT") => taken += 1,
            (b'3', "DATA") => {
                io.flush().await.ok()?;
                read_message(&mut io, &mut received.message).await?;
                for _ in 0..if host.lmtp { taken } else { 1 } {
                    let reply = (host.script)(".").unwrap_or("250 2.0.0 queued");
                    io.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
                }
                taken = 0;
                host.log.received.lock().unwrap().push(received.clone());
                received = Received { tls, ..Received::default() };
            }
            (_, "QUIT") => {
                io.flush().await.ok()?;
                return None;
            }
            _ => {}
        }
    }
}

async fn read_message<S: AsyncRead + AsyncWrite + Unpin>(io: &mut BufStream<S>, message: &mut String) -> Option<()> {
    loop {
        let mut line = Vec::new();
        if io.take(1 << 20).read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        if line == b".\r\n" {
            return Some(());
        }
        message.push_str(&String::from_utf8_lossy(&line));
    }
}
