//! Programs in C that use the installed library, shared and static, as POP servers do.
//! Needs the packages gcc, g++, binutils and pkg-config; without them it fails.

#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

#[path = "../../drac/tests/common/mod.rs"]
mod common;

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Server, run};
use tempfile::TempDir;

/// Declares the functions itself, as callers of the original do.
const CALLS: &str = r#"
#include <arpa/inet.h>
#include <stdio.h>
int dracauth(char *, unsigned long, char **);
int dracconn(char *, char **);
int dracsend(unsigned long, char **);
int dracdisc(char **);
int dracauth6(char *, unsigned char *, char **);
int dracconn6(char *, char **);
int dracsend6(unsigned char *, char **);
int dracdisc6(char **);

static char *text;
static void say(int value) { printf("%d %s\n", value, text); text = "(unset)"; }
static unsigned char *six(const char *address) {
    static unsigned char octets[16];
    inet_pton(AF_INET6, address, octets);
    return octets;
}

int main(int argc, char **argv) {
    char *server = argv[argc - 1];
    struct in_addr user;
    inet_aton("192.0.2.1", &user);
    say(dracauth(server, user.s_addr, &text));
    say(dracauth(server, inet_addr("192.0.2.2") | 0x5a00000000ul, &text));
    say(dracauth(server, inet_addr("not an address"), &text));
    say(dracauth6(server, six("2001:db8::b8"), &text));
    say(dracauth6(server, six("::ffff:192.0.2.3"), &text));
    printf("%d\n", dracauth(server, inet_addr("192.0.2.4"), NULL));
    say(dracsend(user.s_addr, &text));
    say(dracconn(server, &text));
    say(dracsend(inet_addr("192.0.2.5"), &text));
    say(dracsend(inet_addr("192.0.2.6"), &text));
    say(dracsend6(six("2001:db8::5"), &text));
    say(dracdisc(&text));
    say(dracdisc(&text));
    say(dracconn6(server, &text));
    say(dracsend6(six("2001:db8::6"), &text));
    say(dracdisc6(&text));
    printf("%d\n", dracdisc6(NULL));
    return 0;
}
"#;

const CALLS_SAY: &str = "\
0 Server reports add succeeded
0 Server reports add succeeded
2 Server reports system error
0 Server reports add succeeded
0 Server reports add succeeded
0
-1 Not connected
0 Connect succeeded
0 Server reports add succeeded
0 Server reports add succeeded
-1 Not connected
0 Disconnect succeeded
-1 Not connected
0 Connect succeeded
0 Server reports add succeeded
0 Disconnect succeeded
-1
";

const CALLS_ADD: [&str; 8] =
    ["192.0.2.1", "192.0.2.2", "2001:db8::b8", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "2001:db8::6"];

/// A server that says nothing, and an alarm that leaves its handler as it came.
const PATIENCE: &str = r#"
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <drac.h>

static sigjmp_buf back;
static void ring(int signal) { (void)signal; siglongjmp(back, 1); }

int main(int argc, char **argv) {
    static char *text;
    static volatile int value = 99;
    struct itimerval soon = { { 0, 0 }, { 0, 100000 } };
    signal(SIGALRM, ring);
    if (sigsetjmp(back, 1) == 0) {
        setitimer(ITIMER_REAL, &soon, NULL);
        value = dracauth(argv[argc - 1], inet_addr("192.0.2.1"), &text);
        printf("no alarm\n");
    } else {
        printf("alarm, %d\n", value);
    }
    printf("%d\n", dracauth(argv[argc - 1], inet_addr("192.0.2.1"), &text));
    printf("%s\n", text);
    printf("%d\n", dracauth("", inet_addr("192.0.2.1"), &text));
    printf("%s\n", text);
    printf("%d\n", dracauth(NULL, inet_addr("192.0.2.1"), &text) == -1 && dracauth6("", NULL, &text) == -1);
    return 0;
}
"#;

/// The library as installed below a folder of its own.
struct Installed {
    folder: TempDir,
}

impl Installed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/install-libdrac");
        let mut install = Command::new(script);
        install
            .arg("/opt/drac")
            .env("DESTDIR", folder.path())
            .env("LIBDRAC_PROFILE", "dev")
            .env("CARGO", env!("CARGO"));
        run(&mut install);
        Self { folder }
    }

    fn below(&self, name: &str) -> PathBuf {
        self.folder.path().join("opt/drac").join(name)
    }

    fn flags(&self, options: &[&str]) -> Vec<String> {
        let mut command = Command::new("pkg-config");
        command.args(options).arg("libdrac").env("PKG_CONFIG_SYSROOT_DIR", self.folder.path());
        let said = run(command.env("PKG_CONFIG_PATH", self.below("lib/pkgconfig")));
        said.split_whitespace().map(str::to_owned).collect()
    }

    /// Compiles a program and links it with `-ldrac`.
    fn program(&self, source: &str, libraries: &[String]) -> PathBuf {
        let (file, program) = (self.folder.path().join("program.c"), self.folder.path().join("program"));
        fs::write(&file, source).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-Wall", "-Werror"])
            .arg(&file)
            .arg("-o")
            .arg(&program)
            .args(self.flags(&["--cflags"]))
            .args(libraries);
        run(&mut cc);
        program
    }

    fn command(&self, program: &Path, port: u16) -> Command {
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", self.below("lib")).env("LIBDRAC_PORT", port.to_string()).arg("127.0.0.1");
        command
    }
}

/// Shared libraries that a file asks for.
fn needed(file: &Path) -> String {
    run(Command::new("readelf").arg("-d").arg(file))
}

#[test]
fn a_program_linked_with_the_shared_library_adds() {
    let (installed, server) = (Installed::new(), Server::start());
    let program = installed.program(CALLS, &installed.flags(&["--libs"]));
    assert!(needed(&program).contains("[libdrac.so.1]"));
    assert_eq!(run(&mut installed.command(&program, server.port)), CALLS_SAY);
    assert_eq!(server.added(), CALLS_ADD);
    // The port may stand with the server's name as well.
    let mut command = installed.command(&program, 1);
    command.env_remove("LIBDRAC_PORT").arg(format!("localhost:{}", server.port));
    assert_eq!(run(&mut command), CALLS_SAY);
    assert_eq!(server.added(), CALLS_ADD);
}

#[test]
fn a_program_linked_with_the_static_library_adds() {
    let (installed, server) = (Installed::new(), Server::start());
    let mut libraries = installed.flags(&["--libs", "--static"]);
    let at = libraries.iter().position(|flag| flag == "-ldrac").unwrap();
    libraries.insert(at + 1, "-Wl,-Bdynamic".to_owned());
    libraries.insert(at, "-Wl,-Bstatic".to_owned());
    let program = installed.program(CALLS, &libraries);
    assert!(!needed(&program).contains("libdrac"));
    assert_eq!(run(&mut installed.command(&program, server.port)), CALLS_SAY);
    assert_eq!(server.added(), CALLS_ADD);
}

#[test]
fn a_mute_server_costs_two_seconds_and_alarms_wait() {
    let installed = Installed::new();
    let program = installed.program(PATIENCE, &installed.flags(&["--libs"]));
    let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
    let started = Instant::now();
    let said = run(&mut installed.command(&program, mute.local_addr().unwrap().port()));
    let took = started.elapsed();
    assert_eq!(said, "alarm, 99\n-2\ncall failed: RPC: Timed out\n-1\n: RPC: Unknown host\n1\n");
    assert!(
        took >= Duration::from_millis(3_900) && took < Duration::from_secs(15),
        "two calls of two seconds: {took:?}"
    );
}

#[test]
fn the_library_exports_what_it_says_and_nothing_else() {
    let installed = Installed::new();
    let library = installed.below("lib/libdrac.so.1");
    assert!(needed(&library).contains("Library soname: [libdrac.so.1]"));
    let symbols = run(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(&library));
    let mut names: Vec<&str> = symbols.lines().filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    let expected = ["dracauth", "dracauth6", "dracconn", "dracconn6", "dracdisc", "dracdisc6", "dracsend", "dracsend6"];
    assert_eq!(names, expected);
    assert_eq!(fs::read_link(installed.below("lib/libdrac.so")).unwrap(), Path::new("libdrac.so.1"));
}

#[test]
fn the_header_is_c_and_cxx() {
    let installed = Installed::new();
    let header = installed.below("include/drac.h");
    for (compiler, language) in [("cc", "c"), ("c++", "c++")] {
        let mut command = Command::new(compiler);
        command.args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-x", language]);
        run(command.arg(&header));
    }
    for page in ["libdrac.3", "dracauth.3", "dracdisc6.3"] {
        let text = fs::read_to_string(installed.below("share/man/man3").join(page)).unwrap();
        assert!(text.contains(".Dt LIBDRAC 3"), "{page}");
    }
}
