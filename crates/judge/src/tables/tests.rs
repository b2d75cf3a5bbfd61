use std::fs;
use std::path::Path;

use guard::rule::{Action, Said};

use super::*;
use config::{self, Settings};

fn settings(dir: &Path, text: &str) -> Settings {
    let text = format!("hostname = \"mail.example.test\"\ndata_dir = \".\"\n{text}");
    let text = config::Text { name: "t.toml", text: &text, base_dir: dir };
    config::parse(&text, &[]).unwrap_or_else(|report| panic!("{report}")).settings
}

fn load(files: &[(&str, &str)], text: &str) -> Result<Tables, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    Tables::load(&settings(dir.path(), text)).map_err(|mistakes| {
        let prefix = format!("{}/./", dir.path().display());
        mistakes.iter().map(|mistake| mistake.replace(&prefix, "")).collect()
    })
}

fn client(ip: &str) -> Subjects<'static> {
    let client = Some(ip.parse().unwrap());
    Subjects { client, name: None, helo: None, reverse_path: None, forward_path: None }
}

#[test]
fn each_map_is_asked_at_its_stage_and_in_order() {
    let access = "192.0.2 REJECT\n198.51.100.7 OK\n198.51.100 450 4.7.1 later\n";
    let senders = "bad.example 554 5.7.1 not from there\n<> DUNNO\n";
    let tables = load(
        &[("clients", access), ("senders", senders)],
        "[[access]]\nmap = \"access:clients\"\nat = \"client\"\n[[access]]\nmap = \"hash:senders\"\nat = \"sender\"\n",
    )
    .unwrap();
    let rules = tables.rules();
    assert!(!rules.list.is_empty() && rules.ask_client_name);
    let hit = |subjects: &Subjects<'_>| tables.entries(subjects).pop().map(|hit| (hit.part, hit.action));
    let refused = |code, enhanced: Option<&str>, text: &str| {
        Action::Refuse(Said { code, enhanced: enhanced.map(str::to_owned), text: text.to_owned() })
    };
    assert_eq!(hit(&client("192.0.2.9")), Some((Part::Client, refused(550, None, "Access denied"))));
    assert_eq!(hit(&client("198.51.100.7")), Some((Part::Client, Action::Ok)));
    assert_eq!(hit(&client("198.51.100.8")), Some((Part::Client, refused(450, Some("4.7.1"), "later"))));
    assert_eq!(hit(&client("203.0.113.1")), None);
    let from = ReversePath::Mailbox(smtp::Mailbox::parse("x@sub.bad.example").unwrap());
    let both = Subjects { reverse_path: Some(&from), ..client("198.51.100.7") };
    let stages: Vec<Part> = tables.entries(&both).iter().map(|hit| hit.part).collect();
    assert_eq!(stages, [Part::Client, Part::Sender]);
}

#[test]
fn sendmail_s_access_speaks_of_every_stage() {
    let access =
        "Connect:192.0.2.7\tREJECT\nFrom:spam@bad.example\tERROR:5.7.1:550 no\nTo:closed@example.test\tDISCARD\n";
    let tables = load(&[("access", access)], "[[access]]\nmap = \"sendmail-access:access\"\n").unwrap();
    let from = ReversePath::Mailbox(smtp::Mailbox::parse("spam@bad.example").unwrap());
    let to = ForwardPath::Mailbox(smtp::Mailbox::parse("closed@example.test").unwrap());
    let all = Subjects { reverse_path: Some(&from), forward_path: Some(&to), ..client("192.0.2.7") };
    let hits = tables.entries(&all);
    let stages: Vec<Part> = hits.iter().map(|hit| hit.part).collect();
    assert_eq!(stages, [Part::Client, Part::Sender, Part::Recipient]);
    assert_eq!(hits[2].action, Action::Discard);
    assert!(hits[0].line.to_string().ends_with("access:1"), "{}", hits[0].line);
}

#[test]
fn what_gives_relaying_becomes_entries_with_their_lines() {
    let tables = load(
        &[
            ("access", "# ours\nConnect:192.0.2.16\tRELAY\nTo:partner.example\tRELAY\n203.0.113.9\tREJECT\n"),
            ("names", "one.example\ntwo.example\n"),
            ("routes", "two.example\tsmtp:[192.0.2.25]\n"),
        ],
        "[relay]\nmaps = [\"sendmail-access:access\"]\n\
         [domains]\nmaps = [\"mailertable:routes\", \"local-host-names:names\"]\n",
    )
    .unwrap();
    let clients: Vec<_> = tables.entries.clients.iter().map(|it| (it.text.as_str(), it.line.line)).collect();
    assert_eq!(clients, [("192.0.2.16", 2)]);
    let domains = &tables.entries.domains;
    let named: Vec<_> = domains.iter().map(|it| (it.entry.text.as_str(), it.next_hop.is_some())).collect();
    assert!(named.contains(&("one.example", false)) && named.contains(&("two.example", true)), "{named:?}");
    assert!(named.iter().any(|(name, _)| *name == "partner.example"), "{named:?}");
    assert!(tables.rules().list.is_empty(), "they refuse nothing");
}

#[test]
fn a_broken_line_refuses_all_with_its_place() {
    let text = "[[access]]\nmap = \"cidr:nets\"\nat = \"client\"\n[[access]]\nmap = \"access:more\"\nat = \"sender\"\n";
    let mistakes = load(&[("nets", "192.0.2.0/33 REJECT\n"), ("more", "a.example REDIRECT b@c.example\n")], text);
    let mistakes = mistakes.unwrap_err();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes[0].starts_with("nets:1:"), "{mistakes:?}");
    assert!(mistakes[1].starts_with("more:1:1: REDIRECT"), "{mistakes:?}");
    let patterns = "/^a/ REJECT no $$\n/^(b)/ FILTER smtp:$1\n/(c)/ $1\n/^d/ permit_mynetworks\n";
    let unknown = load(&[("p", patterns)], "[[access]]\nmap = \"pcre:p\"\nat = \"sender\"\n").unwrap_err();
    let places: Vec<&str> = unknown.iter().map(|it| it.split_once(": ").unwrap().0).collect();
    assert_eq!(places, ["p:2:1", "p:4:1"], "{unknown:?}");
    let missing = load(&[], "[[access]]\nmap = \"cidr:nets\"\nat = \"client\"\n").unwrap_err();
    assert!(missing[0].contains("nets: "), "{missing:?}");
}

#[test]
fn a_compiled_table_is_read_where_its_source_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let options = bdb::Options { terminated: true, ..bdb::Kind::Hash.into() };
    let image = bdb::write(options, &[("bad.example", "REJECT go away")]);
    fs::write(dir.path().join("senders.db"), image.unwrap()).unwrap();
    // One name means one file, here and where `relay.export` writes it.
    for name in ["senders", "senders.db"] {
        let text = format!("[[access]]\nmap = \"hash:{name}\"\nat = \"sender\"\n[relay]\nexport = \"hash:{name}\"\n");
        let settings = settings(dir.path(), &text);
        let tables = Tables::load(&settings).unwrap();
        let from = ReversePath::Mailbox(smtp::Mailbox::parse("x@bad.example").unwrap());
        let hits = tables.entries(&Subjects { reverse_path: Some(&from), client: None, ..client("192.0.2.1") });
        assert_eq!(hits.len(), 1, "{name}");
        assert_eq!(settings.relay.export.unwrap().path, dir.path().join("senders.db"));
    }
}

#[test]
fn a_mailertable_routes_and_refuses() {
    let routes =
        "two.example\tsmtp:[192.0.2.25]\n.two.example\tesmtp:inner.two.example\ndead.example\terror:5.1.2:550 gone\n";
    let text = "[domains]\nmaps = [\"mailertable:routes\", \"relay-domains:names\"]\n";
    let tables = load(&[("names", "two.example\none.example\n"), ("routes", routes)], text).unwrap();
    let mailbox = |text: &str| smtp::Mailbox::parse(text).unwrap();
    let hop = tables.next_hop(&mailbox("a@two.example")).unwrap();
    assert_eq!((hop.host.host.as_str(), hop.host.port, hop.by_mx), ("192.0.2.25", 25, false));
    assert!(tables.next_hop(&mailbox("a@x.two.example")).is_some_and(|hop| hop.by_mx));
    assert_eq!(tables.next_hop(&mailbox("a@one.example")), None);
    let to = |text: &str| {
        let to = ForwardPath::Mailbox(mailbox(text));
        tables.entries(&Subjects { forward_path: Some(&to), client: None, ..client("192.0.2.1") }).pop()
    };
    let hit = to("a@dead.example").unwrap();
    assert!(matches!(hit.action, Action::Refuse(said) if said.code == 550 && said.text == "gone"));
    assert!(hit.line.to_string().ends_with("routes:3"), "{}", hit.line);
    assert_eq!(to("a@two.example"), None);
}

#[test]
fn other_tags_of_sendmail_s_access_are_no_actions_of_ours() {
    let access = "GreetPause:192.0.2.7\t5000\nClientConn:\t10\nSpam:abuse@example.test\tFRIEND\nAuthInfo:h\t\"U:a\"\n";
    let tables = load(&[("access", access)], "[[access]]\nmap = \"sendmail-access:access\"\n").unwrap();
    assert_eq!(tables.entries(&client("192.0.2.7")), []);
}

#[test]
fn details_of_addresses_begin_where_the_configuration_says() {
    let files = [
        ("senders", "alice@bad.example REJECT\n"),
        ("access", "From:bob@bad.example\tREJECT\nbob-*@worse.example\tREJECT\n"),
    ];
    let maps = "[[access]]\nmap = \"hash:senders\"\nat = \"sender\"\n[[access]]\nmap = \"sendmail-access:access\"\n";
    let refused = |delimiter: &str, sender: &str| {
        let tables = load(&files, &format!("[domains]\ndetail_delimiter = \"{delimiter}\"\n{maps}")).unwrap();
        let from = ReversePath::Mailbox(smtp::Mailbox::parse(sender).unwrap());
        !tables.entries(&Subjects { reverse_path: Some(&from), ..client("192.0.2.1") }).is_empty()
    };
    let table = [
        ("alice@bad.example", "", true),
        ("alice+x@bad.example", "+", true),
        ("alice-x@bad.example", "+", false),
        ("alice-x@bad.example", "-", true),
        ("alice+x@bad.example", "-", false),
        ("alice+x@bad.example", "", false),
        ("bob+x@bad.example", "+", true),
        ("bob-x@bad.example", "-", true),
        ("bob+x@bad.example", "", false),
        ("bob-x@worse.example", "-", true),
        ("bob+x@worse.example", "+", false),
    ];
    for (sender, delimiter, expected) in table {
        assert_eq!(refused(delimiter, sender), expected, "{sender} {delimiter:?}");
    }
}

#[test]
fn files_that_say_where_clients_are_are_read_whole_or_not_at_all() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../maps/tests/data");
    let by_country = "[[guard.rule]]\nname = 'there'\nwhen = ['country XA']\nweight = 1\n";
    let dir = tempfile::tempdir().unwrap();
    let whole = fs::read(format!("{data}/documentation.mmdb")).unwrap();
    fs::write(dir.path().join("cut.mmdb"), &whole[..whole.len() / 2]).unwrap();
    let loaded = |mmdb: &str| {
        let text = format!("[guard]\nmmdb = [{mmdb}]\n{by_country}");
        Tables::load(&settings(dir.path(), &text)).map_err(|mistakes| mistakes.join("\n"))
    };
    let both = format!("'{data}/systems.mmdb', '{data}/documentation.mmdb'");
    let origin = loaded(&both).unwrap().origin("192.0.2.7".parse().unwrap());
    assert_eq!((origin.country.unwrap().to_string().as_str(), origin.asn), ("XA", Some(64_510)));
    let why = loaded("'cut.mmdb', 'nowhere.mmdb'").unwrap_err();
    assert!(
        why.contains("cut.mmdb:1:1: this is no whole MaxMind DB file: ") && why.contains("nowhere.mmdb: "),
        "{why}"
    );
    let why = loaded(&format!("'{data}/systems.mmdb'")).unwrap_err();
    let expected = "t.toml:5: rule \"there\" goes by countries, and no file of guard.mmdb has any; name one that has";
    assert_eq!(why, expected);
}

/// A database is asked as its neighbours are; while it gives no answer, the list of its stage ends with it.
#[tokio::test]
async fn a_database_is_asked_in_its_place_and_unknown_where_it_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("access.sqlite");
    let rows = "CREATE TABLE access (key TEXT, verdict TEXT);
        INSERT INTO access VALUES ('192.0.2', 'REJECT not from there'), ('198.51.100.7', 'OK')";
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&database).create_if_missing(true);
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
    sqlx::raw_sql(rows).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let write = |query: &str| {
        let text = format!("dbpath = {}\nquery = {query}\n", database.display());
        fs::write(dir.path().join("sql.cf"), text).unwrap();
    };
    fs::write(dir.path().join("later"), "198.51.100 REJECT\n203.0.113 REJECT\n").unwrap();
    let text = "[[access]]\nmap = 'sqlite:sql.cf'\nat = 'client'\n[[access]]\nmap = 'access:later'\nat = 'client'\n";
    write("SELECT verdict FROM access WHERE key = '%s'");
    let tables = Tables::load(&settings(dir.path(), text)).unwrap();
    assert!(tables.ask_databases() && tables.warnings.is_empty(), "{:?}", tables.warnings);
    let until = || tokio::time::Instant::now() + std::time::Duration::from_secs(5);
    let hits = async |address: &str| {
        let subjects = client(address);
        let answers = tables.answers(&subjects, until()).await;
        tables.entries_with(&subjects, &answers).iter().map(|hit| (hit.map.0, hit.line.line)).collect::<Vec<_>>()
    };
    assert_eq!(hits("192.0.2.9").await, [(0, 2)]);
    // The later one stands behind an OK, and the guard stops there.
    assert_eq!(hits("198.51.100.7").await, [(0, 2), (1, 1)]);
    assert_eq!(hits("203.0.113.1").await, [(1, 2)]);
    assert_eq!(tables.entries(&client("203.0.113.1")), [], "it might have said OK");
    write("SELECT verdict FROM nowhere");
    let why = Tables::load(&settings(dir.path(), text)).unwrap_err().join("\n");
    assert!(why.contains("sql.cf:2:1: ") && why.contains("no such table: nowhere"), "{why}");
}
