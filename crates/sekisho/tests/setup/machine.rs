//! `sekisho init` as root, on a machine of its own: a namespace without a network, with an `/etc` and a `/var/lib` to throw away.

use std::process::{Command, Output};

use crate::support::root;

/// Runs a script there, in an empty folder.
fn on_a_machine(script: &str) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let prepared = r#"
        set -eu
        cp -a /etc "$PWD/etc"
        mount --bind "$PWD/etc" /etc
        mount -t tmpfs -o mode=755 tmpfs /var/lib
        ip link set lo up
        rm -rf /etc/sekisho
        mkdir -p /etc/systemd/system
        echo 'nameserver 127.0.0.1' > resolv && mount --bind resolv /etc/resolv.conf
    "#;
    let program = env!("CARGO_BIN_EXE_sekisho");
    let mut machine = Command::new("unshare");
    machine.args(["--net", "--mount", "--propagation", "private", "bash", "-c", &format!("{prepared}\n{script}")]);
    machine.current_dir(dir.path()).env("SEKISHO", program).env("UNITS", root().join("packaging"));
    machine.output().unwrap_or_else(|e| panic!("unshare: {e}"))
}

/// User, folders, unit and configuration are made with their modes, and a second time found; the server runs as that user.
#[test]
fn root_prepares_a_machine_once() {
    let output = on_a_machine(
        r#"
        init() { "$SEKISHO" init --hostname mail.example.test --domain example.test "$@"; }
        printf '%s\n' 'first secret' 'second secret' | init --smarthost '[127.0.0.1]:2' --smarthost-user me
        echo AGAIN
        init
        echo MODES
        stat -c '%n %U:%G %a' /etc/sekisho /etc/sekisho/sekisho.toml /var/lib/sekisho /var/lib/sekisho/*
        find /var/lib/sekisho ! -user sekisho
        grep ExecStart= /etc/systemd/system/sekisho.service
        getent passwd sekisho
        echo RUN
        # As the unit does.
        mount -t tmpfs none /run && install -d -o sekisho -g sekisho /run/sekisho
        setpriv --reuid sekisho --regid sekisho --init-groups --inh-caps +net_bind_service \
          --ambient-caps +net_bind_service "$SEKISHO" serve 2> log &
        for _ in $(seq 600); do [ -S /var/lib/sekisho/admin.sock ] && break; sleep 0.1; done
        "$SEKISHO" status || { cat log; exit 1; }
        exec 3<> /dev/tcp/127.0.0.1/25
        head -1 <&3
        kill %1; wait %1
        "#,
    );
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    let said: String = said.lines().map(|line| line.trim_start().to_owned() + "\n").collect();
    let (first, rest) = said.split_once("AGAIN").unwrap();
    let (again, rest) = rest.split_once("MODES").unwrap();
    let (modes, run) = rest.split_once("RUN").unwrap();
    let has = |text: &str, what: &str, state: &str| {
        text.lines().any(|line| line.starts_with(what) && line[what.len()..].trim_start().starts_with(state))
    };
    for what in ["folder /etc/sekisho", "folder /var/lib/sekisho", "unit sekisho.service", "configuration /etc/"] {
        let name = first.lines().find(|line| line.starts_with(what)).unwrap_or_else(|| panic!("{what}: {first}"));
        let name = name.split("  ").next().unwrap();
        assert!(has(first, name, "made"), "{what}: {first}");
        assert!(has(again, name, "there already"), "{what}: {again}");
    }
    // An earlier set-up of the machine that runs the test may have left its user.
    assert!(first.contains("user sekisho") && has(again, "user sekisho", "there already"), "{first}\n{again}");
    assert!(has(first, "inbound port 25", "not proven") && has(first, "smarthost", "wrong"), "{first}");
    assert!(first.contains("v=spf1") && first.contains("systemctl enable --now sekisho"), "{first}");
    for line in [
        "/etc/sekisho root:sekisho 750",
        "/etc/sekisho/sekisho.toml root:sekisho 640",
        "/var/lib/sekisho sekisho:sekisho 700",
        "/var/lib/sekisho/smarthost.password sekisho:sekisho 600",
        "/var/lib/sekisho/key.pem sekisho:sekisho 600",
        "/var/lib/sekisho/spool sekisho:sekisho 700",
    ] {
        assert!(modes.lines().any(|it| it == line), "{line}: {modes}");
    }
    let foreign = |line: &&str| line.starts_with("/var/lib/sekisho") && !line.contains(' ');
    assert_eq!(modes.lines().find(foreign), None, "it belongs to somebody else");
    assert!(modes.contains(&format!("ExecStart={} serve", env!("CARGO_BIN_EXE_sekisho"))), "{modes}");
    assert!(modes.contains("/usr/sbin/nologin"), "{modes}");
    assert!(run.contains("220 mail.example.test") && run.contains("days left"), "{run}");
}

/// Certbot's files, which root alone may read, become one that the server's user can.
#[test]
fn certbots_hook_hands_its_files_over() {
    let output = on_a_machine(
        r#"
        useradd --system --user-group --shell /usr/sbin/nologin sekisho 2>/dev/null || true
        mkdir -p lineage /etc/sekisho && chmod 700 lineage
        echo KEY > lineage/privkey.pem
        echo CHAIN > lineage/fullchain.pem
        chmod 600 lineage/*
        RENEWED_LINEAGE="$PWD/lineage" "$UNITS/certbot-deploy-hook"
        cat /etc/sekisho/certbot.pem
        stat -c '%U %a' /etc/sekisho/certbot.pem
        "#,
    );
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "KEY\nCHAIN\nsekisho 600\n", "{}", String::from_utf8_lossy(&output.stderr));
}
