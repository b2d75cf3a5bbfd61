//! sendmail beside a demo, with the files of `docs/examples/sendmail` as they are.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::demo::{Account, Demo, Dialogue, free_ports, run};
use crate::support::{
    Folder, Namespace, Network, NoNames, Outside, Process, Server, file_text, pop_login_from, root, unpacked,
};

#[path = "sendmail_access.rs"]
mod access;
#[path = "sendmail_differ.rs"]
mod differ;
#[path = "sendmail_files.rs"]
mod files;
#[path = "sendmail_map.rs"]
mod map;
#[path = "sendmail_milter.rs"]
mod milter;
#[path = "sendmail_miltertest.rs"]
mod miltertest;
#[path = "sendmail_story.rs"]
mod story;

/// Where Alice sits here: sendmail lets 127.0.0.1 relay whatever its rules say.
const ALICE_AT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 21);
/// How sendmail refuses to relay.
const REFUSAL: &str = "Relaying denied";
const PACKAGES: &[&str] = &["sendmail-bin", "sendmail-base", "sendmail-cf"];
const EXAMPLES: &str = "docs/examples/sendmail";

/// Where the unpacked sendmail is.
fn installed() -> PathBuf {
    unpacked("sendmail", PACKAGES)
}

/// What a test changes in the example `sendmail.mc`: the lines above it, and which of our files it includes.
#[derive(Default)]
struct Setup {
    /// m4 lines, after those that every test has.
    defines: Vec<String>,
    /// The `include`s that stay: `sekisho.m4`, …
    ours: Vec<&'static str>,
    /// m4 lines that what `OSTYPE` defines must not overrule.
    late: Vec<String>,
    /// Rulesets of the test's own.
    rulesets: Vec<&'static str>,
    /// Port of who takes the mail for `example.test`.
    inside: u16,
    /// Where the file of `sekisho-drac.m4` is, if not in sendmail's folder.
    dracd: Option<PathBuf>,
}

impl Setup {
    /// With these of our files.
    fn with(ours: &[&'static str]) -> Self {
        Self { ours: ours.to_vec(), ..Self::default() }
    }

    /// Asks for grants at this port.
    fn socketmap(mut self, port: u16) -> Self {
        self.defines.push(format!("define(`SEKISHO_SOCKETMAP', `inet:{port}@127.0.0.1')dnl"));
        self
    }

    /// Has this milter, and waits this long for it.
    fn milter(mut self, port: u16, wait: &str) -> Self {
        self.defines.push(format!("define(`SEKISHO_MILTER', `inet:{port}@127.0.0.1')dnl"));
        self.defines.push(format!("define(`SEKISHO_MILTER_WAIT', `{wait}')dnl"));
        self
    }

    /// Mail for `example.test` goes to this port.
    fn inside(mut self, port: u16) -> Self {
        self.inside = port;
        self
    }
}

/// A configured sendmail, and the running server if it was started.
struct Sendmail {
    // Ended first: it needs what is below.
    process: Option<Process>,
    port: u16,
    folder: Folder,
    namespace: Namespace,
    outside: Outside,
    _names: NoNames,
}

impl Sendmail {
    /// Makes its folder and configuration.
    fn configure(setup: &Setup) -> Self {
        let (folder, names) = (Folder::new(), NoNames::start());
        let namespace = Namespace::new(Network::Shared);
        namespace.resolver(&folder, &names);
        let this =
            Self { process: None, port: free_ports(), folder, namespace, outside: Outside::start(), _names: names };
        for entry in fs::read_dir(root().join(EXAMPLES)).unwrap() {
            let entry = entry.unwrap();
            this.folder.write(entry.file_name().to_str().unwrap(), &fs::read_to_string(entry.path()).unwrap());
        }
        fs::create_dir(this.folder.join("queue")).unwrap();
        fs::set_permissions(this.folder.join("queue"), fs::Permissions::from_mode(0o700)).unwrap();
        this.folder.write("aliases", "");
        this.folder.write("service.switch", "hosts\tfiles\naliases\tfiles\n");
        if let Some(file) = &setup.dracd {
            std::os::unix::fs::symlink(file, this.folder.join("dracd.db")).unwrap();
        }
        this.folder.write("test.mc", &this.mc(setup));
        this.build();
        this
    }

    /// The example, below what makes it live in this folder alone.
    fn mc(&self, setup: &Setup) -> String {
        let (at, outside, port) = (self.folder.text(), self.outside.port(), self.port);
        let example = file_text(&root().join(EXAMPLES).join("sendmail.mc"));
        let mut lines: Vec<&str> = setup.defines.iter().map(String::as_str).collect();
        let include = |file: &&str| format!("include(MAIL_SETTINGS_DIR`{file}')dnl");
        let chosen: Vec<String> = setup.ours.iter().map(include).collect();
        // Its own includes go unless they are chosen; the others come where they stand.
        for line in example.lines().filter(|line| !line.starts_with("include(")) {
            if line.starts_with("MAILER(`local'") {
                lines.extend(setup.late.iter().chain(&chosen).map(String::as_str));
                lines.push("LOCAL_RULESETS");
                lines.extend(&setup.rulesets);
            }
            lines.push(line);
        }
        format!(
            "define(`MAIL_SETTINGS_DIR', `{at}/')dnl\ndefine(`confPID_FILE', `{at}/pid')dnl\n\
             define(`QUEUE_DIR', `{at}/queue')dnl\ndefine(`STATUS_FILE', `{at}/statistics')dnl\n\
             define(`confHOSTS_FILE', `/etc/hosts')dnl\ndefine(`confSERVICE_SWITCH_FILE', `{at}/service.switch')dnl\n\
             define(`confDOMAIN_NAME', `border.own.example')dnl\n\
             define(`SMART_HOST', `relay:[127.0.0.1]')dnl\ndefine(`RELAY_MAILER_ARGS', `TCP $h {outside}')dnl\n\
             define(`ESMTP_MAILER_ARGS', `TCP $h {}')dnl\nFEATURE(`no_default_msa')dnl\n\
             FEATURE(`accept_unresolvable_domains')dnl\nFEATURE(`nocanonify')dnl\n\
             DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={port}')dnl\n{}\n",
            setup.inside,
            lines.join("\n"),
        )
    }

    /// Makes the `.cf` and the databases.
    fn build(&self) {
        let cf = installed().join("usr/share/sendmail/cf");
        let made = Command::new("m4")
            .arg(format!("-D_CF_DIR_={}/", cf.display()))
            .arg(cf.join("m4/cf.m4"))
            .arg(self.folder.join("test.mc"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success() && said.is_empty(), "{said}");
        fs::write(self.folder.join("sendmail.cf"), made.stdout).unwrap();
        for map in ["access", "mailertable"] {
            self.makemap("hash", map, &file_text(&self.folder.join(map)));
        }
    }

    /// Writes a database with sendmail's own tool.
    fn makemap(&self, kind: &str, name: &str, text: &str) {
        let source = self.folder.write(&format!("{name}.source"), text);
        let tool = installed().join("usr/libexec/sendmail/makemap");
        let mut command = self.namespace.command(tool);
        command.arg("-C").arg(self.folder.join("sendmail.cf")).arg(kind).arg(self.folder.join(name));
        run(command.stdin(fs::File::open(source).unwrap()));
    }

    fn command(&self) -> Command {
        let mut command = self.namespace.command(installed().join("usr/libexec/sendmail/sendmail"));
        command.arg("-C").arg(self.folder.join("sendmail.cf"));
        command
    }

    /// Configures it and starts it.
    fn start(setup: &Setup) -> Self {
        let mut this = Self::configure(setup);
        let mut command = this.command();
        command.arg("-bD").arg("-X").arg(this.folder.join("traffic"));
        this.process = Some(Process::start(&mut command, &this.folder.join("said")).listening(this.port));
        this
    }

    /// What it wrote about its conversations.
    fn log(&self) -> String {
        let said = self.process.as_ref().map(Process::said).unwrap_or_default();
        format!("{said}{}", file_text(&self.folder.join("traffic")))
    }

    /// A conversation after EHLO.
    fn dial(&self, from: Ipv4Addr) -> Dialogue {
        Dialogue::connect(from, self.port).greeted()
    }

    /// The answer to a recipient, in a conversation of its own.
    fn rcpt(&self, from: Ipv4Addr, sender: &str, recipient: &str) -> String {
        self.dial(from).rcpt(sender, recipient)
    }

    /// Tells the story with it.
    fn tell(&self, with: impl FnOnce(&Server<'_>)) {
        with(&Server {
            port: self.port,
            refusal: REFUSAL,
            arrived: &|| self.outside.mails(),
            log: &|| self.log(),
            login: &|demo, account| pop_login(demo, account),
        });
    }
}

/// A POP login from Alice's place.
fn pop_login(demo: &Demo, account: &Account) {
    pop_login_from(ALICE_AT, demo, account);
}

/// Holds a process, or lets it go on.
fn signal(pid: u32, name: &str) {
    run(Command::new("kill").args([name, &pid.to_string()]));
}
