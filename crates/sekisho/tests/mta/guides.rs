//! Guides followed from an empty `sekisho.toml`: what the document tells to write is all that is written, and the mail server
//! beside keeps its own users. T59: a guard refuses the mail server's own mail, since nobody told it the domains.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::demo::{free_ports, run};
use crate::support::{Folder, Mail, OUTSIDE, Process, STRANGER, Server, example, root, until};

/// Who has read mail at a server that is not ours, as the guides' domain has it.
const ALICE: &str = "alice@example.test";
/// What the guides' files name, in the order of this Sekisho's ports.
const PORTS: [u16; 5] = [10031, 10032, 10033, 10034, 10035];
const SECRET: &str = "a-secret-of-this-test";

/// A Sekisho with what a guide tells to write.
pub(crate) struct Site {
    process: Process,
    folder: Folder,
    config: PathBuf,
    base: u16,
}

impl Site {
    /// The first lines that `docs/GUIDE.md` shows, then the listeners in these of `docs/examples/`.
    pub(crate) fn start(guide: &str, listeners: &[&str]) -> Self {
        let (folder, base) = (Folder::new(), free_ports());
        let mut text = first_lines(guide);
        for file in listeners {
            text.push('\n');
            text.push_str(&example(file, &[]));
        }
        for (port, documented) in (base..).zip(PORTS) {
            text = text.replace(&format!("127.0.0.1:{documented}\""), &format!("127.0.0.1:{port}\""));
        }
        let config = folder.write("sekisho.toml", &text);
        fs::create_dir(folder.join("data")).unwrap();
        let secret = folder.write("data/auth-policy-secret", &format!("{SECRET}\n"));
        fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command.arg("serve").args(settings(&folder, &config));
        let process = Process::start(&mut command, &folder.join("said")).listening(base + 1);
        Self { process, folder, config, base }
    }

    /// Where the service listens here that the documents have on this port.
    pub(crate) fn port(&self, documented: u16) -> u16 {
        (self.base..).zip(PORTS).find(|(_, port)| *port == documented).unwrap().0
    }

    pub(crate) fn log(&self) -> String {
        self.process.said()
    }

    /// A command beside the running server.
    pub(crate) fn ruled(&self, arguments: &[&str], input: &str) -> String {
        let input = fs::File::open(self.folder.write("input", input)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        run(command.args(arguments).args(settings(&self.folder, &self.config)).stdin(input))
    }

    /// Dovecot's report of Alice's login, as `docs/dovecot.md` has it sent.
    pub(crate) fn hears_of_a_login(&self, from: Ipv4Addr) {
        let report = format!(
            "{{\"login\":\"{ALICE}\",\"pwhash\":\"0a1\",\"remote\":\"{from}\",\"device_id\":\"\",\"protocol\":\"pop3\",\
             \"session_id\":\"s1\",\"tls\":false,\"success\":true,\"policy_reject\":false}}"
        );
        let url = format!("http://127.0.0.1:{}/?command=report", self.port(10035));
        let mut curl = Command::new("curl");
        curl.args(["-sSf", "-H", "Content-Type: application/json", "-H", &format!("X-API-Key: {SECRET}")]);
        run(curl.args(["-d", &report, &url]));
        until("the grant", &|| self.log(), || self.ruled(&["grant", "list"], "").contains(ALICE).then_some(()));
    }
}

/// What only a test has: its folder, and clients at loopback addresses.
fn settings(folder: &Folder, config: &std::path::Path) -> Vec<String> {
    let data = format!("data_dir={}", folder.join("data").display());
    let sets = [&data, "relay.drac.loopback=true", "spool.free_octets_min=1048576"];
    let sets = sets.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()]);
    ["-c".to_owned(), config.display().to_string()].into_iter().chain(sets).collect()
}

/// The first TOML that the document shows, in both languages.
fn first_lines(guide: &str) -> String {
    let shown = |file: String| {
        let text = fs::read_to_string(root().join("docs").join(&file)).unwrap();
        let block = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
        let block = block.unwrap_or_else(|| panic!("{file} shows no TOML"));
        block.lines().map(|line| line.trim_start().to_owned() + "\n").collect::<String>()
    };
    let lines = shown(format!("{guide}.md"));
    assert_eq!(lines, shown(format!("{guide}.ja.md")), "both languages tell the same");
    lines
}

/// What a guide promises of the mail server.
pub(crate) struct Promise<'a> {
    /// A user of the mail server, of whom Sekisho knows nothing.
    pub(crate) own: &'a str,
    /// An address in its own domain that nobody has; `None`: it cannot tell.
    pub(crate) nobody: Option<&'a str>,
    /// Everything that came to its own users.
    pub(crate) inside: &'a dyn Fn() -> String,
    /// Where Alice sits.
    pub(crate) client: Ipv4Addr,
    /// Makes her login.
    pub(crate) login: &'a dyn Fn(),
    /// In another's name, where the grant says in whose.
    pub(crate) other: Option<&'a str>,
}

impl Promise<'_> {
    /// Its own users get mail, a login lets its user send, and nobody else.
    pub(crate) fn is_kept_by(&self, server: &Server<'_>) {
        let to = |to, subject| Mail { from: "x@outside.example", to, subject };
        let hers = |subject| Mail { from: ALICE, to: OUTSIDE, subject };
        let own = server.attempt(STRANGER, to(self.own, "to an own user"));
        assert!(own.starts_with("250"), "{own}\n{}", (server.log)());
        until("the own user's mail", server.log, || (self.inside)().contains("to an own user").then_some(()));
        let null = server.attempt(STRANGER, Mail { from: "", ..to(self.own, "a bounce") });
        assert!(null.starts_with("250"), "{null}\n{}", (server.log)());
        server.refuses(STRANGER, to(OUTSIDE, "refused: a stranger"));
        server.refuses(self.client, hers("refused: before the login"));
        if let Some(nobody) = self.nobody {
            server.refuses(STRANGER, to(nobody, "refused: to nobody"));
        }
        (self.login)();
        server.relays(self.client, hers("after the login"));
        server.refuses(STRANGER, hers("refused: from elsewhere"));
        if let Some(other) = self.other {
            server.refuses(self.client, Mail { from: other, ..hers("refused: in another name") });
        }
        let arrived = (server.arrived)();
        assert!(!arrived.iter().any(|mail| mail.contains("Subject: refused")), "{arrived:?}");
    }
}
