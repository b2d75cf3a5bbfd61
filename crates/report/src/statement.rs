//! How the statement about an abuse says what happened: what lists and complainants ask for, and no more.

use keep::Language;

use crate::abuse::{Abuse, Subject};
use crate::page::{Page, Section};

impl Abuse {
    /// Whether the cause still stands: it relayed, and nothing refused it since.
    pub fn still_stands(&self) -> bool {
        self.recipients > 0 && self.stopped.is_none()
    }

    /// The statement. `host` is this server's name, `changes` what administrators did about it (a lock, a revoked device), each
    /// a sentence with its time.
    #[expect(clippy::too_many_arguments, reason = "each is a thing of its own, and there is one caller")]
    pub fn page(&self, language: Language, host: &str, changes: &[String], when: impl Fn(u64) -> String) -> Page {
        let title = language.pick(format!("Statement of {host}"), format!("{host} からの報告"));
        let about = language.pick(
            format!("About {}, from the mail server's own records since {}.", self.who(language), when(self.since)),
            format!("対象: {}。メールサーバーの {} 以降の記録によります。", self.who(language), when(self.since)),
        );
        let sections = vec![self.happened(language, &when), self.stopped_when(language, changes, &when)];
        Page { language, title, about, sections }
    }

    fn who(&self, language: Language) -> String {
        match &self.subject {
            Subject::Login(login) => language.pick(format!("the account {login}"), format!("アカウント {login}")),
            Subject::Client(client) => language.pick(format!("the client {client}"), format!("クライアント {client}")),
            Subject::Everybody => language.pick("all mail of this server", "このサーバーの全メール").to_owned(),
        }
    }

    fn happened(&self, language: Language, when: &impl Fn(u64) -> String) -> Section {
        let mut section = Section::new(language.pick("What happened", "何が起きたか"));
        for gap in self.gaps.says(language) {
            section = section.say(gap);
        }
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return section.say(
                language.pick("No mail of it was relayed in this time.", "この期間に中継したメールはありません。"),
            );
        };
        let section = section.say(language.pick(
            format!("Mail to {} recipients was relayed, from {} to {}.", self.recipients, when(first), when(last)),
            format!(
                "{} から {} までの間に、宛先 {} 件へのメールを中継しました。",
                when(first),
                when(last),
                self.recipients
            ),
        ));
        let kinds = [
            (language.pick("grant", "中継許可"), self.rights.iter().map(|(of, count)| (of.clone(), *count)).collect()),
            (language.pick("login", "ログイン"), self.logins.clone()),
            (language.pick("client", "クライアント"), self.clients.clone()),
            (language.pick("envelope sender", "送信者（エンベロープ）"), self.reverse_paths.clone()),
        ];
        let rows = kinds.into_iter().flat_map(|(kind, all): (&str, Vec<(String, u64)>)| {
            all.into_iter().map(move |(of, count)| [kind.to_owned(), of, count.to_string()])
        });
        let heads = (["What", "Which", "Recipients"], ["種類", "内容", "宛先"]);
        section.table(language.pick(heads.0, heads.1), rows.collect::<Vec<_>>())
    }

    fn stopped_when(&self, language: Language, changes: &[String], when: &impl Fn(u64) -> String) -> Section {
        let mut section = Section::new(language.pick("Since when it is stopped", "いつ止まったか"));
        match &self.stopped {
            Some(stopped) => {
                let by = stopped.line.as_ref().map(|line| format!(" ({line})")).unwrap_or_default();
                section = section.say(language.pick(
                    format!("Since {} it is refused: {}{by}.", when(stopped.at), stopped.reason),
                    format!("{} 以降は拒否しています。理由: {}{by}。", when(stopped.at), stopped.reason),
                ));
            }
            None if !self.still_stands() => {}
            None => {
                section = section.say(language.pick(
                    "Nothing was refused since the last mail: the cause may still stand.",
                    "最後のメール以降に拒否の記録はありません。原因が残っている可能性があります。",
                ));
                if let Subject::Login(login) = &self.subject {
                    section = section.todo(format!("sekisho user lock {login}; sekisho session cut --login {login}"));
                }
            }
        }
        for change in changes {
            section = section.say(change.clone());
        }
        section
    }
}
