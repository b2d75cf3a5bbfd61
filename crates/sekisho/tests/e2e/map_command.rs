//! `sekisho map` beside the programs whose files it reads and writes.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::support::run;

const ACCESS: &str = "# whose mail we do not take\nBad.Example\tREJECT go away\nuser@half.example 550 5.1.8 not you\n192.0.2 450 4.7.1 later,\n  really\n<> DUNNO\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let here = Self(tempfile::tempdir().unwrap());
        // So that no main.cf of this machine is asked.
        here.write("main.cf", "compatibility_level = 3.6\n");
        for (name, text) in files {
            here.write(name, text);
        }
        here
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn spec(&self, map: &str) -> String {
        let (kind, name) = map.split_once(':').unwrap();
        format!("{kind}:{}", self.path(name).display())
    }

    /// `sekisho map COMMAND TYPE:FILE …` with this on standard input.
    fn map(&self, command: &[&str], map: &str, input: &str) -> Output {
        let mut map_command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        map_command.arg("map").arg(command[0]).arg(self.spec(map)).args(&command[1..]);
        let mut child =
            map_command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // It may have no use for it.
            scope.spawn(move || stdin.write_all(input.as_bytes()));
            child.wait_with_output().unwrap()
        })
    }

    fn queried(&self, arguments: &[&str], map: &str) -> (Option<i32>, String) {
        let output = self.map(&[&["query"], arguments].concat(), map, "");
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    fn postmap(&self) -> Command {
        let mut postmap = Command::new("postmap");
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        postmap.env("PATH", path).arg("-c").arg(self.0.path());
        postmap
    }

    /// What postmap prints for keys from its standard input.
    fn postmap_says(&self, map: &str, keys: &str) -> String {
        self.write("keys", keys);
        let keys = fs::File::open(self.path("keys")).unwrap();
        let output = self.postmap().args(["-q", "-", &self.spec(map)]).stdin(keys).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[test]
fn postfix_reads_what_is_built_here_and_the_other_way_round() {
    let keys = "bad.example\nBAD.example\nnone.example\nuser@half.example\n192.0.2\n<>\n\n";
    for kind in ["hash", "btree"] {
        let folder = Folder::new(&[("ours", ACCESS), ("theirs", ACCESS)]);
        let built = folder.map(&["build"], &format!("{kind}:ours"), "");
        assert!(built.status.success(), "{}", text(&built.stderr));
        assert!(text(&built.stdout).ends_with("ours.db: 4 entries\n"), "{}", text(&built.stdout));
        run(folder.postmap().arg(folder.spec(&format!("{kind}:theirs"))));
        for name in ["ours", "theirs"] {
            // Nobody looks at the sources now.
            fs::remove_file(folder.path(name)).unwrap();
        }
        let expected = folder.postmap_says(&format!("{kind}:theirs"), keys);
        assert_eq!(expected.lines().count(), 5, "{expected}");
        assert_eq!(folder.postmap_says(&format!("{kind}:ours"), keys), expected);
        for name in ["ours", "theirs"] {
            let said = folder.map(&["query"], &format!("{kind}:{name}"), keys);
            assert_eq!((said.status.code(), text(&said.stdout)), (Some(0), expected.clone()), "{kind}:{name}");
        }
    }
}

#[test]
fn text_files_are_asked_as_postmap_asks_them() {
    let cidr = "192.0.2.0/24 REJECT a\nif 2001:db8::/32\n2001:db8:1::/48 DUNNO\nendif\n!10.0.0.0/8 OK\n";
    let regexp = "/^(a+)@(.*)$/ REJECT $2 has $1\nif /x/\n!/y/ HOLD\nendif\n";
    let folder = Folder::new(&[("cidr", cidr), ("regexp", regexp)]);
    let keys = "192.0.2.9\n2001:db8:1::1\n2001:db9::1\n10.1.2.3\naaa@b.example\nxz\nxy\nnothing\n";
    for map in ["cidr:cidr", "regexp:regexp"] {
        let expected = folder.postmap_says(map, keys);
        let said = folder.map(&["query"], map, keys);
        assert_eq!(text(&said.stdout), expected, "{map}");
        assert!(!expected.is_empty(), "{map}");
    }
}

#[test]
fn parts_of_addresses_are_looked_up_as_by_the_server() {
    let sendmail = "Connect:192.0.2\tREJECT\nFrom:spam@\tREJECT\nTo:closed.example\tERROR:5.2.1:550 closed\n";
    let routes = "d.example\tsmtp:[192.0.2.25]\n.d.example\tsmtp:inner.d.example\n";
    let folder = Folder::new(&[("access", ACCESS), ("sendmail", sendmail), ("routes", routes)]);
    let table = [
        ("access:access", "192.0.2.77", "450 4.7.1 later,  really"),
        ("access:access", "x.y.bad.example", "REJECT go away"),
        ("access:access", "user+more@half.example", "550 5.1.8 not you"),
        ("access:access", "a@sub.bad.example", "REJECT go away"),
        ("access:access", "<>", "DUNNO"),
        ("sendmail-access:sendmail", "192.0.2.77", "REJECT"),
        ("sendmail-access:sendmail", "From:spam@any.example", "REJECT"),
        ("sendmail-access:sendmail", "a@x.closed.example", "ERROR:5.2.1:550 closed"),
        ("mailertable:routes", "x.d.example", "smtp:inner.d.example"),
    ];
    for (map, key, value) in table {
        assert_eq!(folder.queried(&["--smtpd", key], map), (Some(0), format!("{key}\t{value}\n")), "{map} {key}");
        if key != "<>" {
            assert_eq!(folder.queried(&[key], map), (Some(1), String::new()), "whole keys only: {map} {key}");
        }
    }
    let (code, json) = folder.queried(&["--json", "bad.example", "none.example"], "access:access");
    let answers: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(answers, serde_json::json!([{ "key": "bad.example", "value": "REJECT go away", "line": 2 }]));
    let (code, json) = folder.queried(&["--json", "none.example"], "access:access");
    assert_eq!((code, json.as_str()), (Some(1), "[]\n"));
}

#[test]
fn mistakes_are_told_with_their_places_and_keep_the_old_file() {
    let folder = Folder::new(&[("access", ACCESS), ("nets", "192.0.2.0/33 OK\n"), ("allow", "127.0.1.7\n0.0.0.0/0\n")]);
    let good = folder.map(&["check"], "access:access", "");
    assert_eq!((good.status.code(), good.stderr), (Some(0), Vec::new()), "{}", text(&good.stdout));
    assert!(folder.map(&["build"], "access:access", "").status.success());
    let before = fs::read(folder.path("access.db")).unwrap();
    folder.write("access", "good.example OK\n\"open REJECT\nno-value\nc.example REDIRECT a@b.example\n");
    let path = |name: &str| folder.path(name).display().to_string();
    let told = |command: &str, map: &str| {
        let output = folder.map(&[command], map, "");
        (output.status.code(), text(&output.stderr))
    };
    for command in ["check", "build"] {
        let (code, said) = told(command, "access:access");
        let places: Vec<String> = said.lines().map(|line| line.split_once(": ").unwrap().0.to_owned()).collect();
        assert_eq!(
            (code, places),
            (Some(1), vec![format!("{}:2:1", path("access")), format!("{}:3:9", path("access"))])
        );
    }
    assert_eq!(fs::read(folder.path("access.db")).unwrap(), before);
    folder.write("access", "c.example REDIRECT a@b.example\n");
    let (code, said) = told("check", "access:access");
    assert!(
        code == Some(1) && said.starts_with(&format!("{}:1:1: REDIRECT is not done here", path("access"))),
        "{said}"
    );
    let (code, said) = told("check", "cidr:nets");
    assert!(code == Some(1) && said.starts_with(&format!("{}:1:1: ", path("nets"))), "{said}");
    let (code, said) = told("check", "ip-allow:allow");
    assert!(
        code == Some(1) && said.starts_with(&format!("{}:2:1: \"0.0.0.0/0\" is everybody", path("allow"))),
        "{said}"
    );
    for (command, map) in
        [("check", "access:none"), ("check", "dbm:access"), ("build", "cidr:nets"), ("query", "hash:none")]
    {
        let (code, said) = told(command, map);
        assert!(code == Some(2) && !said.is_empty(), "{command} {map}: {said}");
    }
}

#[test]
fn where_an_address_is_is_asked_of_a_maxmind_db_file() {
    let here = Folder::new(&[("broken.mmdb", "192.0.2.0/24 XA\n")]);
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../maps/tests/data/documentation.mmdb");
    fs::copy(data, here.path("places.mmdb")).unwrap();
    let (code, said) = here.queried(&["192.0.2.7", "2001:db8::1", "198.51.100.1", "198.18.0.1"], "mmdb:places.mmdb");
    let expected = "192.0.2.7\tcountry=XA asn=64500\n2001:db8::1\tcountry=XC asn=4200000000\n198.51.100.1\tasn=64501\n";
    assert_eq!((code, said.as_str()), (Some(0), expected));
    assert_eq!(here.queried(&["--smtpd", "198.18.0.1"], "mmdb:places.mmdb"), (Some(1), String::new()));
    let broken = here.map(&["check"], "mmdb:broken.mmdb", "");
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stderr).contains("broken.mmdb:1:1: this is no whole MaxMind DB file"), "{broken:?}");
}

#[test]
fn a_database_is_asked_and_what_it_does_not_know_is_told() {
    let here = Folder::new(&[]);
    let made = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('CREATE TABLE a (k, v)'); \
        db.execute(\"INSERT INTO a VALUES ('bad.example', 'REJECT go away')\"); db.commit()";
    let database = here.path("a.sqlite");
    assert!(Command::new("python3").args(["-c", made]).arg(&database).status().unwrap().success());
    let asks = |query: &str| here.write("a.cf", &format!("dbpath = {}\nquery = {query}\n", database.display()));
    asks("SELECT v FROM a WHERE k = '%s'");
    let expected = (Some(0), "Bad.example\tREJECT go away\n".to_owned());
    assert_eq!(here.queried(&["Bad.example", "x' OR '1'='1"], "sqlite:a.cf"), expected);
    let expected = (Some(0), "u@mail.bad.example\tREJECT go away\n".to_owned());
    assert_eq!(here.queried(&["--smtpd", "u@mail.bad.example"], "sqlite:a.cf"), expected);
    assert_eq!(here.map(&["check"], "sqlite:a.cf", "").status.code(), Some(0));
    for (query, why) in [
        ("SELECT v FROM a WHERE k LIKE '%%%s'", "a.cf:2:41: what is looked up as a part of a text"),
        ("SELECT v FROM b WHERE k = '%s'", "a.cf:2:1: "),
    ] {
        asks(query);
        let checked = here.map(&["check"], "sqlite:a.cf", "");
        assert_eq!(checked.status.code(), Some(1), "{checked:?}");
        assert!(text(&checked.stderr).contains(why), "{checked:?}");
    }
    let refused = here.map(&["query", "x"], "mysql:a.cf", "");
    assert!(text(&refused.stderr).contains("sekisho map build"), "{refused:?}");
}

#[test]
fn many_keys_are_asked_at_once() {
    let many = 50_000;
    let source = (0..many).fold(String::new(), |text, n| text + &format!("key{n}.example REJECT {n}\n"));
    let keys = (0..many * 2).fold(String::new(), |text, n| text + &format!("key{n}.example\n"));
    let folder = Folder::new(&[("access", &source)]);
    assert!(folder.map(&["build"], "access:access", "").status.success());
    let ours = text(&folder.map(&["query"], "access:access", &keys).stdout);
    assert_eq!(ours.lines().count(), many);
    assert_eq!(ours, folder.postmap_says("hash:access", &keys));
}
