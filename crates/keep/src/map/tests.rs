use super::*;
use proptest::prelude::*;

#[test]
fn what_is_asked_again_outlives_a_flood() {
    let mut map = BoundedMap::new(20);
    map.insert("kept".to_owned(), 1);
    for number in 0..10_000_u32 {
        map.insert(number.to_string(), number);
        assert_eq!(map.get_mut("kept"), Some(&mut 1));
        assert!(map.len() <= 20);
    }
    assert!(!map.contains_key("17"));
}

#[test]
fn what_counts_outlives_a_flood_though_nobody_asks() {
    let mut map = BoundedMap::new(100);
    for key in 0..20 {
        *map.entry(key, |_| 1) = true;
    }
    for key in 1_000..10_000 {
        map.entry(key, |counts| u64::from(*counts));
    }
    assert!((0..20).all(|key| map.contains_key(&key)));
    assert!(map.len() <= 100);
}

#[test]
fn what_counts_fills_no_more_than_a_quarter_by_itself() {
    let mut map = BoundedMap::new(100);
    for key in 0..10_000 {
        *map.entry(key, |counts| u64::from(*counts)) = true;
        assert!(map.len() <= 100);
    }
    assert!(map.contains_key(&9_999) && map.contains_key(&9_980));
}

#[test]
fn what_weighs_most_stays_when_all_have_a_weight() {
    let mut map = BoundedMap::new(100);
    *map.entry(0, |_| 0) = 1_000;
    for key in 1..10_000 {
        *map.entry(key, |weight| *weight) = 1;
    }
    assert_eq!(map.get_mut(&0), Some(&mut 1_000));
}

#[test]
fn a_newcomer_is_turned_away_when_all_count() {
    let mut map = BoundedMap::new(10);
    let admitted = (0..15).filter(|key| map.entry_if_room(*key, |counts| *counts).map(|value| *value = true).is_some());
    assert_eq!(admitted.count(), 10);
    *map.get_mut(&3).unwrap() = false;
    assert!(map.entry_if_room(15, |counts| *counts).is_some());
    assert!(!map.contains_key(&3));
    assert!(map.entry_if_room(4, |counts| *counts).is_some(), "what is there has its room");
}

#[test]
fn what_was_not_asked_for_since_the_turn_before_goes() {
    let mut map = BoundedMap::new(10);
    map.insert(1, ());
    map.insert(2, ());
    map.turn(|()| 0);
    map.get_mut(&1);
    map.turn(|()| 0);
    assert_eq!((map.contains_key(&1), map.contains_key(&2)), (true, false));
    map.clear();
    assert!(map.is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u8),
    Get(u8),
    Entry(u8),
    EntryIfRoom(u8),
    Remove(u8),
    Turn,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0_u8..60;
    prop_oneof![
        4 => key.clone().prop_map(Step::Insert),
        4 => key.clone().prop_map(Step::Get),
        2 => key.clone().prop_map(Step::Entry),
        2 => key.clone().prop_map(Step::EntryIfRoom),
        1 => key.prop_map(Step::Remove),
        1 => Just(Step::Turn),
    ]
}

proptest! {
    /// An entry is the last that was put there or none; the bound is never exceeded; what was asked for last is there.
    #[test]
    fn nothing_but_forgetting(entries_max in 0_usize..40, steps in prop::collection::vec(step(), 0..400)) {
        let mut map: BoundedMap<u8, usize> = BoundedMap::new(entries_max);
        let mut model = HashMap::new();
        for (number, step) in steps.into_iter().enumerate() {
            let odd = |value: &usize| value % 2 == 1;
            let weight = |value: &usize| u64::from(odd(value));
            let asked = match step {
                Step::Insert(key) => {
                    map.insert(key, number);
                    Some((key, Some(number)))
                }
                Step::Get(key) => Some((key, map.get_mut(&key).copied())),
                Step::Entry(key) => Some((key, Some(*map.entry(key, weight)))),
                Step::EntryIfRoom(key) => Some((key, map.entry_if_room(key, odd).copied())),
                Step::Remove(key) => {
                    if let Some(value) = map.remove(&key) {
                        prop_assert_eq!(Some(&value), model.get(&key));
                    }
                    model.insert(key, 0);
                    prop_assert!(!map.contains_key(&key));
                    None
                }
                Step::Turn => {
                    map.turn(weight);
                    None
                }
            };
            if let Some((key, found)) = asked {
                prop_assert_eq!(map.contains_key(&key), found.is_some());
                let is_put = matches!(step, Step::Insert(_));
                // A default is what stands for a forgotten entry.
                prop_assert!(is_put || matches!(found, None | Some(0)) || model.get(&key) == found.as_ref());
                found.map(|value| model.insert(key, value));
            }
            prop_assert!(map.len() <= map.entries_max());
        }
    }
}
