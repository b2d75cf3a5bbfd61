//! What of a configuration is read at the start only, so that a reload must not pretend to change it.

use crate::config::Settings;

/// The keys that differ and need a restart. What their sections do not show here is taken over by a reload.
pub(super) fn needing_a_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let mut differs = |key, is: bool| {
        if is {
            keys.push(key);
        }
    };
    differs("hostname", old.hostname != new.hostname);
    differs("data_dir", old.data_dir != new.data_dir);
    differs("directory.path", old.directory.path != new.directory.path);
    differs("directory.key", old.directory.key != new.directory.key);
    differs("state.path", old.state_dir != new.state_dir);
    differs("admin.socket", old.admin.socket != new.admin.socket);
    differs("admin.mode", old.admin.mode != new.admin.mode);
    differs("dns.servers", old.dns.servers != new.dns.servers);
    differs("dns.timeout_ms", old.dns.timeout != new.dns.timeout);
    differs("relay.export", old.relay.export != new.relay.export);
    differs("relay.drac.rpcbind", old.relay.drac.rpcbind != new.relay.drac.rpcbind);
    let (auth, is) = (&old.auth, &new.auth);
    differs("auth.failures_per_client", auth.failures_per_client != is.failures_per_client);
    differs("auth.failures_per_account", auth.failures_per_account != is.failures_per_account);
    differs("auth.failure_minutes", auth.failure_lifetime != is.failure_lifetime);
    differs("auth.failure_delay_ms", auth.failure_delay != is.failure_delay);
    let (spool, is) = (&old.spool, &new.spool);
    differs("spool.path", spool.path != is.path);
    differs("spool.segment_octets", spool.segment_octets != is.segment_octets);
    differs("spool.inline_octets", spool.inline_octets != is.inline_octets);
    differs("spool.free_octets_min", spool.free_octets_min != is.free_octets_min);
    differs("spool.retry_first_secs", spool.retry_first != is.retry_first);
    differs("spool.retry_max_secs", spool.retry_max != is.retry_max);
    differs("spool.give_up_hours", spool.give_up != is.give_up);
    delivery(old, new, &mut differs);
    keys
}

/// Mailboxes are looked up anew for each mail (`local`, `maildir_root`, `quota_octets`); the rest is delivery's own.
fn delivery(old: &Settings, new: &Settings, differs: &mut impl FnMut(&'static str, bool)) {
    let (old, new) = (&old.delivery, &new.delivery);
    differs("delivery.remote (smarthost, sink)", old.remote != new.remote);
    differs("delivery.concurrency", old.concurrency != new.concurrency);
    differs("delivery.concurrency_per_destination", old.concurrency_per_destination != new.concurrency_per_destination);
    differs("delivery.messages_per_connection", old.messages_per_connection != new.messages_per_connection);
    differs("delivery.connect_timeout_secs", old.connect_timeout != new.connect_timeout);
    differs("delivery.reply_timeout_secs", old.reply_timeout != new.reply_timeout);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::serve::{Server, StartError};
    use crate::tls;
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

    #[test]
    fn what_needs_a_restart_is_named() {
        let keys = |sets: &[&str]| {
            let dir = Path::new("/nowhere");
            needing_a_restart(&settings("", dir, &[]), &settings("", dir, sets))
        };
        assert!(keys(&["limits.errors=3", "relay.networks=['192.0.2.1']", "log.level=debug"]).is_empty());
        assert!(keys(&["delivery.quota_octets=5", "delivery.maildir_root=m", "auth.apop=false"]).is_empty());
        assert_eq!(keys(&["hostname=b.example.test", "state.path=s"]), ["hostname", "state.path"]);
        assert_eq!(keys(&["delivery.remote=mx"]), ["delivery.remote (smarthost, sink)"]);
        let sets = ["spool.give_up_hours=9", "dns.timeout_ms=900", "auth.failure_minutes=9", "delivery.concurrency=9"];
        let named = ["dns.timeout_ms", "auth.failure_minutes", "spool.give_up_hours", "delivery.concurrency"];
        assert_eq!(keys(&sets), named);
    }

    /// The address keeps its socket, and is served as its new listener wants it.
    #[tokio::test]
    async fn listeners_may_swap_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (free_address(), free_address());
        let text = |first: &str, second: &str| listener(first, "smtp", one) + &listener(second, "pop3", two);
        let mut server = Server::start(settings(&text("a", "b"), dir.path(), &[])).await.unwrap();
        for (first, second) in [("b", "a"), ("new", "newer")] {
            server.reload(settings(&text(first, second), dir.path(), &[])).unwrap();
            assert!(dialogue(one, "QUIT\r\n").await.starts_with("220"), "{first}");
            assert!(dialogue(two, "QUIT\r\n").await.starts_with("+OK"), "{second}");
        }
        let swapped = listener("new", "pop3", one) + &listener("newer", "smtp", two);
        server.reload(settings(&swapped, dir.path(), &[])).unwrap();
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
        let error = server.reload(settings(&with_tls, dir.path(), &[])).unwrap_err();
        assert!(error.is_of_configuration() && error.to_string().contains("c.pem"), "{error}");
        let names = ["mail.example.test".to_owned()];
        tls::ensure_self_signed(&dir.path().join("c.pem"), &dir.path().join("k.pem"), &names).unwrap();
        let bad = format!("{with_tls}{}", listener("other", "smtp", taken.local_addr().unwrap()));
        let error = server.reload(settings(&bad, dir.path(), &[])).unwrap_err();
        assert!(matches!(error, StartError::Bind { .. }), "{error}");
        let error = server.reload(settings(&with_tls, dir.path(), &["delivery.concurrency=3"])).unwrap_err();
        assert!(error.to_string().contains("delivery.concurrency: a change needs a restart"), "{error}");
        assert!(!offers_tls().await, "nothing of the refused ones is in force");
        server.reload(settings(&with_tls, dir.path(), &[])).unwrap();
        assert!(offers_tls().await, "[tls] may come by a reload");
        server.reload(settings(&plain, dir.path(), &[])).unwrap();
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
}
