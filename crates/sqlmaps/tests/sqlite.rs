//! A map in a file of SQLite.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use maps::{Kind, Table};
use sqlmaps::{SqlError, SqlTable, check_now, with_table};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

const ROWS: &str = "CREATE TABLE access (key TEXT, verdict TEXT, n INTEGER);
    INSERT INTO access VALUES ('bad.example', 'REJECT go away', 1), ('192.0.2', '450 4.7.1 later', 2), ('empty.example', '', 3),
    ('null.example', NULL, 4), ('two.example', 'first', 5), ('two.example', 'second', 6), ('u@d.example', 'OK', 7),
    ('long.example', printf('%.*c', 5000, 'x'), 8), ('line.example', 'a' || char(10) || 'b', 9);";

async fn made(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("access.sqlite");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(ROWS).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    path
}

fn map(path: &Path, query: &str) -> Arc<maps::SqlMap> {
    let text = format!("dbpath = {}\nquery = {query}\n", path.display());
    Table::parse(Kind::Sqlite, "access.cf", &text).unwrap_or_else(|why| panic!("{why:?}")).sql().cloned().unwrap()
}

#[tokio::test]
async fn a_key_has_the_first_row_s_value() {
    let dir = tempfile::tempdir().unwrap();
    let path = made(dir.path()).await;
    let table = SqlTable::new(map(&path, "SELECT verdict FROM access WHERE key = '%s' ORDER BY n"));
    table.check().await.unwrap();
    let long = "x".repeat(2_000);
    let cases = [
        ("bad.example", Some("REJECT go away")),
        ("two.example", Some("first")),
        ("empty.example", None),
        ("null.example", None),
        ("other.example", None),
        ("x' OR '1'='1", None),
        ("'; DROP TABLE access; --", None),
        ("bad.example\0", None),
        (&long, None),
    ];
    for (key, value) in cases {
        assert_eq!(table.get(key).await.unwrap().as_deref(), value, "{key}");
    }
    for key in ["long.example", "line.example"] {
        assert!(matches!(table.get(key).await, Err(SqlError::Wrong(_))), "{key}");
    }
    let keys = ["a.bad.example", "bad.example", "two.example"].map(str::to_owned);
    assert_eq!(table.first(&keys).await.unwrap().as_deref(), Some("REJECT go away"));
    let parts = SqlTable::new(map(&path, "SELECT verdict FROM access WHERE key = '%u' || '@' || '%d'"));
    assert_eq!(parts.get("u@d.example").await.unwrap().as_deref(), Some("OK"));
    assert_eq!(parts.get("d.example").await.unwrap(), None);
    let number = SqlTable::new(map(&path, "SELECT n FROM access WHERE key = '%s'"));
    assert_eq!(number.get("bad.example").await.unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_before_anybody_asks() {
    let dir = tempfile::tempdir().unwrap();
    let path = made(dir.path()).await;
    let checked = |path: &Path, query: &str| check_now(&map(path, query)).map_err(|error| error.to_string());
    assert_eq!(checked(&path, "SELECT verdict FROM access WHERE key = '%s'"), Ok(()));
    for (query, why) in [
        ("SELECT verdict FROM nowhere WHERE key = '%s'", "no such table: nowhere"),
        ("SELECT verdict, n FROM access", "the question gives 2 columns; ask for one"),
        ("SELECT verdict FROM access WHERE", "incomplete input"),
    ] {
        let told = checked(&path, query).unwrap_err();
        assert!(told.contains(why), "{told}");
    }
    let told = check_now(&map(&dir.path().join("none"), "SELECT 1")).unwrap_err();
    assert!(matches!(told, SqlError::Wrong(_)), "{told}");
}

/// A file that is replaced, or goes away, is "no answer" and no "not found".
#[tokio::test]
async fn a_database_that_is_away_is_no_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.sqlite");
    let table = SqlTable::new(map(&path, "SELECT verdict FROM access WHERE key = '%s'"));
    assert!(table.get("bad.example").await.is_err());
    made(dir.path()).await;
    assert_eq!(table.get("bad.example").await.unwrap().as_deref(), Some("REJECT go away"), "it is back");
    let found = with_table(&map(&path, "SELECT 'x'"), async |table| table.get("k").await).unwrap();
    assert_eq!(found.unwrap().as_deref(), Some("x"), "within a runtime, too");
}
