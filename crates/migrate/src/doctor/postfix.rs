//! Postfix: which service asks the guard, and what stands before it.

use super::{Findings, is_ours};
use crate::import::{
    ImportError, Spot,
    postfix::{
        self,
        main_cf::{MAIL_RESTRICTIONS, MainCf, split_list},
        master_cf::{self, Service},
    },
};
use guard::policy::check_network;
use std::path::{Path, PathBuf};

/// What stops mail for others.
const STOPS: [&str; 4] = ["reject_unauth_destination", "defer_unauth_destination", "reject", "defer"];

/// A Postfix.
struct Postfix<'a> {
    main: MainCf,
    file: String,
    dir: PathBuf,
    master: String,
    /// No endpoint is Sekisho's by its name: every policy service is taken for it.
    any: bool,
    findings: &'a mut Findings,
}

/// A list of restrictions.
#[derive(Clone, Copy)]
struct List<'a> {
    name: &'a str,
    steps: &'a [String],
}

/// A step of a list that looks something up in a map.
#[derive(Clone, Copy)]
struct MapStep<'a> {
    list: &'a str,
    step: &'a str,
    map: &'a str,
}

/// One smtpd with its own settings.
struct Smtpd<'a> {
    service: Option<&'a Service>,
    main: MainCf,
    name: String,
}

pub(super) fn examine(path: &Path, findings: &mut Findings) -> Result<(), ImportError> {
    let (main, file, dir) = postfix::read_main(path)?;
    let master = dir.join("master.cf");
    let services = if master.exists() { master_cf::parse(&crate::import::read_text(&master)?) } else { Vec::new() };
    let smtpds: Vec<Smtpd<'_>> = smtpds(&main, &services);
    let mains = smtpds.iter().map(|it| &it.main).chain([&main]);
    let all = mains.flat_map(asked).collect::<Vec<_>>();
    let any = !all.iter().any(|it| is_ours(it));
    let (file, master) = (file.display().to_string(), master.display().to_string());
    let mut postfix = Postfix { main, file, dir, master, any, findings };
    if all.is_empty() {
        let at = Spot::new(&postfix.file, 1);
        let what = "nothing in it asks Sekisho: neither a policy service nor a socketmap, milter or database";
        postfix.findings.danger(&at, what, "see how to put Postfix beside Sekisho (docs/postfix.md)");
        return Ok(());
    }
    for smtpd in &smtpds {
        postfix.smtpd(smtpd);
    }
    postfix.networks(&smtpds);
    postfix.away(&smtpds);
    postfix.other_ways(&services);
    postfix.handed_on();
    Ok(())
}

/// Every smtpd; without a `master.cf`, the one of `main.cf`.
fn smtpds<'a>(main: &MainCf, services: &'a [Service]) -> Vec<Smtpd<'a>> {
    let found = services.iter().filter(|it| it.command == "smtpd");
    let mut smtpds: Vec<_> = found
        .map(|service| {
            let name = format!("{} {}", service.name, service.kind);
            Smtpd { service: Some(service), main: main.with(&service.overrides), name }
        })
        .collect();
    if smtpds.is_empty() {
        smtpds.push(Smtpd { service: None, main: main.clone(), name: "smtpd".to_owned() });
    }
    smtpds
}

/// Every endpoint that one smtpd asks and that could be a guard.
fn asked(main: &MainCf) -> Vec<String> {
    let mut all: Vec<String> = MAIL_RESTRICTIONS
        .iter()
        .flat_map(|list| {
            let steps = split_list(&main.value(list));
            (0..steps.len()).filter_map(|at| guard_of(&steps, at)).collect::<Vec<_>>()
        })
        .collect();
    all.extend(split_list(&main.value("smtpd_milters")).into_iter().filter(|it| is_ours(it)));
    all
}

/// What is asked at this place of a list, if it can be a guard.
fn guard_of(steps: &[String], at: usize) -> Option<String> {
    let argument = steps.get(at + 1)?;
    let exported = argument.starts_with("btree:") || argument.starts_with("hash:");
    let name = argument.rsplit('/').next().unwrap_or_default();
    let is = match steps.get(at)?.as_str() {
        "check_policy_service" => true,
        "check_client_access" => {
            argument.starts_with("socketmap:")
                || (exported && (name.starts_with("relay") || name.starts_with("drac") || argument.contains("sekisho")))
        }
        _ => false,
    };
    is.then(|| argument.clone())
}

impl Postfix<'_> {
    fn at(&self, smtpd: &Smtpd<'_>, name: &str) -> Spot {
        match smtpd.service {
            Some(service) if service.overrides.iter().any(|(it, _)| it == name) => {
                Spot::new(&self.master, service.line)
            }
            _ => Spot::new(&self.file, self.main.line(name)),
        }
    }

    /// Where in a list the guard is asked.
    fn guard_in(&self, steps: &[String]) -> Option<usize> {
        (0..steps.len())
            .find(|at| guard_of(steps, *at).is_some_and(|it| self.any || is_ours(&it) || !it.contains("inet:")))
    }

    fn smtpd(&mut self, smtpd: &Smtpd<'_>) {
        let mut reached = has_milter(&smtpd.main);
        let relay = split_list(&smtpd.main.value("smtpd_relay_restrictions"));
        for list in MAIL_RESTRICTIONS {
            let steps = split_list(&smtpd.main.value(list));
            let Some(guard) = self.guard_in(&steps) else { continue };
            reached = true;
            self.before(smtpd, List { name: list, steps: &steps }, guard);
            self.foreign(smtpd, List { name: list, steps: &steps });
            let decides =
                list == "smtpd_relay_restrictions" || (relay.is_empty() && list == "smtpd_recipient_restrictions");
            if decides {
                self.around(smtpd, List { name: list, steps: &steps }, guard);
            }
        }
        if reached {
            self.replaced(smtpd, &relay);
        } else {
            self.unreached(smtpd);
        }
        self.stops(smtpd, &relay);
        if smtpd.main.value("smtpd_delay_reject").eq_ignore_ascii_case("no") {
            let at = self.at(smtpd, "smtpd_delay_reject");
            let what = "smtpd_delay_reject = no: the guard is asked before sender and recipient are known";
            self.findings.warning(&at, what, "remove it: yes is Postfix's default");
        }
    }

    fn unreached(&mut self, smtpd: &Smtpd<'_>) {
        let at =
            smtpd.service.map_or_else(|| Spot::new(&self.file, 1), |service| Spot::new(&self.master, service.line));
        let what = format!("{}: its mail never reaches Sekisho", smtpd.name);
        let inside = smtpd.service.is_some_and(|service| {
            service.kind != "inet" || matches!(service.endpoint().0, Some("127.0.0.1" | "localhost" | "::1"))
        });
        if inside {
            self.findings.note(
                &at,
                what,
                "only programs of this machine can use it; be sure that they hand in checked mail only",
            );
        } else {
            self.findings.danger(&at, what, "ask the service in one of its restriction lists, or by smtpd_milters");
        }
    }

    /// What ends a list before the guard is asked.
    fn before(&mut self, smtpd: &Smtpd<'_>, asking: List<'_>, guard: usize) {
        let (list, steps) = (asking.name, &asking.steps[..guard]);
        let at = self.at(smtpd, list);
        let todo = "put check_policy_service (or Sekisho's map) first; name who may relay in Sekisho's [relay]";
        for (index, step) in steps.iter().enumerate() {
            let is_argument = index > 0 && steps[index - 1].starts_with("check_");
            if is_argument {
                continue;
            }
            if step == "permit_sasl_authenticated" && logins_are_ours(&smtpd.main) {
                let what = format!(
                    "{list}: permit_sasl_authenticated stands before Sekisho, which has checked the login but not the sender"
                );
                self.findings.warning(&at, what, todo);
            } else if step == "permit_auth_destination" {
                // It lets nobody relay, and a map of clients has nothing to say of Postfix's own recipients.
                if asking.steps[guard] != "check_client_access" {
                    let what =
                        format!("{list}: {step} stands before Sekisho, whose access rules miss your own recipients");
                    self.findings.warning(&at, what, "ask with policy_context=grant before it (docs/postfix.md)");
                }
            } else if step.starts_with("permit") {
                let what = format!("{list}: {step} stands before Sekisho, which is not asked where it permits");
                self.findings.danger(&at, what, todo);
            } else if step.starts_with("check_") && step.ends_with("_access") {
                let map = steps.get(index + 1).map_or("", String::as_str);
                self.map_before(&at, MapStep { list, step, map });
            } else if step == "check_policy_service" {
                let what = format!(
                    "{list}: another policy service stands before Sekisho; where it says OK, Sekisho is not asked"
                );
                self.findings.warning(&at, what, todo);
            }
        }
    }

    /// A question about foreign recipients that comes before Postfix has taken its own: those are refused then.
    fn foreign(&mut self, smtpd: &Smtpd<'_>, asking: List<'_>) {
        let foreign = |step: &String| step.replace([' ', '\t'], "").contains("policy_context=foreign");
        let Some(asked) = asking.steps.iter().position(foreign) else { return };
        if !asking.steps[..asked].iter().any(|step| step == "permit_auth_destination") {
            let at = self.at(smtpd, asking.name);
            let what = format!("{}: policy_context=foreign before permit_auth_destination", asking.name);
            let todo = "put permit_auth_destination before it: Sekisho would refuse the mail for your own domains";
            self.findings.warning(&at, what, todo);
        }
    }

    /// Domains that Postfix hands on are not its own to a milter.
    fn handed_on(&mut self) {
        let domains = self.main.value("relay_domains");
        let known = split_list(&domains).into_iter().filter(|it| !it.contains("socketmap:") && !it.starts_with('$'));
        let known = known.collect::<Vec<_>>().join(", ");
        if has_milter(&self.main) && !known.is_empty() {
            let at = Spot::new(&self.file, self.main.line("relay_domains"));
            let what = format!(
                "relay_domains: a milter listener with relay = \"permit\" does not know that {known} are yours"
            );
            self.findings.note(
                &at,
                what,
                "name them in Sekisho's domains.relay, or let the listener have relay = \"restrict\"",
            );
        }
    }

    /// A map before the guard: harmless if it never says OK.
    fn map_before(&mut self, at: &Spot, before: MapStep<'_>) {
        let MapStep { list, step, map } = before;
        let file = map.split_once(':').map_or(map, |(_, file)| file);
        let text = crate::import::read_text(&self.dir.join(file));
        let todo = "put it behind Sekisho, or let it say DUNNO";
        let ok = text.ok().map(|text| {
            let permits = |line: &&str| {
                let value = line.split_ascii_whitespace().nth(1).unwrap_or_default();
                let word = value.to_ascii_lowercase();
                !line.starts_with('#')
                    && (word == "ok" || word == "relay" || word.starts_with("permit") || is_number(&word))
            };
            text.lines().find(permits).map(str::to_owned)
        });
        match ok {
            Some(None) => {}
            Some(Some(line)) => {
                let what = format!("{list}: {step} {map} stands before Sekisho and permits: {line}");
                self.findings.danger(at, what, todo);
            }
            None => {
                let what = format!(
                    "{list}: {step} {map} stands before Sekisho and cannot be read; an OK in it goes around Sekisho"
                );
                self.findings.warning(at, what, todo);
            }
        }
    }

    /// Whether the list that decides about relaying stops what the guard has no word on, behind it.
    fn around(&mut self, smtpd: &Smtpd<'_>, deciding: List<'_>, guard: usize) {
        let List { name: list, steps } = deciding;
        let at = self.at(smtpd, list);
        let stop = steps.iter().position(|step| STOPS.contains(&step.as_str()));
        match stop {
            Some(stop) if stop < guard => {
                let what =
                    format!("{list}: {} stands before Sekisho, whose OK comes too late for anybody", steps[stop]);
                self.findings.warning(&at, what, "put it behind the service, where relay = \"permit\"");
            }
            Some(_) => {}
            None => {
                let what = format!("{list}: nothing stops mail for others behind Sekisho");
                self.findings.danger(&at, what, "end the list with reject_unauth_destination");
            }
        }
        let wide = ["permit", "permit_mx_backup", "permit_tls_all_clientcerts", "permit_inet_interfaces"];
        let end = stop.unwrap_or(steps.len());
        for step in steps.iter().take(end).skip(guard + 2).filter(|it| wide.contains(&it.as_str())) {
            let what = format!("{list}: {step} behind Sekisho lets relay who has no right from it");
            self.findings.warning(&at, what, "remove it: reject_unauth_destination is all that belongs there");
        }
    }

    /// A service that is asked somewhere, but decides about relaying without the guard.
    fn replaced(&mut self, smtpd: &Smtpd<'_>, relay: &[String]) {
        let Some(service) = smtpd.service else { return };
        let own = service.overrides.iter().any(|(name, _)| name == "smtpd_relay_restrictions");
        let main_asks = self.guard_in(&split_list(&self.main.value("smtpd_relay_restrictions"))).is_some();
        if !own || !main_asks || self.guard_in(relay).is_some() {
            return;
        }
        let only_logins = relay.iter().all(|it| it == "permit_sasl_authenticated" || STOPS.contains(&it.as_str()));
        if only_logins && logins_are_ours(&smtpd.main) {
            return;
        }
        let at = Spot::new(&self.master, service.line);
        let what = format!(
            "{}: its own smtpd_relay_restrictions decide about relaying, and Sekisho is not asked there",
            smtpd.name
        );
        self.findings.danger(&at, what, "remove the -o, or put check_policy_service first in it");
    }

    /// An open relay with or without the guard.
    fn stops(&mut self, smtpd: &Smtpd<'_>, relay: &[String]) {
        let recipient = split_list(&smtpd.main.value("smtpd_recipient_restrictions"));
        let stops = |steps: &[String]| steps.iter().any(|it| STOPS.contains(&it.as_str()));
        if !stops(relay) && !stops(&recipient) {
            let at = self.at(smtpd, "smtpd_relay_restrictions");
            let what = format!("{}: neither list has reject_unauth_destination", smtpd.name);
            self.findings.danger(&at, what, "end smtpd_relay_restrictions with it");
        }
        for (list, steps) in
            [("smtpd_relay_restrictions", relay), ("smtpd_recipient_restrictions", recipient.as_slice())]
        {
            let before = steps.iter().take_while(|it| !STOPS.contains(&it.as_str()));
            let alone = list == "smtpd_relay_restrictions" && self.guard_in(steps).is_none();
            for step in before.filter(|it| *it == "permit" || *it == "permit_mx_backup").filter(|_| alone) {
                let at = self.at(smtpd, list);
                self.findings.danger(&at, format!("{list}: {step} lets strangers relay"), "remove it");
            }
        }
    }

    /// `mynetworks` that are wider than any relay network may be.
    fn networks(&mut self, smtpds: &[Smtpd<'_>]) {
        let permits = smtpds
            .iter()
            .any(|it| MAIL_RESTRICTIONS.iter().any(|list| it.main.value(list).contains("permit_mynetworks")));
        let at = Spot::new(&self.file, self.main.line("mynetworks"));
        for word in split_list(&self.main.value("mynetworks")) {
            let net = word.replace(['[', ']'], "");
            if !net.starts_with(|it: char| it.is_ascii_hexdigit() || it == ':') || net.starts_with("127.") {
                continue;
            }
            if let Err(why) = check_network(&net) {
                let what = format!("mynetworks: {word} {why}");
                if permits {
                    self.findings.danger(&at, what, "name the hosts");
                } else {
                    self.findings.warning(&at, what, "no list permits it now; name the hosts before one does");
                }
            }
        }
        let style = self.main.value("mynetworks_style");
        if permits && self.main.get("mynetworks").is_none() && matches!(style.as_str(), "class" | "subnet") {
            let at = Spot::new(&self.file, self.main.line("mynetworks_style"));
            let what = format!("mynetworks_style = {style}: whoever is a neighbour may relay");
            self.findings.danger(&at, what, "mynetworks_style = host, or name the hosts in mynetworks");
        }
    }

    /// What happens while the guard is away.
    fn away(&mut self, smtpds: &[Smtpd<'_>]) {
        for smtpd in smtpds {
            let uses_policy =
                MAIL_RESTRICTIONS.iter().any(|list| smtpd.main.value(list).contains("check_policy_service"));
            let action = smtpd.main.value("smtpd_policy_service_default_action");
            if uses_policy && !is_deferring(&action) {
                let at = self.at(smtpd, "smtpd_policy_service_default_action");
                self.default_action(&at, "smtpd_policy_service_default_action", &action);
            }
            for list in MAIL_RESTRICTIONS {
                for word in split_list(&smtpd.main.value(list)).iter().filter(|it| it.starts_with('{')) {
                    let Some((_, action)) = word.split_once("default_action") else { continue };
                    let action = action.trim_start_matches([' ', '=', '{']).trim_end_matches(['}', ' ']);
                    if !is_deferring(action) {
                        let at = self.at(smtpd, list);
                        self.default_action(&at, "default_action", action);
                    }
                }
            }
            let milters = smtpd.main.value("smtpd_milters");
            let accepts = smtpd.main.value("milter_default_action") == "accept"
                || milters.replace(' ', "").contains("default_action=accept");
            if accepts && has_milter(&smtpd.main) {
                let at = self.at(smtpd, "milter_default_action");
                let what = "milter_default_action = accept: while Sekisho is away, everything goes past it";
                self.findings.danger(&at, what, "milter_default_action = tempfail");
            }
        }
    }

    fn default_action(&mut self, at: &Spot, name: &str, action: &str) {
        let todo = "smtpd_policy_service_default_action = 451 4.3.0 The guard does not answer, try again later";
        if action.starts_with('5') || action.to_ascii_lowercase().starts_with("reject") {
            let what = format!("{name} = {action}: while Sekisho is away, mail is refused for good");
            self.findings.warning(at, what, todo);
        } else {
            let what = format!("{name} = {action}: while Sekisho is away, everything goes past it");
            self.findings.danger(at, what, todo);
        }
    }

    /// Ways into Postfix that are no smtpd.
    fn other_ways(&mut self, services: &[Service]) {
        for service in services {
            let at = Spot::new(&self.master, service.line);
            if service.command == "qmqpd" {
                let what = "qmqpd: its mail never reaches Sekisho";
                self.findings.warning(&at, what, "remove the service, or keep qmqpd_authorized_clients short");
            } else if service.command == "pickup" && self.main.value("non_smtpd_milters").is_empty() {
                let what = "pickup: mail that programs of this machine hand in by sendmail(1) never reaches Sekisho";
                self.findings.note(&at, what, "authorized_submit_users names who may, non_smtpd_milters sees it");
            }
        }
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|it| it.is_ascii_digit())
}

/// Whether an action puts mail off.
fn is_deferring(action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let digits = action.as_bytes();
    (digits.first() == Some(&b'4') && digits.len() > 3 && digits[1..3].iter().all(u8::is_ascii_digit))
        || action.starts_with("defer") && !action.starts_with("defer_if_reject")
}

fn has_milter(main: &MainCf) -> bool {
    split_list(&main.value("smtpd_milters")).iter().any(|it| is_ours(it))
}

fn logins_are_ours(main: &MainCf) -> bool {
    main.value("smtpd_sasl_type") == "dovecot" && is_ours(&main.value("smtpd_sasl_path"))
}
