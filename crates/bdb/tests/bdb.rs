//! Berkeley DB files between this crate and the programs that use them: the library's own tools, Postfix, sendmail, Exim.

#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bdb::{BdbError, Kind, Options, Reader, write};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

const KINDS: [(Kind, &str); 2] = [(Kind::Btree, "btree"), (Kind::Hash, "hash")];

/// An empty directory of this test's own.
fn scratch(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bdb").join(test);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Runs a program to its end: whether it was content, and what it printed.
fn ask(command: &mut Command, package: &str, input: &[u8]) -> (bool, String, String) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    command.env("PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}; the Debian package {package} has it (scripts/install-peers)"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // A program that needs no input may close it early.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// Runs a program that must be content; what it printed.
fn run(command: &mut Command, package: &str, input: &[u8]) -> String {
    let (content, stdout, stderr) = ask(command, package, input);
    assert!(content, "{command:?}: {stdout}{stderr}");
    stdout
}

/// `db_verify` finds nothing to say. About keys out of order on a hash's page it complains, and yet succeeds.
fn verify(file: &Path) {
    let said = run(Command::new("db_verify").arg(file), "db-util", b"");
    let complaint: String = said.lines().filter(|line| !line.ends_with("succeeded.")).take(3).collect();
    assert!(complaint.is_empty(), "{}: {complaint:.400}", file.display());
}

/// What `db_dump -p` prints: a header, then a line for each key and value, with `\xx` for what is not printable.
fn dump(file: &Path) -> Entries {
    let text = run(Command::new("db_dump").arg("-p").arg(file), "db-util", b"");
    let (header, data) = text.split_once("HEADER=END\n").unwrap();
    assert!(header.contains("format=print"), "{header}");
    let lines: Vec<_> = data.strip_suffix("DATA=END\n").unwrap().lines().map(unescaped).collect();
    let (pairs, rest) = lines.as_chunks::<2>();
    assert!(rest.is_empty(), "a value for each key");
    let entries: Entries = pairs.iter().cloned().map(|[key, value]| (key, value)).collect();
    assert_eq!(entries.len(), pairs.len(), "no key twice");
    entries
}

fn unescaped(line: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = line.strip_prefix(' ').unwrap();
    while let Some(first) = rest.chars().next() {
        let taken = match (first, rest.as_bytes().get(1)) {
            ('\\', Some(b'\\')) => (b'\\', 2),
            ('\\', _) => (u8::from_str_radix(&rest[1..3], 16).unwrap(), 3),
            _ => (u8::try_from(first).unwrap(), 1),
        };
        octets.push(taken.0);
        rest = &rest[taken.1..];
    }
    octets
}

/// Lets `db_load` put the entries into a file, which it makes as the header's lines say if there is none.
fn load(file: &Path, kind: &str, header: &[&str], entries: &Entries) {
    let mut text = format!("VERSION=3\nformat=bytevalue\ntype={kind}\n");
    for line in header {
        text.extend([line, "\n"]);
    }
    text += "HEADER=END\n";
    for octets in entries.iter().flat_map(|(key, value)| [key, value]) {
        text += " ";
        for octet in octets {
            text.extend([octet >> 4, octet & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap()));
        }
        text += "\n";
    }
    text += "DATA=END\n";
    run(Command::new("db_load").arg(file), "db-util", text.as_bytes());
}

/// All entries by our reader, each also looked up.
fn read(file: &Path) -> Entries {
    let image = fs::read(file).unwrap();
    let reader = Reader::new(&image).unwrap();
    let mut entries = Entries::new();
    for pair in &reader {
        let (key, value) = pair.unwrap();
        assert_eq!(reader.get(&key).unwrap().as_deref(), Some(&*value));
        assert!(entries.insert(key.into_owned(), value.into_owned()).is_none(), "each pair once");
    }
    entries
}

fn save(file: &Path, options: impl Into<Options>, entries: &Entries) {
    let pairs: Vec<_> = entries.iter().collect();
    fs::write(file, write(options, &pairs).unwrap()).unwrap();
}

fn unsupported(file: &Path) -> &'static str {
    match Reader::new(&fs::read(file).unwrap()) {
        Err(BdbError::Unsupported { feature }) => feature,
        other => panic!("{other:?}"),
    }
}

/// So many addresses and expiries, as DRAC keeps them.
fn addresses(count: u32) -> Entries {
    (0..count)
        .map(|n| {
            let address = std::net::Ipv4Addr::from(0xc000_0200 + n * 7);
            (address.to_string().into_bytes(), (1_795_000_000 + n).to_string().into_bytes())
        })
        .collect()
}

/// About so many keys and values of random octets; one value in fifty is long.
fn random(count: u32, key_octets_max: u32) -> Entries {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = move |bound: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(state >> 33).unwrap() % bound
    };
    let mut entries = Entries::new();
    for _ in 0..count {
        let key_octets = below(key_octets_max + 1);
        let value_octets = if below(50) == 0 { below(30_000) } else { below(300) };
        let mut octets = |count| (0..count).map(|_| u8::try_from(below(256)).unwrap()).collect::<Vec<u8>>();
        entries.insert(octets(key_octets), octets(value_octets));
    }
    entries
}

fn terminated(entries: &Entries) -> Entries {
    entries.iter().map(|(key, value)| ([key, &b"\0"[..]].concat(), [value, &b"\0"[..]].concat())).collect()
}

/// A line for each entry, as the text files behind the maps have them.
fn lines(entries: &Entries, between: &[u8]) -> Vec<u8> {
    entries.iter().flat_map(|(key, value)| [key, between, value, b"\n"].concat()).collect()
}

/// Lines of key, tabulator, value, as `postmap` and `makemap` print them.
fn table(text: &str) -> Entries {
    text.lines().map(|line| line.split_once('\t').unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
}

#[test]
fn the_library_verifies_and_dumps_every_size() {
    let dir = scratch("sizes");
    for (kind, name) in KINDS {
        for count in [0, 1, 2, 50, 1_000, 100_000] {
            let entries = addresses(count);
            let file = dir.join(format!("{name}-{count}.db"));
            save(&file, kind, &entries);
            verify(&file);
            assert!(dump(&file) == entries, "{name} {count}");
            assert!(read(&file) == entries, "{name} {count}");
        }
    }
}

#[test]
fn the_library_verifies_every_page_size_with_random_octets_and_long_values() {
    let dir = scratch("pages");
    for (kind, name) in KINDS {
        for page_octets in [512, 1_024, 4_096, 16_384, 65_536] {
            for entries in [random(3_000, 100), random(2, 100), [(vec![0], vec![7; 300_000])].into(), Entries::new()] {
                let file = dir.join(format!("{name}-{page_octets}-{}.db", entries.len()));
                save(&file, Options { page_octets, ..kind.into() }, &entries);
                verify(&file);
                assert!(dump(&file) == entries, "{name} {page_octets} {}", entries.len());
            }
        }
    }
}

#[test]
fn the_library_adds_to_our_files() {
    let dir = scratch("adds");
    for (kind, name) in KINDS {
        for (page_octets, ours, more) in [
            (4_096, 0, 3_000),
            (4_096, 1, 1),
            (512, 1_000, 9_000),
            (4_096, 20_000, 500),
            (65_536, 0, 2),
            (65_536, 20_000, 2_000),
        ] {
            let file = dir.join(format!("{name}-{page_octets}-{ours}.db"));
            let mut entries = addresses(ours);
            save(&file, Options { page_octets, ..kind.into() }, &entries);
            let mut added = random(more, 100);
            added.extend(entries.keys().step_by(3).map(|key| (key.clone(), b"another".to_vec())));
            load(&file, name, &[], &added);
            entries.extend(added);
            verify(&file);
            assert!(dump(&file) == entries, "{name} {page_octets} {ours}");
            assert!(read(&file) == entries, "{name} {page_octets} {ours}");
        }
    }
}

#[test]
fn we_read_what_the_library_wrote() {
    let dir = scratch("reads");
    let headers =
        [&["db_lorder=1234"][..], &["db_lorder=4321"], &["db_pagesize=512"], &["db_pagesize=65536", "db_lorder=4321"]];
    for (kind, name) in KINDS {
        for (index, header) in headers.iter().enumerate() {
            for entries in [Entries::new(), addresses(2), addresses(10_000), random(1_000, 3_000)] {
                let file = dir.join(format!("{name}-{index}-{}.db", entries.len()));
                load(&file, name, header, &entries);
                assert!(read(&file) == entries, "{name} {header:?} {}", entries.len());
                assert_eq!(Reader::new(&fs::read(&file).unwrap()).unwrap().kind(), kind);
            }
        }
    }
}

#[test]
fn what_we_do_not_read_is_named() {
    let dir = scratch("unsupported");
    for (_, name) in KINDS {
        let file = dir.join(format!("{name}-duplicates.db"));
        load(&file, name, &["duplicates=1"], &addresses(3));
        assert_eq!(unsupported(&file), "duplicate keys");
        let file = dir.join(format!("{name}-checksums.db"));
        load(&file, name, &["chksum=1"], &addresses(3));
        assert_eq!(unsupported(&file), "checksums");
        let file = dir.join(format!("{name}-several.db"));
        load(&file, name, &["database=one"], &addresses(3));
        assert_eq!(unsupported(&file), "several databases in it");
    }
    let file = dir.join("records.db");
    let records = "VERSION=3\nformat=print\ntype=recno\nHEADER=END\n one\n two\nDATA=END\n";
    run(Command::new("db_load").arg(&file), "db-util", records.as_bytes());
    assert_eq!(unsupported(&file), "records instead of keys");
}

/// A directory with a configuration for Postfix. (It waits where that was written within the last two seconds.)
fn postfix_scratch(test: &str) -> PathBuf {
    let dir = scratch(test);
    fs::write(dir.join("main.cf"), "compatibility_level = 3.6\n").unwrap();
    dir
}

fn postmap(dir: &Path, args: &[&str], input: &str) -> (bool, String, String) {
    ask(Command::new("postmap").arg("-c").arg(dir).args(args).current_dir(dir), "postfix", input.as_bytes())
}

#[test]
fn postfix_reads_our_files_and_adds_to_them() {
    let dir = postfix_scratch("postfix");
    for (kind, name) in KINDS {
        for (ended, count) in [(false, 0), (false, 1), (false, 1_000), (true, 0), (true, 1_000)] {
            let mut entries = addresses(count);
            entries.insert(b"192.0.2.99".into(), b"1795000000".into());
            entries.insert(b"spam@b.example".into(), [b"REJECT ", &b"long ".repeat(60)[..], b"text"].concat());
            let map = format!("{name}:relay");
            save(&dir.join("relay.db"), Options { terminated: ended, ..kind.into() }, &entries);

            let (_, all, stderr) = postmap(&dir, &["-s", &map], "");
            assert!(table(&all) == entries && stderr.is_empty(), "{map} {stderr}");
            assert_eq!(postmap(&dir, &["-q", "192.0.2.99", &map], ""), (true, "1795000000\n".into(), String::new()));
            assert_eq!(postmap(&dir, &["-q", "198.51.100.1", &map], ""), (false, String::new(), String::new()));
            let keys: Vec<_> = entries.keys().map(|key| key.escape_ascii().to_string()).collect();
            let (_, values, _) = postmap(&dir, &["-q", "-", &map], &(keys.join("\n") + "\n"));
            assert!(table(&values) == entries, "{map}");

            let (content, _, stderr) = postmap(&dir, &["-i", &map], "203.0.113.9 OK\n2001:db8::9 OK\n");
            assert!(content, "{stderr}");
            verify(&dir.join("relay.db"));
            let image = fs::read(dir.join("relay.db")).unwrap();
            let reader = Reader::new(&image).unwrap();
            let added = [&b"2001:db8::9\0"[..], b"2001:db8::9"].iter().find_map(|key| reader.get(key).unwrap());
            assert!(matches!(&*added.unwrap(), b"OK\0" | b"OK"));
            assert_eq!(reader.iter().map(Result::unwrap).count(), entries.len() + 2);
        }
    }
}

#[test]
fn postfix_takes_away_from_our_files() {
    let dir = postfix_scratch("postfix-deletes");
    for (kind, name) in KINDS {
        let mut entries = addresses(5_000);
        save(&dir.join("relay.db"), Options { terminated: true, ..kind.into() }, &entries);
        let gone: Vec<_> =
            entries.keys().enumerate().filter(|(n, _)| n % 10 != 0).map(|(_, key)| key.clone()).collect();
        let keys: Vec<_> = gone.iter().map(|key| key.escape_ascii().to_string()).collect();
        let (content, _, stderr) = postmap(&dir, &["-d", "-", &format!("{name}:relay")], &(keys.join("\n") + "\n"));
        assert!(content, "{stderr}");
        entries.retain(|key, _| !gone.contains(key));
        verify(&dir.join("relay.db"));
        assert!(read(&dir.join("relay.db")) == terminated(&entries), "{name}");
    }
}

/// The module's contract for replacing: who has the old file open sees it whole, who opens it later sees the new one.
#[test]
fn a_reader_of_the_replaced_file_sees_it_whole() {
    let dir = postfix_scratch("replaced");
    let file = dir.join("relay.db");
    for (kind, name) in KINDS {
        let (old, new) = (addresses(5_000), addresses(20));
        save(&file, kind, &old);
        let mut reader = Command::new("/usr/sbin/postmap")
            .arg("-c")
            .arg(&dir)
            .args(["-q", "-", &format!("{name}:relay")])
            .current_dir(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Debian package postfix has postmap");
        let mut questions = reader.stdin.take().unwrap();
        let mut answers = BufReader::new(reader.stdout.take().unwrap()).lines().map(Result::unwrap);
        // It answers in blocks; a thousand questions give some, so then it has the file open.
        let keys: Vec<_> = old.keys().map(|key| [key, &b"\n"[..]].concat()).collect();
        let (before, after) = keys.split_at(1_000);
        questions.write_all(&before.concat()).unwrap();
        let mut seen = answers.next().unwrap() + "\n";

        save(&dir.join("relay.db.tmp"), kind, &new);
        fs::rename(dir.join("relay.db.tmp"), &file).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || questions.write_all(&after.concat()).unwrap());
            for answer in answers {
                seen += &(answer + "\n");
            }
        });
        assert!(table(&seen) == old, "{name}");
        assert!(reader.wait().unwrap().success());

        let (_, all, _) = postmap(&dir, &["-s", &format!("{name}:relay")], "");
        assert!(table(&all) == new, "{name}");
    }
}

#[test]
fn we_read_what_postmap_makes() {
    let dir = postfix_scratch("postmap");
    let entries = addresses(5_000);
    for (_, name) in KINDS {
        fs::write(dir.join(name), lines(&entries, b" ")).unwrap();
        let (content, _, stderr) = postmap(&dir, &[&format!("{name}:{name}")], "");
        assert!(content, "{stderr}");
        assert!(read(&dir.join(format!("{name}.db"))) == terminated(&entries), "{name}");
    }
}

/// A program of sendmail or Exim, which cannot be installed beside Postfix and are unpacked for the tests.
fn peer(program: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let packages = ["sendmail-bin", "exim4-base", "exim4-daemon-light"];
    let unpack = root.join("scripts/install-peers");
    run(Command::new(unpack).args(["--unpack", "map-programs"]).args(packages), "apt", b"");
    Command::new(root.join("target/peers/map-programs").join(program))
}

#[test]
fn sendmail_reads_our_files_and_we_its() {
    let dir = scratch("sendmail");
    fs::write(dir.join("sendmail.cf"), "").unwrap();
    let makemap = |args: &[&str], input: &[u8]| {
        let mut makemap = peer("usr/libexec/sendmail/makemap");
        run(makemap.arg("-C").arg(dir.join("sendmail.cf")).args(args).current_dir(&dir), "sendmail-bin", input)
    };
    for (kind, name) in KINDS {
        for count in [0, 1, 3_000] {
            let entries = addresses(count);
            for ended in [false, true] {
                save(&dir.join("ours.db"), Options { terminated: ended, ..kind.into() }, &entries);
                let printed = makemap(&["-u", name, "ours"], b"").replace('\0', "");
                assert!(table(&printed) == entries, "{name} {count} {ended} {printed}");
            }
            makemap(&[name, "theirs"], &lines(&entries, b" "));
            assert!(read(&dir.join("theirs.db")) == entries, "{name} {count}");
            makemap(&["-N", name, "theirs"], &lines(&entries, b" "));
            assert!(read(&dir.join("theirs.db")) == terminated(&entries), "{name} {count}");
            // Adds to what is there.
            save(&dir.join("ours.db"), kind, &entries);
            makemap(&["-o", name, "ours"], b"203.0.113.7 RELAY\n");
            verify(&dir.join("ours.db"));
            assert_eq!(read(&dir.join("ours.db")).len(), entries.len() + 1);
        }
    }
}

/// Exim does not start without the user that its package would have made: it gets lists of users and groups with it, which
/// nobody else sees.
fn with_exims_user(dir: &Path, exim: &Command) -> Command {
    for (list, line) in
        [("passwd", "Debian-exim:x:65533:65533::/:/usr/sbin/nologin\n"), ("group", "Debian-exim:x:65533:\n")]
    {
        fs::write(dir.join(list), fs::read_to_string(Path::new("/etc").join(list)).unwrap() + line).unwrap();
    }
    let mut inside = Command::new("unshare");
    let script = r#"mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && exec "$@""#;
    inside.args(["--mount", "sh", "-c", script]).arg(dir).arg(exim.get_program());
    inside
}

#[test]
fn exim_reads_our_files_and_we_its() {
    let dir = scratch("exim");
    fs::write(dir.join("exim.conf"), "").unwrap();
    let entries = addresses(3_000);
    let present = String::from_utf8(entries[&b"192.0.2.7"[..]].clone()).unwrap();
    for (kind, name) in KINDS {
        for ended in [false, true] {
            let file = dir.join(format!("{name}-{ended}"));
            save(&file, Options { terminated: ended, ..kind.into() }, &entries);
            let (right, wrong) = if ended { ("dbm", "dbmnz") } else { ("dbmnz", "dbm") };
            for (key, lookup, answer) in
                [("192.0.2.7", right, &*present), ("192.0.2.7", wrong, "none"), ("198.51.100.1", right, "none")]
            {
                let expand = format!("${{lookup{{{key}}}{lookup}{{{}}}{{$value}}{{none}}}}", file.display());
                let mut exim = with_exims_user(&dir, &peer("usr/sbin/exim4"));
                let said =
                    run(exim.arg("-C").arg(dir.join("exim.conf")).args(["-be", &expand]), "exim4-daemon-light", b"");
                assert_eq!(said.trim_end(), answer, "{name} {lookup} {key}");
            }
        }
    }
    fs::write(dir.join("text"), lines(&entries, b": ")).unwrap();
    for (args, wanted) in [(&["text", "made"][..], terminated(&entries)), (&["-nozero", "text", "made"], entries)] {
        run(peer("usr/sbin/exim_dbmbuild").args(args).current_dir(&dir), "exim4-base", b"");
        assert!(read(&dir.join("made")) == wanted, "{args:?}");
    }
}
