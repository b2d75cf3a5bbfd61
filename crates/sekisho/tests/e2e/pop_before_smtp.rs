//! POP before SMTP with two pairs of real clients: refused, login, accepted, expired, refused.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::clients::private_file;
use crate::support::{Account, Demo, maildir, message, run, run_failing};

const OUTSIDE: &str = "friend@outside.example";
/// The shortest life of a grant that can be set: one minute.
const LIFE: Duration = Duration::from_mins(1);

/// Sends with msmtp and no AUTH, as an old mail program does on port 25.
fn msmtp(demo: &Demo, account: &Account, subject: &str) -> Command {
    let config = format!(
        "account default\nhost 127.0.0.1\nport {}\nfrom {}\nauth off\ntls off\n",
        demo.port("smtp"),
        account.address
    );
    let config = private_file(demo.dir(), "msmtprc", &config);
    let mail = private_file(demo.dir(), "m.txt", &message(&account.address, OUTSIDE, subject));
    let mut command = Command::new("msmtp");
    command.arg("-C").arg(config).arg(OUTSIDE).stdin(fs::File::open(mail).unwrap());
    command
}

fn mpop(demo: &Demo, account: &Account) -> Command {
    let target = demo.dir().join("fetched");
    for sub in ["cur", "new", "tmp"] {
        fs::create_dir_all(target.join(sub)).unwrap();
    }
    let config = format!(
        "account default\nhost 127.0.0.1\nport {}\nauth apop\nuser {}\npassword {}\ntls off\ndelivery maildir {}\n\
         uidls_file {}\n",
        demo.port("pop3"),
        account.device_login,
        account.device_secret,
        target.display(),
        demo.dir().join("uidls").display()
    );
    let mut command = Command::new("mpop");
    command.arg("-C").arg(private_file(demo.dir(), "mpoprc", &config));
    command
}

fn fetchmail(demo: &Demo, account: &Account) -> Command {
    let config = format!(
        "poll 127.0.0.1 protocol apop port {} user \"{}\" password \"{}\" sslproto '' fetchall mda \"cat > /dev/null\"\n",
        demo.port("pop3"),
        account.device_login,
        account.device_secret
    );
    let mut command = Command::new("fetchmail");
    command.env("FETCHMAILHOME", demo.dir()).args(["--nosyslog", "-f"]).arg(private_file(
        demo.dir(),
        "fetchmailrc",
        &config,
    ));
    command
}

/// fetchmail's exit 1 means: logged in, no mail there.
fn logs_in(command: &mut Command) {
    let status = command.output().unwrap();
    let code = status.status.code();
    assert!(code == Some(0) || code == Some(1), "{command:?}: {status:?}");
}

fn round_trip(fetch: fn(&Demo, &Account) -> Command) {
    let demo = Demo::start_with(&["relay.pop.minutes=1"]);
    let alice = demo.account("alice");
    let refused = run_failing(&mut msmtp(&demo, &alice, "before the login"));
    assert!(refused.contains("we do not relay"), "{refused}");
    logs_in(&mut fetch(&demo, &alice));
    let logged_in = Instant::now();
    run(&mut msmtp(&demo, &alice, "after the login"));
    demo.until("the relayed mail", || {
        maildir(&demo.sink()).iter().any(|m| m.contains("after the login")).then_some(())
    });
    // The grant names Alice: Bob's address does not pass from the same client.
    let bob = demo.account("bob");
    let refused = run_failing(&mut msmtp(&demo, &bob, "in another name"));
    assert!(refused.contains("we do not relay"), "{refused}");
    // Nothing but time ends it.
    std::thread::sleep((LIFE + Duration::from_secs(1)).saturating_sub(logged_in.elapsed()));
    let refused = run_failing(&mut msmtp(&demo, &alice, "after the end"));
    assert!(refused.contains("we do not relay"), "{refused}");
    assert_eq!(maildir(&demo.sink()).len(), 1);
}

#[test]
fn round_trip_with_mpop_and_msmtp() {
    round_trip(mpop);
}

#[test]
fn round_trip_with_fetchmail_and_msmtp() {
    round_trip(fetchmail);
}

#[test]
fn a_revoked_grant_is_gone_at_once_and_a_kept_one_survives_a_restart() {
    let mut demo = Demo::start();
    let alice = demo.account("alice");
    logs_in(&mut mpop(&demo, &alice));
    demo.kill_9();
    demo.restart();
    let alice = demo.account("alice");
    run(&mut msmtp(&demo, &alice, "after kill -9"));
    assert!(demo.sekisho(&["grant", "revoke", "--address", "127.0.0.1"]).status.success());
    run_failing(&mut msmtp(&demo, &alice, "after the revocation"));
}

#[test]
fn a_grant_made_by_hand_counts_like_a_login() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    run_failing(&mut msmtp(&demo, &alice, "no"));
    let added = demo.sekisho(&["grant", "add", "127.0.0.1", &alice.login]);
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    run(&mut msmtp(&demo, &alice, "yes"));
    let listed = demo.sekisho(&["grant", "list", "--json"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("127.0.0.1"));
}
