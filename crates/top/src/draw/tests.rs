use std::path::PathBuf;

use admin::wire::{Alarm, Counter, Waiting};
use keep::Language;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;

use super::*;
use crate::run::{Settings, picture};

fn settings(language: Language) -> Settings {
    let socket = PathBuf::from("admin.sock");
    Settings { socket, host: "mail.example.test".to_owned(), language, secs: 2, colours: false }
}

fn activity(uptime_millis: u64, more: u64) -> Activity {
    let counter = |name: &str, count| Counter { name: name.to_owned(), count };
    Activity {
        version: "0.1.0".to_owned(),
        uptime_millis,
        listeners: vec![
            Listening { name: "mx".to_owned(), open: 3, open_max: 1_000, served: 40 + more, turned_away: 2 },
            Listening { name: "pop3".to_owned(), open: 1, open_max: 200, served: 9, turned_away: 0 },
        ],
        sessions: 4,
        sessions_logged_in: 1,
        bans: 2,
        memory_octets: Some(41 * 1_048_576),
        messages_outside: 100 + more,
        messages_trusted: 7,
        decisions: vec![counter("refuse", 5 + more), counter("hosted", 100)],
        refusals: vec![counter("relay-denied", 4 + more), counter("listed", 1)],
        logins: vec![counter("proved", 8), counter("denied", 3)],
        deliveries: vec![counter("delivered", 90)],
        queue: Waiting { messages: 12, active: 1, deferred: 4, held: 2, recipients: 15, oldest_secs: 7_380 },
        senders: vec![Sending { sender: "taro@example.test".to_owned(), sent: 900, refused: 30, usual: 12 }],
        alarms: vec![Alarm {
            alarm: "launching-pad".to_owned(),
            level: "critical".to_owned(),
            subject: "login taro@example.test".to_owned(),
            title: "Launching pad".to_owned(),
            detail: "900 recipients \u{1b}[2J within the hour".to_owned(),
            todo: String::new(),
            commands: Vec::new(),
            since: String::new(),
        }],
    }
}

fn kept() -> Kept {
    serde_json::from_value(json!({
        "form": 2, "id": "k3v9q2x7a", "of": { "session": "s1", "listener": "mx" }, "policy": 1, "at": 1_700_000_000_000_000_u64,
        "stage": "rcpt", "client": "198.51.100.7", "reverse_path": "<a@strange.example>", "forward_path": "<b@far.example>",
        "outcome": "refuse",
        "refused": { "reason": "relay-denied" },
    }))
    .expect("a record")
}

fn view() -> View {
    let mut view = View::new("mail.example.test");
    view.see(activity(10_000, 0), None);
    view.see(activity(12_000, 10), Some(vec![kept()]));
    view
}

/// All of it is there in both languages, and nothing that a terminal would obey.
#[test]
fn everything_has_its_place() {
    for (language, words) in [
        (Language::English, ["mail from outside", "LISTENERS", "SENDERS WITHIN THE HOUR", "LATEST", "q quit"]),
        (Language::Japanese, ["外からのメール", "リスナー", "この1時間の送信元", "送信者 → 宛先", "q 終了"]),
    ] {
        let text = picture(&view(), &settings(language), 110, 40);
        for word in words {
            assert!(text.contains(word), "{word}:\n{text}");
        }
        let values = ["mail.example.test", "3/1000", "5.0", "taro@example.test", "900", "relay-denied", "198.51.100.7"];
        for value in values {
            assert!(text.contains(value), "{value}:\n{text}");
        }
        assert!(text.contains("2 h 3 min") && text.contains("k3v9q2x7a") && text.contains("<b@far.example>"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

/// 80 columns and 24 lines are what every terminal has.
#[test]
fn a_small_terminal_shows_what_matters() {
    for language in [Language::English, Language::Japanese] {
        let text = picture(&view(), &settings(language), 80, 24);
        assert!(text.lines().count() <= 24);
        let heads = Words(language).rates();
        for value in ["Launching pad", "taro@example.test", "3/1000", "relay-denied", "5.0", "110", heads[2], heads[3]]
        {
            assert!(text.contains(value), "{value}:\n{text}");
        }
    }
}

#[test]
fn no_size_is_too_small_or_too_large() {
    let settings = settings(Language::Japanese);
    for (columns, lines) in [(1, 1), (2, 3), (20, 5), (40, 10), (79, 23), (300, 100)] {
        picture(&view(), &settings, columns, lines);
        picture(&View::default(), &settings, columns, lines);
    }
}

#[test]
fn a_server_that_does_not_answer_is_said() {
    let mut view = view();
    view.fault = Some("no server at admin.sock".to_owned());
    let text = picture(&view, &settings(Language::English), 140, 40);
    assert!(text.contains("The server does not answer: no server at admin.sock"), "{text}");
    view.see(activity(13_000, 11), None);
    let text = picture(&view, &settings(Language::English), 140, 40);
    assert!(!text.contains("does not answer") && text.contains("no decision records are kept"), "{text}");
}

/// Colours say nothing that words do not, and are left out where they are not wanted.
#[test]
fn without_colours_there_are_none() {
    let coloured = |colours| {
        let manner = Manner { words: Words(Language::English), colours, secs: 1 };
        let mut terminal = Terminal::new(TestBackend::new(110, 40)).expect("it is in memory");
        terminal.draw(|frame| draw(&view(), manner, frame)).expect("it is in memory");
        terminal.backend().buffer().content().iter().any(|cell| cell.fg != Color::Reset)
    };
    assert_eq!((coloured(true), coloured(false)), (true, false));
}

#[test]
fn a_curve_is_as_high_as_its_greatest() {
    assert_eq!(curve(&[0.0, 3.5, 7.0]), "▁▅█");
    assert_eq!(curve(&[0.0, 0.0]), "▁▁");
    assert_eq!(curve(&[]), "");
}
