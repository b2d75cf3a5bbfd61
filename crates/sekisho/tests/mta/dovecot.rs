//! Dovecot beside a demo, with accounts of its own: its POP logins give the right to relay through Postfix.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::demo::{Account, Demo, Dialogue, free_ports};
use crate::postfix::{Postfix, snippet};
use crate::support::{
    CLIENT, Folder, Mail, OUTSIDE, Process, STRANGER, example, expiry, file_text, group_id, story, user_id,
};

/// What every account's password at Dovecot is; the demo's own differ.
const PASSWORD: &str = "at-dovecot";

/// A Dovecot of our own on loopback, with the demo's logins in its own passwd-file.
struct Dovecot {
    process: Process,
    folder: Folder,
    port: u16,
}

impl Dovecot {
    /// One with these lines in its configuration, after what any has.
    fn start(demo: &Demo, lines: &str) -> Self {
        let (folder, port) = (Folder::new(), free_ports());
        let (uid, gid) = (user_id("nobody"), group_id("nobody"));
        folder.folder_of("mail", "nobody");
        let at = folder.text();
        let mut accounts = String::new();
        for name in ["alice", "bob"] {
            let login = demo.account(name).login;
            let _ = writeln!(accounts, "{login}:{{PLAIN}}{PASSWORD}:{uid}:{gid}::{at}/mail/{name}::");
        }
        folder.write("passwd", &accounts);
        let main = format!(
            "base_dir = {at}/run\nstate_dir = {at}/run\nlog_path = {at}/log\nprotocols = pop3\nlisten = 127.0.0.1\n\
             ssl = no\ndisable_plaintext_auth = no\nmail_location = maildir:~/Maildir\nfirst_valid_uid = 1\n\
             first_valid_gid = 1\ndefault_internal_user = nobody\ndefault_internal_group = nogroup\n\
             default_login_user = nobody\n\
             passdb {{\n driver = passwd-file\n args = {at}/passwd\n}}\n\
             userdb {{\n driver = passwd-file\n args = {at}/passwd\n}}\n\
             auth_failure_delay = 0\n\
             service pop3-login {{\n chroot =\n inet_listener pop3 {{\n port = {port}\n }}\n inet_listener pop3s {{\n port = 0\n }}\n}}\n\
             service anvil {{\n chroot =\n unix_listener anvil-auth-penalty {{\n mode = 0\n }}\n}}\nservice stats {{\n chroot =\n}}\n{lines}\n"
        );
        let config = folder.write("dovecot.conf", &main);
        let mut dovecot = Command::new("/usr/sbin/dovecot");
        dovecot.arg("-F").arg("-c").arg(config);
        let process = Process::start(&mut dovecot, &folder.join("said")).listening(port);
        Self { process, folder, port }
    }

    fn log(&self) -> String {
        self.process.said() + &file_text(&self.folder.join("log"))
    }

    /// What Dovecot answers to a POP login.
    fn answer(&self, from: Ipv4Addr, login: &str, password: &str) -> String {
        let mut pop = Dialogue::connect(from, self.port);
        assert!(pop.reply().starts_with("+OK"), "{}", self.log());
        pop.say(&format!("USER {login}"));
        let answer = pop.say(&format!("PASS {password}"));
        pop.say("QUIT");
        answer
    }

    /// Logs in, and waits until the guard has heard of it: Dovecot does not wait for its own report.
    fn login(&self, demo: &Demo, account: &Account) {
        let answer = self.answer(CLIENT, &account.login, PASSWORD);
        assert!(answer.starts_with("+OK"), "{answer}\n{}", self.log());
        demo.until("the right", || demo.ruled(&["grant", "list"]).contains(&account.login).then_some(()));
    }
}

/// Dovecot as it is, but for the documented lines.
fn reporting(demo: &Demo) -> Dovecot {
    reporting_with(demo, "")
}

fn reporting_with(demo: &Demo, lines: &str) -> Dovecot {
    let url = format!("127.0.0.1:{}", demo.port("auth_policy"));
    let secret = demo.facts["auth_policy_secret"].as_str().unwrap().to_owned();
    Dovecot::start(
        demo,
        &(example("dovecot/auth-policy.conf", &[("127.0.0.1:10035", &url), ("the-secret", &secret)]) + lines),
    )
}

#[test]
fn a_pop_login_at_dovecot_lets_its_user_relay_through_postfix() {
    let mut demo = Demo::start();
    let dovecot = reporting(&demo);
    let postfix = Postfix::start(&demo, &snippet(&demo, "policy.cf"));
    let login = |demo: &Demo, account: &Account| dovecot.login(demo, account);
    postfix.tell_with("we do not relay", &login, |server| story(&mut demo, server));
}

#[test]
fn a_right_from_dovecot_ends_with_its_time() {
    let demo = Demo::start_with(&["relay.pop.minutes=1"]);
    let dovecot = reporting(&demo);
    let postfix = Postfix::start(&demo, &snippet(&demo, "policy.cf"));
    let login = |demo: &Demo, account: &Account| dovecot.login(demo, account);
    postfix.tell_with("we do not relay", &login, |server| expiry(&demo, server));
}

/// Who fails gets nothing, and who reads mail may do so while the guard is away.
#[test]
fn failed_logins_at_dovecot_give_nothing_and_dovecot_needs_no_guard() {
    let mut demo = Demo::start();
    let dovecot = reporting(&demo);
    let postfix = Postfix::start(&demo, &snippet(&demo, "policy.cf"));
    let alice = demo.account("alice");
    for (login, password) in [(alice.login.as_str(), "wrong"), ("nobody@example.test", PASSWORD), ("", PASSWORD)] {
        let answer = dovecot.answer(CLIENT, login, password);
        assert!(answer.starts_with("-ERR"), "{login}: {answer}");
    }
    assert_eq!(demo.ruled(&["grant", "list", "--json"]).trim(), "[]");
    postfix.tell_with("we do not relay", &|_, _| (), |server| {
        server.refuses(CLIENT, Mail { from: &alice.address, to: OUTSIDE, subject: "after failed logins" });
        server.has_relayed(&[]);
    });
    assert!(demo.stop());
    let answer = dovecot.answer(CLIENT, &alice.login, PASSWORD);
    assert!(answer.starts_with("+OK"), "{answer}\n{}", dovecot.log());
}

/// Who guessed too often is refused by Dovecot on our word, the right password included; others are not.
#[test]
fn too_many_guesses_at_dovecot_are_refused_before_the_password_is_looked_at() {
    let demo = Demo::start_with(&["auth.failures_per_client=3", "auth.failure_delay_ms=0"]);
    let dovecot = reporting_with(&demo, "auth_verbose = yes\n");
    let alice = demo.account("alice");
    for guess in 1..=3 {
        let answer = dovecot.answer(CLIENT, &alice.login, &format!("guess {guess}"));
        assert!(answer.starts_with("-ERR"), "{answer}");
        // Dovecot does not wait for its report to be taken.
        demo.until("the guess", || (demo.log().matches(" login_failed ").count() == guess).then_some(()));
    }
    assert!(!dovecot.log().contains("policy server"), "{}", dovecot.log());
    let answer = dovecot.answer(CLIENT, &alice.login, PASSWORD);
    assert!(answer.starts_with("-ERR"), "{answer}\n{}", dovecot.log());
    assert!(dovecot.log().contains("policy server refusal"), "{}", dovecot.log());
    // And so at our own door.
    let mut pop = Dialogue::connect(CLIENT, demo.port("pop3s")).start_tls(demo.certificate());
    pop.reply();
    pop.say(&format!("USER {}", alice.login));
    assert!(pop.say(&format!("PASS {}", alice.password)).starts_with("-ERR"));
    assert!(!demo.log().contains("guess 1"));
    let answer = dovecot.answer(STRANGER, &alice.login, PASSWORD);
    assert!(answer.starts_with("+OK"), "{answer}\n{}", dovecot.log());
}

/// Nothing at Dovecot is changed: its log is read.
#[test]
fn a_login_in_the_log_of_dovecot_lets_its_user_relay() {
    let logs = Folder::new();
    let log = logs.join("dovecot.log").display().to_string();
    let demo = Demo::start_with(&[&format!("watch=[{{format=\"dovecot\",file=\"{log}\"}}]")]);
    let dovecot = Dovecot::start(&demo, &format!("log_path = {log}"));
    let alice = demo.account("alice");
    let relay = |from: Ipv4Addr| Dialogue::connect(from, demo.port("smtp")).greeted().rcpt(&alice.address, OUTSIDE);
    for login in [alice.login.as_str(), "x>, method=PLAIN, rip=127.0.0.66, x=<"] {
        let answer = dovecot.answer(CLIENT, login, "wrong");
        assert!(answer.starts_with("-ERR"), "{answer}");
    }
    assert!(relay(CLIENT).starts_with("550"));
    dovecot.login(&demo, &alice);
    assert!(relay(CLIENT).starts_with("250"));
    assert!(relay(STRANGER).starts_with("550"));
    let listed = demo.ruled(&["grant", "list", "--json"]);
    assert!(listed.contains("\"log\""), "{listed}");
}

/// DRAC knows the address alone: any sender of the own domains may use it, and no other.
#[test]
fn a_script_after_the_login_tells_dracd() {
    let demo = Demo::start();
    let scripts = Folder::new();
    // Dovecot runs it as a user who may not enter every folder that a build lies in.
    let program = scripts.join("sekisho");
    fs::copy(env!("CARGO_BIN_EXE_sekisho"), &program).unwrap();
    let call = format!("{} drac add 127.0.0.1:{}", program.display(), demo.port("dracd"));
    let script = example("dovecot/drac-login", &[("sekisho drac add 127.0.0.1", &call)]);
    let script = scripts.write("drac-login", &script);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let place = [("/usr/local/lib/sekisho/drac-login", script.to_str().unwrap())];
    let dovecot = Dovecot::start(&demo, &example("dovecot/drac.conf", &place));
    let postfix = Postfix::start(&demo, &snippet(&demo, "policy.cf"));
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    let mail = |from, subject| Mail { from, to: OUTSIDE, subject };
    postfix.tell_with("", &|_, _| (), |server| {
        server.refuses(CLIENT, mail(&alice.address, "before the login"));
        let answer = dovecot.answer(CLIENT, &alice.login, PASSWORD);
        assert!(answer.starts_with("+OK"), "{answer}\n{}", dovecot.log());
        server.relays(CLIENT, mail(&alice.address, "after the login"));
        server.relays(CLIENT, mail(&bob.address, "in another name of the house"));
        server.refuses(CLIENT, mail("x@elsewhere.example", "in a foreign name"));
        server.refuses(STRANGER, mail(&alice.address, "from elsewhere"));
        server.has_relayed(&["after the login", "in another name of the house"]);
    });
}
