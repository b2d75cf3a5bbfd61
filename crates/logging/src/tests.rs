use super::*;
use std::{fs, time::Instant};

fn log_to(file: &Path, format: LogFormat) -> Log {
    Log { format, file: Some(file.to_owned()), level: LogLevel::Info, lines_per_second_max: 1_000_000 }
}

#[test]
fn a_line_is_time_level_event_and_fields() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("log");
    let logger = Logger::open(&log_to(&file, LogFormat::Text)).expect("opens");
    tracing::subscriber::with_default(logger.subscriber(), || {
        let client = std::net::Ipv4Addr::new(192, 0, 2, 1);
        tracing::info!(session = "0a1b", %client, helo = ?"x y\r\n", octets = 5_u64, tls = true, "turned away");
        tracing::debug!("not at this level");
        tracing::warn!(target: "hyper::proto", "some prose");
        tracing::info!(target: "hyper::proto", "chatter");
    });
    drop(logger);
    let text = fs::read_to_string(&file).expect("readable");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    let (time, rest) = lines[0].split_once(' ').expect("fields");
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    assert_eq!(rest, r#"info turned_away session=0a1b client=192.0.2.1 helo="x y\r\n" octets=5 tls=true"#);
    assert!(lines[1].ends_with(r#"warn library message="some prose" target=hyper::proto"#), "{}", lines[1]);
}

#[test]
fn json_has_the_same_fields() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("log");
    let logger = Logger::open(&log_to(&file, LogFormat::Json)).expect("opens");
    tracing::subscriber::with_default(logger.subscriber(), || {
        tracing::error!(session = "0a1b", helo = ?"x \"y\"\r\n", octets = 5_u64, tls = true, "turned away");
    });
    drop(logger);
    let text = fs::read_to_string(&file).expect("readable");
    let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&line["level"], &line["event"]), (&"error".into(), &"turned_away".into()));
    assert_eq!((&line["helo"], &line["octets"], &line["tls"]), (&"x \"y\"\r\n".into(), &5.into(), &true.into()));
}

#[test]
fn a_file_that_was_moved_away_is_opened_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let (file, moved) = (dir.path().join("log"), dir.path().join("log.1"));
    let logger = Logger::open(&log_to(&file, LogFormat::Text)).expect("opens");
    tracing::subscriber::with_default(logger.subscriber(), || {
        tracing::info!("first");
        logger.flush();
        fs::rename(&file, &moved).expect("moved");
        logger.apply(&log_to(&file, LogFormat::Text)).expect("opened again");
        tracing::info!("second");
        assert!(logger.apply(&log_to(&dir.path().join("no/such"), LogFormat::Text)).is_err());
        tracing::info!("third");
    });
    drop(logger);
    assert!(fs::read_to_string(&moved).expect("readable").contains("first"));
    let text = fs::read_to_string(&file).expect("readable");
    assert!(text.contains("second") && text.contains("third") && !text.contains("first"), "{text}");
}

/// A flood of one event is cut and counted, and hides no other.
#[test]
fn a_flood_is_counted_not_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("log");
    let begun = Instant::now();
    let logger = Logger::open(&Log { lines_per_second_max: 100, ..log_to(&file, LogFormat::Text) }).expect("opens");
    tracing::subscriber::with_default(logger.subscriber(), || {
        for number in 0..5_000 {
            tracing::info!(number, "turned away");
            tracing::warn!(number, "disk is slow");
            tracing::info!(queue_id = number, "accepted");
        }
        tracing::info!(explain = "7kq2m4xd", "recipient refused");
    });
    drop(logger);
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("few") + 2;
    let text = fs::read_to_string(&file).expect("readable");
    let lines = |event: &str| text.lines().filter(|line| line.contains(event)).count();
    let written = lines("info turned_away ");
    assert!((100..=100 * seconds).contains(&written), "{written} lines in {seconds} seconds");
    let counts = text.lines().filter_map(|line| line.split_once("info lines_suppressed event=turned_away count="));
    let left_out: usize = counts.map(|(_, count)| count.parse::<usize>().expect("a number")).sum();
    assert_eq!(written + left_out, 5_000);
    assert_eq!((lines("warn disk_is_slow "), lines("explain=7kq2m4xd")), (5_000, 1));
    assert_eq!(lines("info accepted "), 5_000, "what became of a mail is always told");
}

/// Not a timed test: prints what a line costs, for `cargo test --release -- --ignored --nocapture line_cost`.
#[test]
#[ignore = "a measurement"]
fn line_cost() {
    const LINES: u32 = 1_000_000;
    let dir = tempfile::tempdir().expect("a folder");
    let log = Log { lines_per_second_max: u32::MAX, ..log_to(&dir.path().join("log"), LogFormat::Text) };
    let logger = Logger::open(&log).expect("opens");
    tracing::subscriber::with_default(logger.subscriber(), || {
        let client = std::net::Ipv4Addr::new(192, 0, 2, 1);
        let began = Instant::now();
        for octets in 0..LINES {
            let path = "<alice@example.net>";
            tracing::info!(session = "0a1b2c3d", %client, reverse_path = ?path, octets, explain = "00000001", "message");
        }
        println!("{:?} a line", began.elapsed() / LINES);
        logger.flush();
        println!("{:?} a line until it is written", began.elapsed() / LINES);
        logger.apply(&Log { lines_per_second_max: 100, ..log.clone() }).expect("opens again");
        let began = Instant::now();
        for octets in 0..LINES {
            tracing::info!(session = "0a1b2c3d", %client, reverse_path = ?"<alice@example.net>", octets, "message");
        }
        println!("{:?} a line that is left out", began.elapsed() / LINES);
    });
}
