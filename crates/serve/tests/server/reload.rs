//! Reloading: what is taken over, whole or not at all.

use config::{self, Settings};
use listen::tls;
use serve::{Server, StartError};
use std::net::SocketAddr;
use std::path::Path;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

fn settings(text: &str, dir: &Path, sets: &[&str]) -> Settings {
    let text = format!(
        "hostname = \"mail.example.test\"\ndata_dir = \".\"\n[spool]\nfree_octets_min = 1048576\n\
         [delivery]\nremote = \"sink\"\n{text}"
    );
    let text = config::Text { name: "t.toml", text: &text, base_dir: dir };
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    config::parse(&text, &sets).unwrap_or_else(|report| panic!("{report}")).settings
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn listener(name: &str, protocol: &str, at: SocketAddr) -> String {
    format!("[[listener]]\nname = \"{name}\"\nprotocol = \"{protocol}\"\nbind = [\"{at}\"]\n")
}

async fn dialogue(at: SocketAddr, says: &str) -> String {
    let mut peer = BufReader::new(TcpStream::connect(at).await.unwrap());
    let (mut heard, mut line) = (String::new(), String::new());
    peer.read_line(&mut heard).await.unwrap();
    peer.get_mut().write_all(says.as_bytes()).await.unwrap();
    while peer.read_line(&mut line).await.unwrap_or(0) > 0 {
        heard += &std::mem::take(&mut line);
    }
    heard
}

/// The address keeps its socket, and is served as its new listener wants it.
#[tokio::test]
async fn listeners_may_swap_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (free_address(), free_address());
    let text = |first: &str, second: &str| listener(first, "smtp", one) + &listener(second, "pop3", two);
    let mut server = Server::start(settings(&text("a", "b"), dir.path(), &[])).await.unwrap();
    for (first, second) in [("b", "a"), ("new", "newer")] {
        server.reload(settings(&text(first, second), dir.path(), &[])).await.unwrap();
        assert!(dialogue(one, "QUIT\r\n").await.starts_with("220"), "{first}");
        assert!(dialogue(two, "QUIT\r\n").await.starts_with("+OK"), "{second}");
    }
    let swapped = listener("new", "pop3", one) + &listener("newer", "smtp", two);
    server.reload(settings(&swapped, dir.path(), &[])).await.unwrap();
    assert!(dialogue(one, "QUIT\r\n").await.starts_with("+OK"));
    assert!(dialogue(two, "QUIT\r\n").await.starts_with("220"));
    server.stop().await;
}

#[tokio::test]
async fn a_reload_is_taken_over_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (at, taken) = (free_address(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let plain = listener("mx", "smtp", at);
    let with_tls = format!("{plain}[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n");
    let mut server = Server::start(settings(&plain, dir.path(), &[])).await.unwrap();
    let offers_tls = async || {
        let heard = dialogue(at, "EHLO c.example.test\r\nQUIT\r\n").await;
        assert!(heard.contains("250"), "{heard}");
        heard.contains("STARTTLS")
    };
    assert!(!offers_tls().await);
    let error = server.reload(settings(&with_tls, dir.path(), &[])).await.unwrap_err();
    assert!(error.is_of_configuration() && error.to_string().contains("c.pem"), "{error}");
    let names = ["mail.example.test".to_owned()];
    tls::ensure_self_signed(&dir.path().join("c.pem"), &dir.path().join("k.pem"), &names).unwrap();
    let bad = format!("{with_tls}{}", listener("other", "smtp", taken.local_addr().unwrap()));
    let error = server.reload(settings(&bad, dir.path(), &[])).await.unwrap_err();
    assert!(matches!(error, StartError::Bind { .. }), "{error}");
    let error = server.reload(settings(&with_tls, dir.path(), &["delivery.concurrency=3"])).await.unwrap_err();
    assert!(error.to_string().contains("delivery.concurrency: a change needs a restart"), "{error}");
    assert!(!offers_tls().await, "nothing of the refused ones is in force");
    server.reload(settings(&with_tls, dir.path(), &[])).await.unwrap();
    assert!(offers_tls().await, "[tls] may come by a reload");
    server.reload(settings(&plain, dir.path(), &[])).await.unwrap();
    assert!(!offers_tls().await, "and go by one");
    server.stop().await;
}

/// Behind a proxy the client counts that its header names, not the proxy.
#[tokio::test]
async fn a_proxied_client_is_counted_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let at = free_address();
    let text = listener("mx", "smtp", at) + "proxy_from = [\"127.0.0.1\"]\nconnections_per_client_max = 1\n";
    let server = Server::start(settings(&text, dir.path(), &[])).await.unwrap();
    let connect = async |client: &str| {
        let mut peer = BufReader::new(TcpStream::connect(at).await.unwrap());
        let header = format!("PROXY TCP4 {client} 127.0.0.1 40000 25\r\n");
        peer.get_mut().write_all(header.as_bytes()).await.unwrap();
        let mut line = String::new();
        peer.read_line(&mut line).await.unwrap();
        (peer, line)
    };
    let (_held, greeting) = connect("192.0.2.1").await;
    assert!(greeting.starts_with("220"), "{greeting}");
    let (_held, other) = connect("192.0.2.2").await;
    assert!(other.starts_with("220"), "{other}");
    let (_, refused) = connect("192.0.2.1").await;
    assert!(refused.starts_with("421"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn a_bad_configuration_is_told_from_a_bad_moment() {
    let dir = tempfile::tempdir().unwrap();
    let start = async |text: &str| Server::start(settings(text, dir.path(), &[])).await.err().unwrap();
    let no_certificate = start("[tls]\ncertificate = \"no.pem\"\nkey = \"no.pem\"\n").await;
    assert!(no_certificate.is_of_configuration(), "{no_certificate}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = start(&listener("mx", "smtp", taken.local_addr().unwrap())).await;
    assert!(!in_use.is_of_configuration(), "{in_use}");
}
