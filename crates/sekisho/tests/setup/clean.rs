//! A clean Debian under its own systemd, from the package to a server that runs: the commands of the README, and no others.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::package::packed;
use crate::pebble::programs;
use crate::support::{root, until};

/// A machine in a container, without a network; what it writes is thrown away.
struct Machine {
    container: Child,
    leader: String,
    dir: tempfile::TempDir,
}

impl Machine {
    /// Boots it, with a folder of ours at `/mnt`.
    fn boot(dir: tempfile::TempDir) -> Self {
        let made = Command::new(root().join("scripts/install-peers")).arg("--debian").status();
        assert!(made.unwrap().success());
        let said = fs::File::create(dir.path().join("console")).unwrap();
        let mut nspawn = Command::new("systemd-nspawn");
        nspawn.args(["--register=no", "--keep-unit", "--private-network", "--boot", "--volatile=overlay"]);
        nspawn.args(["--console=read-only", "--directory"]).arg(root().join("target/peers/debian"));
        nspawn.arg(format!("--bind-ro={}:/mnt", dir.path().display()));
        nspawn.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        let container = nspawn.spawn().unwrap_or_else(|e| panic!("systemd-nspawn: {e} (scripts/install-peers)"));
        let mut machine = Self { container, leader: String::new(), dir };
        let children = format!("/proc/{0}/task/{0}/children", machine.container.id());
        let console = machine.dir.path().join("console");
        let told = || fs::read_to_string(&console).unwrap_or_default();
        machine.leader = until("a first process", &told, || {
            let children = fs::read_to_string(&children).ok()?;
            children.split_whitespace().next().map(str::to_owned)
        });
        until("a system that runs", &told, || {
            let state = machine.run("systemctl is-system-running");
            Some(()).filter(|()| ["running\n", "degraded\n"].contains(&&*String::from_utf8_lossy(&state.stdout)))
        });
        machine
    }

    fn run(&self, script: &str) -> Output {
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let mut inside = Command::new("nsenter");
        inside.args(["-t", &self.leader, "--all", "--root", "--wd", "--", "env", "-i", path, "LC_ALL=C.UTF-8"]);
        inside.args(["sh", "-c", script]).stdin(Stdio::null()).output().unwrap()
    }

    /// What a command says that must do well.
    fn does(&self, script: &str) -> String {
        let output = self.run(script);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let log =
            || String::from_utf8_lossy(&self.run("journalctl -u sekisho --no-pager | tail -40").stdout).into_owned();
        assert!(output.status.success(), "{script}\n{said}\n{}\n{}", String::from_utf8_lossy(&output.stderr), log());
        said
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It takes what runs in it along.
        let _ = Command::new("kill").args(["-TERM", &self.container.id().to_string()]).status();
        let _ = Command::new("kill").args(["-TERM", &self.container.id().to_string()]).status();
        let _ = self.container.wait();
    }
}

/// An authority that asks on the ports of the world.
fn put_authority(dir: &Path) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(dir.join("pebble.crt"), made.cert.pem()).unwrap();
    fs::write(dir.join("pebble.key"), made.signing_key.serialize_pem()).unwrap();
    let config = serde_json::json!({"pebble": {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": "/mnt/pebble.crt",
        "privateKey": "/mnt/pebble.key",
        "httpPort": 80,
        "tlsPort": 443,
    }});
    fs::write(dir.join("pebble.json"), config.to_string()).unwrap();
    for program in ["pebble", "pebble-challtestsrv"] {
        fs::copy(programs().join(program), dir.join(program)).unwrap();
    }
}

#[test]
fn a_clean_debian_becomes_a_server_by_four_commands() {
    let dir = tempfile::tempdir().unwrap();
    fs::rename(packed(&dir), dir.path().join("sekisho_0_amd64.deb")).unwrap();
    put_authority(dir.path());
    let machine = Machine::boot(dir);
    machine.does(
        "cp /mnt/pebble.crt /usr/local/share/ca-certificates/ && update-ca-certificates
         systemd-run --unit=names /mnt/pebble-challtestsrv -http01 '' -https01 '' -tlsalpn01 '' -defaultIPv6 '' -dns01 127.0.0.1:8053
         systemd-run --unit=authority -E PEBBLE_VA_NOSLEEP=1 /mnt/pebble -dnsserver 127.0.0.1:8053 -config /mnt/pebble.json",
    );

    machine.does("apt-get install -y -q /mnt/sekisho_*.deb");
    let told = machine.does(
        "echo 'a long password' | sekisho init --hostname mail.example.test --domain example.test --acme \
         --acme-directory https://127.0.0.1:14000/dir",
    );
    assert!(told.contains("systemctl enable --now sekisho"), "{told}");
    machine.does("systemctl enable --now sekisho");
    machine.does("sekisho status");

    let shown = "openssl s_client -connect 127.0.0.1:465 </dev/null 2>/dev/null | openssl x509 -noout -issuer";
    until("the authority's certificate", &|| machine.does("journalctl -u sekisho --no-pager"), || {
        Some(()).filter(|()| String::from_utf8_lossy(&machine.run(shown).stdout).contains("Pebble"))
    });
    assert_eq!(machine.does("ps -o user= -p $(systemctl show -P MainPID sekisho)").trim(), "sekisho");
    assert_eq!(machine.does("systemctl is-active sekisho; systemctl is-enabled sekisho"), "active\nenabled\n");
    let greeting = machine.does("bash -c 'exec 3<>/dev/tcp/127.0.0.1/25; head -1 <&3'");
    assert!(greeting.starts_with("220 mail.example.test"), "{greeting}");
    let log = machine.does("journalctl -u sekisho --no-pager");
    for fault in ["limit_unraised", "resolver_missing", "systemd_untold", " error "] {
        assert!(!log.contains(fault), "{fault}: {log}");
    }
    assert_eq!(machine.does("systemd-analyze verify --man=no sekisho.service 2>&1"), "");
    machine.does("systemctl reload sekisho && sekisho status && systemctl restart sekisho && sekisho status");
    let left = machine.does("apt-get purge -y -q sekisho && ls /var/lib/sekisho /etc/sekisho");
    assert!(left.contains("directory.sqlite") && left.contains("sekisho.toml"), "{left}");
}
