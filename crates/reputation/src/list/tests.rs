use super::*;
use config::{Code, Codes};
use dns::Failure;
use guard::rule::Mode;

fn list(weight: i32) -> List {
    let two = Ipv4Addr::new(127, 0, 0, 2);
    let settings = Dnsbl {
        zone: "list.example".into(),
        name: "list".into(),
        kind: ListKind::Ip,
        codes: vec![
            Code { which: Codes::Range(two, two), weight },
            Code {
                which: Codes::Range(Ipv4Addr::new(127, 0, 0, 10), Ipv4Addr::new(127, 0, 0, 11)),
                weight: weight * 2,
            },
        ],
        mode: Mode::Enforce,
    };
    let list = List::new(&settings, Instant::now());
    list.tested(Family::Ipv4, Some(Standing::Sound), Instant::now());
    list
}

fn client(n: u32) -> About<'static> {
    About::Address(IpAddr::V4(Ipv4Addr::from_bits(0xc633_0000 | (n << 8) | 7)))
}

fn codes(codes: &[[u8; 4]]) -> Answer<Vec<Ipv4Addr>> {
    if codes.is_empty() { Answer::None } else { Answer::Found(codes.iter().copied().map(Ipv4Addr::from).collect()) }
}

/// T29: what is not a declared answer is never a listing, whatever the list or the resolver says.
#[test]
fn t29_only_a_declared_answer_is_a_listing() {
    let (list, now) = (list(5), Instant::now());
    let table = [
        (codes(&[[127, 0, 0, 2]]), Some(5)),
        (codes(&[[127, 0, 0, 2], [127, 0, 0, 10]]), Some(10)),
        (codes(&[[127, 0, 0, 3]]), None),
        (codes(&[]), None),
        (codes(&[[127, 0, 0, 1]]), None),
        (codes(&[[127, 255, 255, 252]]), None),
        (codes(&[[127, 255, 255, 254]]), None),
        (codes(&[[127, 255, 255, 255]]), None),
        (codes(&[[127, 0, 0, 2], [127, 255, 255, 254]]), None),
        (codes(&[[192, 0, 2, 80]]), None),
        (Answer::Failed(Failure::TimedOut), None),
        (Answer::Failed(Failure::Server("SERVFAIL".to_owned())), None),
    ];
    for (n, (answer, expected)) in (0..).zip(table) {
        let found = list.answered(client(n), &answer, now).map(|listing| listing.weight);
        assert_eq!(found, expected, "{answer:?}");
    }
    let status = list.status(now);
    assert_eq!((status.asked, status.listed, status.failed, status.errors), (12, 2, 2, 6));
}

#[test]
fn a_list_is_asked_only_while_it_is_sound() {
    let (list, now) = (list(5), Instant::now());
    assert_eq!(list.question(client(0), now).as_deref(), Some("7.0.51.198.list.example"));
    let v6 = About::Address("2001:db8::1".parse().unwrap());
    assert_eq!(list.question(v6, now), None, "IPv6 is untested");
    list.tested(Family::Ipv4, Some(Standing::Unsound(crate::Fault::Empty)), now);
    assert_eq!(list.question(client(0), now), None);
}

#[test]
fn one_that_does_not_answer_rests() {
    let (list, now) = (list(5), Instant::now());
    for n in 0..FAILURES_MAX {
        assert!(list.question(client(n), now).is_some());
        list.answered(client(n), &Answer::Failed(Failure::TimedOut), now);
    }
    assert_eq!(list.question(client(9), now), None);
    assert!(list.status(now).rests);
    let later = now + REST;
    assert!(list.question(client(9), later).is_some());
    list.answered(client(9), &Answer::Failed(Failure::TimedOut), later);
    assert_eq!(list.question(client(9), later + REST), None, "the next rest is longer");
    let later = later + 2 * REST;
    list.answered(client(9), &codes(&[]), later);
    assert!(list.question(client(9), later).is_some());
}

/// T30: a list that lists everything trips, weighs nothing, and whom it listed passes when it is sound again.
#[test]
fn t30_a_list_of_everybody_trips_and_makes_amends() {
    let (list, now) = (list(5), Instant::now());
    let everybody = codes(&[[127, 0, 0, 2]]);
    let held: Vec<u32> = (0..200).filter(|n| list.answered(client(*n), &everybody, now).is_some()).collect();
    assert!(held.len() < 100, "only until it was noticed: {}", held.len());
    let status = list.status(now);
    assert!(status.tripped);
    assert_eq!((status.amends_count, status.amends.len()), (held.len(), held.len()));
    assert_eq!(
        list.due(now).first().map(|points| points.family),
        Some(Family::Ipv4),
        "its test points are asked at once"
    );

    let later = now + Duration::from_hours(1);
    for n in 0..200 {
        list.answered(client(n), &codes(&[]), later + Duration::from_secs(u64::from(n) * 10));
    }
    let later = later + Duration::from_hours(1);
    list.answered(client(1_000), &codes(&[]), later);
    assert!(!list.status(later).tripped);
    assert_eq!(list.answered(client(0), &everybody, later), None, "who was refused comes again");
    assert!(list.answered(client(190), &everybody, later).is_some());
}

#[test]
fn what_speaks_for_somebody_makes_no_amends() {
    let (list, now) = (list(-5), Instant::now());
    assert_eq!(list.answered(client(0), &codes(&[[127, 0, 0, 2]]), now).map(|it| it.weight), Some(-5));
    list.tested(Family::Ipv4, Some(Standing::Unsound(crate::Fault::ListsEverything)), now);
    assert_eq!(list.status(now).amends_count, 0);
}
