//! `smtpd_*_restrictions`: what of them has a counterpart.

use super::Taking;
use super::main_cf::{ETRN_RESTRICTIONS, MAIL_RESTRICTIONS};
use crate::import::{
    Spot,
    draft::{Change, Draft},
};
use config::Text;
use judge::tables::Tables;
use std::path::Path;
use toml::Value;

/// What we do always.
const ALWAYS: [&str; 9] = [
    "reject_unauth_destination",
    "defer_unauth_destination",
    "reject_unlisted_recipient",
    "reject_sender_login_mismatch",
    "reject_authenticated_sender_login_mismatch",
    "reject_known_sender_login_mismatch",
    "reject_unauth_pipelining",
    "reject_non_fqdn_recipient",
    "reject_non_fqdn_sender",
];

/// One restriction, where it stands and what stood before it.
struct Step<'a> {
    at: Spot,
    list: &'a str,
    word: &'a str,
    argument: Option<&'a str>,
    /// Something before it may have permitted.
    behind_permit: bool,
    /// An OK here lets the client relay.
    may_relay: bool,
}

impl Taking<'_> {
    pub(super) fn lists(&mut self) {
        for list in MAIL_RESTRICTIONS.into_iter().chain([ETRN_RESTRICTIONS]) {
            let Some((at, words)) = self.take_list(list) else { continue };
            let (mut behind_permit, mut may_relay) = (false, list.contains("relay") || list.contains("recipient"));
            for (index, word) in words.iter().enumerate() {
                let argument = words.get(index + 1).map(String::as_str);
                let step = Step { at: at.clone(), list, word, argument, behind_permit, may_relay };
                self.step(&step);
                behind_permit |= word.starts_with("permit");
                may_relay &= !word.ends_with("_unauth_destination") && word != "reject";
            }
        }
    }

    fn step(&mut self, step: &Step<'_>) {
        let what = format!("{} {}", step.list, step.word);
        let at = &step.at;
        match step.word {
            word if ALWAYS.contains(&word) => self.making.taken(at, &what, "nothing to write: always so"),
            "permit_mynetworks" if self.making.draft.lists("relay", "networks") => {
                self.making.taken(at, &what, "relay.networks");
            }
            "permit_mynetworks" => {
                let how =
                    "no network of mynetworks is taken, so nobody may relay by address: name who may in relay.networks";
                self.making.differs(at, &what, how);
            }
            "permit_sasl_authenticated" if self.making.draft.offers_login() => {
                self.making.taken(at, &what, "auth of [[listener]]");
            }
            "permit_sasl_authenticated" => {
                let how =
                    "no service offers a login (smtpd_sasl_auth_enable), so none is written: auth of [[listener]]";
                self.making.differs(at, &what, how);
            }
            "permit" if step.may_relay => {
                self.making.not_taken(at, &what, "DANGER: it lets everybody relay who comes so far");
            }
            "permit" => self.making.taken(at, &what, "nothing to write: what nothing refuses is taken"),
            "reject" | "defer" => {
                let how = "it refuses whoever came so far; here everybody may send to our own domains: `peers` of \
                           [[listener]] says who may connect";
                self.making.differs(at, &what, how);
            }
            "permit_mx_backup"
            | "permit_inet_interfaces"
            | "permit_tls_all_clientcerts"
            | "permit_auth_destination" => {
                self.making.not_taken(
                    at,
                    &what,
                    "no right comes from that; name who may relay in [relay], domains in [[domains.relay]]",
                );
            }
            word => match stage(word) {
                Some(stage) => self.access(step, stage),
                None => self.other(step, &what),
            },
        }
    }

    fn other(&mut self, step: &Step<'_>, what: &str) {
        let argument = step.argument.unwrap_or_default();
        let (what, instead) = match step.word {
            "check_policy_service" => {
                (format!("{what} {argument}"), "we ask no policy service; keep it in a Postfix that asks us beside it")
            }
            "reject_rbl_client"
            | "reject_rhsbl_client"
            | "reject_rhsbl_helo"
            | "reject_rhsbl_sender"
            | "reject_rhsbl_recipient" => {
                (format!("{what} {argument}"), "blocklists are not asked; keep them in a mail server in front")
            }
            word if word.starts_with("reject_")
                || word.starts_with("permit_")
                || word.starts_with("check_")
                || word.starts_with("defer")
                || word.starts_with("warn_if") =>
            {
                (what.to_owned(), "there is no such check; keep it in a Postfix that asks us by policy delegation")
            }
            // An argument of the one before, or a class.
            word if word.contains(':')
                || word.contains('.')
                || word.parse::<u32>().is_ok()
                || word.starts_with('{') =>
            {
                return;
            }
            _ => (what.to_owned(), "classes of restrictions are not taken; write their access maps as [[access]]"),
        };
        self.making.not_taken(&step.at, &what, instead);
    }

    fn access(&mut self, step: &Step<'_>, stage: &'static str) {
        let Some(map) = step.argument else { return };
        let what = format!("{} {} {map}", step.list, step.word);
        let (kind, file) = map.split_once(':').unwrap_or(("", map));
        let kind = if kind == "texthash" { "access" } else { kind };
        if is_drac(kind, file) && stage == "client" {
            return self.drac(step, &what);
        }
        if !["hash", "btree", "cidr", "pcre", "regexp", "access"].contains(&kind) {
            let instead = "a map of this type is not read; write its entries into an access, cidr or regexp file";
            return self.making.not_taken(&step.at, &what, instead);
        }
        let file = self.dir.join(file).display().to_string();
        let put = |draft: &mut Draft| {
            draft.push("access", vec![("map", Value::from(format!("{kind}:{file}"))), ("at", Value::from(stage))]);
        };
        match refused(put) {
            Load::Missing => {
                let instead = "the file is not here; bring it along and import again";
                return self.making.not_taken(&step.at, &what, instead);
            }
            Load::Wrong(mistake) => return self.making.not_taken(&step.at, &what, &mistake),
            Load::Good => {
                self.making.offer(&step.at, Change { what: &what, key: "[[access]]" }, put);
            }
        }
        if step.behind_permit {
            self.making.differs(&step.at, &what, "here it is asked for every client, also for those that may relay");
        }
        if step.may_relay {
            let how = "an OK in it may let strangers relay there; here an OK never does: name such clients in [[relay.clients]]";
            self.making.differs(&step.at, &what, how);
        }
    }

    /// The database that `rpc.dracd` writes.
    fn drac(&mut self, step: &Step<'_>, what: &str) {
        let listener = vec![
            ("name", Value::from("dracd")),
            ("protocol", Value::from("dracd")),
            ("bind", Value::Array(vec![Value::from("127.0.0.1:2900")])),
        ];
        self.making.offer(&step.at, Change { what, key: "[relay.pop] and a [[listener]] for dracd" }, |draft| {
            draft.set("relay.pop", "enabled", true);
            if !draft.to_string().contains("protocol = \"dracd\"") {
                draft.push("listener", listener);
            }
        });
        let how = "logins are in Sekisho's own state; POP servers on other hosts need relay.drac.allow and a `bind` they reach";
        self.making.differs(&step.at, what, how);
    }
}

/// What is looked up.
fn stage(word: &str) -> Option<&'static str> {
    Some(match word {
        "check_client_access" => "client",
        "check_helo_access" => "helo",
        "check_sender_access" => "sender",
        "check_recipient_access" => "recipient",
        _ => return None,
    })
}

fn is_drac(kind: &str, file: &str) -> bool {
    let name = Path::new(file).file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    matches!(kind, "hash" | "btree") && name.starts_with("drac")
}

enum Load {
    Good,
    Missing,
    Wrong(String),
}

/// Reads the map as the server would.
fn refused(put: impl FnOnce(&mut Draft)) -> Load {
    let mut alone = Draft::default();
    put(&mut alone);
    let text = alone.to_string();
    let loaded = config::parse(&Text { name: "sekisho.toml", text: &text, base_dir: Path::new("/") }, &[]);
    let Ok(loaded) = loaded else { return Load::Good };
    let there = |it: &config::Access| it.map.path.exists() || it.map.path.with_added_extension("db").exists();
    if !loaded.settings.access.iter().all(there) {
        return Load::Missing;
    }
    match Tables::load(&loaded.settings) {
        Ok(_) => Load::Good,
        Err(mistakes) => Load::Wrong(mistakes.into_iter().next().unwrap_or_default()),
    }
}
