//! From nothing to a server that runs: `sekisho init`, `config check`, `serve`, a first TLS conversation, SIGTERM.
//! And the user's own way to a new password on it.

use std::io::BufReader;

use crate::support::{Made, connect, mode, says, sekisho};

fn reads_mail(made: &Made, password: &str) -> bool {
    let mut mail = made.tls(made.ports[4]);
    assert!(says(&mut mail, "").starts_with("+OK"));
    assert!(says(&mut mail, "USER alice").starts_with("+OK"));
    says(&mut mail, &format!("PASS {password}")).starts_with("+OK")
}

#[test]
fn what_init_makes_is_a_server() {
    let made = Made::new();
    let checked = made.run(&["config", "check"], "");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(mode(&made.file("key.pem")), 0o600);
    let server = made.serve();
    let mut mx = BufReader::new(connect(made.ports[0]));
    assert!(says(&mut mx, "").starts_with("220 mail.example.test"));
    assert!(says(&mut mx, "EHLO c.example.test").starts_with("250"));
    assert!(says(&mut mx, "MAIL FROM:<x@outside.example>").starts_with("250"));
    assert!(says(&mut mx, "RCPT TO:<postmaster@example.test>").starts_with("250"), "somebody reads it");
    assert!(says(&mut mx, "RCPT TO:<x@outside.example>").starts_with("550 5.7.1"));
    assert!(says(&mut made.tls(made.ports[2]), "").starts_with("220"));
    assert!(says(&mut mx, "RSET").starts_with("250"));
    assert!(says(&mut mx, "STARTTLS").starts_with("220"));
    drop(mx);
    assert!(reads_mail(&made, "first secret"));
    let again = ["init", "--hostname", "m.example.test", "--domain", "d.test", "--dir"];
    assert_eq!(sekisho(&[&again[..], &[made.dir.path().to_str().unwrap()]].concat(), "x\n").status.code(), Some(1));
    assert_eq!(server.stop(), Some(0));
}

/// `user passwd --old`: the old password must be right, on a running server and without one, and guessing is throttled.
#[test]
fn a_user_changes_the_own_password() {
    let made = Made::new();
    let passwd = |input: &str| made.run(&["user", "passwd", "--old", "alice"], input);
    assert_eq!(passwd("wrong\nsecond secret\n").status.code(), Some(1), "without a server");
    assert!(passwd("first secret\nsecond secret\n").status.success());
    let server = made.serve();
    assert!(reads_mail(&made, "second secret"));
    assert_eq!(passwd("first secret\nthird secret\n").status.code(), Some(1));
    assert!(passwd("second secret\nthird secret\n").status.success());
    assert!(reads_mail(&made, "third secret") && !reads_mail(&made, "second secret"));
    assert_eq!(server.stop(), Some(0));
}
