//! What an operator must be told at once: the table of kinds, and one alarm.

use std::fmt::Write as _;

use keep::Language;
use serde::{Deserialize, Serialize};

/// Whether somebody must act now or soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Soon.
    Warning,
    /// Now.
    Critical,
}

impl Level {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How an alarm ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// It is looked at all the time, and is over when what it tells of is.
    WhenOver,
    /// It tells of something that happened, and counts as in force for the quiet time.
    AfterAWhile,
}

/// A kind of alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The oldest mail that waits for delivery waits for long.
    QueueAge,
    /// The queue has grown much within an hour.
    QueueGrowth,
    /// One sender sends much more than it used to, or fills the queue.
    LaunchingPad,
    /// Other servers refuse much of what one sender sends.
    SenderRefused,
    /// The server relayed for a stranger in its own test.
    RelayProbe,
    /// An address that may relay by itself is more than one site.
    TrustCollapsed,
    /// The disk refuses the queue, or has no room.
    Store,
    /// The accounts or the evidence of logins do not answer.
    Sources,
    /// The certificate ends within 14 days.
    CertificateEnds,
    /// The certificate ends within 3 days, or has ended.
    CertificateEnded,
    /// The authority gives no new certificate.
    CertificateUnrenewed,
    /// A list in DNS lists far more than it used to, and weighs nothing.
    ListBroken,
    /// Decision records were dropped.
    RecordsDropped,
    /// The admin API has ended.
    Admin,
    /// Only a test: `sekisho alarm test` and the like.
    Test,
}

/// What is the same of all alarms of a kind.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Stable word.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// How it ends.
    pub ends: Ends,
    title: [&'static str; 2],
    todo: [&'static str; 2],
}

impl About {
    /// What it is, in a few words.
    pub fn title(&self, language: Language) -> &'static str {
        self.title[language as usize]
    }

    /// What to do.
    pub fn todo(&self, language: Language) -> &'static str {
        self.todo[language as usize]
    }
}

const fn about(code: &'static str, level: Level, ends: Ends, [title, todo]: [[&'static str; 2]; 2]) -> About {
    About { code, level, ends, title, todo }
}

impl Kind {
    /// Every kind, in the order of the table in `docs/monitoring.md`.
    pub const ALL: [Self; 15] = [
        Self::QueueAge,
        Self::QueueGrowth,
        Self::LaunchingPad,
        Self::SenderRefused,
        Self::RelayProbe,
        Self::TrustCollapsed,
        Self::Store,
        Self::Sources,
        Self::CertificateEnds,
        Self::CertificateEnded,
        Self::CertificateUnrenewed,
        Self::ListBroken,
        Self::RecordsDropped,
        Self::Admin,
        Self::Test,
    ];

    /// The kind of a notice that was left deep below ([`keep::tally::notice`]).
    pub fn of_notice(what: &str) -> Option<Self> {
        (what == "trust-collapsed").then_some(Self::TrustCollapsed)
    }

    /// What is the same of all its alarms.
    pub fn about(self) -> &'static About {
        &ABOUT[self as usize]
    }
}

/// In the order of [`Kind`].
static ABOUT: [About; 15] = [
    about(
        "queue-age",
        Level::Warning,
        Ends::WhenOver,
        [
            ["mail waits for long", "配送待ちのメールが長時間滞留しています"],
            ["see where and why it waits: sekisho queue stats", "滞留先と理由を確認してください：sekisho queue stats"],
        ],
    ),
    about(
        "queue-growth",
        Level::Warning,
        Ends::WhenOver,
        [
            ["the queue grows fast", "キューが急に増えています"],
            [
                "see who brought it and why it waits: sekisho queue stats",
                "投入元と理由を確認してください：sekisho queue stats",
            ],
        ],
    ),
    about(
        "launching-pad",
        Level::Critical,
        Ends::WhenOver,
        [
            ["one sender sends unusually much", "一つの送信元から異常に多く送信されています"],
            [
                "if this is not meant, cut it and hold its mail by these commands",
                "意図した送信でなければ、次のコマンドで遮断し、メールを保留してください",
            ],
        ],
    ),
    about(
        "sender-refused",
        Level::Warning,
        Ends::WhenOver,
        [
            [
                "other servers refuse much of one sender's mail",
                "一つの送信元のメールが相手サーバーに多数拒否されています",
            ],
            [
                "if this is not meant, cut it and hold its mail by these commands",
                "意図した送信でなければ、次のコマンドで遮断し、メールを保留してください",
            ],
        ],
    ),
    about(
        "relay-probe",
        Level::Critical,
        Ends::AfterAWhile,
        [
            [
                "this server relayed for a stranger in its own test; relaying is locked",
                "自己検査で、このサーバーが第三者のメールを中継しました。中継を停止しています",
            ],
            [
                "find the right that let it through, then: sekisho relay unlock",
                "通した許可を突き止めてから、sekisho relay unlock を実行してください",
            ],
        ],
    ),
    about(
        "trust-collapsed",
        Level::Warning,
        Ends::AfterAWhile,
        [
            [
                "strangers seem to come through an address that may relay",
                "中継できるアドレスを第三者が使っているようです",
            ],
            [
                "list the real clients instead of this address in relay.networks",
                "relay.networks には、このアドレスではなく実際のクライアントを書いてください",
            ],
        ],
    ),
    about(
        "store",
        Level::Critical,
        Ends::WhenOver,
        [
            [
                "the disk refuses the queue, or is full: mail is not taken",
                "ディスクがキューの書き込みを拒否したか、満杯です。メールを受理できません",
            ],
            [
                "make room, or see to the disk; mail is taken again by itself",
                "空きを作るか、ディスクを確認してください。受理は自動的に再開します",
            ],
        ],
    ),
    about(
        "sources",
        Level::Critical,
        Ends::WhenOver,
        [
            ["accounts or login records are unavailable", "アカウントまたはログインの記録を参照できません"],
            [
                "see the log for the cause; until then logins and relaying are answered with 4xx",
                "原因はログを確認してください。それまでログインと中継は 4xx で応答します",
            ],
        ],
    ),
    about(
        "certificate-ends",
        Level::Warning,
        Ends::WhenOver,
        [
            ["the TLS certificate expires within 14 days", "TLS 証明書の期限が 14 日以内に切れます"],
            ["renew it, then: sekisho reload", "更新してから sekisho reload を実行してください"],
        ],
    ),
    about(
        "certificate-ended",
        Level::Critical,
        Ends::WhenOver,
        [
            [
                "the TLS certificate has expired, or expires within 3 days",
                "TLS 証明書の期限が切れたか、3 日以内に切れます",
            ],
            ["renew it, then: sekisho reload", "更新してから sekisho reload を実行してください"],
        ],
    ),
    about(
        "certificate-unrenewed",
        Level::Warning,
        Ends::AfterAWhile,
        [
            [
                "the TLS certificate cannot be fetched from the authority; the one in force stays",
                "認証局から TLS 証明書を取得できません。現在の証明書を使い続けます",
            ],
            [
                "see to the cause; Sekisho tries again by itself, and at once after: sekisho reload",
                "原因を取り除いてください。自動的に再試行します。すぐに試すには sekisho reload を実行してください",
            ],
        ],
    ),
    about(
        "list-broken",
        Level::Warning,
        Ends::WhenOver,
        [
            [
                "a list in DNS lists far more than it used to, and weighs nothing now",
                "DNSBL の掲載率が急に上がったため、判定に使っていません",
            ],
            [
                "see whether it still works as documented: sekisho dnsbl list",
                "リストの状態を確認してください：sekisho dnsbl list",
            ],
        ],
    ),
    about(
        "records-dropped",
        Level::Warning,
        Ends::WhenOver,
        [
            [
                "decision records were dropped: the disk is too slow for them",
                "判定の記録を捨てました。ディスクが追いついていません",
            ],
            [
                "see to the disk; mail itself is not held up by it",
                "ディスクを確認してください。メールの処理には影響しません",
            ],
        ],
    ),
    about(
        "admin",
        Level::Critical,
        Ends::AfterAWhile,
        [
            [
                "the admin API has ended: commands cannot talk to the server",
                "管理 API が終了しました。コマンドからサーバーを操作できません",
            ],
            ["restart the server", "サーバーを再起動してください"],
        ],
    ),
    about(
        "test",
        Level::Warning,
        Ends::AfterAWhile,
        [["this is a test", "試験です"], ["nothing", "何もする必要はありません"]],
    ),
];

/// One alarm: what happened, of whom, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its kind.
    pub kind: Kind,
    /// Of whom or what: a login, an address, a list. Empty: of the server as a whole. The same subject is told of once.
    pub subject: String,
    /// The numbers behind it, in English.
    pub detail: String,
    /// Commands that end it, each to be pasted as it stands.
    pub commands: Vec<String>,
}

impl Alarm {
    /// An alarm without commands of its own.
    pub fn new(kind: Kind, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), detail: detail.into(), commands: Vec::new() }
    }

    /// With these commands.
    #[must_use]
    pub fn with(mut self, commands: Vec<String>) -> Self {
        self.commands = commands;
        self
    }
}

/// Whether an alarm begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// It has begun.
    Raised,
    /// It is over again.
    Over,
}

/// An alarm as it is told: what webhooks get as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Begun or over.
    pub state: Turn,
    /// The kind's stable word.
    pub alarm: &'static str,
    /// How bad it is.
    pub level: Level,
    /// The server's name.
    pub hostname: String,
    /// Of whom.
    pub subject: String,
    /// What it is.
    pub title: &'static str,
    /// The numbers behind it.
    pub detail: String,
    /// What to do.
    pub todo: &'static str,
    /// Commands that do it.
    pub commands: Vec<String>,
    /// When it was told, RFC 3339.
    pub at: String,
    /// Title and subject in one line: some receivers show no more.
    pub text: String,
}

impl Message {
    /// For a person to read.
    pub fn for_people(&self) -> String {
        let mut text = format!("{}\n\n{}\n", self.text, self.detail);
        if self.state == Turn::Raised {
            let _ = write!(text, "\n{}\n", self.todo);
            for command in &self.commands {
                let _ = writeln!(text, "  {command}");
            }
        }
        let _ = write!(text, "\n{} {} {}\n", self.alarm, self.hostname, self.at);
        text
    }
}

/// A word for a shell: as it is, or in quotes.
pub fn shell(word: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"@._+-:/=".contains(&octet);
    if !word.is_empty() && !word.starts_with('-') && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_every_text_is_in_two_languages() {
        let mut codes: Vec<&str> = Kind::ALL.iter().map(|kind| kind.about().code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let about = kind.about();
            let name = format!("{kind:?}");
            let words = name.char_indices().map(|(at, sign)| {
                let dash = if at > 0 && sign.is_ascii_uppercase() { "-" } else { "" };
                format!("{dash}{}", sign.to_ascii_lowercase())
            });
            assert_eq!(about.code, words.collect::<String>(), "the table is in the order of the kinds");
            for language in [Language::English, Language::Japanese] {
                assert!(!about.title(language).is_empty() && !about.todo(language).is_empty());
            }
            assert!(about.title(Language::English).is_ascii() && !about.title(Language::Japanese).is_ascii());
        }
    }

    #[test]
    fn what_a_user_is_called_is_one_word_for_a_shell() {
        for (word, expected) in [
            ("alice@example.test", "alice@example.test"),
            ("a b", "'a b'"),
            ("a'; rm -rf /", "'a'\\''; rm -rf /'"),
            ("$(id)", "'$(id)'"),
            ("", "''"),
            ("--all", "'--all'"),
        ] {
            assert_eq!(shell(word), expected);
        }
    }
}
