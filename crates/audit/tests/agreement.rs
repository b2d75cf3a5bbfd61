//! The audit and the guard never disagree: over random configurations and clients, whoever the audit says may not relay is not
//! relayed for, and whoever it says may is, by the same right. So many cases by `SEKISHO_AUDIT_CASES`, else 100,000.
#![expect(clippy::match_same_arms, reason = "each row of the table says its own reason")]
#![expect(clippy::too_many_arguments, reason = "each is a thing of its own, and there is one caller")]
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

mod world;

use guard::authority::Right;
use guard::case::Claim;
use guard::{
    AddressJudgement, AddressRight, AskedRcpt, Case, Command, Depth, Fact, Found, Gathered, Hosting, Judged, Manner,
    Need, Outcome, Policy, Recipient, Reserved, Stage, judge, judge_address,
};

use audit::set::Way;
use audit::{Answer, By};
use config::RelayMode;
use world::{Client, Rng, World, now};

const CLIENTS: usize = 100;

#[test]
fn the_audit_and_the_guard_never_disagree() {
    let cases = std::env::var("SEKISHO_AUDIT_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let mut tally = Tally::default();
    for seed in 0..cases / CLIENTS as u64 {
        let mut rng = Rng::new(seed);
        let world = World::random(&mut rng);
        let set = world.set();
        for number in 0..CLIENTS {
            let client = Client::random(&world, &mut rng);
            let case = || format!("seed {seed}, client {number}: {client:#?}\nin {world:#?}");
            compare(&world, &set, &client, &mut tally).unwrap_or_else(|why| panic!("{why}\n{}", case()));
        }
    }
    // What is compared must happen: else nothing was proved.
    println!("{tally:?}");
    assert!(
        [tally.login, tally.network, tally.client_map, tally.grant, tally.relay_domain].iter().all(|n| *n > 50),
        "{tally:?}"
    );
    assert!(tally.may_not > 1_000 && tally.by_address > 50, "{tally:?}");
}

#[derive(Debug, Default)]
struct Tally {
    login: u64,
    network: u64,
    client_map: u64,
    grant: u64,
    relay_domain: u64,
    ours: u64,
    may_not: u64,
    by_address: u64,
    /// Something could not be found out, or an access map may refuse: only "may not" is compared.
    one_way: u64,
}

fn compare(world: &World, set: &audit::Set, client: &Client, tally: &mut Tally) -> Result<(), String> {
    let door = &set.doors[client.door];
    let said = set.may_relay(door, &client.asked());
    let done = run(world, client);
    let one_way = client.fault.is_some() || client.refused_by_map;
    tally.one_way += u64::from(one_way);
    match (&said, &done) {
        (Answer::Ours, Done::Relayed(_)) => return Err(format!("ours, and relayed: {done:?}")),
        (Answer::Ours, _) => tally.ours += 1,
        // Whose login could not be found out sends to a relay domain as everybody may.
        (Answer::MayNot(_), Done::RelayDomain) if client.fault.is_some() => tally.ours += 1,
        (Answer::MayNot(_), Done::Relayed(_) | Done::RelayDomain) => return Err(format!("{said:?}, and {done:?}")),
        (Answer::MayNot(_), Done::Refused(_)) => tally.may_not += 1,
        (Answer::May(_), Done::Refused(_)) if one_way => {}
        // Without the fact that gives the one right it may have another.
        (Answer::May(_), Done::Relayed(_) | Done::RelayDomain) if client.fault.is_some() => {}
        (Answer::May(By::RelayDomain(_)), Done::RelayDomain) => tally.relay_domain += 1,
        (Answer::May(by), Done::Relayed(right)) if is_same(by, right) => *tally.of(by) += 1,
        _ => return Err(format!("{said:?}, and {done:?}")),
    }
    if let Way::LookedUp(mode) = door.way
        && let Some(ip) = client.ip
    {
        let said = set.may_address(door, ip, client.name.as_ref());
        let done = by_address(world, client, mode);
        if said != done && !(client.fault.is_some() && said) {
            return Err(format!("looked up: {said}, and {done}"));
        }
        tally.by_address += u64::from(said);
    }
    Ok(())
}

impl Tally {
    fn of(&mut self, by: &By) -> &mut u64 {
        match by {
            By::RelayDomain(_) => &mut self.relay_domain,
            By::Login(_) => &mut self.login,
            By::Network(_) => &mut self.network,
            By::ClientMap(_) => &mut self.client_map,
            By::Grant(_) => &mut self.grant,
        }
    }
}

fn is_same(by: &By, right: &Right) -> bool {
    match (by, right) {
        (By::Login(account), Right::Auth { login, .. }) => account == login,
        (By::Network(one), Right::Network(other)) | (By::ClientMap(one), Right::ClientMap(other)) => one == other,
        // Of several that carry the reverse-path it is the one that lasts longest.
        (By::Grant(_), Right::Pop { .. }) => true,
        _ => false,
    }
}

#[derive(Debug)]
enum Done {
    Relayed(Right),
    RelayDomain,
    #[expect(dead_code, reason = "told when it fails")]
    Refused(String),
}

/// What the running server does, from the door on.
fn run(world: &World, client: &Client) -> Done {
    let door = &world.doors[client.door];
    let refused = |why: &str| Done::Refused(why.to_owned());
    if let Some(why) = world.turned_away(client) {
        return refused(why);
    }
    let (policy, manner) = match door.way {
        Way::Own => (&world.own, Manner::OWN),
        Way::Asked => (&world.asked, Manner::asked_by_mail_server(client.depth)),
        Way::LookedUp(_) => (&world.asked, Manner::asked_by_mail_server(Depth::Relaying)),
        Way::Restricts => (&world.asked, Manner::asked_by_mail_server(Depth::Hosting)),
        Way::NoMail => return refused("no mail"),
    };
    let mut case = Case::new(client.ip, manner);
    if world.is_distrusted(client) {
        case.distrust();
    }
    case.set_login(if world.claims_login(client) { Claim::LoggedIn } else { Claim::Nobody });
    case.begin(client.reverse_path.clone(), None);
    if manner.mail == guard::case::MailJudged::Before {
        let mut mail = Command::new(Stage::Mail, &case, now());
        if let Some(refusal) = drive(world, policy, &mut case, &mut mail, client).refusal() {
            return refused(refusal.reason.code());
        }
    }
    let asked = AskedRcpt { forward_path: &client.forward_path, had_source_route: false };
    let mut rcpt = Command::rcpt(asked, &case, now());
    match drive(world, policy, &mut case, &mut rcpt, client) {
        Outcome::Accept(Recipient::Relayed(_, grant)) => Done::Relayed(grant.right().clone()),
        // There the mail server is told nothing: it decides.
        Outcome::Accept(Recipient::Hosted(_)) if door.way == Way::Restricts => refused("left"),
        Outcome::Accept(Recipient::Hosted(hosted)) if hosted.hosting() == Hosting::RelayDomain => Done::RelayDomain,
        other => Done::Refused(format!("{other:?} by {}", rcpt.trace())),
    }
}

fn drive(world: &World, policy: &Policy, case: &mut Case, command: &mut Command<'_>, client: &Client) -> Outcome {
    for _ in 0..64 {
        match judge(policy, case, command) {
            Judged::Verdict(verdict) => return verdict.outcome,
            Judged::Reserve(_) => command.reserved(Reserved::All),
            Judged::Need(needs) => needs.iter().for_each(|need| learn(world, case, command, need, client)),
        }
    }
    panic!("no end");
}

fn learn(world: &World, case: &mut Case, command: &mut Command<'_>, need: &Need, client: &Client) {
    let value = match client.fault {
        Some((fact, fault)) if fact == need.fact => Fact::Unknown(fault),
        _ => Fact::Known(world.value(need, client)),
    };
    command.learn(case, need, Gathered::Found(Found::new(value, now())));
}

fn by_address(world: &World, client: &Client, mode: RelayMode) -> bool {
    let mut case = Case::new(client.ip, Manner::asked_by_mail_server(Depth::Relaying));
    if world.is_distrusted(client) {
        case.distrust();
    }
    let mut command = Command::new(Stage::Connect, &case, now());
    for _ in 0..16 {
        match judge_address(&world.asked, &case, &mut command) {
            AddressJudgement::Need(need) => learn(world, &mut case, &mut command, &need, client),
            AddressJudgement::Is(AddressRight::AnySender) => return true,
            AddressJudgement::Is(AddressRight::SomeSenders) => return mode == RelayMode::Permit,
            AddressJudgement::Is(AddressRight::Nothing) | AddressJudgement::Fault(_) => return false,
        }
    }
    panic!("no end");
}
