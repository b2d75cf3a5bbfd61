//! The file that says which database: lines `name = value` as in main.cf, one that begins with white space goes on.

use secrecy::SecretString;

use super::query::{Dialect, Misplaced};
use super::{Database, Host, Postgres, Query, SqlMap};
use crate::kind::Kind;
use crate::lines::{Logical, LogicalLines, is_space, trim_end, trim_start};
use crate::mistake::{Notes, Position, shown};

/// The port of PostgreSQL.
const PORT: u16 = 5432;
/// Longest file, in octets.
const FILE_OCTETS_MAX: usize = 64 << 10;

const OF_SQLITE: &[&str] = &["dbpath", "query"];
const OF_POSTGRES: &[&str] = &["hosts", "user", "password", "dbname", "query"];

/// One that is given.
struct Setting {
    name: String,
    value: String,
    at: Position,
}

/// Reads it; `None`: the notes say why not.
pub(crate) fn read(kind: Kind, text: &str, notes: &mut Notes) -> Option<SqlMap> {
    if text.len() > FILE_OCTETS_MAX {
        let what = format!("a file of {} octets; at most {FILE_OCTETS_MAX}", text.len());
        notes.mistake(Position::start_of(1), what, "name the file that says which database is asked");
        return None;
    }
    let (known, dialect) = match kind {
        Kind::Sqlite => (OF_SQLITE, Dialect::Sqlite),
        _ => (OF_POSTGRES, Dialect::Postgres),
    };
    let mut given: Vec<Setting> = Vec::new();
    let mut query = None;
    for line in LogicalLines::new(text) {
        let Some((setting, behind)) = setting(&line, known, notes) else { continue };
        if given.iter().any(|other| other.name == setting.name) {
            notes.mistake(setting.at, format!("`{}` is given twice", setting.name), "remove one of them");
        }
        if setting.name == "query" {
            query = asked(dialect, &line, behind, notes);
        }
        given.push(setting);
    }
    let mut lacks = |name: &str| {
        if !given.iter().any(|setting| setting.name == name) {
            notes.mistake(Position::start_of(1), format!("`{name}` is missing"), format!("write {name} = …"));
        }
    };
    let needed: &[&str] = if dialect == Dialect::Sqlite { OF_SQLITE } else { &["user", "dbname", "query"] };
    for name in needed {
        lacks(name);
    }
    let database = match dialect {
        Dialect::Sqlite => Database::Sqlite { path: absolute(&given, notes)? },
        Dialect::Postgres => Database::Postgres(Box::new(postgres(&given, notes)?)),
    };
    Some(SqlMap { file: notes.file.clone(), database, query: query? })
}

/// The setting of a line, and where its value begins.
fn setting(line: &Logical<'_>, known: &[&str], notes: &mut Notes) -> Option<(Setting, usize)> {
    let text = &*line.text;
    let at = line.position(text.len() - trim_start(text).len());
    let Some((name, value)) = text.split_once('=') else {
        notes.mistake(at, format!("{} is no setting", shown(text)), "write NAME = VALUE");
        return None;
    };
    let behind = text.len() - trim_start(value).len();
    let (name, value) = (trim_end(trim_start(name)), trim_end(trim_start(value)));
    if !known.contains(&name) {
        let hint = match name {
            "select_field" | "select_function" | "table" | "where_field" | "additional_conditions" => {
                "write the whole question: query = SELECT … WHERE … = '%s'".to_owned()
            }
            "domain" | "result_format" | "expansion_limit" => {
                "say it in the question; the first row and its one column are the answer".to_owned()
            }
            _ => format!("known are {}", known.join(", ")),
        };
        notes.mistake(at, format!("{} is no setting that is taken here", shown(name)), hint);
        return None;
    }
    if value.is_empty() {
        notes.mistake(at, format!("`{name}` is empty"), "give it a value, or remove the line");
        return None;
    }
    Some((Setting { name: name.to_owned(), value: value.to_owned(), at }, behind))
}

fn value<'s>(given: &'s [Setting], name: &str) -> Option<&'s str> {
    given.iter().find(|setting| setting.name == name).map(|setting| &*setting.value)
}

fn absolute(given: &[Setting], notes: &mut Notes) -> Option<String> {
    let setting = given.iter().find(|setting| setting.name == "dbpath")?;
    if !setting.value.starts_with('/') {
        notes.mistake(setting.at, format!("{} is no whole path", shown(&setting.value)), "begin it with /");
        return None;
    }
    Some(setting.value.clone())
}

fn asked(dialect: Dialect, line: &Logical<'_>, behind: usize, notes: &mut Notes) -> Option<Query> {
    match Query::parse(dialect, trim_end(&line.text[behind..])) {
        Ok(query) => Some(Query { line: line.line, ..query }),
        Err(Misplaced { at, wrong }) => {
            notes.mistake(line.position(behind + at), wrong.what, wrong.hint);
            None
        }
    }
}

fn postgres(given: &[Setting], notes: &mut Notes) -> Option<Postgres> {
    let hosts = given.iter().find(|setting| setting.name == "hosts");
    let host = match hosts {
        None => Host::Loopback { name: "localhost".to_owned(), port: PORT },
        Some(setting) => match host(&setting.value) {
            Ok(host) => host,
            Err(what) => {
                let hint = "one server on this machine, as in hosts = unix:/run/postgresql, or hosts = localhost";
                notes.mistake(setting.at, what, hint);
                return None;
            }
        },
    };
    Some(Postgres {
        host,
        user: value(given, "user")?.to_owned(),
        password: value(given, "password").map(|password| SecretString::from(password.to_owned())),
        name: value(given, "dbname")?.to_owned(),
    })
}

/// As Postfix writes one: `unix:/FOLDER`, `inet:HOST:PORT`, `HOST:PORT`, `HOST`.
fn host(text: &str) -> Result<Host, String> {
    if text.bytes().any(|octet| is_space(octet) || octet == b',') || text.contains("://") {
        return Err(format!("{} is no single server", shown(text)));
    }
    if let Some(folder) = text.strip_prefix("unix:").or_else(|| text.starts_with('/').then_some(text)) {
        // Postfix takes the socket itself, too.
        let folder = folder.split_once("/.s.PGSQL.").map_or(folder, |(folder, _)| folder);
        return Ok(Host::Socket(folder.to_owned()));
    }
    let text = text.strip_prefix("inet:").unwrap_or(text);
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().map_err(|_| format!("{} is no port", shown(port)))?),
        None => (text, PORT),
    };
    let is_loopback = name == "localhost" || name == "[::1]" || name.starts_with("127.");
    if !is_loopback {
        return Err(format!("{} is not on this machine, and the way to it would not be encrypted", shown(name)));
    }
    Ok(Host::Loopback { name: name.trim_matches(['[', ']']).to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    const SQLITE: &str =
        "# accounts\ndbpath = /var/lib/a.sqlite\nquery = SELECT verdict FROM access\n  WHERE key = '%s'\n";
    const POSTGRES: &str = "hosts = unix:/run/postgresql\nuser=mail\npassword = s3cret\ndbname = site\nquery = SELECT v FROM t WHERE k = '%s'\n";

    fn mistakes(kind: Kind, text: &str) -> Vec<String> {
        Table::parse(kind, "t", text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_says_which_database_and_what_is_asked() {
        let table = Table::parse(Kind::Sqlite, "t", SQLITE).unwrap();
        let map = table.sql().unwrap();
        assert!(matches!(&map.database, Database::Sqlite { path } if path == "/var/lib/a.sqlite"));
        assert_eq!((map.query.text.as_str(), map.query.line), ("SELECT verdict FROM access  WHERE key = ?1", 3));
        assert_eq!((table.get("a"), table.len()), (None, 0), "it is not asked here");
        let table = Table::parse(Kind::Pgsql, "t", POSTGRES).unwrap();
        assert!(!format!("{table:?}").contains("s3cret"), "a secret never prints");
        let Database::Postgres(postgres) = &table.sql().unwrap().database else { panic!("{table:?}") };
        assert_eq!(postgres.host, Host::Socket("/run/postgresql".to_owned()));
        assert_eq!((postgres.user.as_str(), postgres.name.as_str()), ("mail", "site"));
    }

    #[test]
    fn hosts_are_on_this_machine() {
        let loopback = |name: &str, port| Ok(Host::Loopback { name: name.to_owned(), port });
        assert_eq!(host("localhost"), loopback("localhost", 5432));
        assert_eq!(host("inet:127.0.0.1:5433"), loopback("127.0.0.1", 5433));
        assert_eq!(host("[::1]:5433"), loopback("::1", 5433));
        assert_eq!(host("unix:/tmp/x/.s.PGSQL.5432"), Ok(Host::Socket("/tmp/x".to_owned())));
        for other in
            ["db.example.net", "192.0.2.1:5432", "localhost other", "postgresql://u@localhost/d", "localhost:x"]
        {
            assert!(host(other).is_err(), "{other}");
        }
    }

    #[test]
    fn mistakes_have_their_place() {
        let like = SQLITE.replace("key = '%s'", "key LIKE '%%%s'");
        let told = mistakes(Kind::Sqlite, &like);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("t:4:21: what is looked up as a part of a text"), "{}", told[0]);
        assert!(told[0].contains("'%%' || '%s'"), "{}", told[0]);
        let told = mistakes(Kind::Pgsql, "hosts = db.example.net\ndbname = d\ntable = t\nquery = SELECT 1\nnonsense\n");
        let expected = [
            "t:3:1: \"table\" is no setting",
            "t:5:1: \"nonsense\" is no setting",
            "t:1:1: `user` is missing",
            "t:1:1: \"db.example.net\" is not on",
        ];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}");
        }
        assert!(mistakes(Kind::Sqlite, "dbpath =\nquery = SELECT 1\n")[0].contains("`dbpath` is empty"));
        assert!(mistakes(Kind::Sqlite, "dbpath = a.db\nquery = SELECT 1\n")[0].contains("\"a.db\" is no whole path"));
    }
}
