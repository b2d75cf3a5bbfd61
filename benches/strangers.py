"""The rows about strangers, each with two Sekishos of its own: what the guard costs, and a list in DNS, and how a decision grows
with what is kept.

Loopback is never suspected, so strangers come through a proxy or are told of by a mail server: clients of 198.18.0.0/15, of whom
`sekisho-bench dns` knows names, and of 2001:db8::/32, who have none.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

import peers
from peers import Unfit

ROWS = ("guard", "guard-new", "dnsbl", "decision", "records", "records-refuse", "records-policy")
COMING_AGAIN = 1_000  # clients that come again and again
CLIENTS_MAX = 1 << 17
DNSBL_SESSIONS = 10_000
LIST_ZONE = "list.example"
PROXIES = "127.1.0.0/24"
# Neither is a domain that `sekisho-bench dns` denies; the second has no SPF, so that greylisting goes by the network.
SENDER = "load@stranger.example"
SENDER_WITHOUT_SPF = "load@nospf.example"
# Of the clients without a name: those that are asked about, those that came back, those seen once, and those that guessed.
CAME_BACK, SEEN_ONCE, GUESSED = 1_000_000, 2_000_000, 3_000_000
BAN_THREADS = 64
# Fewer than are kept of first sights, so that each is still there when it comes back.
BATCH = 50_000


@dataclasses.dataclass(frozen=True)
class Entries:
    """What is put into state. `MANY` is what its bounds (crates/state) allow."""

    bans: int
    grants: int
    passed: int
    sights: int
    guesses: int

    def total(self):
        return sum(dataclasses.astuple(self))

    def tenth(self):
        return Entries(*(each // 10 for each in dataclasses.astuple(self)))


FEW = Entries(bans=100, grants=600, passed=100, sights=100, guesses=100)
MANY = Entries(bans=100_000, grants=1_000_000, passed=200_000, sights=200_000, guesses=100_000)


class Rows:
    """How each row is measured; `run.Bench` has the load."""

    def __init__(self):
        self.next_client = {}
        self.warm = set()

    def of_strangers(self, peer, clients, **args):
        """One session a mail, and each must be taken: nothing is held against these clients."""
        told = self.load(
            "smtp", peer.smtp, to=",".join(account.address for account in peer.accounts), sources=50, connections=50,
            clients=clients, first_client=self.next_client.get(peer.name, 0), **{"from": SENDER}, **args,
        )
        if told["bad"]:
            raise Unfit(f"{told['bad']} of {told['good'] + told['bad']} sessions were not taken: {told['first_bad']}")
        self.drain(peer, told["good"])
        if clients > COMING_AGAIN:
            self.next_client[peer.name] = (self.next_client.get(peer.name, 0) + told["good"]) % CLIENTS_MAX
        return told

    def is_new(self, peer):
        """Whether this process was not measured yet, and so has not asked DNS about those that come again."""
        was_there = peer.pid in self.warm
        self.warm.add(peer.pid)
        return not was_there

    def guard(self, peer):
        if self.is_new(peer):
            self.of_strangers(peer, COMING_AGAIN, total=COMING_AGAIN)
        return self.of_strangers(peer, COMING_AGAIN, seconds=self.seconds)["per_second"]

    def guard_new(self, peer):
        return self.of_strangers(peer, CLIENTS_MAX, seconds=self.seconds)["per_second"]

    def dnsbl(self, peer):
        sessions = DNSBL_SESSIONS // 5 if self.options.quick else DNSBL_SESSIONS
        before = peer.list_status()
        told = self.of_strangers(peer, CLIENTS_MAX, total=sessions)
        after = peer.list_status()
        if after:
            counts = {key: after[key] - before[key] for key in ("asked", "listed", "failed", "errors")}
            print(f"    {peer.name}: the list was asked {counts}", file=sys.stderr)
            if counts["asked"] < sessions or counts["failed"] or not counts["listed"] or not after["counts"]:
                raise Unfit(f"the list was not asked as it should be: {after}")
        return told["per_second"]

    def records(self, peer):
        return self.accept(peer, connections=10)

    def records_refuse(self, peer):
        return self.refuse(peer)

    def records_policy(self, peer):
        return self.policy(peer)

    def decision(self, peer):
        half = COMING_AGAIN // 2
        about = {"connections": 20, "to": peer.accounts[0].address, "from": SENDER_WITHOUT_SPF, "named": half, "nameless": half}
        if self.is_new(peer):
            self.load("policy", peer.policy, total=COMING_AGAIN, per_session=50, **about)
        return self.load("policy", peer.policy, seconds=self.seconds, **about)["per_second"]


class Dns(peers.Peer):
    name = "dns"

    def __init__(self, bench, port):
        self.bench, self.port = bench, port

    def start(self):
        self.process = subprocess.Popen([self.bench, "dns", "--at", f"127.0.0.1:{self.port}"])
        return wait_for_dns(self.port, "stranger.example", self.process)


class Rbldnsd(peers.Peer):
    """A list of one address in ten, with the entry that every list has (RFC 5782 §5). It may not run as root."""

    name = "rbldnsd"

    def __init__(self, folder, port):
        self.folder, self.port = folder, port

    def start(self):
        self.folder.mkdir(parents=True)
        octets = [(18 + (index >> 16), index >> 8 & 255, index & 255) for index in range(0, CLIENTS_MAX, 10)]
        lines = [":127.0.0.2:listed", "127.0.0.2", *("198.{}.{}.{}".format(*each) for each in octets)]
        (self.folder / "list").write_text("\n".join(lines) + "\n")
        who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        argv = ["rbldnsd", "-n", "-t", "1", "-w", self.folder, "-b", f"127.0.0.1/{self.port}", f"{LIST_ZONE}:ip4set:list"]
        self.spawn(argv, self.folder, **who)
        return wait_for_dns(self.port, f"2.0.0.127.{LIST_ZONE}", self.process)


def wait_for_dns(port, name, process):
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack("!HH", 1, 1)
    deadline = time.monotonic() + peers.START_TIMEOUT_SECS
    with socket.socket(type=socket.SOCK_DGRAM) as asked:
        asked.settimeout(0.2)
        asked.connect(("127.0.0.1", port))
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                asked.send(struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + question)
                return bool(asked.recv(512))
            time.sleep(0.02)
    return False


class Strangers(peers.Sekisho):
    """A Sekisho that strangers reach through a proxy, without the limits that so many of them would meet."""

    def __init__(self, place, name, dns, more):
        super().__init__(place.program, place.folder / name.replace(" ", "-"), place.port_base, place.sink, name)
        self.dns, self.more = dns, more

    def settings(self):
        limits = [f"limits.connections{each}=1000000" for each in (
            "_per_client", "_per_network", "_per_minute_per_client", "_per_minute_per_network",
        )]
        reached = [f'listener.smtp.proxy_from=["{PROXIES}"]', f'dns.servers=["127.0.0.1:{self.dns.port}"]']
        return [*super().settings(), *reached, *limits, *self.more]

    def ruled(self, *argv):
        """What a command says of the running server."""
        argv = [self.program, "-c", self.folder / "demo/sekisho.toml", "--json", *argv]
        return json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)

    def list_status(self):
        lists = self.ruled("dnsbl", "list")
        return lists[0] if lists else None

    def start(self):
        if not super().start():
            return False
        # A list counts from its first test on.
        deadline = time.monotonic() + peers.START_TIMEOUT_SECS
        while any(not each["counts"] for each in self.ruled("dnsbl", "list")):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


class Recording(peers.Sekisho):
    """One as it comes, that keeps its decisions or does not."""

    def __init__(self, place, name, more):
        super().__init__(place.program, place.folder / name.replace(" ", "-"), place.port_base, place.sink, name)
        self.more, self.said = more, ""

    def settings(self):
        return [*super().settings(), *self.more]

    def tell(self):
        """How many decisions are kept, and how many were dropped: a row that drops them measures nothing."""
        argv = [self.program, "-c", self.folder / "demo/sekisho.toml", "--json", "status"]
        kept = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)["records"]
        if kept:
            self.said = f"{kept['records']:,} records in {kept['octets'] / 1048576:,.0f} MiB, {kept['dropped']:,} dropped"
            print(f"    {self.name}: {self.said}", file=sys.stderr)

    def stop(self):
        with contextlib.suppress(Exception):
            self.tell()
        super().stop()


class Filled(Strangers):
    """One with so much in state. What lies in the journal is put there once, then it is started anew: what only filling needed is
    given back, and the rest is what it has read. First sights and guesses are in memory alone, and are made after each start."""

    is_filled, said = False, ""

    def __init__(self, place, name, dns, more, bench, entries):
        super().__init__(place, name, dns, more)
        self.bench, self.entries = bench, entries
        self.allow = self.folder / "dracd.allow"
        self.more = [*more, "guard.greylist_delay_secs=1", "relay.pop.minutes=1440", f'relay.drac.allow="{self.allow}"']

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.allow.write_text("127.0.0.0/29\n")
        if not super().start():
            return False
        if not self.is_filled:
            self.ban()
            self.grant()
            self.come_back()
            self.is_filled = True
            return self.restart()
        self.ask(SEEN_ONCE, self.entries.sights)
        self.ask(GUESSED, self.entries.guesses, to="nobody@example.test")
        self.tell()
        return True

    def tell(self):
        """What is there, as the server says it, and what it needs."""
        log = (self.folder / "output.log").read_text(errors="replace")
        grants = int(re.findall(r" opened .*grants=(\d+)", log)[-1])
        bans = self.ruled("status")["bans"]
        entries = self.entries
        self.said = (
            f"{bans:,} bans, {grants:,} grants, {entries.passed:,} that came back, {entries.sights:,} seen once, "
            f"{entries.guesses:,} that guessed"
        )
        resident, _ = peers.memory_kib(self.pid)
        print(f"    {self.name}: {self.said}; {resident / 1024:,.0f} MiB resident", file=sys.stderr)
        if bans != entries.bans or grants != entries.grants:
            raise SystemExit(f"{self.name}: it should be {entries}")

    def ban(self):
        """By the admin API. Each is on the disk before its answer, so many ask at once."""
        count, facts = self.entries.bans, json.loads((self.folder / "demo/demo.json").read_text())
        threads = [
            threading.Thread(target=ban_some, args=(facts["admin_socket"], range(start, count, BAN_THREADS)))
            for start in range(BAN_THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def grant(self):
        """By DRAC, from two servers: none may have more than half of all."""
        for number in range(2):
            total = self.entries.grants // 2
            self.load(
                "drac", self.dracd, source=f"127.0.0.{number + 1}", first=f"100.{96 + number * 16}.0.1", addresses=total, total=total,
                seconds=60, in_flight=min(1000, total),
            )

    def come_back(self):
        for start in range(0, self.entries.passed, BATCH):
            count = min(BATCH, self.entries.passed - start)
            self.ask(CAME_BACK + start, count)
            time.sleep(1.5)
            self.ask(CAME_BACK + start, count, expect="action=DUNNO")

    def ask(self, first, count, **args):
        """Once about each client."""
        args = {"to": self.accounts[0].address} | args
        self.load(
            "policy", self.policy, connections=20, nameless=count, first_nameless=first, total=count, per_session=100,
            **{"from": SENDER_WITHOUT_SPF}, **args,
        )

    def load(self, kind, port, **args):
        argv = [self.bench, "load", kind, "--server", f"127.0.0.1:{port}"]
        argv += [word for name, value in args.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        told = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
        if told["bad"]:
            raise SystemExit(f"{self.name} is not filled: {told}")


def ban_some(path, numbers):
    with socket.socket(socket.AF_UNIX) as admin:
        admin.connect(path)
        answers = admin.makefile("rb")
        for number in numbers:
            address = f"2001:db8:ff{number >> 16:02x}:{number & 0xffff:x}::1"
            body = json.dumps({"address": address, "minutes": 1440, "reason": "bench"}).encode()
            head = "POST /v1/bans HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
            admin.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            octets = 0
            while (line := answers.readline().lower()) not in (b"\r\n", b""):
                if line.startswith(b"content-length:"):
                    octets = int(line.split(b":")[1])
            answers.read(octets)


@dataclasses.dataclass
class Place:
    """Which program, and where it runs."""

    program: pathlib.Path
    folder: pathlib.Path
    port_base: int
    sink: int


def pair(row, options, places, bench, dns):
    """(the other, ours). With --against the other is set up as ours is."""
    theirs, ours = places
    every_rule = ["guard.defaults=true", "guard.off=[]"]
    if row == "decision":
        many = MANY.tenth() if options.quick else MANY
        few = many if options.against else FEW
        other, own = (
            Filled(place, name, dns, every_rule, bench, entries)
            for place, name, entries in ((theirs, other_name(row, options), few), (ours, "Sekisho", many))
        )
        return other, own
    if row.startswith("records"):
        # As they come, so that clients are the same; what is kept must not fill the disk.
        on, off = ["records.enabled=true", "records.max_octets=268435456"], ["records.enabled=false"]
        other = Recording(theirs, other_name(row, options), on if options.against else off)
        return other, Recording(ours, "Sekisho", on)
    a_list = f'dnsbl=[{{zone="{LIST_ZONE}",weight=2,codes=["127.0.0.2"]}}]'
    on, off = ([a_list], []) if row == "dnsbl" else (every_rule, ["guard.defaults=false"])
    return Strangers(theirs, other_name(row, options), dns, on if options.against else off), Strangers(ours, "Sekisho", dns, on)


def told(own):
    """What was in state, for the row."""
    said = [f"{peer.name}: {peer.said}" for peer in own or [] if isinstance(peer, (Filled, Recording)) and peer.said]
    return f" ({'; '.join(said)})" if said else ""


def other_name(row, options):
    return "before" if options.against else OTHERS[row]


OTHERS = {"guard": "without", "guard-new": "without", "dnsbl": "without", "decision": "few"} | dict.fromkeys(
    ("records", "records-refuse", "records-policy"), "without"
)


def servers(row, options, folder, bench, stack):
    """Starts the two of a row and what they ask; the stack stops them. None, with the reason, where something is missing."""
    program, base = peers.find_program(options.root, options.sekisho), options.port_base
    if not program:
        return []
    if row == "dnsbl" and not shutil.which("rbldnsd"):
        print(f"    {row}: left out: rbldnsd is not installed", file=sys.stderr)
        return []
    folder = folder / row
    dns = Rbldnsd(folder / "rbldnsd", base + 30) if row == "dnsbl" else Dns(bench, base + 30)
    places = [
        Place(options.against or program, folder, base + 60, base + 20), Place(program, folder, base + 80, base + 20),
    ]
    other, ours = pair(row, options, places, bench, dns)
    for peer in (dns, other, ours):
        stack.callback(peer.stop)
        if not peer.start():
            print(f"    {row}: left out: {peer.name} does not start", file=sys.stderr)
            return []
    return [other, ours]
