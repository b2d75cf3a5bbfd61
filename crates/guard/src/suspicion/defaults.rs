//! The rules that are there without the operator's doing: one table, with the reason of each in English and Japanese.
//!
//! The scale: at [`GREYLIST_SCORE`] a stranger has to come back, which costs an honest server minutes once; at [`SLOW_SCORE`] and
//! [`REFUSE_SCORE`] is what is only tried until the operator says otherwise. One sign alone never reaches these.

use std::sync::Arc;

use super::{Condition, Effect, Rule};
use crate::line::ConfigLine;
use crate::reason::Reason;
use crate::reputation::SpfResult;
use crate::rule::{Action, Mode};

/// From so much on a stranger has to come back.
pub const GREYLIST_SCORE: i32 = 5;
/// From so much on its replies would be held back.
pub const SLOW_SCORE: i32 = 10;
/// From so much on it would be refused.
pub const REFUSE_SCORE: i32 = 15;
/// For how many seconds replies would be held back.
const SLOW_SECS: u32 = 5;
/// From so many percent of load on every stranger has to come back.
const BUSY_PERCENT: u8 = 70;

/// One rule as the table has it.
#[derive(Debug, Clone, Copy)]
pub struct DefaultRule {
    /// Stable name.
    pub name: &'static str,
    /// Whether it is in force.
    pub mode: Mode,
    /// Why it is there.
    pub why: &'static str,
    /// The same in Japanese.
    pub why_ja: &'static str,
    when: fn(&Thresholds) -> Condition,
    effect: fn() -> Effect,
}

/// From which scores on the heavier measures are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// A stranger has to come back.
    pub greylist: i32,
    /// Its replies are held back.
    pub slow: i32,
    /// It is refused.
    pub refuse: i32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { greylist: GREYLIST_SCORE, slow: SLOW_SCORE, refuse: REFUSE_SCORE }
    }
}

/// The table, in the order in which the rules are asked.
pub const TABLE: &[DefaultRule] = &[
    DefaultRule {
        name: "helo-ours",
        mode: Mode::Enforce,
        why: "Only this server greets with its own name or address; a stranger that does so forges it.",
        why_ja: "このサーバー自身の名前やアドレスを名乗るのは、このサーバーだけ。名乗る他人は偽っている。",
        when: |_| Condition::HeloOurs,
        effect: || Effect::Weigh(8),
    },
    DefaultRule {
        name: "helo-invalid",
        mode: Mode::Enforce,
        why: "A mail server greets with a fully qualified name or an address literal (RFC 5321 §4.1.1.1).",
        why_ja: "メールサーバーは完全修飾名かアドレスリテラルで名乗る（RFC 5321 §4.1.1.1）。",
        when: |_| Condition::HeloInvalid,
        effect: || Effect::Weigh(3),
    },
    DefaultRule {
        name: "helo-mismatch",
        mode: Mode::Enforce,
        why: "The greeting names another host than the client's address does. Honest servers do so, too: a small weight.",
        why_ja: "名乗りがクライアントのアドレスの名前と違う。正しいサーバーにもあるので、重みは小さい。",
        when: |_| Condition::HeloMismatch,
        effect: || Effect::Weigh(1),
    },
    DefaultRule {
        name: "no-name",
        mode: Mode::Enforce,
        why: "The client's address has no name in DNS; most mail servers have one (S25R rule 0).",
        why_ja: "クライアントのアドレスに DNS の名前がない。たいていのメールサーバーにはある（S25R ルール 0）。",
        when: |_| Condition::NoName,
        effect: || Effect::Weigh(5),
    },
    DefaultRule {
        name: "name-unconfirmed",
        mode: Mode::Enforce,
        why: "The name of the client's address does not lead back to the address: anybody can write such a name.",
        why_ja: "クライアントのアドレスの名前が、そのアドレスに戻らない。そのような名前は誰にでも書ける。",
        when: |_| Condition::NameUnconfirmed,
        effect: || Effect::Weigh(5),
    },
    DefaultRule {
        name: "dynamic-name",
        mode: Mode::Enforce,
        why: "The client's name looks like that of an end user's line (S25R rules 1 to 6).",
        why_ja: "クライアントの名前が一般ユーザーの回線のものに見える（S25R ルール 1〜6）。",
        when: |_| Condition::DynamicName,
        effect: || Effect::Weigh(5),
    },
    DefaultRule {
        name: "pipelining",
        mode: Mode::Enforce,
        why: "The client sent commands ahead before it was told that it may (RFC 2920 §3.1).",
        why_ja: "クライアントが、許される前に次のコマンドを送った（RFC 2920 §3.1）。",
        when: |_| Condition::Pipelined,
        effect: || Effect::Weigh(5),
    },
    DefaultRule {
        name: "plain-text",
        mode: Mode::Enforce,
        why: "The mail comes without TLS. Seldom today, but no fault: a small weight.",
        why_ja: "TLS なしで届いた。今は少ないが誤りではないので、重みは小さい。",
        when: |_| Condition::PlainText,
        effect: || Effect::Weigh(1),
    },
    DefaultRule {
        name: "sender-domain-dead",
        mode: Mode::Enforce,
        why: "The envelope sender's domain does not exist or takes no mail: no bounce can reach it (RFC 7505).",
        why_ja: "送信者（エンベロープ）のドメインが存在しないか、メールを受けない。エラーメールが届かない（RFC 7505）。",
        when: |_| Condition::SenderDomainDead,
        effect: || Effect::Weigh(4),
    },
    DefaultRule {
        name: "spf-fail",
        mode: Mode::Enforce,
        why: "The sender's domain says that this client may not send for it (RFC 7208). Forwarded mail fails, too.",
        why_ja: "送信者のドメインが、このクライアントからの送信を認めていない（RFC 7208）。転送されたメールも失敗する。",
        when: |_| Condition::Spf(vec![SpfResult::Fail]),
        effect: || Effect::Weigh(5),
    },
    DefaultRule {
        name: "spf-softfail",
        mode: Mode::Enforce,
        why: "The sender's domain says that this client probably may not send for it (RFC 7208).",
        why_ja: "送信者のドメインが、このクライアントからの送信をおそらく認めていない（RFC 7208）。",
        when: |_| Condition::Spf(vec![SpfResult::SoftFail]),
        effect: || Effect::Weigh(2),
    },
    DefaultRule {
        name: "dnsbl",
        mode: Mode::Enforce,
        why: "A DNS list of the configuration has the client or the domain: each adds its own weight. No list is configured by default.",
        why_ja: "設定した DNS リストにクライアントかドメインがある。リストごとの重みを足す。既定ではリストは設定されない。",
        when: |_| Condition::Listed(Vec::new()),
        effect: || Effect::WeighAsListed,
    },
    DefaultRule {
        name: "refuse",
        mode: Mode::Observe,
        why: "Several heavy signs together: no honest server shows so many. Only tried until you enforce it.",
        why_ja: "重い兆候がいくつも重なる。正しいサーバーにはない。有効にするまでは観察だけ。",
        when: |thresholds| Condition::Score(thresholds.refuse),
        effect: || Effect::Act(Action::Deny(Reason::Suspicious)),
    },
    DefaultRule {
        name: "slow",
        mode: Mode::Observe,
        why: "Two heavy signs: the reply is held back, which costs a sender of masses most. Only tried until you enforce it.",
        why_ja: "重い兆候が二つ。応答を遅らせる。大量送信者にはこれが一番高くつく。有効にするまでは観察だけ。",
        when: |thresholds| Condition::Score(thresholds.slow),
        effect: || Effect::Act(Action::Slow(SLOW_SECS)),
    },
    DefaultRule {
        name: "greylist",
        mode: Mode::Enforce,
        why: "One heavy sign or several light ones: the stranger has to come back, which honest servers do (RFC 6647).",
        why_ja: "重い兆候が一つ、または軽い兆候がいくつか。再送を求める。正しいサーバーは再送する（RFC 6647）。",
        when: |thresholds| Condition::Score(thresholds.greylist),
        effect: || Effect::Act(Action::Greylist),
    },
    DefaultRule {
        name: "busy",
        mode: Mode::Enforce,
        why: "The server is nearly full: strangers come back later, so that its own users are served.",
        why_ja: "サーバーが混んでいる。自分のユーザーのために、他人には後で来てもらう。",
        when: |_| Condition::Load(BUSY_PERCENT),
        effect: || Effect::Act(Action::Greylist),
    },
];

/// What every name of the table stands for in a configuration's line.
const FILE: &str = "defaults";

impl DefaultRule {
    /// The rule, with these thresholds. Its line is its place in the table.
    pub fn rule(&self, thresholds: &Thresholds) -> Rule {
        let place = TABLE.iter().position(|row| row.name == self.name).map_or(0, |at| at + 1);
        Rule {
            name: Arc::from(self.name),
            when: vec![(self.when)(thresholds)],
            not: Vec::new(),
            effect: (self.effect)(),
            mode: self.mode,
            line: ConfigLine::new(FILE, u32::try_from(place).unwrap_or(0)),
        }
    }
}

/// A row by its name.
pub fn find(name: &str) -> Option<&'static DefaultRule> {
    TABLE.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The careful operator's table: what refuses or slows is only tried, and no single sign would do it.
    #[test]
    fn nothing_heavier_than_greylisting_is_in_force() {
        let thresholds = Thresholds::default();
        let mut names = std::collections::BTreeSet::new();
        for row in TABLE {
            assert!(names.insert(row.name), "{} twice", row.name);
            assert!(!row.why.is_empty() && !row.why_ja.is_empty());
            let rule = row.rule(&thresholds);
            match rule.effect {
                Effect::Weigh(weight) => assert!(0 < weight && weight < SLOW_SCORE, "{}", row.name),
                Effect::WeighAsListed | Effect::Act(Action::Greylist) => {}
                Effect::Act(_) => assert_eq!(rule.mode, Mode::Observe, "{}", row.name),
            }
        }
        assert_eq!(find("busy").map(|row| row.name), Some("busy"));
        assert!(find("bussy").is_none());
    }
}
