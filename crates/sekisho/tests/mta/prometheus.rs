//! A real Prometheus scrapes a demo: the page is one that it takes, the alert rules and the dashboard of `docs/examples` ask for what
//! there is.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::demo::{Demo, free_ports, message, run};
use crate::support::{Folder, root, unpacked, until};

/// A Prometheus of its own, ended with this value.
struct Prometheus {
    child: Child,
    port: u16,
    folder: Folder,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn programs() -> PathBuf {
    unpacked("prometheus", &["prometheus"]).join("usr/bin")
}

impl Prometheus {
    /// Scrapes the demo each second.
    fn of(demo: &Demo) -> Self {
        let (folder, port) = (Folder::new(), free_ports());
        let rules = root().join("docs/examples/prometheus-alerts.yml");
        let config = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: ['{}']\nscrape_configs:\n- job_name: sekisho\n  \
             static_configs:\n  - targets: ['127.0.0.1:{}']\n",
            rules.display(),
            demo.port("console")
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(programs().join("prometheus"))
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, port, folder }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// What an API of it answers; `None`: it is not there yet.
    fn asks(&self, path: &str, query: &[(&str, &str)]) -> Option<Value> {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--get", &format!("http://127.0.0.1:{}{path}", self.port)]);
        for (name, value) in query {
            curl.args(["--data-urlencode", &format!("{name}={value}")]);
        }
        serde_json::from_slice(&curl.output().unwrap().stdout).ok()
    }

    /// The result of an expression, which must be one.
    fn result(&self, expression: &str) -> Vec<Value> {
        let answer = self.asks("/api/v1/query", &[("query", expression)]).unwrap_or_default();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

/// What of an expression is a series of ours; all of them are scraped.
fn series(expression: &str) -> Vec<String> {
    let words = expression.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    words.filter(|word| word.starts_with("sekisho_")).map(str::to_owned).collect()
}

#[test]
fn a_real_prometheus_scrapes_and_every_rule_and_panel_has_an_answer() {
    let (bin, examples) = (programs(), root().join("docs/examples"));
    run(Command::new(bin.join("promtool")).arg("check").arg("rules").arg(examples.join("prometheus-alerts.yml")));
    run(Command::new(bin.join("promtool"))
        .arg("test")
        .arg("rules")
        .arg("prometheus-alerts-test.yml")
        .current_dir(&examples));
    let demo = Demo::start();
    let page = run(Command::new("curl").args(["-sS", &format!("http://127.0.0.1:{}/metrics", demo.port("console"))]));
    for family in telemetry::numbers::FAMILIES {
        assert!(page.contains(&format!("# TYPE {} {}\n", family.name, family.form.code())), "{}", family.name);
    }
    let prometheus = Prometheus::of(&demo);
    let log = || prometheus.log();
    let alice = demo.account("alice");
    let mut smtp = demo.dial("smtp").greeted();
    assert!(smtp.rcpt("x@outside.example", "friend@elsewhere.example").starts_with("550"));
    let text = message(&alice.address, "bob@example.test", "hello");
    assert!(demo.submission(&alice).mail(&alice.address, "bob@example.test", text).starts_with("250"));
    demo.until_drained();
    let number = |expression: &str| {
        let result = prometheus.result(expression);
        result.first().and_then(|it| it["value"][1].as_str()?.parse::<f64>().ok())
    };
    until("Prometheus to have scraped", &log, || prometheus.asks("/api/v1/query", &[("query", "up")]));
    for expected in [
        "sekisho_refusals_total{stage='rcpt',reason='relay-denied'}",
        "sekisho_logins_total{protocol='smtp',result='proved'}",
        "sekisho_messages_accepted_total{from='trusted'}",
        "sekisho_deliveries_total{way='maildir',result='delivered'}",
        "sekisho_message_commit_seconds_count",
        "sekisho_connections_total{listener='smtp',outcome='served'}",
        "sekisho_certificate_not_after_seconds > time()",
        "sekisho_resident_memory_bytes",
        "count_over_time(up{job='sekisho'}[1m]) > 2",
    ] {
        until(expected, &log, || number(expected).filter(|number| *number >= 1.0));
    }
    assert_eq!(number("count(up{job='sekisho'} == 1)"), Some(1.0));
    // Cardinality is bounded: by tables, and by what the configuration names.
    assert!(number("count({job='sekisho',__name__=~'sekisho_.*'})").unwrap() < 600.0);
    let names = prometheus.asks("/api/v1/label/__name__/values", &[]).unwrap()["data"].to_string();
    let rules = prometheus.asks("/api/v1/rules", &[]).unwrap();
    let rules: Vec<&Value> = rules["data"]["groups"][0]["rules"].as_array().unwrap().iter().collect();
    assert!(rules.len() > 8 && rules.iter().all(|rule| rule["lastError"].is_null()), "{rules:?}");
    let board = fs::read_to_string(examples.join("grafana-dashboard.json")).unwrap();
    let board: Value = serde_json::from_str(&board).unwrap();
    let panels = board["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let asked = panels.map(|target| target["expr"].as_str().unwrap().replace("$job", "sekisho"));
    let asked: Vec<String> = asked.chain(rules.iter().map(|rule| rule["query"].as_str().unwrap().to_owned())).collect();
    assert!(asked.len() > 30);
    for expression in asked {
        prometheus.result(&expression);
        for name in series(&expression) {
            // Without a list in DNS that series has no values.
            let known = names.contains(&format!("\"{name}\"")) || name.starts_with("sekisho_dnsbl");
            assert!(known, "{expression} asks for {name}");
        }
        // What compares has no result where all is well.
        let has_result = expression.contains(['>', '<']) || expression.contains("==") || expression.contains("dnsbl");
        assert!(has_result || !prometheus.result(&expression).is_empty(), "{expression}: nothing");
    }
}
