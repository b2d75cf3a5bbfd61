//! How it speaks.

use keep::Language;

use crate::view::Rate;

/// The texts of one language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words(pub(crate) Language);

impl Words {
    fn pick(self, english: &'static str, japanese: &'static str) -> &'static str {
        self.0.pick(english, japanese)
    }

    pub(crate) fn rate(self, rate: Rate) -> &'static str {
        match rate {
            Rate::Connections => self.pick("connections", "接続"),
            Rate::TurnedAway => self.pick("turned away", "入口で拒否"),
            Rate::FromOutside => self.pick("mail from outside", "外からのメール"),
            Rate::FromOwn => self.pick("mail of own users", "ユーザーのメール"),
            Rate::Refused => self.pick("refused", "拒否"),
            Rate::Deferred => self.pick("deferred", "一時拒否"),
            Rate::Logins => self.pick("logins", "ログイン"),
            Rate::LoginsFailed => self.pick("failed logins", "ログイン失敗"),
            Rate::Delivered => self.pick("delivered", "配送済み"),
            Rate::NotDelivered => self.pick("not delivered", "未配送"),
        }
    }

    /// Heads of the table of rates.
    pub(crate) fn rates(self) -> [&'static str; 5] {
        self.0
            .pick(["RATES", "a second", "last minute", "since start", ""], ["頻度", "毎秒", "直近1分", "起動から", ""])
    }

    /// Heads of the table of listeners.
    pub(crate) fn listeners(self) -> [&'static str; 2] {
        self.0.pick(["LISTENERS", "open"], ["リスナー", "接続中"])
    }

    /// Heads of the table of senders.
    pub(crate) fn senders(self) -> [&'static str; 4] {
        self.0.pick(
            ["SENDERS WITHIN THE HOUR", "sent", "refused", "usual"],
            ["この1時間の送信元", "送信", "拒否", "通常"],
        )
    }

    /// Heads of the table of reasons.
    pub(crate) fn reasons(self) -> [&'static str; 3] {
        self.0.pick(["REFUSED", "1 min", "all"], ["拒否の理由", "1分", "全部"])
    }

    /// Heads of the latest decisions.
    pub(crate) fn decisions(self) -> [&'static str; 5] {
        self.0.pick(
            ["LATEST", "ID", "outcome", "client", "from → to"],
            ["判定", "ID", "結果", "クライアント", "送信者 → 宛先"],
        )
    }

    pub(crate) fn up(self) -> &'static str {
        self.pick("up", "稼働")
    }

    pub(crate) fn sessions(self, all: u64, logged_in: u64) -> String {
        self.0.pick(
            format!("sessions {all} ({logged_in} logged in)"),
            format!("セッション {all}（ログイン済み {logged_in}）"),
        )
    }

    pub(crate) fn bans(self, bans: u64) -> String {
        self.0.pick(format!("bans {bans}"), format!("接続禁止 {bans}"))
    }

    pub(crate) fn memory(self, octets: u64) -> String {
        let mib = octets / 1_048_576;
        self.0.pick(format!("memory {mib} MiB"), format!("メモリー {mib} MiB"))
    }

    /// The queue in a line.
    pub(crate) fn queue(self, queue: &admin::wire::Waiting, oldest: &str) -> String {
        let admin::wire::Waiting { messages, active, deferred, held, .. } = queue;
        self.0.pick(
            format!("queue {messages}: {active} in delivery, {deferred} deferred, {held} held, oldest waits {oldest}"),
            format!("キュー {messages}：配送中 {active}、再配送待ち {deferred}、保留 {held}、最長の待ち時間 {oldest}"),
        )
    }

    pub(crate) fn no_alarm(self) -> &'static str {
        self.pick("no alarm", "警報なし")
    }

    pub(crate) fn alarms(self, count: usize) -> String {
        self.0.pick(format!("{count} in force: sekisho status"), format!("警報 {count} 件：sekisho status"))
    }

    pub(crate) fn none(self) -> &'static str {
        self.pick("none", "なし")
    }

    pub(crate) fn no_records(self) -> &'static str {
        self.pick("no decision records are kept ([records])", "判定の記録は保存されていません（[records]）")
    }

    pub(crate) fn fault(self, why: &str) -> String {
        self.0.pick(
            format!("The server does not answer: {why}. It is asked again."),
            format!("サーバーが応答しません：{why}。再度問い合わせます。"),
        )
    }

    pub(crate) fn keys(self, paused: bool, secs: u64) -> String {
        let still = if paused { self.pick("  STANDS STILL", "  停止中") } else { "" };
        self.0.pick(
            format!("q quit  p stand still  + - every {secs} s{still}"),
            format!("q 終了  p 停止  + - {secs} 秒ごと{still}"),
        )
    }
}
