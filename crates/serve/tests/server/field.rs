//! What the field sends must pass, and what is offered must work.

use std::io::Read as _;

use super::*;

impl Peer {
    /// All lines of the next reply.
    async fn lines(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n")).await;
        let mut lines = String::new();
        loop {
            let mut line = String::new();
            tokio::time::timeout(PATIENCE, self.stream.read_line(&mut line)).await.expect("in time").unwrap();
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            lines += &line;
            if is_last {
                return lines;
            }
        }
    }

    /// Gives a message to alice; what of it is queued.
    async fn gives(&mut self, site: &Site, message: &str) -> String {
        self.says("MAIL FROM:<>", "250").await;
        self.says("RCPT TO:<alice@example.test>", "250").await;
        self.says("DATA", "354").await;
        let reply = self.says(&format!("{message}."), "250").await;
        let id = reply.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
        let (_, body) = site.server.border().spool.read(id).await.expect("it is queued");
        let mut text = String::new();
        body.reader().read_to_string(&mut text).unwrap();
        text
    }
}

/// Nobody is there to take it, so it stays in the queue.
const NOBODY: &str = "delivery.local=lmtp:127.0.0.1:1";
const LOGIN: &str = "AUTH PLAIN AGFsaWNlAHBlbGljYW4gdW1icmVsbGE=";

/// A mechanism is offered where somebody can log in by it, and no longer.
#[tokio::test]
async fn mechanisms_are_offered_where_somebody_has_their_secret() {
    let site = Site::new(&["submission", "pop3"], &[]).await;
    let directory = &site.server.border().sources.directory;
    let offers = async |expected: bool| {
        let mut smtp = site.connect("submission").await;
        smtp.hears("220").await;
        let ehlo = smtp.lines("EHLO c.example.test").await;
        assert_eq!(ehlo.contains("CRAM-MD5"), expected, "{ehlo}");
        assert!(ehlo.contains("SCRAM-SHA-256 ") && ehlo.contains("PLAIN LOGIN"), "{ehlo}");
        smtp.says("AUTH CRAM-MD5", if expected { "334" } else { "504" }).await;
        let mut pop = site.connect("pop3").await;
        let greeting = pop.hears("+OK").await;
        assert_eq!(greeting.contains('<'), expected, "{greeting}");
        let apop = pop.says("APOP alice c4c9334bac560ecc979e58001b3e22fb", "-ERR").await;
        assert_eq!(apop.contains("APOP"), !expected, "{apop}");
    };
    offers(false).await;
    let (device, _) = directory.add_device("alice", "mfp", directory::DeviceLimits::default()).await.unwrap();
    offers(true).await;
    directory.revoke_device(&device.login).await.unwrap();
    // What has its secret goes on trying, and is to be told no.
    offers(true).await;
    site.server.stop().await;
}

/// Who has no such secret is told what a wrong one is told, and is slowed down by nothing.
#[tokio::test]
async fn a_try_that_can_hit_nothing_is_no_guess() {
    let sets = ["auth.failures_per_client=4", "auth.failures_per_account=4", "auth.failure_delay_ms=0"];
    let site = Site::new(&["submission", "pop3"], &sets).await;
    let directory = &site.server.border().sources.directory;
    let (device, _) = directory.add_device("alice", "mfp", directory::DeviceLimits::default()).await.unwrap();
    let mut told = Vec::new();
    for login in ["alice@example.test", "nobody@example.test", &*device.login] {
        let answer = base64(&format!("{login} 0123456789abcdef0123456789abcdef"));
        for _ in 0..2 {
            let mut smtp = site.greeted("submission").await;
            smtp.says("AUTH CRAM-MD5", "334").await;
            let reply = smtp.says(&answer, "535").await;
            // The id of the record differs each time, and says nothing.
            told.push(reply.split(" [").next().map(str::to_owned));
        }
        let mut pop = site.connect("pop3").await;
        pop.hears("+OK").await;
        pop.says(&format!("APOP {login} 0123456789abcdef0123456789abcdef"), "-ERR").await;
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    site.greeted("submission").await.says(LOGIN, "235").await;
    site.server.stop().await;
}

/// An mbox's first line, a header without its end, and what nobody is to see.
#[tokio::test]
async fn headers_are_mended_and_bcc_goes() {
    let site = Site::new(&["smtp", "submission"], &[NOBODY]).await;
    let mut outside = site.greeted("smtp").await;
    let mbox = "From a@b.example Mon Nov 30 02:00:00 2026\r\nSubject: x\r\nBcc: c@d.example\r\n\r\ntext\r\n";
    let taken = outside.gives(&site, mbox).await;
    assert!(taken.contains(&format!("\r\nX-Mailbox-Line: {mbox}")), "{taken}");
    let taken = outside.gives(&site, "Subject: x\r\nno field here\r\n").await;
    assert!(taken.ends_with("\r\nSubject: x\r\n\r\nno field here\r\n"), "{taken}");
    let taken = outside.gives(&site, "no header\r\n").await;
    assert!(taken.starts_with("Received: ") && taken.ends_with("\r\n\r\nno header\r\n"), "{taken}");
    let mut ours = site.greeted("submission").await;
    ours.says(LOGIN, "235").await;
    let taken =
        ours.gives(&site, "To: b@c.example\r\nBcc: secret@d.example,\r\n e@f.example\r\n\r\nBcc: text\r\n").await;
    assert!(!taken.contains("secret@") && !taken.contains("e@f") && taken.contains("\r\n\r\nBcc: text\r\n"), "{taken}");
    site.server.stop().await;
}

/// A line may have 1 MiB; it is kept octet by octet, and only the header has a bound of its own.
#[tokio::test]
async fn long_lines_are_kept() {
    let site = Site::new(&["smtp"], &[NOBODY]).await;
    let mut peer = site.greeted("smtp").await;
    let line = "x".repeat(1_048_576);
    let taken = peer.gives(&site, &format!("Subject: x\r\n\r\n{line}\r\n")).await;
    assert!(taken.ends_with(&format!("\r\n\r\n{line}\r\n")));
    let taken = peer.gives(&site, &format!("Subject: {}\r\n\r\nx\r\n", &line[..400_000])).await;
    assert!(taken.ends_with(&format!("\r\nSubject: {}\r\n\r\nx\r\n", &line[..400_000])));
    let header = format!("Subject: {}\r\n", &line[..400_000]).repeat(3);
    for (message, reply) in [(format!("\r\n{line}x\r\n"), "554 5.6.0"), (header, "554 5.3.4")] {
        peer.says("MAIL FROM:<x@outside.example>", "250").await;
        peer.says("RCPT TO:<alice@example.test>", "250").await;
        peer.says("DATA", "354").await;
        peer.says(&format!("{message}."), reply).await;
    }
    site.server.stop().await;
}

/// What old devices say: a greeting of their room, paths without brackets. By the letter only where it is wanted.
#[tokio::test]
async fn commands_are_taken_as_devices_write_them() {
    let site = Site::new(&["smtp"], &[NOBODY]).await;
    let mut peer = site.connect("smtp").await;
    peer.hears("220").await;
    peer.says("HELO MFP 2F \u{7dcf}\u{52d9}\u{8ab2}", "250").await;
    peer.says("MAIL  FROM: x@outside.example", "250").await;
    peer.says("RCPT TO:y@outside.example", "550 5.7.1").await;
    peer.says("RCPT\tTO:< alice@example.test >", "250").await;
    peer.says("RSET", "250").await;
    let taken = peer.gives(&site, "Subject: x\r\n\r\nx\r\n").await;
    assert!(taken.starts_with("Received: from MFP?2F?=E7=B7=8F=E5=8B=99=E8=AA=B2 ([127.0.0.1])"), "{taken}");
    site.server.stop().await;
    let site = Site::new(&["smtp"], &["listener.smtp.strict=true"]).await;
    let mut peer = site.connect("smtp").await;
    peer.hears("220").await;
    peer.says("HELO MFP 2F", "501").await;
    peer.says("HELO mfp", "250").await;
    peer.says("MAIL FROM:x@outside.example", "501").await;
    site.server.stop().await;
}
