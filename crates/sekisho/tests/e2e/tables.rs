//! Tables of people in and out, short names, and what a terminal shows.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Demo, message, run};

fn failing(demo: &Demo, code: i32, arguments: &[&str]) -> Output {
    let output = demo.sekisho(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn a_table_is_taken_whole_or_not_at_all() {
    let demo = Demo::start();
    let write = |name: &str, text: &str| {
        let path = demo.dir().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let logins = || -> Vec<String> {
        let all: Vec<Value> = serde_json::from_str(&demo.ruled(&["user", "list", "--json"])).unwrap();
        all.iter().map(|it| it["login"].as_str().unwrap().to_owned()).collect()
    };
    let before = logins();
    // The second row is wrong by itself, the fourth only for who knows the domains.
    let bad = write("bad.csv", "login,quota\ntaro,1G\nhanako,1X\n");
    let said = String::from_utf8(failing(&demo, 2, &["user", "import", &bad]).stderr).unwrap();
    assert!(said.contains(&format!("{bad}:3: column quota: \"1X\"")), "{said}");
    let bad = write("bad.csv", "login,quota\ntaro,1G\nalice-device,1G\ntaro@else.example,1G\nTARO,2G\n");
    let said = String::from_utf8(failing(&demo, 2, &["user", "import", &bad]).stderr).unwrap();
    for line in [3, 4, 5] {
        assert!(said.contains(&format!("{bad}:{line}:")), "{said}");
    }
    assert_eq!(logins(), before);

    let good = write("good.csv", "login,name,quota,expires,hash\ntaro,\"Yamada, T\",2G,never,{PLAIN-MD5}x\n");
    failing(&demo, 2, &["user", "import", &good]);
    let good = write(
        "good.csv",
        "login,name,quota,expires\r\ntaro,\"Yamada, T\",2G,2099-01-01\r\nalice,Alice,500M,\r\nnew@else.example,,,\r\n",
    );
    let count = |arguments: &[&str]| -> Value {
        serde_json::from_str(&demo.ruled(&[&["user", "import", &good, "--new-domains", "--json"], arguments].concat()))
            .unwrap()
    };
    let expected = serde_json::json!({ "made": 2, "changed": 1, "same": 0 });
    assert_eq!(count(&["--dry-run"]), expected);
    assert_eq!(logins(), before);
    assert_eq!(count(&[]), expected);
    assert_eq!(count(&[]), serde_json::json!({ "made": 0, "changed": 0, "same": 3 }));
    let exported = demo.ruled(&["user", "export"]);
    assert!(exported.contains("alice@example.test,Alice,500M,never,no,no\n"), "{exported}");
    assert!(exported.contains("\"Yamada, T\",2G,2") && !exported.contains('{'), "{exported}");
    let with = demo.ruled(&["user", "export", "--with-hashes"]);
    assert!(with.contains("{ARGON2ID}"), "{with}");
    assert!(demo.ruled(&["log", "admin", "--json"]).contains("hashes export"));
    // What was written reads the same.
    let again = write("again.csv", &with);
    let same: Value = serde_json::from_str(&demo.ruled(&["user", "import", &again, "--json"])).unwrap();
    assert_eq!((&same["made"], &same["changed"]), (&0.into(), &0.into()));

    let aliases = write("aliases.csv", "address,target\nsales,taro\nsales,alice\nnews,nobody\n");
    let said = String::from_utf8(failing(&demo, 2, &["alias", "import", &aliases]).stderr).unwrap();
    assert!(said.contains(&format!("{aliases}:4:")), "{said}");
    let aliases = write("aliases.csv", "address,target\nsales,taro\nsales,alice\n");
    demo.ruled(&["alias", "import", &aliases]);
    let same: Value = serde_json::from_str(&demo.ruled(&["alias", "import", &aliases, "--json"])).unwrap();
    assert_eq!(same, serde_json::json!({ "made": 0, "changed": 0, "same": 2 }));
    assert!(demo.ruled(&["alias", "export"]).contains("sales@example.test,taro@example.test\n"));
}

#[test]
fn a_short_name_works_wherever_a_login_does() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let mut session = demo.submission(&alice);
    let text = message(&alice.address, "a@outside.example", "short");
    assert!(session.mail(&alice.address, "a@outside.example", text).starts_with("250"));
    let mut failing = demo.under_tls("submission");
    let proof = crate::support::base64("\0alice\0wrong");
    assert!(failing.say(&format!("AUTH PLAIN {proof}")).starts_with("535"));
    for arguments in [
        &["user", "show", "alice"][..],
        &["user", "device", "list", "alice"],
        &["user", "choice", "list", "alice"],
        &["grant", "add", "198.51.100.7", "alice"],
        &["grant", "revoke", "--login", "alice"],
        &["queue", "list", "--login", "alice"],
        &["log", "relay", "--login", "alice"],
        &["report", "abuse", "--login", "alice"],
        &[
            "explain",
            "--client",
            "198.51.100.7",
            "--from",
            "alice@example.test",
            "--to",
            "b@else.example",
            "--auth",
            "alice",
        ],
        &["session", "cut", "--login", "alice"],
    ] {
        demo.ruled(arguments);
    }
    // Both as it is kept, and as it was typed.
    let found = demo.until("records of alice", || {
        let found: Value =
            serde_json::from_str(&demo.ruled(&["records", "list", "--login", "alice", "--json"])).unwrap();
        let logins: Vec<String> =
            found["records"].as_array()?.iter().filter_map(|it| Some(it["login"].as_str()?.to_owned())).collect();
        (logins.iter().any(|it| it == "alice") && logins.contains(&alice.login)).then_some(logins)
    });
    assert!(found.iter().all(|it| it.starts_with("alice")), "{found:?}");
    let relayed = demo.ruled(&["log", "relay", "--login", "alice", "--json"]);
    assert!(relayed.contains("outside.example"), "{relayed}");
}

/// On a terminal of so many columns.
fn on_a_terminal(demo: &Demo, columns: u32, arguments: &str, environment: &str) -> String {
    let config = demo.facts["config"].as_str().unwrap();
    let program = env!("CARGO_BIN_EXE_sekisho");
    let line = format!("stty cols {columns}; TERM=xterm {environment} {program} -c {config} {arguments}");
    run(Command::new("script").args(["-qec", &line, "/dev/null"]))
}

#[test]
fn a_terminal_of_80_columns_is_enough() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let mut session = demo.submission(&alice);
    let to = format!("{}@outside.example", "a".repeat(60));
    assert!(session.mail(&alice.address, &to, message(&alice.address, &to, "wide")).starts_with("250"));
    demo.ruled(&["grant", "add", "198.51.100.7", "alice"]);
    let wide = |text: &str| -> Vec<String> {
        let plain = text.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "").replace('\r', "");
        plain.lines().filter(|line| line.chars().count() > 80).map(str::to_owned).collect()
    };
    for list in [
        "records list",
        "log relay",
        "log admin",
        "user list",
        "user device list",
        "grant list",
        "session list",
        "queue list",
    ] {
        let shown = on_a_terminal(&demo, 80, list, "");
        assert!(wide(&shown).is_empty(), "{list}: {:#?}", wide(&shown));
        assert!(shown.contains("\u{1b}[1m") || shown.contains("Nothing found"), "{list}: the header is bold:\n{shown}");
        assert!(!on_a_terminal(&demo, 80, list, "NO_COLOR=1").contains("\u{1b}[1m"), "{list}");
    }
    let grants = on_a_terminal(&demo, 80, "grant list", "");
    assert!(grants.contains("(in ") && grants.contains("1 grant"), "{grants}");
    // A pipe gets all of it, without colour.
    let piped = demo.ruled(&["log", "relay"]);
    assert!(piped.contains(&to) && !piped.contains('\u{1b}'), "{piped}");
    assert!(demo.ruled(&["ban", "list"]).contains("Nothing found: no bans."));
    assert_eq!(demo.ruled(&["ban", "list", "--json"]), "[]\n");
}

#[test]
fn what_is_wrong_is_one_object_with_json() {
    let demo = Demo::start();
    for (code, arguments) in [
        (1, &["user", "show", "nobody", "--json"][..]),
        (2, &["user", "set", "alice", "--quota", "1X", "--json"]),
        (2, &["user", "nonsense", "--json"]),
        (2, &["config", "check", "--json", "--set", "spool.nonsense=1"]),
    ] {
        let output = failing(&demo, code, arguments);
        let said: Value = serde_json::from_slice(&output.stderr)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(said["error"]["code"], code, "{said}");
        assert!(said["error"]["message"].as_str().is_some_and(|it| !it.is_empty() && !it.contains('\u{1b}')), "{said}");
    }
    let help = demo.ruled(&["user", "set", "--help"]);
    assert!(help.contains("Examples:") && help.contains("sekisho user set taro --expires 2027-03-31"), "{help}");
}
