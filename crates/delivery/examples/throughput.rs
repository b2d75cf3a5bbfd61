//! How many messages a second go from the spool's front into Maildirs or over SMTP to a sink in this process:
//! `cargo run --release -p delivery --example throughput -- local|relay [MESSAGES] [DIR]`
#![expect(clippy::unwrap_used, reason = "a measurement that fails has no result")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use delivery::{Config, Delivery, Limits, Lookups, Mailbox, OverQuota, Own, RemoteRoute, Smarthost, Tls};
use maildir::Quota;
use spool::{Envelope, Origin, Recipient, Spool, SpoolConfig, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MAILBOXES: usize = 100;

/// What the sink took, to be compared with what was sent: a figure without its arrivals says nothing.
static SINK_MESSAGES: AtomicUsize = AtomicUsize::new(0);
static SINK_OCTETS: AtomicUsize = AtomicUsize::new(0);
static SINK_CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

#[tokio::main]
async fn main() {
    let mut words = std::env::args().skip(1);
    let relay = words.next().as_deref() == Some("relay");
    let messages: usize = words.next().map_or(10_000, |word| word.parse().unwrap());
    let dir = PathBuf::from(words.next().unwrap_or_else(|| "/tmp/sekisho-throughput".into()));
    let _ = std::fs::remove_dir_all(&dir);
    for number in 0..MAILBOXES {
        maildir::create(&dir.join(format!("u{number}"))).unwrap();
    }
    let (spool, _) = Spool::open(SpoolConfig::new(dir.join("spool"))).unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let port = sink().await;
    let delivery = start(&spool, dir, port, Arc::clone(&done));
    let began = Instant::now();
    fill(&spool, messages, relay).await;
    println!("accepted in {} ms", began.elapsed().as_millis());
    while done.load(Ordering::Relaxed) < messages {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let millis = began.elapsed().as_millis().max(1);
    println!("{messages} messages in {millis} ms: {}/s", messages as u128 * 1000 / millis);
    let sunk = [&SINK_MESSAGES, &SINK_OCTETS, &SINK_CONNECTIONS].map(|count| count.load(Ordering::Relaxed));
    println!("sink: {} messages, {} octets, {} connections", sunk[0], sunk[1], sunk[2]);
    delivery.shutdown(Duration::from_secs(5)).await;
    spool.close().await;
}

async fn fill(spool: &Arc<Spool>, messages: usize, relay: bool) {
    let text =
        format!("Subject: x\r\n\r\n{}", "0123456789 0123456789 0123456789 0123456789\r\n".repeat(90)).into_bytes();
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..50 {
        let (spool, text) = (Arc::clone(spool), text.clone());
        senders.spawn(async move {
            for number in (sender..messages).step_by(50) {
                spool.incoming().commit(envelope(number, relay, text.len()), text.clone()).await.unwrap();
            }
        });
    }
    senders.join_all().await;
}

fn envelope(number: usize, relay: bool, octets: usize) -> Envelope {
    let account = format!("u{}", number % MAILBOXES);
    let target = if relay { Target::Remote { host: "elsewhere.example".into() } } else { Target::Maildir { account } };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
    Envelope {
        reverse_path: "alice@example.test".into(),
        recipients: vec![Recipient {
            forward_path: "b@elsewhere.example".into(),
            target,
            notify: 0,
            orcpt: None,
            via: None,
        }],
        origin: Origin::Outside,
        arrived_at_unix_micros: u64::try_from(now).unwrap(),
        session: "s".into(),
        smtputf8: false,
        eight_bit: false,
        envid: None,
        ret: None,
        message_octets: octets as u64,
    }
}

fn start(spool: &Arc<Spool>, dir: PathBuf, port: u16, done: Arc<AtomicUsize>) -> Delivery {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Config {
        hostname: "mx.example.test".into(),
        route: RemoteRoute::Smarthost(Smarthost { host: "127.0.0.1".into(), port, tls: Tls::Never, credentials: None }),
        own: Own::default(),
        over_quota: OverQuota::Fail,
        verified_tls: Arc::new(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()),
        limits: Limits::default(),
    };
    let root = dir.clone();
    let lookups = Lookups {
        maildir_root: Arc::new(move || root.clone()),
        mailbox: Arc::new(move |login| {
            let path = dir.join(login);
            Box::pin(async move { Ok(Some(Mailbox { path, quota: Quota::NONE })) })
        }),
        targets: Arc::new(|_| Box::pin(async { Ok(Vec::new()) })),
    };
    let on_fate: delivery::OnFate = Arc::new(move |fate| {
        assert_eq!(fate.kind, delivery::FateKind::Delivered, "{fate:?}");
        done.fetch_add(1, Ordering::Relaxed);
    });
    Delivery::start(config, Arc::clone(spool), lookups, on_fate).unwrap()
}

/// Says yes to everything.
async fn sink() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            SINK_CONNECTIONS.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(swallow(stream));
        }
    });
    port
}

async fn swallow(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    stream.write_all(b"220 sink\r\n").await.ok()?;
    let (mut buffer, mut held, mut in_data) = (vec![0; 64 * 1024], Vec::new(), false);
    loop {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        held.extend_from_slice(&buffer[..count]);
        let mut reply: Vec<u8> = Vec::new();
        if in_data && held.ends_with(b"\r\n.\r\n") {
            in_data = false;
            SINK_MESSAGES.fetch_add(1, Ordering::Relaxed);
            SINK_OCTETS.fetch_add(held.len(), Ordering::Relaxed);
            held.clear();
            reply.extend_from_slice(b"250 2.0.0 queued\r\n");
        }
        while let (false, Some(end)) = (in_data, held.iter().position(|octet| *octet == b'\n')) {
            let line: Vec<u8> = held.drain(..=end).collect();
            in_data = line.starts_with(b"DATA");
            let answer: &[u8] = match &line[..4] {
                b"EHLO" => b"250-sink\r\n250 PIPELINING\r\n",
                b"DATA" => b"354 go\r\n",
                _ => b"250 ok\r\n",
            };
            reply.extend_from_slice(answer);
        }
        stream.write_all(&reply).await.ok()?;
    }
}
