//! Our own domains: who reads postmaster's mail, and what is published about who sends for them; and relaying addresses that
//! lists in DNS have. What could not be found out is said, and is no danger.

use std::net::IpAddr;

use super::{Finding, Level, Seen};
use crate::text::Place;

/// One of our domains.
#[derive(Debug, Clone)]
pub struct OwnDomain {
    /// The domain.
    pub domain: String,
    /// Whether somebody reads the mail of `postmaster` (RFC 5321 §4.5.1); `None`: the accounts could not be asked.
    pub postmaster: Option<bool>,
    /// The same of `abuse` (RFC 2142 §4).
    pub abuse: Option<bool>,
    /// What DNS says; `None`: it was not asked.
    pub published: Option<Published>,
}

/// What DNS says of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The SPF record (RFC 7208 §3).
    pub spf: Told,
    /// The DMARC record (RFC 7489 §6.1).
    pub dmarc: Told,
    /// The MTA-STS record (RFC 8461 §3.1).
    pub mta_sts: Told,
}

/// What was told of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It is there.
    Record(String),
    /// There are several, of which none counts.
    Several,
    /// It is there, and does not count: why.
    Wrong(String),
    /// There is none.
    None,
    /// It could not be found out.
    Unknown(String),
}

/// A relaying address that a list has.
#[derive(Debug, Clone)]
pub struct ListedAddress {
    /// The address.
    pub address: IpAddr,
    /// The lists that have it.
    pub lists: Vec<String>,
    /// Lists that could not be asked.
    pub unknown: Vec<String>,
}

pub(super) fn of(seen: &Seen<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        seen.domains.iter().flat_map(|domain| people(domain).into_iter().chain(published(domain))).collect();
    found.extend(seen.listed.iter().flat_map(|listed| listed_address(listed, seen)));
    found
}

fn people(own: &OwnDomain) -> Vec<Finding> {
    let domain = &own.domain;
    let mut found = Vec::new();
    if own.postmaster == Some(false) {
        found.push(
            Finding::new(Level::Warning, "no-postmaster", None)
                .en(
                    format!("nobody reads postmaster@{domain}: complaints about abuse and faults are refused"),
                    "domains.postmaster, or sekisho alias add",
                )
                .ja(
                    format!("postmaster@{domain} を読む人がなく、苦情や障害の知らせを拒否しています"),
                    "domains.postmaster を設定するか、sekisho alias add で作ります",
                ),
        );
    }
    if own.abuse == Some(false) {
        found.push(
            Finding::new(Level::Note, "no-abuse", None)
                .en(
                    format!("nobody reads abuse@{domain}: who is hit by an abused account of yours cannot tell you"),
                    format!("sekisho alias add abuse@{domain} TARGET"),
                )
                .ja(
                    format!("abuse@{domain} を読む人がなく、悪用の知らせが届きません"),
                    format!("sekisho alias add abuse@{domain} TARGET で作ります"),
                ),
        );
    }
    found
}

fn published(own: &OwnDomain) -> Vec<Finding> {
    let Some(published) = &own.published else { return Vec::new() };
    let domain = &own.domain;
    let mut found = Vec::new();
    for (told, name, row) in [
        (&published.spf, "SPF", spf()),
        (&published.dmarc, "DMARC", dmarc()),
        (&published.mta_sts, "MTA-STS", mta_sts()),
    ] {
        match told {
            Told::None => found.push(
                Finding::new(row.level, row.code, None)
                    .en(format!("{domain} publishes no {name} record: {}", row.why.0), row.todo.0.replace("{}", domain))
                    .ja(
                        format!("{domain} は {name} を公開していません。{}", row.why.1),
                        row.todo.1.replace("{}", domain),
                    ),
            ),
            Told::Several => found.push(
                Finding::new(Level::Warning, row.code, None)
                    .en(format!("{domain} publishes several {name} records, so none counts"), "keep one of them")
                    .ja(format!("{domain} に {name} が複数あり、どれも無効です"), "一つだけ残します"),
            ),
            Told::Wrong(why) => found.push(
                Finding::new(Level::Warning, row.code, None)
                    .en(format!("the {name} record of {domain} does not count: {why}"), "publish it anew")
                    .ja(format!("{domain} の {name} は無効です（{why}）"), "正しい内容で公開し直します"),
            ),
            Told::Unknown(why) => found.push(
                Finding::new(Level::Note, "not-found-out", None)
                    .en(format!("{name} of {domain} was not found out: {why}"), "ask again later")
                    .ja(format!("{domain} の {name} は分かりませんでした（{why}）"), "後でもう一度調べます"),
            ),
            Told::Record(_) => {}
        }
    }
    let Told::Record(record) = &published.spf else { return found };
    if record.split_ascii_whitespace().any(|term| term.eq_ignore_ascii_case("+all") || term.eq_ignore_ascii_case("all"))
    {
        found.push(
            Finding::new(Level::Danger, "spf-all", None)
                .en(format!("the SPF record of {domain} lets everybody send for it (+all)"), "end it with -all or ~all")
                .ja(format!("{domain} の SPF は誰にでも送信を認めています（+all）"), "-all か ~all で終えます"),
        );
    }
    found
}

/// What the lack of a record means, and what to publish; English and Japanese.
struct Row {
    level: Level,
    code: &'static str,
    why: (&'static str, &'static str),
    todo: (&'static str, &'static str),
}

fn spf() -> Row {
    Row {
        level: Level::Warning,
        code: "no-spf",
        why: ("others cannot tell who sends for it", "誰が送るべきかを相手が判断できません"),
        todo: (
            "publish a TXT record at {}: v=spf1 mx -all, with whatever else sends for it",
            "{} の TXT に v=spf1 mx -all（ほかに送る所があれば加える）を公開します",
        ),
    }
}

fn dmarc() -> Row {
    Row {
        level: Level::Warning,
        code: "no-dmarc",
        why: ("what others forge in its name is not refused", "その名を騙るメールが拒否されません"),
        todo: (
            "publish a TXT record at _dmarc.{}: v=DMARC1; p=none first, later quarantine or reject",
            "_dmarc.{} の TXT に、まず v=DMARC1; p=none を、後に quarantine か reject を公開します",
        ),
    }
}

fn mta_sts() -> Row {
    Row {
        level: Level::Note,
        code: "no-mta-sts",
        why: ("mail to it may be led astray or read on its way", "届くメールが途中で読まれ得ます"),
        todo: ("publish a policy and a TXT record at _mta-sts.{}", "ポリシーと _mta-sts.{} の TXT を公開します"),
    }
}

fn listed_address(listed: &ListedAddress, seen: &Seen<'_>) -> Vec<Finding> {
    let ListedAddress { address, lists, unknown } = listed;
    let net = seen.set.networks.iter().chain(&seen.set.clients).find(|one| one.net.contains(address));
    let at = || net.map(|one| Place::from(&one.line));
    let mut found = Vec::new();
    if !lists.is_empty() {
        let lists = lists.join(", ");
        found.push(
            Finding::new(Level::Danger, "listed", at())
                .en(
                    format!("{address} relays, and is on {lists}: spam came from it"),
                    "find out what sends there (it may relay for strangers), and take its right away until then",
                )
                .ja(
                    format!("{address} は中継でき、{lists} に載っています（スパムの送信元）"),
                    "何が送っているかを調べ（他人の中継かもしれません）、それまで中継を止めます",
                ),
        );
    }
    if !unknown.is_empty() {
        let lists = unknown.join(", ");
        found.push(
            Finding::new(Level::Note, "not-found-out", at())
                .en(format!("whether {address} is on {lists} was not found out"), "ask again later")
                .ja(format!("{address} が {lists} に載っているかは分かりませんでした"), "後でもう一度調べます"),
        );
    }
    found
}
