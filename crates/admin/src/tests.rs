use super::*;
use axum::http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use tempfile::TempDir;

/// A machine behind this gateway.
fn never() -> guard::never_granted::NeverGranted {
    let gateway = std::net::IpAddr::from([198, 18, 0, 1]);
    guard::never_granted::NeverGranted::new(guard::never_granted::Loopback::Refused, [gateway])
}

/// The routes over real parts in a folder of their own.
struct Api {
    routes: TowerToHyperService<Router>,
    spool: Arc<spool::Spool>,
    directory: Arc<directory::Directory>,
    dir: TempDir,
}

fn audit_key() -> keep::chain::Key {
    keep::chain::Key::new([3; 32].into())
}

impl Api {
    async fn new() -> Self {
        Self::with_state(state::StateConfig::default()).await
    }

    async fn with_state(config: state::StateConfig) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let key = directory::ServerKey::from_bytes([7; directory::KEY_OCTETS]);
        let terms = directory::Settings { default_domain: "example.test".to_owned(), ..directory::Settings::default() };
        let directory = directory::Directory::open(&dir.path().join("d.sqlite"), &key, terms).await.expect("opens");
        let (spool, _) = spool::Spool::open(spool::SpoolConfig::new(dir.path().join("spool"))).expect("opens");
        let server = Server {
            state: Arc::new(state::State::open_with(dir.path().join("state"), config).expect("opens")),
            guess_key: [7; 32],
            spool: spool.clone(),
            retrier: None,
            pop: Box::new(pop),
            status: Box::new(|_| unreachable!("no test here asks for it")),
            configuration: Box::new(|| wire::Configuration {
                file: "t.toml".to_owned(),
                sets: Vec::new(),
                loaded_at: wire::time(0),
                configuration: json!({ "hostname": "mail.example.test" }),
            }),
            sessions: Box::new(Vec::new),
            rights: Box::new(|_| unreachable!("no test here asks for it")),
            lists: Box::new(Vec::new),
            relay: Box::new(wire::Relay::default),
            unlock: Arc::new(|| Ok(true)),
            numbers: Box::new(|| Box::pin(async { (telemetry::Numbers::default(), 1) })),
            watch: Arc::new(watch()),
            explain: Box::new(|_| Box::pin(async { Err("nobody judges here".to_owned()) })),
            accepted_if: Box::new(|_| Box::pin(async { Vec::new() })),
            records: Box::new(|| None),
            cut: Box::new(|_| 0),
            never: Box::new(|address| never().why(address)),
            reload: Box::new(|_| Box::pin(async { Err("t.toml:1:1: no".to_owned()) })),
            backup: Box::new(|_| unreachable!("no test here asks for it")),
        };
        let directory = Arc::new(directory);
        let backend = Backend {
            directory: Arc::clone(&directory),
            audit: audit::Audit::new(dir.path(), audit_key()),
            server: Some(server),
        };
        Self { routes: TowerToHyperService::new(router(backend)), spool, directory, dir }
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let body = Full::new(bytes::Bytes::from(body.to_string()));
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let Ok(response) = self.routes.call(request.body(body).expect("a request")).await;
        let status = response.status();
        let octets = response.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&octets).unwrap_or(Value::Null))
    }

    async fn with_alice(self) -> Self {
        let new = json!({ "login": "alice", "password": "long enough", "new_domain": false });
        assert_eq!(self.ask(Method::POST, "/v1/accounts", new.clone()).await.0, StatusCode::NOT_FOUND, "no domain yet");
        assert_eq!(self.ask(Method::PUT, "/v1/domains/example.test", json!({})).await.0, StatusCode::NO_CONTENT);
        assert_eq!(self.ask(Method::POST, "/v1/accounts", new.clone()).await.0, StatusCode::CREATED);
        assert_eq!(self.ask(Method::POST, "/v1/accounts", new).await.0, StatusCode::CONFLICT);
        self
    }

    async fn queued(&self) -> String {
        let envelope = spool::Envelope {
            reverse_path: "alice@example.test".to_owned(),
            recipients: vec![spool::Recipient {
                forward_path: "x@out.example".to_owned(),
                target: spool::Target::Remote { host: "out.example".to_owned() },
                notify: 0,
                orcpt: None,
                via: None,
            }],
            origin: spool::Origin::Account(spool::Sender {
                login: Some("alice@example.test".to_owned()),
                account_id: None,
                grant: "auth".to_owned(),
                client: None,
                reverse_path: spool::Ownership::Proved,
            }),
            arrived_at_unix_micros: 1_000_000,
            session: "s1".to_owned(),
            smtputf8: false,
            eight_bit: false,
            envid: None,
            ret: None,
            message_octets: 3,
        };
        let incoming = self.spool.incoming();
        incoming.commit(envelope, b"x\r\n".to_vec()).await.expect("accepted").to_string()
    }
}

fn watch() -> telemetry::Watch {
    let (text, base_dir) = ("hostname = \"mail.example.test\"\n", std::path::Path::new("/nowhere"));
    let read = config::parse(&config::Text { name: "t.toml", text, base_dir }, &[]);
    telemetry::Watch::new(&read.expect("a configuration").settings)
}

fn pop() -> config::Pop {
    let place = config::Position { file: "t.toml".into(), line: 1, column: 1 };
    config::Pop {
        enabled: true,
        lifetime: Duration::from_mins(30),
        messages_per_hour: 10,
        recipients_per_hour: 10,
        ipv6_prefix: 64,
        place,
    }
}

#[tokio::test]
async fn accounts_live_and_die() {
    let api = Api::new().await.with_alice().await;
    let (_, account) = api.ask(Method::GET, "/v1/accounts/alice", json!(null)).await;
    assert_eq!((&account["login"], &account["scheme"]), (&json!("alice@example.test"), &json!("ARGON2ID")));
    let wrong = json!({ "password": "new and long", "old": "not it" });
    let (status, problem) = api.ask(Method::PUT, "/v1/accounts/alice/password", wrong).await;
    assert_eq!((status, &problem["kind"]), (StatusCode::FORBIDDEN, &json!("wrong-password")));
    let right = json!({ "password": "new and long", "old": "long enough" });
    assert_eq!(api.ask(Method::PUT, "/v1/accounts/alice/password", right).await.0, StatusCode::NO_CONTENT);
    let both = json!({ "password": "x", "hash": "{PLAIN}x" });
    assert_eq!(api.ask(Method::PUT, "/v1/accounts/alice/password", both).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(api.ask(Method::DELETE, "/v1/accounts/alice", json!(null)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.ask(Method::GET, "/v1/accounts/alice", json!(null)).await.0, StatusCode::NOT_FOUND);
}

/// By the operator, and by the user himself with his password.
#[tokio::test]
async fn whose_mail_is_taken_is_chosen() {
    let api = Api::new().await.with_alice().await;
    let path = "/v1/accounts/alice/choices";
    let change = json!({ "refuse": ["Spam.Example", "<>"], "accept": ["bob@friend.example"], "accept_only": "on" });
    assert_eq!(api.ask(Method::POST, path, change).await.0, StatusCode::NO_CONTENT);
    let (_, choices) = api.ask(Method::GET, path, json!(null)).await;
    let expected = json!({ "accept_only": "on", "accept": ["bob@friend.example"], "refuse": ["<>", "spam.example"] });
    assert_eq!(choices, expected);
    let own = |password: &str| json!({ "remove": ["<>"], "accept_only": "off", "password": password });
    let (status, problem) = api.ask(Method::POST, path, own("not it")).await;
    assert_eq!((status, &problem["kind"]), (StatusCode::FORBIDDEN, &json!("wrong-password")));
    assert_eq!(api.ask(Method::GET, path, json!(null)).await.1, expected);
    assert_eq!(api.ask(Method::POST, path, own("long enough")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.ask(Method::POST, path, own("long enough")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(api.ask(Method::GET, path, json!(null)).await.1["accept_only"], json!("off"));
    let told = std::fs::read_to_string(api.dir.path().join("audit.jsonl")).expect("there");
    assert!(told.contains("choices change") && told.contains("Spam.Example"), "{told}");
    assert!(!told.contains("long enough"), "{told}");
}

#[tokio::test]
async fn a_devices_secret_is_shown_once() {
    let api = Api::new().await.with_alice().await;
    let new = json!({ "name": "scanner", "networks": ["192.0.2.0/24"], "messages_per_hour": 5 });
    let (status, made) = api.ask(Method::POST, "/v1/accounts/alice/devices", new).await;
    assert_eq!(status, StatusCode::CREATED);
    let secret = made["secret"].as_str().expect("a secret");
    let (_, listed) = api.ask(Method::GET, "/v1/accounts/-/devices", json!(null)).await;
    assert_eq!(listed[0]["login"], "alice-scanner@example.test");
    assert!(!listed.to_string().contains(secret));
    let bad = json!({ "name": "x", "networks": ["192.0.2.1/24"] });
    assert_eq!(api.ask(Method::POST, "/v1/accounts/alice/devices", bad).await.0, StatusCode::BAD_REQUEST);
    let path = "/v1/devices/alice-scanner@example.test";
    assert_eq!(api.ask(Method::DELETE, path, json!(null)).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn t01_t19_nobody_s_address_is_not_granted_by_hand() {
    let api = Api::new().await.with_alice().await;
    let gateways = ["198.18.0.1", "::ffff:198.18.0.1", "64:ff9b::198.18.0.1"];
    for address in gateways.into_iter().chain(["0.0.0.7", "240.0.0.1", "224.0.0.1", "fe80::1", "127.0.0.1", "::"]) {
        let (status, problem) =
            api.ask(Method::POST, "/v1/grants", json!({ "address": address, "login": "alice" })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{address}: {problem}");
        let told = problem["error"].as_str().unwrap_or_default();
        assert!(told.contains("is never granted"), "{told}");
        assert_eq!(told.contains("PROXY protocol"), gateways.contains(&address), "{told}");
    }
    assert_eq!(api.ask(Method::GET, "/v1/grants", json!(null)).await.1, json!([]));
}

#[tokio::test]
async fn grants_are_made_for_the_key_of_the_address_and_end_with_the_lock() {
    let api = Api::new().await.with_alice().await;
    let nobody = json!({ "address": "192.0.2.7", "login": "nobody" });
    assert_eq!(api.ask(Method::POST, "/v1/grants", nobody).await.0, StatusCode::NOT_FOUND);
    let mapped = json!({ "address": "::ffff:192.0.2.7", "login": "alice" });
    let (status, grant) = api.ask(Method::POST, "/v1/grants", mapped).await;
    assert_eq!((status, &grant["address"]), (StatusCode::CREATED, &json!("192.0.2.7")));
    let (_, grant) =
        api.ask(Method::POST, "/v1/grants", json!({ "address": "2001:db8::7", "login": "alice", "minutes": 5 })).await;
    assert_eq!(grant["address"], "2001:db8::");
    let (status, _) = api.ask(Method::DELETE, "/v1/grants", json!(null)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "all is never meant by saying nothing");
    let (_, count) = api.ask(Method::DELETE, "/v1/grants?address=192.0.2.7", json!(null)).await;
    assert_eq!(count["count"], 1);
    assert_eq!(api.ask(Method::POST, "/v1/accounts/alice/lock", json!(null)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.ask(Method::GET, "/v1/grants", json!(null)).await.1, json!([]));
}

#[tokio::test]
async fn the_queue_is_listed_held_and_emptied() {
    let api = Api::new().await;
    let id = api.queued().await;
    let (_, listed) = api.ask(Method::GET, "/v1/queue?login=alice@example.test", json!(null)).await;
    assert_eq!((&listed[0]["id"], &listed[0]["recipients"][0]["target"]), (&json!(id), &json!("remote:out.example")));
    assert_eq!(api.ask(Method::POST, &format!("/v1/queue/{id}/hold"), json!(null)).await.0, StatusCode::NO_CONTENT);
    let (_, held) = api.ask(Method::GET, "/v1/queue?held=true", json!(null)).await;
    assert_eq!(held[0]["held"], true);
    assert_eq!(api.ask(Method::GET, "/v1/queue/stats", json!(null)).await.1["held"], 1);
    assert_eq!(api.ask(Method::POST, &format!("/v1/queue/{id}/burn"), json!(null)).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(api.ask(Method::DELETE, &format!("/v1/queue/{id}"), json!(null)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.ask(Method::GET, &format!("/v1/queue/{id}"), json!(null)).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_refused_reload_says_why() {
    let (status, problem) = Api::new().await.ask(Method::POST, "/v1/reload", json!(null)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem, json!({ "kind": "refused", "error": "t.toml:1:1: no" }));
}

#[tokio::test]
async fn the_socket_is_its_owners_and_is_taken_over_from_the_dead_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("admin.sock");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let listener = bind(&path, 0o600).expect("bound");
    assert_eq!(mode(&path), 0o600);
    assert!(matches!(bind(&path, 0o600), Err(BindError::InUse(_))));
    drop(listener);
    drop(bind(&path, 0o660).expect("taken over"));
    assert_eq!(mode(&path), 0o660);
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, "a file").expect("written");
    assert!(bind(&path, 0o600).is_err());
    assert_eq!(std::fs::read(&path).expect("still there"), b"a file");
}

/// Guessing an old password is guessing: after so many wrong ones even the right one has to wait.
#[tokio::test]
async fn wrong_old_passwords_are_throttled() {
    let limits = state::AuthLimits {
        address: state::gcra::Rate::new(Duration::from_hours(1), 3),
        delay: Duration::ZERO,
        ..state::AuthLimits::default()
    };
    let api = Api::with_state(state::StateConfig { auth: limits, ..state::StateConfig::default() }).await;
    let api = api.with_alice().await;
    let path = "/v1/accounts/alice/password";
    let change = async |old: &str| api.ask(Method::PUT, path, json!({ "password": "a new one", "old": old })).await.0;
    for old in ["wrong", "wrong", "wrong", "guess", "try"] {
        assert_eq!(change(old).await, StatusCode::FORBIDDEN, "the same one again counts once");
    }
    assert_eq!(change("long enough").await, StatusCode::SERVICE_UNAVAILABLE);
    // An operator needs no old password, and is not held up.
    assert_eq!(api.ask(Method::PUT, path, json!({ "password": "operator's" })).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn every_change_is_recorded_with_who_and_what_and_without_secrets() {
    let api = Api::new().await.with_alice().await;
    let device = json!({ "name": "scanner", "networks": ["192.0.2.0/24"] });
    let (_, made) = api.ask(Method::POST, "/v1/accounts/alice/devices", device).await;
    api.ask(Method::PUT, "/v1/accounts/alice/password", json!({ "password": "a new secret", "old": "a wrong one" }))
        .await;
    api.ask(Method::POST, "/v1/reload", json!(null)).await;
    api.ask(Method::POST, "/v1/accounts", json!({ "login": 7 })).await;
    api.ask(Method::GET, "/v1/accounts", json!(null)).await;
    let file = api.dir.path().join("audit.jsonl");
    let kept = std::fs::read_to_string(&file).expect("the file");
    for secret in ["long enough", "a new secret", "a wrong one", made["secret"].as_str().expect("a secret")] {
        assert!(!kept.contains(secret), "{kept}");
    }
    let (_, listed) = api.ask(Method::GET, "/v1/audit", json!(null)).await;
    let short = |it: &Value| format!("{} {} {}", it["change"], it["on"], it["done"]).replace('"', "");
    let told: Vec<String> = listed["changes"].as_array().expect("a list").iter().map(short).collect();
    let expected = [
        "account add alice false",
        "domain set example.test true",
        "account add alice true",
        "account add alice false",
        "device add alice true",
        "password set alice false",
        "reload  false",
        "account add  false",
    ];
    assert_eq!(told, expected);
    let first = &listed["changes"][0];
    assert_eq!(
        (&first["error"], &first["who"]["pid"]),
        (&json!("no such domain: example.test"), &json!(std::process::id()))
    );
    assert!(first["who"]["user"].is_string() && first["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{first}");
    assert_eq!(listed["changes"][4]["with"], json!({ "name": "scanner", "networks": ["192.0.2.0/24"] }));

    // A crash tore the last line: it is told, and what comes after stands alone.
    let whole = kept.trim_end();
    std::fs::write(&file, &whole[..whole.len() - 9]).expect("written");
    assert_eq!(api.ask(Method::POST, "/v1/accounts/alice/lock", json!(null)).await.0, StatusCode::NO_CONTENT);
    let (_, listed) = api.ask(Method::GET, "/v1/audit?count=2", json!(null)).await;
    assert_eq!((&listed["unreadable"], &listed["changes"][1]["change"]), (&json!(1), &json!("account lock")));
    let verified = audit::Audit::new(api.dir.path(), audit_key()).chain().verify(None).expect("read");
    assert!(verified.is_intact() && verified.torn == 1, "{verified:?}");
    let (_, none) = api.ask(Method::GET, "/v1/audit?hours=0&count=1", json!(null)).await;
    assert!(none["changes"].as_array().is_some_and(|it| it.len() <= 1));
}

#[tokio::test]
async fn a_change_over_the_socket_names_its_process() {
    let api = Api::new().await;
    let (directory, audit) = (Arc::clone(&api.directory), audit::Audit::new(api.dir.path(), audit_key()));
    let path = api.dir.path().join("admin.sock");
    let listener = bind(&path, 0o600).expect("bound");
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let backend = Backend { directory, audit: audit.clone(), server: None };
    let served = tokio::spawn(serve(listener, backend, async { drop(ended.await) }));
    let mut client = client::Client::connect(&path).await.expect("connected");
    let added = client.tell(client::Method::PUT, "/v1/domains/example.test", Some(&json!({}))).await;
    added.expect("added");
    drop((client, end));
    served.await.expect("ended").expect("well");
    let kept = audit.read(audit::Which::default()).expect("read");
    let who = &kept.changes[0].who;
    assert_eq!((who.pid, kept.changes[0].done), (i32::try_from(std::process::id()).ok(), true));
}

#[tokio::test]
async fn bans_are_made_listed_and_lifted() {
    let api = Api::new().await;
    let new = json!({ "address": "2001:db8::7", "minutes": 5, "reason": "spam" });
    let (status, ban) = api.ask(Method::POST, "/v1/bans", new).await;
    assert_eq!((status, &ban["address"], &ban["reason"]), (StatusCode::CREATED, &json!("2001:db8::"), &json!("spam")));
    for wrong in
        [json!({ "address": "x" }), json!({ "address": "127.0.0.1" }), json!({ "address": "192.0.2.1", "minutes": 0 })]
    {
        assert_eq!(api.ask(Method::POST, "/v1/bans", wrong.clone()).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(
        api.ask(Method::POST, "/v1/bans", json!({ "address": "192.0.2.1" })).await.1["reason"],
        json!("operator")
    );
    assert_eq!(api.ask(Method::GET, "/v1/bans", json!(null)).await.1.as_array().expect("a list").len(), 2);
    assert_eq!(api.ask(Method::DELETE, "/v1/bans", json!(null)).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(api.ask(Method::DELETE, "/v1/bans?address=192.0.2.1", json!(null)).await.1, json!({ "count": 1 }));
    assert_eq!(api.ask(Method::DELETE, "/v1/bans?all=true", json!(null)).await.1, json!({ "count": 1 }));
    assert_eq!(api.ask(Method::GET, "/v1/bans", json!(null)).await.1, json!([]));
}
