//! fail2ban and CrowdSec read the log of a demo by the files of `docs/examples`: they find who offended, and nobody else whom a
//! peer's text names.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::demo::{Demo, Dialogue, base64, run};
use crate::support::{Folder, root, unpacked};

/// Whom peers want to have banned.
const INNOCENT: &str = "192.0.2.1";
const WRONG_PASSWORD: &str = "203.0.113.1";
const WRONG_PASSWORD_V6: &str = "2001:db8::6";
const GUESSES_RECIPIENTS: &str = "203.0.113.3";
const SPEAKS_HTTP: &str = "203.0.113.4";
const TOO_MANY: &str = "203.0.113.6";
/// These do nothing that is worth a ban.
const ONLY_TALKS: &str = "203.0.113.2";
const HAS_NO_SECRET: &str = "203.0.113.5";

const CONNECTIONS: usize = 6;

/// A client with this address.
fn client(demo: &Demo, ip: &str) -> Dialogue {
    let mut client = demo.dial("smtp");
    let (family, server) = if ip.contains(':') { ("TCP6", "2001:db8::25") } else { ("TCP4", "192.0.2.25") };
    client.send(format!("PROXY {family} {ip} {server} 40000 25\r\n"));
    client
}

/// A log of offenders of every kind, and of others.
fn offended(demo: &Demo) {
    let alice = demo.account("alice");
    for ip in [WRONG_PASSWORD, WRONG_PASSWORD_V6] {
        let proof = base64(&format!("\0{}\0wrong", alice.login));
        assert!(client(demo, ip).greeted().say(&format!("AUTH PLAIN {proof}")).starts_with("535"));
    }
    let mut program = client(demo, HAS_NO_SECRET).greeted();
    assert!(program.say("AUTH CRAM-MD5").starts_with("334"));
    let proof = base64(&format!("{} 0123456789abcdef0123456789abcdef", alice.login));
    assert!(program.say(&proof).starts_with("535"));
    // What peers say looks like a line of the log itself.
    let planted = format!("x info banned session=a listener=smtp client={INNOCENT} reason=banned minutes=60 before=0");
    let mut forger = client(demo, ONLY_TALKS).greeted();
    assert!(forger.say(&format!("EHLO {planted}")).starts_with("250"));
    let quoted = format!("\"x client={INNOCENT} reason=banned\"");
    let sender = format!("{quoted}@outside.example");
    assert!(forger.rcpt(&sender, &format!("{quoted}@example.test")).starts_with("550"));
    let mut guesser = client(demo, GUESSES_RECIPIENTS).greeted();
    for guess in 0..3 {
        guesser.rcpt(&sender, &format!("guess{guess}@example.test"));
    }
    for _ in 0..5 {
        let mut browser = client(demo, SPEAKS_HTTP);
        browser.reply();
        browser.say("GET / HTTP/1.1");
        browser.rest();
    }
    let mut many: Vec<_> = (0..=CONNECTIONS).map(|_| client(demo, TOO_MANY)).collect();
    let replies: Vec<String> = many.iter_mut().map(Dialogue::reply).collect();
    assert!(replies.iter().any(|reply| reply.starts_with("421")), "{replies:?}");
    demo.logged(&["banned", SPEAKS_HTTP]);
    demo.logged(&["turned_away", TOO_MANY]);
    demo.logged(&["recipients_guessed", GUESSES_RECIPIENTS, INNOCENT]);
    demo.logged(&["refused", ONLY_TALKS, INNOCENT]);
    demo.logged(&["login_failed", HAS_NO_SECRET]);
}

#[test]
fn fail2ban_and_crowdsec_find_who_offended_and_nobody_else() {
    let limits = format!("limits.connections_per_client={CONNECTIONS}");
    let demo = Demo::start_with(&[
        "listener.smtp.proxy_from=['127.0.0.1']",
        "listener.smtp.auth='always'",
        "limits.unknown_recipients_per_client=2",
        &limits,
    ]);
    offended(&demo);
    let folder = Folder::new();
    let log = folder.write("sekisho.log", &demo.log());
    let guesses = [WRONG_PASSWORD, WRONG_PASSWORD_V6, GUESSES_RECIPIENTS, TOO_MANY];
    let found = Fail2ban::new(&folder, &log);
    assert_eq!(found.by("sekisho[mode=guesses]"), BTreeSet::from(guesses.map(str::to_owned)));
    assert_eq!(found.by("sekisho[mode=bans]"), BTreeSet::from([SPEAKS_HTTP.to_owned()]));
    let events = [
        ("sekisho_banned", SPEAKS_HTTP),
        ("sekisho_login_failed", WRONG_PASSWORD),
        ("sekisho_login_failed", WRONG_PASSWORD_V6),
        ("sekisho_recipients_guessed", GUESSES_RECIPIENTS),
        ("sekisho_turned_away", TOO_MANY),
    ];
    crowdsec(&folder, &log, &events);
}

fn example(path: &str) -> PathBuf {
    root().join("docs/examples").join(path)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    run(Command::new("cp").arg("-r").arg(from).arg(to));
}

/// Debian's fail2ban with our filter and jails, and a log.
struct Fail2ban<'a> {
    program: PathBuf,
    config: PathBuf,
    log: &'a Path,
}

impl<'a> Fail2ban<'a> {
    fn new(folder: &Folder, log: &'a Path) -> Self {
        let (program, config) = (unpacked("fail2ban", &["fail2ban"]), folder.join("fail2ban"));
        copy(&program.join("etc/fail2ban"), &config);
        // Debian's own jail is for a service that is not here.
        fs::remove_dir_all(config.join("jail.d")).unwrap();
        copy(&example("fail2ban/filter.d/sekisho.conf"), &config.join("filter.d/sekisho.conf"));
        copy(&example("fail2ban/jail.d"), &config.join("jail.d"));
        let jail = config.join("jail.d/sekisho.conf");
        let text = fs::read_to_string(&jail).unwrap();
        fs::write(&jail, text.replace("/var/log/sekisho/sekisho.log", &log.display().to_string())).unwrap();
        let found = Self { program, config, log };
        run(found.command("fail2ban-client").arg("--test"));
        found
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.program.join("usr/bin").join(name));
        command.env("PYTHONPATH", self.program.join("usr/lib/python3/dist-packages"));
        // The log's times are UTC, wherever the machine is.
        command.env("TZ", "Asia/Tokyo").arg("-c").arg(&self.config);
        command
    }

    /// Whom a filter finds, now.
    fn by(&self, filter: &str) -> BTreeSet<String> {
        let mut command = self.command("fail2ban-regex");
        let Output { status, stdout, stderr } =
            command.args(["-o", "<time> <ip>"]).arg(self.log).arg(filter).output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let found = String::from_utf8(stdout).unwrap();
        let lines = found.lines().map(|line| line.split_once(' ').unwrap_or_else(|| panic!("{found}")));
        lines
            .map(|(time, ip)| {
                assert!((now - time.parse::<f64>().unwrap()).abs() < 1_800.0, "{found}");
                ip.to_owned()
            })
            .collect()
    }
}

/// Debian's CrowdSec reads the log with our parser and scenarios: these events go into its buckets, and no others.
fn crowdsec(folder: &Folder, log: &Path, expected: &[(&str, &str)]) {
    let (program, config) = (unpacked("crowdsec", &["crowdsec"]), folder.join("crowdsec"));
    let hub = program.join("usr/share/crowdsec/hub/parsers");
    copy(&program.join("etc/crowdsec/patterns"), &config.join("patterns"));
    copy(&hub.join("s00-raw/crowdsecurity/syslog-logs.yaml"), &config.join("parsers/s00-raw/syslog-logs.yaml"));
    copy(&hub.join("s02-enrich/crowdsecurity/dateparse-enrich.yaml"), &config.join("parsers/s02-enrich/date.yaml"));
    copy(&example("crowdsec/parsers/s01-parse/sekisho-logs.yaml"), &config.join("parsers/s01-parse/sekisho-logs.yaml"));
    copy(&example("crowdsec/scenarios"), &config.join("scenarios"));
    for name in ["data", "hub", "dump"] {
        fs::create_dir_all(config.join(name)).unwrap();
    }
    fs::write(config.join("simulation.yaml"), "simulation: false\n").unwrap();
    copy(&program.join("usr/share/crowdsec/hub/.index.json"), &config.join("hub/.index.json"));
    let api = format!("url: http://127.0.0.1:{}\nlogin: test\npassword: test\n", local_api());
    fs::write(config.join("api.yaml"), api).unwrap();
    let at = config.display();
    let mut text = String::from("common: {daemonize: false, log_media: stdout, working_dir: .}\n");
    let paths = "{config_dir: AT, data_dir: AT/data, simulation_path: AT/simulation.yaml, hub_dir: AT/hub, index_path: AT/hub/.index.json}";
    writeln!(text, "config_paths: {}", paths.replace("AT", &at.to_string())).unwrap();
    writeln!(text, "crowdsec_service: {{parser_routines: 1}}\nprometheus: {{enabled: false}}").unwrap();
    writeln!(text, "db_config: {{type: sqlite, db_path: {at}/data/crowdsec.db}}").unwrap();
    writeln!(text, "api: {{client: {{credentials_path: {at}/api.yaml}}}}").unwrap();
    fs::write(config.join("config.yaml"), text).unwrap();
    let mut command = Command::new(program.join("usr/bin/crowdsec"));
    command.arg("-c").arg(config.join("config.yaml")).args(["-type", "sekisho", "-no-api", "-dsn"]);
    command.arg(format!("file://{}", log.display())).arg("-dump-data").arg(config.join("dump"));
    let said = run(&mut command);
    for (ip, scenario) in [(SPEAKS_HTTP, "banned"), (GUESSES_RECIPIENTS, "recipients")] {
        assert!(said.contains(&format!("Ip {ip} performed 'sekisho/{scenario}'")), "{said}");
    }
    assert_eq!(said.matches(" performed 'sekisho/").count(), 2, "{said}");
    let poured = fs::read_to_string(config.join("dump/bucketpour-dump.yaml")).unwrap();
    // Of each event the kind stands before the client.
    let (mut found, mut kind) = (BTreeSet::new(), "");
    for line in poured.lines().map(str::trim) {
        if let Some(value) = line.strip_prefix("log_type: ") {
            kind = value;
        } else if let Some(ip) = line.strip_prefix("source_ip: ").filter(|_| !kind.is_empty()) {
            found.insert((std::mem::take(&mut kind), ip));
        }
    }
    assert_eq!(found, expected.iter().copied().collect::<BTreeSet<_>>(), "{said}");
}

/// As much of CrowdSec's local API as a reader needs: it lets everybody log in, and takes what it is told. Its threads end with
/// the test's process.
fn local_api() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answered(stream));
        }
    });
    port
}

fn answered(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().to_ascii_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    let token = "{\"code\":200,\"expire\":\"2099-01-01T00:00:00Z\",\"token\":\"x\"}";
    let body = if request.contains("/login") { token } else { "[\"1\"]" };
    let status = if request.contains("/alerts") { "201 Created" } else { "200 OK" };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n");
    let mut stream = stream;
    stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes()).ok()
}
