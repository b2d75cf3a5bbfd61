//! A map in PostgreSQL: the real server, on a socket in a folder of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use maps::{Kind, Table};
use sqlmaps::{SqlError, SqlTable, check_now};

const ROWS: &str = "CREATE TABLE access (key text, verdict varchar(99), n integer);
    INSERT INTO access VALUES ('bad.example', 'REJECT go away', 1), ('u@d.example', 'OK', 2), ('null.example', NULL, 3);";

/// Whom the server runs as: it refuses to be root.
const NOBODY: u32 = 65_534;

struct Server {
    dir: tempfile::TempDir,
    child: Child,
}

impl Server {
    /// `initdb`, the server, and the table; about two seconds.
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        if nix::unistd::geteuid().is_root() {
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = dir.path().join("data");
        let mut initdb = program("initdb");
        initdb.args(["--no-sync", "--auth=trust", "--username=mail", "--encoding=UTF8", "--locale=C", "-D"]).arg(&data);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut postgres = program("postgres");
        postgres.arg("-D").arg(&data).arg("-k").arg(dir.path());
        postgres.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=1MB"]);
        let child = postgres.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { dir, child };
        server.sql(ROWS);
        server
    }

    /// Run until the server takes it.
    fn sql(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let mut psql = program("psql");
            psql.args(["-q", "-v", "ON_ERROR_STOP=1", "-U", "mail", "-d", "postgres", "-c", text, "-h"])
                .arg(self.dir.path());
            let done = psql.output().unwrap();
            if done.status.success() {
                return;
            }
            assert!(Instant::now() < until, "{}", String::from_utf8_lossy(&done.stderr));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn map(&self, query: &str) -> Arc<maps::SqlMap> {
        map(self.dir.path(), query)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One of the server's programs, as a user that may be it.
fn program(name: &str) -> Command {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").unwrap().map(|it| it.unwrap().path()).collect();
    found.sort();
    let mut program = Command::new(found.pop().unwrap().join("bin").join(name));
    if nix::unistd::geteuid().is_root() {
        program.uid(NOBODY).gid(NOBODY);
    }
    program.env_clear().current_dir("/");
    program
}

fn map(socket: &Path, query: &str) -> Arc<maps::SqlMap> {
    let text = format!("hosts = unix:{}\nuser = mail\ndbname = postgres\nquery = {query}\n", socket.display());
    Table::parse(Kind::Pgsql, "access.cf", &text).unwrap_or_else(|why| panic!("{why:?}")).sql().cloned().unwrap()
}

#[tokio::test]
async fn a_table_of_postgresql_is_asked_and_a_server_that_is_away_is_no_answer() {
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let table = SqlTable::new(server.map("SELECT verdict FROM access WHERE key = '%s'"));
    table.check().await.unwrap();
    for (key, value) in [
        ("bad.example", Some("REJECT go away")),
        ("null.example", None),
        ("other.example", None),
        ("x' OR '1'='1", None),
        ("'; DROP TABLE access; --", None),
        ("\\' OR 1=1 --", None),
    ] {
        assert_eq!(table.get(key).await.unwrap().as_deref(), value, "{key}");
    }
    let parts = SqlTable::new(server.map("SELECT verdict FROM access WHERE key = '%u' || '@' || '%d'"));
    assert_eq!(parts.get("u@d.example").await.unwrap().as_deref(), Some("OK"));
    for (query, why) in [
        ("SELECT n FROM access WHERE key = '%s'", "the answer is of type INT4; write CAST(… AS text) around it"),
        ("SELECT verdict FROM nowhere", "relation \"nowhere\" does not exist"),
        ("SELECT verdict, key FROM access", "the question gives 2 columns"),
        ("SELECT verdict FROM access WHERE n = '%s'", "operator does not exist"),
    ] {
        let told = check_now(&server.map(query)).unwrap_err();
        assert!(matches!(told, SqlError::Wrong(_)) && told.to_string().contains(why), "{told}");
    }
    // It may read and no more, and that not for long.
    server.sql("CREATE FUNCTION w() RETURNS text LANGUAGE sql AS $$ INSERT INTO access VALUES ('x') RETURNING key $$");
    let writing = SqlTable::new(server.map("SELECT w()"));
    assert!(writing.get("k").await.unwrap_err().to_string().contains("read-only"));
    let limit = SqlTable::new(server.map("SELECT current_setting('statement_timeout')"));
    assert_eq!(limit.get("k").await.unwrap().as_deref(), Some("3s"));
    let socket = server.dir.path().to_owned();
    drop(server);
    assert!(matches!(table.get("late.example").await, Err(SqlError::Away(_))));
    let away = check_now(&map(&socket, "SELECT 'x'"));
    assert!(matches!(away, Err(SqlError::Away(_))), "{away:?}");
}
