//! Configurations of other mail systems and what `sekisho import` makes of each: a folder a case, with the configuration and
//! the report that are expected. Where Postfix is installed, its own reading of `main.cf` agrees with ours.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use config::{self, Text};
use migrate::import::postfix::main_cf::MainCf;
use migrate::import::{self, Source};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

/// The cases: folder, whose it is, and the file that is named.
const CASES: [(&str, Source, &str); 10] = [
    ("postfix-folder", Source::Postfix, ""),
    ("sendmail-redhat", Source::Sendmail, ""),
    ("postfix-office", Source::Postfix, ""),
    ("postfix-open", Source::Postfix, "main.cf"),
    ("postfix-relay", Source::Postfix, ""),
    ("sendmail-mc", Source::Sendmail, ""),
    ("sendmail-cf", Source::Sendmail, "sendmail.cf"),
    ("drac-allow", Source::Drac, ""),
    ("drac-script", Source::Drac, "rc.drac"),
    ("hosts", Source::Hosts, "hosts.allow"),
];

/// A case where it may be changed: `@` in its files is the folder.
fn copied(case: &str) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder(case)).unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(entry.path()).unwrap();
        let here = to.path().display();
        let text = [":", " ", "`"]
            .iter()
            .fold(text, |text, before| text.replace(&format!("{before}@/"), &format!("{before}{here}/")));
        fs::write(to.path().join(entry.file_name()), text).unwrap();
    }
    certificate(to.path());
    to
}

/// `mail.pem` and its key, for the cases that name one.
fn certificate(dir: &Path) {
    let made = rcgen::generate_simple_self_signed(["mail.office.example".to_owned()]).unwrap();
    fs::write(dir.join("mail.pem"), made.cert.pem()).unwrap();
    fs::write(dir.join("mail.key"), made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(dir.join("mail.key"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(case)
}

#[test]
fn each_case_becomes_what_is_expected() {
    let mut wrong = Vec::new();
    for (case, source, name) in CASES {
        let dir = copied(case);
        let path = if name.is_empty() { dir.path().to_owned() } else { dir.path().join(name) };
        let imported = import::import(source, &path).unwrap();
        let here = dir.path().display().to_string();
        let report: String = imported.notes.iter().fold(String::new(), |all, note| all + &note.to_string() + "\n");
        // Relative places are meant from the folder.
        let report = report.replace(&format!("{here}/"), "");
        let made = [("expected.toml", imported.config.replace(&here, "@")), ("expected.txt", report)];
        for (file, text) in made {
            let file = folder(case).join(file);
            if std::env::var_os("SEKISHO_WRITE_CASES").is_some() {
                fs::write(&file, &text).unwrap();
            }
            if fs::read_to_string(&file).ok().as_deref() != Some(&text) {
                wrong.push(format!("{}:\n{text}", file.display()));
            }
        }
        assert_eq!(refusals(&imported.config), Vec::<String>::new(), "{case}");
    }
    assert!(wrong.is_empty(), "SEKISHO_WRITE_CASES=1 writes them anew\n{}", wrong.join("\n"));
}

/// What `sekisho config check` has against it.
fn refusals(config: &str) -> Vec<String> {
    let text = Text { name: "sekisho.toml", text: config, base_dir: Path::new("/") };
    let loaded = config::parse(&text, &[]).unwrap_or_else(|report| panic!("{report}\n{config}"));
    migrate::check::check(&Arc::new(loaded.settings)).refusals
}

/// Chooses of many; the seed is the test's own, so that a failure can be seen again.
struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    /// So many lines of these, `@` being the folder.
    fn lines(&mut self, of: &[&str], dir: &Path) -> String {
        let count = 1 + self.below(of.len());
        let lines: Vec<&str> = (0..count).map(|_| of[self.below(of.len())]).collect();
        lines.join("\n").replace("@/", &format!("{}/", dir.display())) + "\n"
    }
}

const MAIN_CF: &[&str] = &[
    "myhostname = mail.office.example",
    "myhostname = office",
    "myorigin = /etc/mailname",
    "mydomain = office.example",
    "mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128",
    "mynetworks = 10.0.0.0/8, 0.0.0.0/0, 192.0.2.0/24",
    "mynetworks = $config_directory/nets",
    "inet_interfaces = all",
    "inet_interfaces = loopback-only, 127.0.0.1, $myhostname",
    "inet_interfaces = [::1], [::ffff:192.0.2.1]",
    "smtpd_tls_cert_file = @/mail.pem\nsmtpd_tls_key_file = @/mail.key",
    "smtpd_tls_cert_file = @/mail.pem\nsmtpd_tls_key_file = @/other.key",
    "smtpd_tls_cert_file = $config_directory/none.pem",
    "smtpd_tls_cert_file = @/mail.pem\nsmtpd_tls_key_file = @/open.key",
    "smtpd_tls_security_level = encrypt",
    "smtpd_sasl_auth_enable = yes",
    "relay_domains = branch.example, hash:@/names, com, [192.0.2.1]",
    "transport_maps = hash:@/names",
    "smtpd_client_restrictions = check_client_access cidr:@/nets, check_client_access hash:$config_directory/names, permit",
    "smtpd_client_restrictions = permit_mynetworks, reject",
    "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, permit",
    "smtpd_sender_restrictions = check_sender_access regexp:@/nets, check_sender_access pcre:@/bad, class_of_ours",
    "message_size_limit = 0",
    "message_size_limit = 99999999999999999999",
    "smtpd_timeout = ${stress?{10}:{300}}s",
    "hopcount_limit = 5000000",
    "maximal_queue_lifetime = 0",
    "minimal_backoff_time = 9h\nmaximal_backoff_time = 5m",
    "recipient_delimiter = +-",
    "recipient_delimiter = ab",
    "relayhost = [relay.office.example]:submission",
    "relayhost = $mydomain:nothing",
    "smtpd_client_connection_count_limit = 99999999",
];
const MASTER_CF: &[&str] = &[
    "smtp inet n - y - - smtpd",
    "25 inet n - y - 1 postscreen",
    "smtp inet n - y - - smtpd\n  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject",
    "127.0.0.1:25 inet n - y - - smtpd",
    "submission inet n - y - - smtpd\n  -o smtpd_tls_security_level=encrypt",
    "smtps inet n - y - - smtpd\n  -o smtpd_tls_wrappermode=yes",
    "[::]:587 inet n - y - - smtpd",
    "99999 inet n - y - - smtpd",
    "nowhere.example:26 inet n - y - - smtpd",
    "2525 inet n - y - - smtpd\n  -o smtpd_client_restrictions=permit_sasl_authenticated,reject",
];
const SENDMAIL_MC: &[&str] = &[
    "OSTYPE(`linux')dnl",
    "define(`confDOMAIN_NAME', `mail.office.example')dnl",
    "define(`confDOMAIN_NAME', `$w.$m')dnl",
    "define(`confSERVER_CERT', `@/mail.pem')dnl\ndefine(`confSERVER_KEY', `@/mail.key')dnl",
    "define(`confSERVER_CERT', `@/mail.pem')dnl\ndefine(`confSERVER_KEY', `@/none.key')dnl",
    "FEATURE(`access_db', `hash -T<TMPF> -o @/access.db')dnl",
    "FEATURE(`mailertable', `hash -o @/names')dnl",
    "FEATURE(`use_cw_file')dnl",
    "FEATURE(`greet_pause', `500000')dnl",
    "FEATURE(`no_default_msa', `dnl')dnl",
    "define(`confCW_FILE', `-o @/names')dnl",
    "define(`SMART_HOST', ``relay:[smart.office.example]'')dnl",
    "define(`confMAX_MESSAGE_SIZE', `1')dnl",
    "define(`confTO_QUEUERETURN', `5d')dnl",
    "DAEMON_OPTIONS(``Port=587, Name=MSA, M=Ea'')dnl",
    "DAEMON_OPTIONS(`Port=smtp,Addr=127.0.0.1, Name=MTA')dnl",
    "DAEMON_OPTIONS(`Name=IPv6, Family=inet6, Modifiers=O')dnl",
    "DAEMON_OPTIONS(`Port=smtps, Name=TLSMTA, M=s')dnl",
    "DAEMON_OPTIONS(`Name=MTA, Port=nothing')dnl",
    "RELAY_DOMAIN(`branch.example 192.0.2 10 0.0.0.0/0 com')dnl",
    "LOCAL_DOMAIN(`localhost.localdomain')dnl",
    "MAILER(`smtp')dnl",
];
const ACCESS: &[&str] = &[
    "Connect:localhost.localdomain\tRELAY",
    "Connect:localhost\t\tRELAY",
    "Connect:127.0.0.1\tRELAY",
    "Connect:IPv6:::1\tRELAY",
    "192.0.2\tRELAY",
    "10\tRELAY",
    "com\tRELAY",
    "To:branch.example\tRELAY",
    "From:spam.example\tERROR:5.7.1:550 no",
    "GreetPause:localhost\t0",
    "ClientRate:127.0.0.1\t0",
    "Spam:abuse@\tFRIEND",
    "TLS_Srv:mail.example\tVERIFY",
    "AuthInfo:smart.example\t\"U:me\" \"P:it\"",
    "example.org\tDISCARD",
    "nothing",
];
const NAMES: &[&str] = &[
    "office.example",
    "localhost",
    ".example",
    "192.0.2",
    "branch.example\tesmtp:[192.0.2.3]",
    "x y z",
    "com",
    "# none",
];
const HOSTS: &[&str] = &[
    "ALL: LOCAL 127.0.0.1",
    "sendmail: 192.0.2. 198.51.100.0/255.255.255.0",
    "smtpd, ipop3d: [2001:db8::]/32",
    "popper: ALL EXCEPT 192.0.2.1",
    "in.qpopper: .office.example : spawn /bin/true",
    "sendmail: ALL",
];

/// What cannot be taken is left out and named: what is written passes `config check`, whatever it was made from.
#[test]
fn whatever_is_imported_passes_the_check() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    certificate(dir.path());
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (name, mode) in [("other.key", 0o600), ("open.key", 0o644)] {
        fs::write(at(name), &other).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::write(at("bad"), "/(/ REJECT\n").unwrap();
    let mut random = Random(11);
    for round in 0..12 {
        let files: [(&str, &[&str]); 9] = [
            ("main.cf", MAIN_CF),
            ("master.cf", MASTER_CF),
            ("sendmail.mc", SENDMAIL_MC),
            ("access", ACCESS),
            ("names", NAMES),
            ("nets", NAMES),
            ("local-host-names", NAMES),
            ("relay-domains", NAMES),
            ("hosts.allow", HOSTS),
        ];
        for (name, lines) in files {
            fs::write(at(name), random.lines(lines, dir.path())).unwrap();
        }
        for (source, name) in
            [(Source::Postfix, "main.cf"), (Source::Sendmail, "sendmail.mc"), (Source::Hosts, "hosts.allow")]
        {
            // A file without anything to take is told as such.
            let Ok(imported) = import::import(source, &at(name)) else { continue };
            let left = refusals(&imported.config);
            let from = fs::read_to_string(at(name)).unwrap();
            assert!(left.is_empty(), "round {round}: {left:?}\n{from}\n{}", imported.config);
        }
    }
}

/// Where packages lie on this machine, what they ship passes, too.
#[test]
fn shipped_configurations_pass_the_check() {
    let shipped = [
        "/etc/postfix/main.cf.proto",
        "/etc/postfix/main.cf",
        "/usr/share/postfix/main.cf.debian",
        "/usr/share/postfix/main.cf.dist",
        "/usr/share/postfix/main.cf.tls",
    ];
    for file in shipped {
        // Some name nothing at all.
        let Ok(imported) = import::import(Source::Postfix, Path::new(file)) else { continue };
        assert_eq!(refusals(&imported.config), Vec::<String>::new(), "{file}\n{}", imported.config);
    }
}

fn sekisho(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sekisho")).args(args).output().unwrap()
}

/// The whole command: a report, a file that `config check` has nothing against, and nothing written over.
#[test]
fn the_command_writes_a_configuration_that_is_good() {
    for (case, kind) in [("postfix-office", "postfix"), ("sendmail-mc", "sendmail"), ("drac-script/rc.drac", "drac")] {
        let (folder, name) = case.split_once('/').unwrap_or((case, ""));
        let from = copied(folder);
        let (path, file) = (from.path().join(name), from.path().join("made.toml"));
        let args = ["import", kind, path.to_str().unwrap(), "-o", file.to_str().unwrap()];
        let made = sekisho(&args);
        let told = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(made.status.success() && made.stdout.is_empty() && told.contains(" -> "), "{told}");
        let checked = sekisho(&["config", "check", "-c", file.to_str().unwrap()]);
        assert!(checked.status.success(), "{case}: {}", String::from_utf8_lossy(&checked.stderr));
        let before = fs::read(&file).unwrap();
        assert_eq!(sekisho(&args).status.code(), Some(1), "a file that is there is not written over");
        assert_eq!(fs::read(&file).unwrap(), before);
    }
}

#[test]
fn json_is_one_object() {
    let from = copied("postfix-open");
    let told = sekisho(&["import", "postfix", from.path().to_str().unwrap(), "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert!(told["config"].as_str().unwrap().contains("hostname = \"open.example\""));
    let dangers = told["notes"].as_array().unwrap().iter().filter(|note| note["outcome"] == "not_taken");
    assert!(dangers.count() > 5);
}

#[test]
fn what_is_no_such_configuration_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("main.cf");
    fs::write(&empty, "# nothing\n").unwrap();
    for (kind, path) in [
        ("postfix", empty.as_path()),
        ("sendmail", empty.as_path()),
        ("drac", empty.as_path()),
        ("postfix", Path::new("/nowhere/main.cf")),
        ("postfix", Path::new("/dev/zero")),
    ] {
        let told = sekisho(&["import", kind, path.to_str().unwrap()]);
        assert_eq!(told.status.code(), Some(2), "{kind} {}", path.display());
        assert!(!told.stderr.is_empty() && told.stdout.is_empty());
    }
}

/// Parameters that Postfix has, each with one of the values that are made up.
const USERS: [(&str, &str); 5] = [
    ("relay_domains", "a1"),
    ("smtpd_banner", "a2"),
    ("mynetworks", "a3"),
    ("transport_maps", "a4"),
    ("smtpd_client_restrictions", "a5"),
];

const PIECES: [&str; 20] = [
    "one",
    "two, three",
    "$a1",
    "${a2}",
    "$(a3)",
    "${a1?yes}",
    "${a2:no}",
    "${a3?{is}:{is not}}",
    "$$",
    "$mydomain",
    "${{$a1} == {one} ? {same} : {other}}",
    "\n    next",
    "\n# comment\n\tmore",
    "\n\n  after a gap",
    "$nobody",
    "[::1]",
    "a=b",
    "${a1}.$a2",
    "${nobody?{x}:{y}}",
    "#no comment",
];

/// A `main.cf` of such pieces. The seed is the test's own, so that a failure can be seen again.
fn random_main(seed: &mut u64) -> String {
    let mut random = |below: usize| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*seed >> 33).unwrap() % below
    };
    let mut text = String::from("compatibility_level = 3.6\nmyhostname = host.example.test\n");
    for name in ["a1", "a2", "a3", "a4", "a5", "mydestination", "a1"] {
        let own = name.strip_prefix('a').and_then(|it| it.parse::<u64>().ok()).unwrap_or(9);
        let count = 1 + random(4);
        let value: Vec<&str> = (0..count)
            .map(|_| PIECES[random(PIECES.len())])
            // A name that leads back to itself is an error in Postfix.
            .filter(|piece| (1..4).all(|other| other < own || !piece.contains(&format!("a{other}"))))
            .collect();
        text = text + name + " = " + &value.join(" ") + "\n";
    }
    USERS.iter().fold(text, |text, (user, name)| text + user + " = $" + name + "\n")
}

/// Values are the same as `postconf` says, whatever is continued, commented, named by others or undefined.
#[test]
fn postconf_reads_main_cf_the_same() {
    if Command::new("postconf").args(["-d", "-h", "mail_version"]).output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "Postfix is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut seed = 7;
    for round in 0..8 {
        let text = random_main(&mut seed);
        fs::write(dir.path().join("main.cf"), &text).unwrap();
        let main = MainCf::parse(&text);
        let names: Vec<&str> = USERS.iter().map(|(user, _)| *user).chain(["mydestination", "mydomain"]).collect();
        let told = Command::new("postconf").args(["-x", "-h", "-c"]).arg(dir.path()).args(&names).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let theirs: Vec<&str> = told.lines().collect();
        assert_eq!(theirs.len(), names.len(), "a line a value: {told}");
        let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (name, theirs) in names.iter().zip(theirs) {
            assert_eq!(blanks(&main.value(name)), blanks(theirs), "round {round}, {name} in\n{text}");
        }
    }
}
