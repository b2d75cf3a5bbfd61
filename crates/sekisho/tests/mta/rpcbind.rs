//! dracd and a real rpcbind, in a network of their own: the service is found while it runs, and only then.

use std::process::Command;

use crate::demo::run;
use crate::support::{Folder, Namespace, Network, Process, until};

/// What `rpcinfo -p` lists of program 900101: version and transport, sorted.
fn registered(namespace: &Namespace) -> Vec<(String, String)> {
    let listed = run(namespace.command("rpcinfo").args(["-p", "127.0.0.1"]));
    let rows = listed.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let mut ours: Vec<_> = rows.filter(|row| row[0] == "900101").map(|row| (row[1].clone(), row[2].clone())).collect();
    ours.sort();
    ours
}

/// `sekisho dracd` inside, with its database in the folder.
fn dracd(namespace: &Namespace, folder: &Folder) -> Process {
    let mut dracd = namespace.command(env!("CARGO_BIN_EXE_sekisho"));
    dracd.arg("dracd").arg(folder.join("dracd.db"));
    Process::start(&mut dracd, &folder.join("dracd.log"))
}

fn all() -> Vec<(String, String)> {
    [("1", "tcp"), ("1", "udp"), ("2", "tcp"), ("2", "udp")].map(|(v, t)| (v.to_owned(), t.to_owned())).to_vec()
}

#[test]
fn rpcbind_knows_dracd_while_it_runs() {
    let (folder, namespace) = (Folder::new(), Namespace::new(Network::Own));
    namespace.tmpfs("/run");
    run(namespace.command("mkdir").arg("/run/rpcbind"));
    let rpcbind = Process::start(namespace.command("rpcbind").arg("-f"), &folder.join("rpcbind.log"));
    let answers = || namespace.command("rpcinfo").args(["-p", "127.0.0.1"]).output().unwrap().status.success();
    until("rpcbind", &|| rpcbind.said(), || answers().then_some(()));
    assert_eq!(registered(&namespace), []);
    // Twice, since a server that is started again must not stumble over its own past.
    for _ in 0..2 {
        let mut dracd = dracd(&namespace, &folder);
        until("four registrations", &|| dracd.said(), || (registered(&namespace) == all()).then_some(()));
        for (version, transport) in all() {
            // Calls the null procedure at the port that rpcbind names.
            let flag = if transport == "tcp" { "-t" } else { "-u" };
            run(namespace.command("rpcinfo").args([flag, "127.0.0.1", "900101", &version]));
        }
        let mut add: Command = namespace.command(env!("CARGO_BIN_EXE_sekisho"));
        run(add.args(["drac", "add", "127.0.0.1", "192.0.2.7"]));
        assert!(dracd.stop(), "{}", dracd.said());
        assert_eq!(registered(&namespace), []);
    }
}
