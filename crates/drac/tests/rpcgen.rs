//! A client made by `rpcgen` from an interface description, with libtirpc: what other programs are made of.
//! Needs the packages rpcsvc-proto, libtirpc-dev, pkg-config and gcc; without them it fails.

mod common;

use std::fs;
use std::process::Command;

use common::{Server, run};

const INTERFACE: &str = "\
struct address6 { char octets[16]; };
program DRACPROG {
  version DRACVERS { int DRACPROC_ADD(unsigned long) = 1; } = 1;
  version DRACVERS6 { int DRACPROC_ADD(address6) = 1; } = 2;
} = 900101;
";

const PROGRAM: &str = r#"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dracd.h"

static CLIENT *client(int tcp, unsigned short port, unsigned long version) {
    struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct timeval again = { 5, 0 };
    int socket = RPC_ANYSOCK;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CLIENT *made = tcp ? clnttcp_create(&server, DRACPROG, version, &socket, 0, 0)
                       : clntudp_create(&server, DRACPROG, version, again, &socket);
    if (!made) { clnt_pcreateerror("client"); exit(1); }
    return made;
}

static void say(CLIENT *used, const char *what, int *result) {
    if (!result) { clnt_perror(used, what); exit(1); }
    printf("%s %d\n", what, *result);
}

int main(int argc, char **argv) {
    (void)argc;
    unsigned short port = (unsigned short)atoi(argv[1]);
    for (int tcp = 0; tcp <= 1; tcp++) {
        struct timeval patience = { 20, 0 };
        CLIENT *one = client(tcp, port, DRACVERS), *two = client(tcp, port, DRACVERS6);
        unsigned long v4 = ntohl(inet_addr("192.0.2.184"));
        address6 v6;
        inet_pton(AF_INET6, "2001:db8::b8ff", &v6);
        printf("null %d\n", clnt_call(one, 0, (xdrproc_t)xdr_void, NULL, (xdrproc_t)xdr_void, NULL, patience));
        say(one, "v1", dracproc_add_1(&v4, one));
        say(two, "v2", dracproc_add_2(&v6, two));
        v4 = 0xffffffff;
        say(one, "broadcast", dracproc_add_1(&v4, one));
        inet_pton(AF_INET6, "::ffff:192.0.2.185", &v6);
        say(two, "mapped", dracproc_add_2(&v6, two));
        CLIENT *three = client(tcp, port, 3);
        if (dracproc_add_1(&v4, three)) exit(1);
        printf("%s\n", clnt_sperror(three, "v3"));
        clnt_destroy(one); clnt_destroy(two); clnt_destroy(three);
    }
    return 0;
}
"#;

#[test]
fn t19_a_client_made_by_rpcgen_adds_over_udp_and_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::write(place("dracd.x"), INTERFACE).unwrap();
    fs::write(place("client.c"), PROGRAM).unwrap();
    for (option, made) in [("-h", "dracd.h"), ("-l", "dracd_clnt.c"), ("-c", "dracd_xdr.c")] {
        run(Command::new("rpcgen").args([option, "-o", made, "dracd.x"]).current_dir(folder.path()));
    }
    let flags = run(Command::new("pkg-config").args(["--cflags", "--libs", "libtirpc"]));
    let mut cc = Command::new("cc");
    cc.args(["client.c", "dracd_clnt.c", "dracd_xdr.c", "-o", "client"]).args(flags.split_whitespace());
    run(cc.current_dir(folder.path()));

    let server = Server::start();
    let said = run(Command::new(place("client")).arg(server.port.to_string()));
    let once = "null 0\nv1 0\nv2 0\nbroadcast 2\nmapped 0\n\
        v3: RPC: Program/version mismatch; low version = 1, high version = 2\n";
    assert_eq!(said, once.repeat(2));
    let added = ["192.0.2.184", "2001:db8::b8ff", "192.0.2.185"];
    assert_eq!(server.added(), [added, added].concat());
}
