#!/usr/bin/env python3
"""Measures Sekisho against Postfix, Dovecot and a null server, in turn, in one run, and prints the ratios.

Machines differ and are noisy, so only ratios of neighbouring measurements count: each row alternates the servers at least
three times, the order turned round each time, and gives the median of the ratios with the least and the greatest.
Everything stays on loopback. What is not there (Sekisho not built, a peer not installed) is left out. The rows of
`strangers.py` hold two Sekishos against each other that are set up differently.

With --against FILE a change is held against what was before it: FILE is another Sekisho, built alike from the commit
before; both run side by side, started anew for each pair, nobody else is measured, and the ratio of each pair is what counts.
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import peers
import strangers
from peers import Unfit

ROOT = pathlib.Path(__file__).resolve().parent.parent
DRAIN_TIMEOUT_SECS = 180
SOURCES = 50  # client addresses, so that no limit per client is met

# name: (what, peer's budget (times the peer), limit's budget (share of the null server))
BUDGETS = {
    "accept-10": ("accept 4 KiB, one per session, 10 connections", 8, 0.7),
    "accept-50": ("accept 4 KiB, one per session, 50 connections", 8, 0.7),
    "pipelined": ("accept 4 KiB, ten per session, pipelined", 15, None),
    "maildir": ("until the last lies in its Maildir", 6, None),
    "relay": ("relay to a sink, end to end", 6, None),
    "refuse": ("refuse a relay attempt", 5, 0.8),
    "idle": ("memory per idle SMTP connection", None, None),
    "pop3": ("POP3 login, STAT, 10 RETR, QUIT", 6, None),
    "policy": ("policy delegation, a question at a time, 20 connections", 20, None),
    "drac": ("DRAC adds over UDP, each durable before its answer", None, None),
    "guard": ("strangers' mail with the guard's default rules against without, 1,000 clients", 0.9, None),
    "guard-new": ("the same, each session of another client: nothing of it is in the cache", None, None),
    "dnsbl": ("10,000 sessions, each of another client and asked about at rbldnsd, against without a list", None, None),
    "records": ("accept-10 with decision records against without", 0.9, None),
    "records-refuse": ("refuse with decision records against without", 0.9, None),
    "records-policy": ("policy with decision records against without", 0.9, None),
    "decision": ("a decision about a stranger with all default rules, much in state against little", 0.67, None),
}
PEERS = {"pop3": "Dovecot", "policy": "postgrey", "drac": "rpc.dracd"} | strangers.OTHERS
# No package holds the original any more; so many durable adds a second it made on such a machine.
ORIGINAL_DRACD_PER_SECOND = (12_000, 15_000)
DRAC_TIMES_ORIGINAL = 8
IDLE_BUDGET_KIB = 10
# What a change may cost, and the rows that are compared where none are named.
AGAINST_BUDGET = 0.97
AGAINST_ROWS = ("accept-10", "accept-50", "refuse", "policy")


class Bench(strangers.Rows):
    def __init__(self, options, bench, sink):
        super().__init__()
        self.options, self.bench, self.sink = options, bench, sink
        self.seconds = 1.5 if options.quick else 5
        self.messages = 1000 if options.quick else 4000

    def load(self, kind, port, **args):
        argv = [self.bench, "load", kind, "--server", f"127.0.0.1:{port}"]
        for name, value in args.items():
            argv += [f"--{name.replace('_', '-')}", str(value)]
        ran = subprocess.run(argv, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise Unfit(ran.stderr.splitlines()[0] if ran.stderr else "the load failed")
        told = json.loads(ran.stdout)
        if told["good"] == 0 or told["bad"] * 100 > told["good"]:
            raise Unfit(f"{told['bad']} bad, {told['good']} good: {told['first_bad']}")
        if told["bad"]:
            print(f"    {told['bad']} bad of {told['good']}: {told['first_bad']}", file=sys.stderr)
        return told

    def drain(self, peer, expected):
        """Waits until that many messages lie in the Maildirs, and empties them. A queue at work would disturb the next."""
        if not peer.inboxes():
            return
        deadline = time.monotonic() + DRAIN_TIMEOUT_SECS
        while (waiting := peer.waiting()) < expected:
            if time.monotonic() > deadline:
                raise Unfit(f"{waiting} of {expected} messages were delivered in {DRAIN_TIMEOUT_SECS} s")
            time.sleep(0.1)
        peer.empty_inboxes()

    def accept(self, peer, **args):
        told = self.load("smtp", peer.smtp, to=addresses(peer), sources=SOURCES, seconds=self.seconds, **args)
        self.drain(peer, told["good"])
        return told["per_second"]

    def accept_10(self, peer):
        return self.accept(peer, connections=10)

    def accept_50(self, peer):
        return self.accept(peer, connections=50)

    def pipelined(self, peer):
        return self.accept(peer, connections=20, per_session=10)

    def maildir(self, peer):
        told = self.load("smtp", peer.smtp, to=addresses(peer), sources=SOURCES, connections=20, total=self.messages)
        deadline = time.monotonic() + DRAIN_TIMEOUT_SECS
        while peer.waiting() < told["good"]:
            if time.monotonic() > deadline:
                raise Unfit(f"{peer.waiting()} of {told['good']} messages were delivered")
            time.sleep(0.05)
        # The last rename is what changed a new/ last: exact, however seldom it is looked at.
        last = max(inbox.stat().st_mtime_ns for inbox in peer.inboxes()) / 1e3
        peer.empty_inboxes()
        return told["good"] / (last - told["start_unix_micros"]) * 1e6

    def relay(self, peer):
        before, _ = self.sink.count()
        told = self.load(
            "smtp", peer.smtp, to="far@elsewhere.example", source=peers.RELAY_SOURCE, connections=20, total=self.messages,
            **{"from": peer.accounts[0].address},
        )
        deadline = time.monotonic() + DRAIN_TIMEOUT_SECS
        while True:
            count, last = self.sink.count()
            if count - before >= told["good"]:
                return told["good"] / (last - told["start_unix_micros"]) * 1e6
            if time.monotonic() > deadline:
                raise Unfit(f"{count - before} of {told['good']} messages came to the sink")
            time.sleep(0.02)

    def refuse(self, peer):
        told = self.load(
            "refuse", peer.smtp, to="victim@elsewhere.example", sources=SOURCES, connections=50, seconds=self.seconds
        )
        return told["per_second"]

    def idle(self, peer):
        """KiB per connection."""
        count = min(peer.idle_max, self.options.idle)
        before = peers.memory_kib(peer.pid)
        argv = [self.bench, "load", "idle", "--server", f"127.0.0.1:{peer.smtp}", "--connections", str(count)]
        holder = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        opened = json.loads(holder.stdout.readline())
        time.sleep(1)  # let what was needed for opening only be given back
        after = peers.memory_kib(peer.pid)
        holder.stdin.close()
        alive = json.loads(holder.stdout.readline())["good"]
        holder.wait()
        if alive < count:
            raise Unfit(f"{alive} of {count} connections were held: {opened['first_bad']}")
        each = [(late - early) / count for early, late in zip(before, after)]
        print(f"    {peer.name}: {count:,} held, {each[0]:.1f} KiB resident, {each[1]:.1f} KiB proportional", file=sys.stderr)
        return each[1]

    def pop3(self, peer):
        if peer.inboxes():
            self.fill(peer)
        logins = ",".join(f"{account.login}:{account.password}" for account in peer.accounts)
        told = self.load("pop3", peer.pop3, login=logins, connections=len(peer.accounts), seconds=self.seconds, retr=10)
        peer.empty_inboxes()
        return told["per_second"]

    def fill(self, peer):
        """Ten messages for each account, written as a delivery would have."""
        peer.empty_inboxes()
        text = "".join(f"Header-{n}: {'x' * 60}\n" for n in range(8)) + "\n" + ("0123456789" * 7 + "\n") * 49
        for account in peer.accounts:
            for sub in ("new", "cur", "tmp"):
                (account.inbox.parent / sub).mkdir(parents=True, exist_ok=True)
            for number in range(10):
                wire = len(text) + text.count("\n")
                name = f"{int(time.time())}.M{number}P{os.getpid()}.bench,S={len(text)},W={wire}"
                (account.inbox / name).write_text(text)
        if isinstance(peer, peers.Dovecot):
            peer.own_inboxes()


    def policy(self, peer):
        told = self.load(
            "policy", peer.policy, connections=20, seconds=self.seconds, to="victim@elsewhere.example",
            **{"from": "load@stranger.example"},
        )
        return told["per_second"]

    def drac(self, peer):
        told = self.load("drac", peer.dracd, seconds=self.seconds, in_flight=4000)
        if told["lost"]:
            print(f"    {peer.name}: {told['lost']} of {told['good']} adds were not answered", file=sys.stderr)
        return told["per_second"]


def addresses(peer):
    return ",".join(account.address for account in peer.accounts)


def turns(bench, row, servers):
    """Measures the servers in turn. Returns {name: [values]}; who cannot is left out, and the reason is printed."""
    measure = getattr(bench, row.replace("-", "_"))
    values = {peer.name: [] for peer in servers}
    # Memory is measured once, on servers fresh from their start: what they keep for the next would hide the cost.
    for pair in range(1 if row == "idle" else bench.options.pairs):
        if bench.options.against:
            anew(servers)
        for peer in servers if pair % 2 == 0 else reversed(servers):
            if peer.name not in values:
                continue
            try:
                values[peer.name].append(measure(peer))
            except Unfit as why:
                del values[peer.name]
                print(f"    {row}: {peer.name} left out: {why}", file=sys.stderr)
    return values


def anew(servers):
    """Two processes of one program are as much as a tenth apart for as long as they live, by where they lie in memory: each pair
    has new ones, so that the middle of the pairs is of the programs."""
    for peer in servers:
        if not peer.restart():
            raise SystemExit(f"{peer.name} does not start again")


def ratio(ours, theirs):
    each = [our / their for our, their in zip(ours, theirs)]
    return statistics.median(each), min(each), max(each)


def shown(ratios):
    middle, least, greatest = ratios
    digits = 2 if middle < 10 else 1
    return f"{middle:.{digits}f} ({least:.{digits}f}–{greatest:.{digits}f})"


def compared(name, values):
    """A row that holds two Sekishos against each other: more is better, but for memory."""
    what = BUDGETS[name][0]
    middles = {who: statistics.median(each) for who, each in values.items() if each}
    row = {"row": name, "what": what, "unit": unit_of(name), "values": values, "medians": middles, "held": None}
    if values.get("Sekisho") and values.get("before"):
        better = ("before", "Sekisho") if name == "idle" else ("Sekisho", "before")
        row["times_before"] = ratio(*(values[who] for who in better))
        row["held"] = row["times_before"][0] >= AGAINST_BUDGET
    return row


def unit_of(name):
    return "KiB" if name == "idle" else "/s"


def row_of(name, values):
    what, times, share = BUDGETS[name]
    peer = PEERS.get(name, "Postfix")
    middles = {who: statistics.median(each) for who, each in values.items() if each}
    row = {"row": name, "what": what, "unit": unit_of(name), "peer": peer}
    row |= {"values": values, "medians": middles, "held": None}
    ours = values.get("Sekisho")
    if not ours:
        return row
    if name == "idle":
        row["held"] = middles["Sekisho"] <= IDLE_BUDGET_KIB
        return row
    if name == "drac":
        least = DRAC_TIMES_ORIGINAL * ORIGINAL_DRACD_PER_SECOND[0]
        row["held"] = middles["Sekisho"] >= least
        if values.get("null"):
            row["of_limit"] = ratio(ours, values["null"])
        return row
    if name == "policy" and values.get("null"):
        row["of_limit"] = ratio(ours, values["null"])
    held = []
    for who, key, budget in ((peer, "times_peer", times), ("null", "of_limit", share)):
        if values.get(who):
            row[key] = ratio(ours, values[who])
            if budget:
                held.append(row[key][0] >= budget)
    row["held"] = all(held) if held else None
    return row


def number(row, who):
    digits = 1 if row["unit"] == "KiB" else 0
    return f"{row['medians'][who]:,.{digits}f} {row['unit']}" if who in row["medians"] else "–"


def said(held):
    return {True: "yes", False: "NO", None: "–"}[held]


def print_table(heads, lines):
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for line in lines:
        print("| " + " | ".join(line) + " |")


def table_against(rows):
    lines = []
    for row in rows:
        times = shown(row["times_before"]) if "times_before" in row else "–"
        budget = f"≥ {AGAINST_BUDGET}"
        lines.append([row["what"], number(row, "Sekisho"), number(row, "before"), times, budget, said(row["held"])])
    print_table(["what", "Sekisho", "before", "× before", "budget", "held"], lines)


def table(rows):
    heads = ["what", "Sekisho", "peer", "limit", "× peer", "of limit", "budget", "held"]
    lines = []
    for row in rows:
        if row["row"] == "drac":
            row["medians"] = {"rpc.dracd": ORIGINAL_DRACD_PER_SECOND[1], **row["medians"]}
        _, times, share = BUDGETS[row["row"]]
        fixed = {"idle": f"≤ {IDLE_BUDGET_KIB} KiB", "drac": f"≥ {DRAC_TIMES_ORIGINAL} × {ORIGINAL_DRACD_PER_SECOND[0]:,}/s"}
        fixed["decision"] = f"≥ {times} × (≤ 1.5 × the time)"
        named = ", ".join([f"≥ {times} ×"] * bool(times) + [f"≥ {share}"] * bool(share)) or "–"
        budget = fixed.get(row["row"], named)
        lines.append([
            row["what"], number(row, "Sekisho"), f"{row['peer']} {number(row, row['peer'])}", number(row, "null"),
            shown(row["times_peer"]) if "times_peer" in row else "–",
            shown(row["of_limit"]) if "of_limit" in row else "–",
            budget, said(row["held"]),
        ])
    print_table(heads, lines)


def servers_for(row, running):
    by_name = {peer.name: peer for peer in running}
    if "before" in by_name:
        return [by_name[name] for name in ("before", "Sekisho") if name in by_name]
    wanted = ["null", PEERS.get(row, "Postfix"), "Sekisho"]
    if row == "policy":
        wanted.insert(2, "postfwd")
    if row in ("maildir", "relay"):  # the null server does nothing with its mail
        wanted.remove("null")
    return [by_name[name] for name in wanted if name in by_name]


def others(options, folder, bench):
    """Whom Sekisho is held against."""
    base = options.port_base
    if options.against:
        return [peers.Sekisho(options.against, folder / "before", base + 40, base + 20, "before")]
    all_peers = [peers.Null(bench, (base + 22, base + 23, base + 26, base + 27))]
    missing = peers.missing_programs()
    if "postfix" not in missing:
        all_peers.append(peers.Postfix(folder / "postfix", base + 24, base + 20))
    if "dovecot" not in missing:
        all_peers.append(peers.Dovecot(folder / "dovecot", base + 25))
    if "policy" in (options.what or BUDGETS):
        if "postgrey" not in missing:
            all_peers.append(peers.Postgrey(folder / "postgrey", base + 28))
        if "postfwd" not in missing:
            all_peers.append(peers.Postfwd(folder / "postfwd", base + 29))
    return all_peers


def start_all(options, folder, bench, running):
    """Starts what there is, appending to `running` so that the caller can stop it whatever happens. Returns the sink."""
    base = options.port_base
    sink = peers.Sink(bench, base + 20, base + 21)
    all_peers = [sink]
    program = peers.find_program(ROOT, options.sekisho)
    if not set(options.what or BUDGETS) <= set(strangers.ROWS):  # which have their own
        all_peers += others(options, folder, bench)
        if program:
            all_peers.append(peers.Sekisho(program, folder / "sekisho", base, base + 20))
    if not program:
        print("Sekisho is not built (cargo build --release): its columns stay empty", file=sys.stderr)
    for peer in all_peers:
        running.append(peer)
        if not peer.start():
            running.remove(peer)
            peer.stop()
            log = folder / peer.name.lower() / "output.log"
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            print(f"{peer.name} does not start; it is left out\n{tail}", file=sys.stderr)
    if sink not in running:
        raise SystemExit("the sink does not start: is a port taken? See --port-base")
    return sink


def raise_file_limit():
    """As many files as may be; returns how many connections that makes, with some left for other things."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (200_000, hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            return wanted - 1000
    return 1000


def parse_options():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"rows to measure, of {', '.join(BUDGETS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="one short pair: to see that it works, not to quote")
    parser.add_argument("--pairs", type=int, help="times each server is measured (default 3; 5 with --against; 1 with --quick)")
    parser.add_argument("--idle", type=int, default=50_000, help="idle connections to hold (default 50000)")
    parser.add_argument("--sekisho", help="program to measure (default target/release/sekisho)")
    parser.add_argument(
        "--against", metavar="FILE",
        help="hold Sekisho against this other Sekisho and nobody else: the build of the commit before. "
        f"Rows by default: {', '.join(AGAINST_ROWS)}; each must reach {AGAINST_BUDGET} of it",
    )
    parser.add_argument("--port-base", type=int, default=23_500, help="ports from here on are used (default 23500)")
    parser.add_argument("--json", help="also write all values to this file")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the servers' logs")
    options = parser.parse_args()
    options.root = ROOT
    if unknown := [row for row in options.what if row not in BUDGETS]:
        parser.error(f"no such row: {', '.join(unknown)}")
    if options.against and not pathlib.Path(options.against).exists():
        parser.error(f"no such program: {options.against}")
    if options.against and not options.what:
        options.what = list(AGAINST_ROWS)
    options.pairs = options.pairs or (1 if options.quick else 5 if options.against else 3)
    return options


def main():
    options = parse_options()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    held = raise_file_limit()
    if options.quick:
        options.idle = min(options.idle, 5000)
    if held < options.idle:
        print(f"the limit of open files allows {held:,} idle connections, not {options.idle:,}", file=sys.stderr)
        options.idle = held
    bench = pathlib.Path(os.environ["SEKISHO_BENCH"])
    # Not /tmp, which may be memory: a sync must reach a disk.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sekisho-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    running = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped then, too
    try:
        sink = start_all(options, folder, bench, running)
        runner, rows = Bench(options, bench, sink), {}
        for row in sorted(options.what or BUDGETS, key=lambda row: row != "idle"):
            print(f"  {BUDGETS[row][0]} …", file=sys.stderr)
            with contextlib.ExitStack() as stack:
                own = strangers.servers(row, options, folder, bench, stack) if row in strangers.ROWS else None
                values = turns(runner, row, servers_for(row, running) if own is None else own)
            rows[row] = compared(row, values) if options.against else row_of(row, values)
            rows[row]["what"] += strangers.told(own)
    finally:
        for peer in running:
            peer.stop()
        if options.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    rows = [rows[row] for row in BUDGETS if row in rows]
    table_against(rows) if options.against else table(rows)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1))
    return 1 if any(row["held"] is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
