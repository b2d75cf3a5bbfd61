//! What the report says to people, in English and in Japanese.

use keep::Language;

use super::outcome::{Outcome, Verdict};

/// Notes in Japanese; one that is missing here, such as what the system says, stands as it is.
const NOTES: &[(&str, &str)] = &[
    ("at the sender", "送信者の段階"),
    ("at DATA", "DATA の段階"),
    ("after the mail", "メールの送信後"),
    ("no TLS", "TLS なし"),
    ("no STARTTLS", "STARTTLS なし"),
    ("not obeyed", "実行されなかった"),
    ("not answered", "応答なし"),
    ("the recipient was not answered", "宛先への応答なし"),
    ("the server closed the connection", "サーバーが接続を切った"),
    ("no answer in time", "時間内に応答なし"),
    ("not tried: the server did not answer before", "前の項目に応答がなかったため未実施"),
    ("needs an environment that is made for it", "専用の環境が必要"),
    ("needs a login", "ログインが必要"),
    ("sends a mail: needs a sink", "メールを送るため、確認用メールボックスが必要"),
    ("the server's own user gets no mail from here", "サーバー内の宛先に送れない"),
    ("a command from before TLS was obeyed", "TLS 開始前のコマンドが実行された"),
    (
        "what stood in the mail was obeyed: the server is open to SMTP smuggling",
        "メールの中のコマンドが実行された（SMTP スマグリングが可能）",
    ),
];

/// The report's texts.
pub(super) struct Words(pub(super) Language);

impl Words {
    /// A note of a probe.
    pub(super) fn note<'n>(&self, note: &'n str) -> &'n str {
        let known = NOTES.iter().find(|(en, _)| *en == note);
        known.map_or(note, |(en, ja)| self.0.pick(en, ja))
    }
    pub(super) fn title(&self) -> &'static str {
        self.0.pick("Relay test", "中継テスト")
    }
    pub(super) fn server(&self) -> &'static str {
        self.0.pick("Server", "サーバー")
    }
    pub(super) fn greeting(&self) -> &'static str {
        self.0.pick("Name in its greeting", "挨拶の名前")
    }
    pub(super) fn began(&self) -> &'static str {
        self.0.pick("Tested at", "テスト日時")
    }
    pub(super) fn sink(&self) -> &'static str {
        self.0.pick("Sink", "確認用メールボックス")
    }
    pub(super) fn no_sink(&self) -> &'static str {
        self.0.pick("none: no mail was sent", "なし（メールは送っていません）")
    }
    pub(super) fn token(&self) -> &'static str {
        self.0.pick("Token in the mails", "メールの目印")
    }
    pub(super) fn results(&self) -> &'static str {
        self.0.pick("Results", "結果の内訳")
    }
    pub(super) fn classic(&self) -> &'static str {
        self.0.pick("The classic nineteen", "古典的な 19 項目")
    }
    pub(super) fn others(&self) -> &'static str {
        self.0.pick("More probes", "その他の項目")
    }
    pub(super) fn number(&self) -> &'static str {
        self.0.pick("No.", "番号")
    }
    pub(super) fn probe(&self) -> &'static str {
        self.0.pick("Probe", "項目")
    }
    pub(super) fn tried(&self) -> &'static str {
        self.0.pick("What was tried", "試した内容")
    }
    pub(super) fn said(&self) -> &'static str {
        self.0.pick("What the server said", "サーバーの応答")
    }
    pub(super) fn result(&self) -> &'static str {
        self.0.pick("Result", "結果")
    }
    pub(super) fn verdict(&self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Open => self.0.pick("OPEN RELAY", "オープンリレー"),
            Verdict::Closed => self.0.pick("Closed", "中継しません"),
            Verdict::Uncertain => self.0.pick("Uncertain", "判定できません"),
        }
    }
    pub(super) fn meaning(&self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Open => self.0.pick(
                "The server relays mail for strangers: test mail arrived in the sink. Close it now, before it is listed.",
                "このサーバーは第三者のメールを中継します。テストのメールが確認用メールボックスに届きました。ブロックリストに載る前に、すぐに設定を直してください。",
            ),
            Verdict::Closed => self.0.pick(
                "The server refused every probe.",
                "このサーバーは、すべての試みを拒否しました。",
            ),
            Verdict::Uncertain => self.0.pick(
                "Some probes were accepted, deferred or not answered, and no test mail was seen in the sink. Look at those probes; with a sink the test can decide.",
                "受け付けられた、一時拒否された、または応答のなかった項目があり、テストのメールの到着は確認できていません。その項目を見てください。確認用メールボックスを指定すると判定できます。",
            ),
        }
    }
    pub(super) fn outcome(&self, outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::Refused => self.0.pick("refused", "拒否"),
            Outcome::Local => self.0.pick("taken as local", "自サーバー宛てとして受け付け"),
            Outcome::Deferred => self.0.pick("deferred", "一時拒否"),
            Outcome::Accepted => self.0.pick("accepted", "宛先を受け付け"),
            Outcome::Sent => self.0.pick("mail taken", "メールを受け付け"),
            Outcome::Delivered => self.0.pick("arrived: relayed", "到着（中継された）"),
            Outcome::Unanswered => self.0.pick("no answer", "応答なし"),
            Outcome::Skipped => self.0.pick("not tried", "未実施"),
        }
    }
}
