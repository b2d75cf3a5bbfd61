//! Bodies of Dovecot 2.3 and 2.4, and hostile ones.

use super::*;
use proptest::prelude::*;

/// As Dovecot 2.3.19 sends it, names replaced.
const REPORT: &str = r#"{"device_id":"","login":"alice@example.test","protocol":"pop3","pwhash":"0d52","remote":"192.0.2.7","session_id":"s1","success":true,"policy_reject":false,"tls":true}"#;

fn parse(query: &str, body: &str) -> Request {
    Request::parse(query, body.as_bytes()).unwrap_or_else(|error| panic!("{query} {body}: {error}"))
}

fn refusal(query: &str, body: &str) -> String {
    Request::parse(query, body.as_bytes()).expect_err(body).to_string()
}

#[test]
fn a_report_of_a_successful_login() {
    let request = parse("command=report", REPORT);
    let outcome = Outcome { success: true, policy_reject: false, fail_type: String::new() };
    assert_eq!(request.command, Command::Report(outcome));
    assert_eq!((request.login.as_str(), request.protocol.as_str()), ("alice@example.test", "pop3"));
    assert_eq!(request.remote, Some([192, 0, 2, 7].into()));
    assert_eq!((request.pwhash.as_str(), request.session_id.as_str(), request.device_id.as_str()), ("0d52", "s1", ""));
    assert!(request.tls);
}

#[test]
fn a_question_before_the_password_is_checked() {
    let request = parse(
        "key=x&command=allow",
        r#"{"login":"b\u00e9","remote":"::ffff:192.0.2.7","protocol":"IMAP","attrs":{"cos":"premium"},"n":[1,null]}"#,
    );
    assert_eq!((request.command, request.login.as_str(), request.protocol.as_str()), (Command::Allow, "bé", "imap"));
    assert_eq!(request.remote, Some([192, 0, 2, 7].into()));
    assert!(!request.tls);
}

/// From Dovecot 2.3.19, for a login without an address that our refusal ended.
#[test]
fn a_report_of_what_we_refused() {
    let body = r#"{"device_id":"","login":"mallory","protocol":"smtp","pwhash":"0b10","remote":"","session_id":"","success":false,"policy_reject":true,"tls":false}"#;
    let request = parse("command=report", body);
    let outcome = Outcome { success: false, policy_reject: true, fail_type: String::new() };
    assert_eq!((request.command, request.remote, request.tls), (Command::Report(outcome), None, false));
}

#[test]
fn failures_with_their_kind() {
    let body = r#"{"login":"a","remote":"","fail_type":"credentials","success":false,"policy_reject":true}"#;
    let request = parse("command=report", body);
    let outcome = Outcome { success: false, policy_reject: true, fail_type: "credentials".into() };
    assert_eq!((request.command, request.remote), (Command::Report(outcome), None));
}

#[test]
fn what_is_refused() {
    let long = format!(r#"{{"login":"{}","success":true}}"#, "x".repeat(LOGIN_OCTETS_MAX + 1));
    let huge = format!(r#"{{"login":"{}","success":true}}"#, "x".repeat(BODY_OCTETS_MAX));
    let deep = format!(r#"{{"x":{}}}"#, "[".repeat(10_000));
    let table = [
        ("", REPORT, "command=allow"),
        ("command=", REPORT, "command=allow"),
        ("command=delete", REPORT, "command=allow"),
        ("command=allow&command=report", REPORT, "command=allow"),
        ("xcommand=report", REPORT, "command=allow"),
        ("command=report", r#"{"login":"a"}"#, "without success"),
        ("command=report", r#"{"login":"a","success":null}"#, "without success"),
        ("command=report", r#"{"login":"a","success":"true"}"#, "at line 1 column"),
        ("command=report", r#"{"login":"a","success":false,"success":true}"#, "at line 1 column"),
        ("command=report", r#"{"login":"a","login":"b","success":true}"#, "at line 1 column"),
        ("command=report", r#"{"login":7,"success":true}"#, "at line 1 column"),
        ("command=report", r#"{"login":"a\n","success":true}"#, "login cannot"),
        ("command=report", r#"{"login":"a\u0000b","success":true}"#, "login cannot"),
        ("command=report", &long, "login cannot"),
        ("command=report", &huge, "longer than"),
        ("command=report", &deep, "at line 1 column"),
        ("command=report", &REPORT[..40], "at line 1 column"),
        ("command=report", "", "at line 1 column"),
        ("command=report", "{} {}", "at line 1 column"),
        ("command=report", "[]", "at line 1 column"),
    ];
    for (query, body, expected) in table {
        let refusal = refusal(query, body);
        assert!(refusal.contains(expected), "{query} {:?}: {refusal}", &body[..body.len().min(60)]);
    }
    assert!(Request::parse("command=report", b"{\"login\":\"\xff\",\"success\":true}").is_err());
}

#[test]
fn what_the_client_says_of_itself_is_cut() {
    let body = format!(r#"{{"login":"a","device_id":"{}","session_id":"s"}}"#, "é".repeat(1000));
    let request = parse("command=allow", &body);
    assert_eq!(request.device_id, "é".repeat(TEXT_OCTETS_MAX / 2));
    assert_eq!(request.session_id, "s");
}

#[test]
fn answers() {
    let table = [
        (Answer::Continue, 0, ""),
        (Answer::Delay(0), 0, ""),
        (Answer::Delay(7), 7, ""),
        (Answer::Delay(u32::MAX), 300, ""),
        (Answer::Refuse("".into()), -1, ""),
        (Answer::Refuse("go \"away\"\r\n".into()), -1, "go \"away\"\r\n"),
    ];
    for (answer, status, message) in table {
        let json: serde_json::Value = serde_json::from_str(&answer.to_json()).unwrap();
        assert_eq!(json, serde_json::json!({ "status": status, "msg": message }), "{answer:?}");
    }
    assert!(!Answer::Refuse("a\r\nb".into()).to_json().contains(['\r', '\n']));
}

#[test]
fn the_hash_is_not_printed() {
    let printed = format!("{:?}", parse("command=report", REPORT));
    assert!(printed.contains("alice") && !printed.contains("0d52"), "{printed}");
}

proptest! {
    #[test]
    fn nothing_but_success_is_a_success(body: Vec<u8>, query: String) {
        prop_assert!(Request::parse(&query, &body).is_err());
        prop_assert!(Request::parse("command=report", &body).is_err());
    }

    #[test]
    fn any_login_comes_through(login in "[^\\p{Cc}]{0,60}") {
        let body = serde_json::json!({ "login": login, "success": true }).to_string();
        prop_assert_eq!(parse("command=report", &body).login, login);
    }
}
