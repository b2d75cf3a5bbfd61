//! No circles: not between crates, not between the files of one crate. A module with those above and below it is apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::MAY_USE;
use crate::modules::{Modules, Use};
use crate::sources::{ModulePath, sources_of, written};

/// Each set of nodes that all lead to one another.
fn circles<T: Ord + Clone>(edges: &BTreeSet<(T, T)>) -> Vec<BTreeSet<T>> {
    let mut to: BTreeMap<&T, Vec<&T>> = BTreeMap::new();
    for (from, next) in edges {
        to.entry(from).or_default().push(next);
    }
    let reached = |from: &T| {
        let (mut found, mut todo) = (BTreeSet::new(), vec![from]);
        while let Some(at) = todo.pop() {
            todo.extend(to.get(at).into_iter().flatten().filter(|next| found.insert((**next).clone())));
        }
        found
    };
    let all: BTreeMap<&T, BTreeSet<T>> = to.keys().map(|from| (*from, reached(from))).collect();
    let back = |from: &T, to: &T| all.get(to).is_some_and(|reached| reached.contains(from));
    let circle = |(from, reached): (&&T, &BTreeSet<T>)| -> BTreeSet<T> {
        reached.iter().filter(|to| back(from, to)).cloned().collect()
    };
    let found: BTreeSet<BTreeSet<T>> = all.iter().map(circle).filter(|circle| !circle.is_empty()).collect();
    found.into_iter().collect()
}

/// Each circle between the files of a crate, as a text.
fn between_files(uses: &BTreeSet<Use>) -> Vec<String> {
    let edges: BTreeSet<(ModulePath, ModulePath)> = uses.iter().map(|u| (u.from.clone(), u.to.clone())).collect();
    let told = |circle: &BTreeSet<ModulePath>| {
        let mut told = format!("{} files:", circle.len());
        for from in circle {
            for to in circle {
                let of_these = uses.iter().filter(|u| u.from == *from && u.to == *to);
                let names: BTreeSet<&str> = of_these.filter_map(|u| u.name.rsplit("::").next()).collect();
                if !names.is_empty() {
                    let names = names.into_iter().collect::<Vec<_>>().join(", ");
                    let _ = write!(told, "\n    {} -> {}: {names}", from.join("::"), to.join("::"));
                }
            }
        }
        told
    };
    circles(&edges).iter().map(told).collect()
}

#[test]
fn files_of_a_crate_make_no_circle() {
    let mut wrong = Vec::new();
    for (name, _) in MAY_USE {
        for circle in between_files(&Modules::of(&sources_of(name)).uses()) {
            wrong.push(format!("{name}: {circle}"));
        }
    }
    assert!(wrong.is_empty(), "{} circles\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn crates_make_no_circle() {
    let edges = MAY_USE.iter().flat_map(|(name, uses)| uses.iter().map(move |other| (*name, *other))).collect();
    assert_eq!(circles(&edges), Vec::<BTreeSet<&str>>::new());
}

/// Small crates, and the circles that are found in them.
#[test]
#[expect(clippy::too_many_lines, clippy::type_complexity, reason = "a table of small crates")]
fn circles_are_found() {
    let cases: &[(&str, &[(&str, &str)], &[&str])] = &[
        (
            "two files",
            &[
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", "use crate::b::B; pub struct A;"),
                ("b.rs", "use super::a::A; pub struct B;"),
            ],
            &["a b"],
        ),
        ("one way", &[("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::B;"), ("b.rs", "pub struct B;")], &[]),
        (
            "three, grouped, a path inline",
            &[
                ("lib.rs", "mod a; mod b; mod c;"),
                ("a.rs", "use crate::{b::{B, Other as O}, x}; pub struct A;"),
                ("b.rs", "pub struct B; pub struct Other; fn f() { crate::c::run::<u8>(); }"),
                ("c.rs", "pub fn run<T>() { vec![1, super::a::A] }"),
            ],
            &["a b c"],
        ),
        (
            "a module with its own above and below",
            &[
                ("lib.rs", "mod a; pub struct L;"),
                ("a/mod.rs", "mod b; use b::B; use crate::L; pub struct A;"),
                ("a/b.rs", "use super::A; pub struct B;"),
            ],
            &[],
        ),
        (
            "through what the parent re-exports",
            &[
                ("lib.rs", "mod a; mod b; pub use a::A; pub use self::b::*;"),
                ("a.rs", "use super::B; pub struct A;"),
                ("b.rs", "use crate::A; pub struct B;"),
            ],
            &["a b"],
        ),
        (
            "a re-export leads past the one that hands it on",
            &[
                ("lib.rs", "mod a; mod b; mod c;"),
                ("a.rs", "use crate::b::C; pub struct A;"),
                ("b.rs", "pub use crate::c::C; use crate::a::A;"),
                ("c.rs", "pub struct C;"),
            ],
            &[],
        ),
        (
            "by the name of a module, or of one imported",
            &[
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", "use super::b; fn f() -> b::B { b::B }"),
                ("b.rs", "use crate::a::{self}; pub struct B; fn f() { use crate::a::*; f() }"),
            ],
            &["a b"],
        ),
        (
            "tests, words and other crates are nothing",
            &[
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", "use crate::b::B; use b::A as C; use ::b::A; pub struct A;"),
                (
                    "b.rs",
                    "/// [`crate::a::A`]\npub struct B; const T: &str = \"crate::a::A\";\n#[cfg(test)]\nmod tests { use crate::a::A; }",
                ),
            ],
            &[],
        ),
        (
            "two circles",
            &[
                ("lib.rs", "mod a; mod b; mod c; mod d;"),
                ("a.rs", "use crate::b::B; use crate::c::C; pub struct A;"),
                ("b.rs", "use crate::a::A; pub struct B;"),
                ("c.rs", "use crate::d::D; pub struct C;"),
                ("d.rs", "use crate::c::C; pub struct D;"),
            ],
            &["a b", "c d"],
        ),
    ];
    for (what, files, expected) in cases {
        let uses = Modules::of(&written(files)).uses();
        let edges: BTreeSet<(String, String)> = uses.iter().map(|u| (u.from.join("::"), u.to.join("::"))).collect();
        let found: Vec<String> =
            circles(&edges).iter().map(|c| c.iter().map(String::as_str).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(found, *expected, "{what}: {uses:?}");
    }
}
