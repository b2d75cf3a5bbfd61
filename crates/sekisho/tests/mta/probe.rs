//! `sekisho probe relay` calls mail servers open that are, and closed that are: each configured as its operators do, with three
//! mistakes that they make.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::demo::{Demo, free_ports, run};
use crate::postfix::Postfix;
use crate::support::{Folder, Namespace, Network, NoNames, Outside, Process, file_text, unpacked};

/// The user that Debian's package of Exim makes.
const EXIM: (&str, u32) = ("Debian-exim", 47_101);
/// Those of OpenSMTPD's.
const OPENSMTPD: [(&str, u32); 2] = [("opensmtpd", 47_201), ("opensmtpq", 47_202)];

/// What a run of the probes said.
struct Run {
    code: i32,
    report: Value,
}

impl Run {
    /// Probes the server on `port`; relayed mail would come to `outside`.
    fn of(port: u16, outside: &Outside) -> Self {
        Self::with(port, outside.maildir(), USER)
    }

    fn with(port: u16, maildir: &Path, local_user: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command.args(["probe", "relay", &format!("127.0.0.1:{port}"), "--pace", "0", "--json"]);
        command.args(["--sink", "operator@sink.example", "--sink-wait", "3", "--local-user", local_user]);
        let output = command.arg("--sink-maildir").arg(maildir).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let report = serde_json::from_str(&said)
            .unwrap_or_else(|error| panic!("{error}: {said}{}", String::from_utf8_lossy(&output.stderr)));
        Self { code: output.status.code().unwrap(), report }
    }

    /// The probes that came to `outcome`, with what was said.
    fn of_outcome(&self, outcome: &str) -> Vec<String> {
        let probes = self.report["probes"].as_array().unwrap().iter();
        let of_it = probes.filter(|it| it["outcome"] == outcome);
        of_it.map(|it| format!("{} {} {}", it["id"].as_str().unwrap(), it["said"], it["note"])).collect()
    }

    /// What leaves a doubt.
    fn doubts(&self) -> Vec<String> {
        ["accepted", "sent", "deferred", "unanswered", "delivered"].iter().flat_map(|it| self.of_outcome(it)).collect()
    }

    fn is_closed(&self, log: &str) {
        assert_eq!(self.doubts(), Vec::<String>::new(), "{log}");
        assert_eq!((self.report["verdict"].as_str(), self.code), (Some("closed"), 0));
        let skipped = self.of_outcome("skipped");
        assert!(skipped.len() <= 18, "{skipped:?}");
    }

    /// Open by at least these.
    fn is_open_by(&self, expected: &[&str], log: &str) {
        let delivered = self.of_outcome("delivered");
        for id in expected {
            let is_there = delivered.iter().any(|it| it.starts_with(&format!("{id} ")));
            assert!(is_there, "{id}: {delivered:?}\ndoubts: {:?}\n{log}", self.doubts());
        }
        assert_eq!((self.report["verdict"].as_str(), self.code), (Some("open"), 1));
    }
}

/// A user of every machine, whose mail goes nowhere.
const USER: &str = "daemon@example.test";
const OWN: &str = "mydestination = example.test\nmailbox_command = /bin/true";

#[test]
fn a_postfix_that_takes_the_world_for_its_own_network_is_open() {
    let postfix = Postfix::start_for(OWN, "mynetworks = 0.0.0.0/0\n");
    Run::of(postfix.port(), postfix.outside())
        .is_open_by(&["plain-foreign", "from-null", "syn-lowercase"], &postfix.log());
}

#[test]
fn a_closed_postfix_is_closed() {
    let postfix = Postfix::start_for(OWN, "");
    Run::of(postfix.port(), postfix.outside()).is_closed(&postfix.log());
}

/// An Exim as its default configuration has it, with the one or other line changed.
struct Exim {
    process: Process,
    folder: Folder,
    outside: Outside,
    port: u16,
    _namespace: Namespace,
}

/// Exim's default configuration, without what the test does not need.
const EXIM_CONF: &str = r"
primary_hostname = mail.example.test
spool_directory = DIR/spool
log_file_path = DIR/log/%slog
exim_path = PROGRAM
domainlist local_domains = example.test
domainlist relay_to_domains =
hostlist relay_from_hosts =
qualify_domain = example.test
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = acl_check_rcpt
tls_advertise_hosts =
keep_environment =

begin acl
acl_check_rcpt:
  accept  hosts = :
  deny    domains = +local_domains
          local_parts = ^[.] : ^.*[@%!/|]
  deny    domains = !+local_domains
          local_parts = ^[./|] : ^.*[@%!] : ^.*/\\.\\./
  accept  local_parts = postmaster : daemon
          domains = +local_domains
  accept  hosts = +relay_from_hosts
  accept  authenticated = *
  require message = relay not permitted
          domains = +local_domains : +relay_to_domains
  require verify = recipient
  accept

begin routers
outside:
  driver = manualroute
  domains = ! +local_domains
  route_list = * 127.0.0.1::OUTSIDE
  transport = smtp
  self = send
  no_more
own:
  driver = accept
  local_parts = postmaster : daemon
  transport = box

begin transports
smtp:
  driver = smtp
box:
  driver = appendfile
  file = DIR/mail/box
  user = Debian-exim

begin retry
*  *  F,2h,15m
";

impl Exim {
    fn start(changes: &[(&str, &str)]) -> Self {
        let (folder, outside, port) = (Folder::new(), Outside::start(), free_ports());
        let program = unpacked("exim", &["exim4-daemon-heavy"]).join("usr/sbin/exim4");
        let namespace = Namespace::new(Network::Shared);
        namespace.resolver(&folder, &NoNames::start());
        namespace.users(&folder, &[EXIM]);
        for name in ["spool", "log", "mail"] {
            fs::create_dir(folder.join(name)).unwrap();
            chown(folder.join(name), Some(EXIM.1), Some(EXIM.1)).unwrap();
        }
        let text = changes.iter().fold(EXIM_CONF.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "no {from}");
            text.replace(from, to)
        });
        let text = text.replace("DIR", &folder.text()).replace("PROGRAM", &program.display().to_string());
        let conf = folder.write("exim.conf", &text.replace("OUTSIDE", &outside.port().to_string()));
        let mut command = namespace.command(&program);
        command.arg("-bdf").arg("-C").arg(conf).args(["-oX", &format!("127.0.0.1.{port}")]);
        let process = Process::start(&mut command, &folder.join("said")).listening(port);
        Self { process, folder, outside, port, _namespace: namespace }
    }

    fn log(&self) -> String {
        let logs = ["mainlog", "rejectlog", "paniclog"].map(|name| file_text(&self.folder.join("log").join(name)));
        self.process.said() + &logs.concat()
    }
}

#[test]
fn an_exim_that_relays_to_every_domain_is_open() {
    let exim = Exim::start(&[("relay_to_domains =", "relay_to_domains = *")]);
    Run::of(exim.port, &exim.outside).is_open_by(&["plain-foreign", "helo-localhost"], &exim.log());
}

/// The plainest tries are refused; one of the old ways is not.
#[test]
fn an_exim_with_the_percent_hack_is_open() {
    let hack = "begin routers\npercent:\n  driver = redirect\n  domains = +local_domains\n  \
                local_parts = ^.*%\n  data = ${sg{$local_part}{\\N^(.*)%(.*)$\\N}{\\$1@\\$2}}\n";
    let lax = ("local_parts = ^[.] : ^.*[@%!/|]", "local_parts = ^[.] : ^.*[@!/|]");
    let exim = Exim::start(&[("begin routers\n", hack), lax]);
    let run = Run::of(exim.port, &exim.outside);
    run.is_open_by(&["pct-domain"], &exim.log());
    assert!(run.of_outcome("refused").iter().any(|it| it.starts_with("plain-foreign ")));
}

#[test]
fn a_closed_exim_is_closed() {
    let exim = Exim::start(&[]);
    Run::of(exim.port, &exim.outside).is_closed(&exim.log());
}

#[test]
fn a_closed_opensmtpd_is_closed() {
    let (folder, outside, port) = (Folder::new(), Outside::start(), free_ports());
    let program = unpacked("opensmtpd", &["opensmtpd"]).join("usr/sbin/smtpd");
    let namespace = Namespace::new(Network::Shared);
    namespace.resolver(&folder, &NoNames::start());
    namespace.users(&folder, &OPENSMTPD);
    // Its folders stand in the program.
    namespace.tmpfs("/var/spool");
    namespace.tmpfs("/var/lib");
    run(namespace.command("mkdir").args(["-p", "-m", "711", "/var/spool/smtpd", "/var/lib/opensmtpd/empty"]));
    fs::create_dir(folder.join("mail")).unwrap();
    fs::set_permissions(folder.join("mail"), fs::Permissions::from_mode(0o777)).unwrap();
    let conf = format!(
        "listen on 127.0.0.1 port {port} hostname mail.example.test\naction \"own\" maildir \"{}/mail\"\n\
         action \"out\" relay host smtp://127.0.0.1:{}\nmatch from any for domain \"example.test\" action \"own\"\n\
         match from src 192.0.2.0/24 for any action \"out\"\n",
        folder.text(),
        outside.port()
    );
    let conf = folder.write("smtpd.conf", &conf);
    fs::set_permissions(&conf, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = namespace.command(&program);
    command.arg("-d").arg("-f").arg(conf);
    let process = Process::start(&mut command, &folder.join("said")).listening(port);
    Run::with(port, outside.maildir(), "root@example.test").is_closed(&process.said());
}

#[test]
fn sekisho_itself_is_closed() {
    let demo = Demo::start();
    let maildir = Folder::new();
    for name in ["new", "cur"] {
        fs::create_dir(maildir.join(name)).unwrap();
    }
    Run::with(demo.port("smtp"), maildir.path(), &demo.account("alice").address).is_closed(&demo.log());
}
