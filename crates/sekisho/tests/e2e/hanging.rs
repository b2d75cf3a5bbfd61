//! A file that never answers (a pipe that nobody writes to stands for a dead disk) holds nobody up: not at a reload, not at the
//! start, not at the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::asking::{FOREIGN, Policy, request};
use crate::support::{Demo, run};

/// As long as a file may give nothing.
const STALL: Duration = Duration::from_secs(5);

fn pipe(path: &Path) {
    run(Command::new("mkfifo").arg(path));
}

fn config_file(demo: &Demo) -> PathBuf {
    PathBuf::from(demo.facts["config"].as_str().unwrap())
}

fn signal(demo: &Demo, name: &str) {
    run(Command::new("kill").args([name, &demo.pid().to_string()]));
}

/// A configuration that is as it was, for the commands while the server's own hangs.
fn beside(demo: &Demo) -> PathBuf {
    let copy = demo.dir().join("copy.toml");
    fs::copy(config_file(demo), &copy).unwrap();
    copy
}

fn sekisho(config: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sekisho")).arg("-c").arg(config).args(arguments).output().unwrap()
}

/// Everybody is served: a greeting, a policy answer, the admin API, a POP greeting.
fn serves(demo: &Demo, config: &Path) {
    let smtp = demo.dial("smtp").greeted().rcpt("x@stranger.example", "alice@example.test");
    assert!(smtp.starts_with("250"), "{smtp}");
    assert!(demo.dial("pop3").reply().starts_with("+OK"));
    let mut policy = Policy::connect(demo);
    policy.send(request(
        "RCPT",
        &[("client_address", "192.0.2.9"), ("sender", "x@a.example"), ("recipient", "y@b.example"), FOREIGN],
    ));
    assert!(policy.action().starts_with("550 5.7.1"));
    let listed = sekisho(config, &["grant", "list", "--json"]);
    assert!(listed.status.success(), "{listed:?}");
}

#[test]
fn a_reload_that_hangs_holds_nobody_up_and_ends_with_the_server() {
    let mut demo = Demo::start();
    let (file, copy) = (config_file(&demo), beside(&demo));
    fs::remove_file(&file).unwrap();
    pipe(&file);
    let began = Instant::now();
    signal(&demo, "-HUP");
    serves(&demo, &copy);
    assert!(began.elapsed() < STALL, "{:?}: nobody waited for the reload", began.elapsed());
    let told = demo.logged(&["reload_failed", "sekisho.toml", "nothing was read for 5 s"]);
    assert!(told.contains("error"), "{told}");
    serves(&demo, &copy);
    // Once more, and the end comes in the midst of it.
    signal(&demo, "-HUP");
    serves(&demo, &copy);
    let began = Instant::now();
    assert!(demo.stop(), "exit 0 at SIGTERM");
    assert!(began.elapsed() < STALL, "{:?}", began.elapsed());
}

#[test]
fn a_pipe_is_no_map_no_key_and_no_list() {
    let demo = Demo::start();
    let config = config_file(&demo);
    let before = fs::read_to_string(&config).unwrap();
    let place = demo.dir().join("pipe");
    pipe(&place);
    let name = place.display().to_string();
    let maps = [
        format!("{before}\n[[access]]\nmap = \"hash:{name}\"\nat = \"client\"\n"),
        format!("{before}\n[[access]]\nmap = \"cidr:{name}\"\nat = \"client\"\n"),
        before.replace("[relay.pop]", &format!("[relay]\nmaps = [\"ip-allow:{name}\"]\n\n[relay.pop]")),
        before.replace("[domains]", &format!("[domains]\nmaps = [\"local-host-names:{name}\"]")),
        before.replace("[relay.drac]", &format!("[relay.drac]\nallow = \"{name}\"")),
    ];
    let keys =
        ["key.pem", "certificate.pem"].map(|file| before.replace(&format!("\"{file}\""), &format!("\"{name}\"")));
    // At the reload, and at the start, as which `config check` reads all but keys.
    let maps = maps.into_iter().map(|text| (text, &["reload", "config check"][..]));
    for (text, commands) in maps.chain(keys.into_iter().map(|text| (text, &["reload"][..]))) {
        assert_ne!(text, before);
        fs::write(&config, &text).unwrap();
        let began = Instant::now();
        for command in commands {
            let refused = demo.sekisho(&command.split(' ').collect::<Vec<_>>());
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(2), "{command}: {said}");
            assert!(said.contains(&name) && said.contains("named pipe (FIFO)"), "{command}: {said}");
        }
        assert!(began.elapsed() < STALL, "it is refused by what it is, not by the time");
    }
    fs::write(&config, before).unwrap();
    demo.ruled(&["reload"]);
    serves(&demo, &config);
}

/// The log is opened for writing, which waits for a reader.
#[test]
fn a_log_that_nobody_reads_is_no_log() {
    let demo = Demo::start();
    let config = config_file(&demo);
    let before = fs::read_to_string(&config).unwrap();
    let place = demo.dir().join("pipe");
    pipe(&place);
    fs::write(&config, format!("{before}\n[log]\nfile = \"{}\"\n", place.display())).unwrap();
    signal(&demo, "-HUP");
    serves(&demo, &config);
    demo.logged(&["reload_failed", "log: ", "pipe"]);
    serves(&demo, &config);
}
