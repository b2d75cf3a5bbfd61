//! The words of the report, in both languages.

use keep::Language;

macro_rules! words {
    ($($name:ident $en:literal $ja:literal;)*) => {
        /// Which word.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Word {
            $($name,)*
        }

        /// It, in a language.
        pub(super) fn word(which: Word, language: Language) -> &'static str {
            match (which, language) {
                $((Word::$name, Language::English) => $en, (Word::$name, Language::Japanese) => $ja,)*
            }
        }
    };
}

words! {
    Title "Who may relay" "中継できる者";
    InForce "in force in the running server" "動作中のサーバーの設定";
    OfFile "no server runs: what one that starts now would go by" "サーバーは停止中：今起動した場合の設定";
    WatchedSince "Uses of grants are known since" "許可の使用を記録した期間の始まり：";
    Unwatched "Uses of grants are not known" "許可の使用の記録なし";
    Listeners "LISTENERS, AND FOR WHOM THEY RELAY" "リスナーと、中継を許す相手";
    OnlyFrom "only from" "接続元の限定：";
    ByAddress "BY ADDRESS, WITHOUT A LOGIN" "アドレスによる中継（ログインなし）";
    ByName "BY NAME, WITHOUT A LOGIN (forward-confirmed)" "名前による中継（ログインなし、正引きで確認）";
    Domains "RELAY DOMAINS: mail for them is passed on for everybody" "中継ドメイン（宛先がここなら誰からでも受け取り、次へ渡す）";
    ByLogin "WITH A LOGIN, AS THEIR OWN SENDERS" "ログインによる中継（自分の送信者だけ）";
    Grants "GRANTS NOW, BY A POP LOGIN" "現在の中継許可（POP のログイン）";
    EverybodyElse "EVERYBODY ELSE" "それ以外の全員";
    Findings "FINDINGS" "見つかったもの";
    Unseen "NOT SEEN, AND NOT JUDGED" "見ていないもの（判定していません）";
    Nobody "nobody" "なし";
    Together "together:" "まとめると：";
    Except "except" "除外：";
    Gateway "the default gateway, behind which anybody may be" "既定のゲートウェイ（背後に誰がいるか不明）";
    Distrusted "strangers seem to come through it" "他人が通っている疑い";
    Locked "locked" "ロック中";
    Expired "expired" "期限切れ";
    Revoked "revoked" "取り消し済み";
    Anywhere "to everybody" "どこへでも";
    OwnDomains "to own domains only" "自分のドメインだけへ";
    FromAnywhere "from anywhere" "どこからでも";
    AnHour " an hour" " 通／時";
    NoRate "no rate limit" "送信数の上限なし";
    Until "until" "期限：";
    ProvesNobody "proves nobody, gives nothing" "誰の証明にもならず無効";
    Banned "Banned now:" "接続禁止中：";
    LastUsed "last used" "最後の使用：";
    UseUnknown "use not known" "使用は不明";
    Danger "danger" "危険";
    Warning "warning" "警告";
    Note "note" "参考";
    Dangers "danger(s)" "件の危険";
    Warnings "warning(s)" "件の警告";
    Notes "note(s)" "件の参考";
}
