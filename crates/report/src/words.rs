//! How the digest says what it found.

use keep::Language;

use crate::digest::{Count, Digest};
use crate::page::{Page, Section};
use crate::turned_away::TurnedAway;

/// Mails of our own faults that a page lists.
const TURNED_AWAY_SHOWN: usize = 50;

impl Digest {
    /// The digest for people. `when` prints a time in microseconds since 1970 as the reader's clock has it.
    pub fn page(&self, language: Language, when: impl Fn(u64) -> String) -> Page {
        let say = |en: &str, ja: &str| language.pick(en, ja).to_owned();
        let about = language.pick(
            format!("{} to {}; {} decisions", when(self.since), when(self.until), self.decisions),
            format!("{} から {} まで、判定 {} 件", when(self.since), when(self.until), self.decisions),
        );
        let sections = [
            self.dangers(language),
            self.accepted(language),
            self.refusals(language),
            self.greylisted(language),
            self.own_faults(language, &when),
            self.wrongly(language),
            self.guesses(language),
            self.legacy(language),
            self.tried(language),
        ];
        Page { language, title: say("Sekisho report", "Sekisho の報告"), about, sections: sections.into() }
    }

    fn accepted(&self, language: Language) -> Section {
        let relayed: u64 = self.relayed.iter().map(|count| count.count).sum();
        let mut section = Section::new(language.pick("Accepted", "受け取ったメール")).say(language.pick(
            format!("Recipients here: {}. Recipients elsewhere: {relayed}.", self.hosted),
            format!("このサーバーの宛先: {} 件。ほかのサーバーの宛先: {relayed} 件。", self.hosted),
        ));
        for gap in self.gaps.says(language) {
            section = section.say(gap);
        }
        let by_right = |count: &Count| language.pick(format!("by {}", count.of), format!("中継許可 {}", count.of));
        let rows = self.relayed.iter().map(|count| [by_right(count), count.count.to_string()]);
        let senders = self.senders.iter().map(|count| [count.of.clone(), count.count.to_string()]);
        section.table(
            language.pick(["Who relayed", "Recipients"], ["中継した相手", "宛先"]),
            rows.chain(senders).collect::<Vec<_>>(),
        )
    }

    fn refusals(&self, language: Language) -> Section {
        let total: u64 = self.refused.iter().map(|refusals| refusals.count).sum();
        let section = Section::new(language.pick("Refused and deferred", "拒否と一時拒否"))
            .say(language.pick(format!("{total} in all, by reason."), format!("合計 {total} 件。理由別の件数です。")));
        let rows = self
            .refused
            .iter()
            .map(|it| [it.reason.clone(), it.count.to_string(), it.clients.to_string(), it.explain.join(" ")]);
        let heads = (["Reason", "Times", "Clients", "Latest ids"], ["理由", "回数", "クライアント", "最近の ID"]);
        let section = section.table(language.pick(heads.0, heads.1), rows.collect::<Vec<_>>());
        if self.refused.is_empty() {
            return section;
        }
        section.todo(language.pick(
            "sekisho explain ID tells why, with the line of the configuration.",
            "sekisho explain ID で、拒否の理由と設定ファイルの該当行が分かります。",
        ))
    }

    fn greylisted(&self, language: Language) -> Section {
        let of = self.waited;
        let section = Section::new(language.pick("Greylisted", "グレイリスト"));
        let section = section.say(language.pick(
            format!(
                "{} mails were asked to come back; {} came back and were taken, {} did not come back.",
                of.mails,
                of.taken,
                of.mails - of.taken
            ),
            format!(
                "再送を求めたメール: {} 通。再送されて受け取ったもの: {} 通。再送されなかったもの: {} 通。",
                of.mails,
                of.taken,
                of.mails - of.taken
            ),
        ));
        match (of.median_secs, of.longest_secs) {
            (Some(median), Some(longest)) => section.say(language.pick(
                format!("Half of those taken waited at most {}, the longest {}.", minutes(median), minutes(longest)),
                format!(
                    "受け取ったものの半数は {} 以内、最長は {} 待ちました。",
                    minutes_ja(median),
                    minutes_ja(longest)
                ),
            )),
            _ => section,
        }
    }

    fn own_faults(&self, language: Language, when: &impl Fn(u64) -> String) -> Section {
        let title = language.pick("Turned away by our own fault", "こちらの障害で拒否したメール");
        let section = Section::new(title);
        if self.turned_away.is_empty() {
            return section.say(language.pick("Nobody.", "ありません。"));
        }
        let total = self.turned_away.len() as u64 + self.turned_away_more;
        let section = section.say(language.pick(
            format!("{total} mails were deferred because the accounts, the state or DNS did not answer, or the server was full."),
            format!("アカウント、状態ストア、DNS が応答しないか、サーバーが満杯のため、{total} 通を一時拒否しました。"),
        ));
        let blank = |text: &Option<String>| text.clone().unwrap_or_default();
        let row = |it: &TurnedAway| {
            let taken = it.taken.map_or_else(|| language.pick("no", "いいえ").to_owned(), when);
            let why = it.unknown.clone().unwrap_or_else(|| it.reason.clone());
            [when(it.first), blank(&it.client), blank(&it.reverse_path), blank(&it.forward_path), why, taken]
        };
        let heads = (
            ["First", "Client", "From", "To", "Why", "Taken later"],
            ["最初", "クライアント", "送信者", "宛先", "原因", "その後の受け取り"],
        );
        let rows: Vec<_> = self.turned_away.iter().take(TURNED_AWAY_SHOWN).map(row).collect();
        section.table(language.pick(heads.0, heads.1), rows).todo(language.pick(
            "Mail servers try again by themselves; tell those whose mail was not taken later. --json lists up to 1,000.",
            "メールサーバーは自動で再送します。その後も受け取っていない相手には連絡してください。--json は 1,000 件まで列挙します。",
        ))
    }

    fn wrongly(&self, language: Language) -> Section {
        let section = Section::new(language.pick("Wrongly refused", "誤って拒否した相手"));
        if self.wrongly.is_empty() {
            return section.say(
                language.pick("No list in DNS was found to be wrong.", "誤りが見つかった DNS リストはありません。"),
            );
        }
        let rows = self.wrongly.iter().map(|it| [it.subject.clone(), it.list.clone()]);
        section
            .say(language.pick(
                "These lists listed everything for a while. Those they had then pass without them now.",
                "次のリストは一時すべてを掲載していました。その間に掲載された相手は、今はリストに関係なく通ります。",
            ))
            .table(language.pick(["Who", "List"], ["相手", "リスト"]), rows.collect::<Vec<_>>())
    }

    fn guesses(&self, language: Language) -> Section {
        let section = Section::new(language.pick("Refused logins", "拒否したログイン")).say(language.pick(
            format!("{} in all. The most frequent clients and logins:", self.guesses),
            format!("合計 {} 件。多い順のクライアントとログイン:", self.guesses),
        ));
        let row = |count: &Count| [count.of.clone(), count.count.to_string()];
        section.table(
            language.pick(["Client or login", "Times"], ["クライアントまたはログイン", "回数"]),
            self.guessing.iter().chain(&self.guessed).map(row).collect::<Vec<_>>(),
        )
    }

    fn legacy(&self, language: Language) -> Section {
        let section = Section::new(language.pick("Still relays by a POP login", "POP ログインで中継しているユーザー"));
        if self.legacy.is_empty() {
            return section.say(language.pick("Nobody.", "いません。"));
        }
        let rows = self.legacy.iter().map(|count| [count.of.clone(), count.count.to_string()]);
        section.table(language.pick(["Login", "Recipients"], ["ログイン", "宛先"]), rows.collect::<Vec<_>>()).todo(
            language.pick(
                "An address can be shared. Let them use SMTP AUTH on port 587 or 465.",
                "アドレスは共有されることがあります。ポート 587 か 465 の SMTP AUTH への移行を勧めてください。",
            ),
        )
    }

    fn tried(&self, language: Language) -> Section {
        let section = Section::new(language.pick("Rules that are only tried", "観察中の規則"));
        if self.tried.is_empty() {
            return section.say(language.pick("None of them held.", "当てはまったメールはありません。"));
        }
        let rows = self.tried.iter().map(|it| [it.rule.clone(), it.held.to_string(), it.taken.to_string()]);
        let heads = (["Rule", "Held", "Mail taken"], ["規則", "該当", "うち受け取り"]);
        section.table(language.pick(heads.0, heads.1), rows.collect::<Vec<_>>()).todo(language.pick(
            "sekisho replay shows what would change if you put one in force.",
            "sekisho replay で、規則を有効にした場合の変化が分かります。",
        ))
    }

    fn dangers(&self, language: Language) -> Section {
        let section = Section::new(language.pick("Dangers", "危険"));
        if let Some(why) = &self.not_audited {
            return section
                .say(language.pick(format!("There was no audit: {why}."), format!("監査できませんでした（{why}）。")))
                .todo(language.pick("sekisho audit tells more.", "sekisho audit で詳しく分かります。"));
        }
        if self.dangers.is_empty() {
            return section
                .say(language.pick("sekisho audit finds none.", "sekisho audit で見つかった危険はありません。"));
        }
        let level = |level: &str| match (language, level) {
            (Language::Japanese, "danger") => "危険".to_owned(),
            (Language::Japanese, "warning") => "警告".to_owned(),
            _ => level.to_owned(),
        };
        let rows = self.dangers.iter().map(|it| [level(&it.level), it.what.clone(), it.todo.clone()]);
        let heads = (["Level", "What", "What to do"], ["程度", "内容", "対処"]);
        section.table(language.pick(heads.0, heads.1), rows.collect::<Vec<_>>())
    }
}

fn minutes(secs: u64) -> String {
    if secs < 120 { format!("{secs} seconds") } else { format!("{} minutes", secs / 60) }
}

fn minutes_ja(secs: u64) -> String {
    if secs < 120 { format!("{secs} 秒") } else { format!("{} 分", secs / 60) }
}
