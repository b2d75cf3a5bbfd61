"""The servers that are compared: each in a folder of its own, on loopback, started here and stopped by its own pid.

Postfix and Dovecot are tuned, not stock: `in_flow_delay = 0`, no limits per client, more processes than the load has
connections, and `service_count = 0` for pop3-login and pop3. Their users' passwords are cheap to check; Sekisho's are argon2id.
"""

import dataclasses
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

DOMAIN = "example.test"
RELAY_SOURCE = "127.0.0.2"  # the one client address that may relay
START_TIMEOUT_SECS = 30


class Unfit(Exception):
    """A measurement that cannot be made with this server, and why."""


@dataclasses.dataclass
class Account:
    login: str
    address: str
    password: str
    inbox: pathlib.Path | None  # the Maildir's new/


def wait_for_port(port, process=None):
    deadline = time.monotonic() + START_TIMEOUT_SECS
    while time.monotonic() < deadline:
        if process and process.poll() is not None:
            return False
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.02)
    return False


def proc_tree(root):
    """The process and all below it."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += parents.get(pid, [])
    return found


def memory_kib(root):
    """(resident, proportional) memory of a process tree: the second counts what processes share once, so it is the fair one."""
    resident = proportional = 0
    for pid in proc_tree(root):
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith("Rss:"):
                resident += int(line.split()[1])
            elif line.startswith("Pss:"):
                proportional += int(line.split()[1])
    return resident, proportional


class Peer:
    """One server. `smtp` and `pop3` are ports, None where it has none; `pid` is the root of its processes."""

    name = "?"
    smtp = pop3 = policy = dracd = pid = None
    accounts = ()
    # How many idle connections are worth opening: a process each wants fewer.
    idle_max = 50_000
    process = None

    def start(self):
        raise NotImplementedError

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def spawn(self, argv, folder, **more):
        folder.mkdir(parents=True, exist_ok=True)
        log = open(folder / "output.log", "ab")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)
        log.close()
        self.pid = self.process.pid

    # Messages that were set aside.
    measured = 0

    def inboxes(self):
        return [account.inbox for account in self.accounts if account.inbox]

    def waiting(self):
        """Messages in new/ of all accounts."""
        return sum(sum(1 for _ in os.scandir(inbox)) for inbox in self.inboxes() if inbox.is_dir())

    def empty_inboxes(self):
        """Sets the messages aside until the end of the run. Deleted now they would cost whoever is measured next: ext4 keeps the
        inodes of deleted files for a minute and more, and searches past all of them for each new file."""
        for inbox in self.inboxes():
            aside = inbox.parent.parent / "measured"
            aside.mkdir(exist_ok=True)
            for sub in ("new", "cur"):
                if (inbox.parent / sub).is_dir():
                    for entry in os.scandir(inbox.parent / sub):
                        self.measured += 1
                        os.rename(entry.path, aside / f"{self.name}-{self.measured}")


class Null(Peer):
    name = "null"

    def __init__(self, bench, ports):
        self.bench = bench
        self.smtp, self.pop3, self.policy, self.dracd = ports
        self.accounts = [Account(f"u{n}", f"u{n}@{DOMAIN}", "x", None) for n in range(3)]

    def start(self):
        args = ["--smtp", f"127.0.0.1:{self.smtp}", "--pop3", f"127.0.0.1:{self.pop3}", "--domain", DOMAIN]
        args += ["--policy", f"127.0.0.1:{self.policy}", "--drac", f"127.0.0.1:{self.dracd}"]
        self.process = subprocess.Popen([self.bench, "null", *args])
        self.pid = self.process.pid
        return wait_for_port(self.smtp, self.process) and wait_for_port(self.pop3, self.process)


class Sink(Peer):
    name = "sink"

    def __init__(self, bench, smtp, teller):
        self.bench, self.smtp, self.teller = bench, smtp, teller

    def start(self):
        args = ["--smtp", f"127.0.0.1:{self.smtp}", "--count", f"127.0.0.1:{self.teller}"]
        self.process = subprocess.Popen([self.bench, "sink", *args])
        return wait_for_port(self.smtp, self.process) and wait_for_port(self.teller, self.process)

    def count(self):
        """(messages so far, unix microseconds of the last)"""
        with socket.create_connection(("127.0.0.1", self.teller)) as asked:
            return tuple(int(word) for word in asked.makefile().read().split())


class Postfix(Peer):
    name = "Postfix"
    idle_max = 200

    def __init__(self, folder, smtp, sink):
        self.folder, self.smtp, self.sink = folder, smtp, sink
        self.mail = folder / "mail"
        self.accounts = [Account(f"u{n}", f"u{n}@{DOMAIN}", "", self.mail / f"u{n}/new") for n in range(3)]

    def start(self):
        owner = pwd.getpwnam("mail")
        config = self.folder / "etc"
        for part in ("etc", "queue", "data", "mail"):
            (self.folder / part).mkdir(parents=True)
        os.chown(self.folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
        os.chown(self.mail, owner.pw_uid, owner.pw_gid)
        (config / "main.cf").write_text(self.main_cf(owner))
        (config / "master.cf").write_text(self.master_cf())
        (config / "mailboxes").write_text("".join(f"{a.address} {a.login}/\n" for a in self.accounts))
        with open(self.folder / "output.log", "ab") as log:
            begun = subprocess.run(["postfix", "-c", config, "start"], stdout=log, stderr=log, check=False)
        if begun.returncode or not wait_for_port(self.smtp):
            return False
        self.pid = int((self.folder / "queue/pid/master.pid").read_text())
        return True

    def stop(self):
        if self.pid:
            subprocess.run(["postfix", "-c", self.folder / "etc", "stop"], capture_output=True, check=False)

    def main_cf(self, owner):
        return f"""
compatibility_level = 3.6
queue_directory = {self.folder}/queue
data_directory = {self.folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file_prefixes = {self.folder}
maillog_file = {self.folder}/maillog
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.{DOMAIN}
mydestination =
mynetworks = {RELAY_SOURCE}/32
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions =
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {self.mail}
virtual_mailbox_maps = texthash:{self.folder}/etc/mailboxes
virtual_uid_maps = static:{owner.pw_uid}
virtual_gid_maps = static:{owner.pw_gid}
virtual_minimum_uid = 1
relayhost = [127.0.0.1]:{self.sink}
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_tls_security_level = none
smtp_tls_security_level = none
in_flow_delay = 0
default_process_limit = 300
default_destination_concurrency_limit = 50
initial_destination_concurrency = 20
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 2000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
""".lstrip()

    def master_cf(self):
        return f"""
127.0.0.1:{self.smtp} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""".lstrip()


class Dovecot(Peer):
    name = "Dovecot"

    def __init__(self, folder, pop3):
        self.folder, self.pop3 = folder, pop3
        self.accounts = [
            Account(f"u{n}", f"u{n}@{DOMAIN}", f"secret{n}", folder / f"mail/u{n}/new") for n in range(3)
        ]

    def start(self):
        owner = pwd.getpwnam("mail")
        for part in ("base", "state", "mail"):
            (self.folder / part).mkdir(parents=True)
        for account in self.accounts:
            for sub in ("new", "cur", "tmp"):
                (account.inbox.parent / sub).mkdir(parents=True)
        for root, folders, _ in os.walk(self.folder / "mail"):
            os.chown(root, owner.pw_uid, owner.pw_gid)
        users = "".join(f"{a.login}:{{PLAIN}}{a.password}\n" for a in self.accounts)
        (self.folder / "users").write_text(users)
        (self.folder / "dovecot.conf").write_text(self.conf(owner))
        self.spawn(["dovecot", "-F", "-c", self.folder / "dovecot.conf"], self.folder)
        return wait_for_port(self.pop3, self.process)

    def own_inboxes(self):
        owner = pwd.getpwnam("mail")
        for account in self.accounts:
            for entry in os.scandir(account.inbox):
                os.chown(entry.path, owner.pw_uid, owner.pw_gid)

    def conf(self, owner):
        return f"""
base_dir = {self.folder}/base
state_dir = {self.folder}/state
log_path = {self.folder}/log
protocols = pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
auth_cache_size = 1M
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{self.folder}/mail/%u
mail_max_userip_connections = 0
passdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={self.folder}/mail/%u
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener pop3 {{
    port = {self.pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service pop3 {{
  service_count = 0
  process_min_avail = 4
  process_limit = 200
}}
""".lstrip()


class Postgrey(Peer):
    """Greylisting, its database on the same disk. A client is whitelisted after five good mails, so it soon answers at once."""

    name = "postgrey"

    def __init__(self, folder, policy):
        self.folder, self.policy = folder, policy

    def start(self):
        self.folder.mkdir(parents=True)
        shutil.chown(self.folder, "nobody", "nogroup")
        argv = ["postgrey", f"--inet=127.0.0.1:{self.policy}", f"--dbdir={self.folder}", "--user=nobody", "--group=nogroup"]
        self.spawn([*argv, "--delay=1"], self.folder)
        return wait_for_port(self.policy, self.process)


class Postfwd(Peer):
    """One rule, its cache on, as it comes. It runs only as a daemon, so it is known by its pid file."""

    name = "postfwd"

    def __init__(self, folder, policy):
        self.folder, self.policy = folder, policy

    def start(self):
        self.folder.mkdir(parents=True)
        rules = self.folder / "postfwd.cf"
        rules.write_text("id=R1; sender=nobody@nowhere.example; action=REJECT no\n")
        shutil.chown(self.folder, "nobody", "nogroup")
        argv = ["postfwd1", "--daemon", "-f", rules, "--interface=127.0.0.1", f"--port={self.policy}"]
        argv += ["--user=nobody", "--group=nogroup", f"--pidfile={self.folder}/pid"]
        with open(self.folder / "output.log", "ab") as log:
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        if not wait_for_port(self.policy):
            return False
        self.pid = int((self.folder / "pid").read_text())
        return True

    def stop(self):
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)


class Sekisho(Peer):
    def __init__(self, program, folder, port_base, sink, name="Sekisho"):
        self.program, self.folder, self.port_base, self.sink, self.name = program, folder, port_base, sink, name

    def settings(self):
        return [
            f'relay.networks=["{RELAY_SOURCE}"]',
            'delivery.remote="smarthost"',
            'delivery.smarthost.host="127.0.0.1"',
            f"delivery.smarthost.port={self.sink}",
            'delivery.smarthost.tls="off"',
            "listener.smtp.connections_max=100000",
            "listener.smtp.connections_per_client_max=100000",
            "listener.pop3.connections_per_client_max=100000",
            'listener.pop3.auth="always"',
            "relay.drac.adds_per_second=1000000",
        ]

    def start(self):
        demo = self.folder / "demo"
        argv = [self.program, "demo", "--dir", demo, "--port-base", str(self.port_base)]
        for setting in self.settings():
            argv += ["--set", setting]
        self.spawn(argv, self.folder)
        facts = demo / "demo.json"
        deadline = time.monotonic() + START_TIMEOUT_SECS
        while not facts.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        facts = json.loads(facts.read_text())
        ports = facts["ports"]
        self.smtp, self.pop3, self.policy, self.dracd = (ports[it] for it in ("smtp", "pop3", "policy", "dracd"))
        self.accounts = [self.account(demo, fact) for fact in facts["accounts"]]
        return wait_for_port(self.smtp, self.process)

    def restart(self):
        """Another process over the same folder."""
        self.stop()
        (self.folder / "demo" / "demo.json").unlink(missing_ok=True)
        return self.start()

    @staticmethod
    def account(demo, fact):
        name, _, domain = fact["address"].partition("@")
        return Account(fact["login"], fact["address"], fact["password"], demo / "mail" / domain / name / "new")


def find_program(root, given):
    """Sekisho's program, or None."""
    program = pathlib.Path(given) if given else root / "target/release/sekisho"
    return program if program.exists() else None


def missing_programs():
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [name for name in ("postfix", "dovecot", "postgrey", "postfwd") if not shutil.which(name, path=path)]
