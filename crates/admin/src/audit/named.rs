//! What a request changes, in words, and how, without anything secret.

use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// What is told of a request's body and query. Nothing else is, so that a new secret is not told for having been forgotten.
const TOLD: [&str; 32] = [
    "login",
    "address",
    "targets",
    "keep_copy",
    "catch_all",
    "name",
    "networks",
    "messages_per_hour",
    "recipients",
    "days",
    "minutes",
    "reason",
    "quota_octets",
    "apop_only",
    "new_domain",
    "session",
    "client",
    "all",
    "destination",
    "ids",
    "held",
    "expires_at",
    "from",
    "accept",
    "refuse",
    "remove",
    "accept_only",
    "quota",
    "expires",
    "dry_run",
    "new_domains",
    "mail",
];
/// Characters of a text that is told.
const TEXT_CHARS_MAX: usize = 320;
/// Elements of a list that are told.
const LIST_MAX: usize = 32;

/// A change in words.
#[derive(Debug, PartialEq)]
pub(super) struct Named {
    pub(super) change: String,
    pub(super) on: String,
    pub(super) with: Map<String, Value>,
}

pub(super) fn named(method: &Method, uri: &Uri, body: &[u8]) -> Named {
    let with = told(uri, body);
    let segments: Vec<String> = uri.path().trim_start_matches('/').split('/').take(6).map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let of_body = |key: &str| with.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (change, on) = match (method.as_str(), &segments[..]) {
        ("POST", ["v1", "reload"]) => ("reload".to_owned(), String::new()),
        ("POST", ["v1", "reload", "rollback"]) => ("reload rollback".to_owned(), String::new()),
        ("POST", ["v1", "backup"]) => ("backup".to_owned(), String::new()),
        ("POST", ["v1", "queue", "release"]) => ("queue release".to_owned(), of_body("reason")),
        ("POST", ["v1", "accounts"]) => ("account add".to_owned(), of_body("login")),
        ("DELETE", ["v1", "accounts", login]) => ("account delete".to_owned(), (*login).to_owned()),
        ("PATCH", ["v1", "accounts", login]) => ("account set".to_owned(), (*login).to_owned()),
        ("POST", ["v1", "roll", "accounts"]) => ("account import".to_owned(), String::new()),
        ("POST", ["v1", "roll", "hashes"]) => ("hashes export".to_owned(), String::new()),
        ("POST", ["v1", "roll", "aliases"]) => ("alias import".to_owned(), String::new()),
        ("PUT", ["v1", "accounts", login, "password"]) => ("password set".to_owned(), (*login).to_owned()),
        ("POST", ["v1", "accounts", login, "lock"]) => ("account lock".to_owned(), (*login).to_owned()),
        ("DELETE", ["v1", "accounts", login, "lock"]) => ("account unlock".to_owned(), (*login).to_owned()),
        ("POST", ["v1", "accounts", login, "devices"]) => ("device add".to_owned(), (*login).to_owned()),
        ("POST", ["v1", "accounts", login, "choices"]) => ("choices change".to_owned(), (*login).to_owned()),
        ("DELETE", ["v1", "devices", login]) => ("device revoke".to_owned(), (*login).to_owned()),
        ("PUT", ["v1", "domains", domain]) => ("domain set".to_owned(), (*domain).to_owned()),
        ("DELETE", ["v1", "domains", domain]) => ("domain delete".to_owned(), (*domain).to_owned()),
        ("PUT", ["v1", "domains", domain, "off"]) => ("domain off".to_owned(), (*domain).to_owned()),
        ("DELETE", ["v1", "domains", domain, "off"]) => ("domain on".to_owned(), (*domain).to_owned()),
        ("POST", ["v1", "aliases", address]) => ("alias add".to_owned(), (*address).to_owned()),
        ("DELETE", ["v1", "aliases", address]) => ("alias delete".to_owned(), (*address).to_owned()),
        ("POST", ["v1", "grants"]) => ("grant add".to_owned(), of_body("address")),
        ("DELETE", ["v1", "grants"]) => ("grant revoke".to_owned(), of_body("address")),
        ("POST", ["v1", "bans"]) => ("ban add".to_owned(), of_body("address")),
        ("DELETE", ["v1", "bans"]) => ("ban lift".to_owned(), of_body("address")),
        ("DELETE", ["v1", "relay", "lock"]) => ("relay unlock".to_owned(), String::new()),
        ("DELETE", ["v1", "sessions"]) => ("session cut".to_owned(), of_body("session")),
        ("DELETE", ["v1", "queue", id]) => ("queue delete".to_owned(), (*id).to_owned()),
        ("POST", ["v1", "queue", id, action]) => (format!("queue {action}"), (*id).to_owned()),
        // One that is new here still stands in the file.
        (method, segments) => (format!("{} {method}", segments.get(1).unwrap_or(&"")), segments.join("/")),
    };
    Named { change: cut(&change), on: cut(&on), with }
}

/// The query first: the body's word is the later one.
fn told(uri: &Uri, body: &[u8]) -> Map<String, Value> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let mut with: Map<String, Value> = pairs
        .filter(|(key, value)| TOLD.contains(key) && *value != "false")
        .map(|(key, value)| (key.to_owned(), Value::String(cut(&decoded(value)))))
        .collect();
    if let Ok(Value::Object(body)) = serde_json::from_slice(body) {
        let shown = body.into_iter().filter(|(key, _)| TOLD.contains(&key.as_str()));
        with.extend(shown.filter_map(|(key, value)| Some((key, bounded(value)?))));
    }
    with
}

/// What says nothing is left out, and what is long is cut.
fn bounded(value: Value) -> Option<Value> {
    match value {
        Value::Null | Value::Bool(false) | Value::Object(_) => None,
        Value::String(text) => Some(Value::String(cut(&text))),
        Value::Array(list) if list.is_empty() => None,
        Value::Array(list) => {
            let more = list.len().saturating_sub(LIST_MAX);
            let texts = list.iter().take(LIST_MAX).filter_map(Value::as_str).map(|text| Value::String(cut(text)));
            let more = (more > 0).then(|| Value::String(format!("… {more} more")));
            Some(Value::Array(texts.chain(more).collect()))
        }
        other => Some(other),
    }
}

pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_secret_is_told() {
        let body = json!({ "login": "alice", "password": "pw-1", "hash": "{PLAIN}pw-2", "old": "pw-3", "secret": "pw-4",
            "accept": ["a@b.example"],
            "quota_octets": 7, "new_domain": false, "networks": [] });
        let named = named(&Method::POST, &"/v1/accounts?password=pw-5".parse().unwrap(), body.to_string().as_bytes());
        assert_eq!((named.change.as_str(), named.on.as_str()), ("account add", "alice"));
        assert_eq!(
            Value::Object(named.with),
            json!({ "accept": ["a@b.example"], "login": "alice", "quota_octets": 7 })
        );
    }

    #[test]
    fn a_change_has_words_whatever_it_is() {
        let many: Vec<String> = (0..999).map(|number| format!("u{number}@else.test")).collect();
        let long = json!({ "targets": many, "name": "x".repeat(10_000) }).to_string();
        for (method, path, body, change, on) in [
            (Method::DELETE, "/v1/accounts/al%40example.test", "", "account delete", "al@example.test"),
            (Method::PUT, "/v1/accounts/alice/password", "no json", "password set", "alice"),
            (Method::DELETE, "/v1/grants?address=192.0.2.7&all=false", "", "grant revoke", "192.0.2.7"),
            (Method::DELETE, "/v1/bans?address=192.0.2.7", "", "ban lift", "192.0.2.7"),
            (Method::DELETE, "/v1/relay/lock", "", "relay unlock", ""),
            (Method::POST, "/v1/queue/01AB/hold", "", "queue hold", "01AB"),
            (Method::POST, "/v1/accounts/al/choices", r#"{"accept_only":"off"}"#, "choices change", "al"),
            (Method::PATCH, "/v1/new/thing", "", "new PATCH", "v1/new/thing"),
            (Method::POST, "/v1/aliases/all", long.as_str(), "alias add", "all"),
        ] {
            let named = named(&method, &path.parse().unwrap(), body.as_bytes());
            assert_eq!((named.change.as_str(), named.on.as_str()), (change, on));
            assert!(serde_json::to_string(&named.with).unwrap().len() < 16_384);
        }
    }
}
