//! Parameters of named functions: no anonymous tuple, and no bool that changes what a function does.
//!
//! Closures and the types of closures are free, and so is what an implemented trait asks for: a trait of our own is
//! judged where it is defined.

use syn::visit::{self, Visit};
use syn::{FnArg, ImplItemFn, ItemFn, ItemImpl, Pat, Signature, TraitItemFn, Type};

use crate::sources::{Source, sources_of, written};
use crate::{BOOLS_MAX, MAY_USE};

/// A parameter, and where it stands.
#[derive(Debug, PartialEq)]
struct Found {
    function: String,
    parameter: String,
    line: usize,
}

/// What parameters of a crate's functions are.
#[derive(Default)]
struct Parameters {
    tuples: Vec<Found>,
    bools: Vec<Found>,
}

impl Parameters {
    fn of(source: &Source) -> Self {
        let mut found = Self::default();
        found.visit_file(&source.syntax);
        found
    }

    fn judge(&mut self, signature: &Signature) {
        for input in &signature.inputs {
            let FnArg::Typed(typed) = input else { continue };
            let found = || Found {
                function: signature.ident.to_string(),
                parameter: shown(&typed.pat),
                line: signature.ident.span().start().line,
            };
            if matches!(*typed.pat, Pat::Tuple(_)) || is_tuple(&typed.ty) {
                self.tuples.push(found());
            }
            if is_bool(&typed.ty) {
                self.bools.push(found());
            }
        }
    }
}

impl<'a> Visit<'a> for Parameters {
    fn visit_item_fn(&mut self, function: &'a ItemFn) {
        self.judge(&function.sig);
        visit::visit_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, block: &'a ItemImpl) {
        // A trait's parameters were judged with the trait.
        if block.trait_.is_none() {
            visit::visit_item_impl(self, block);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'a ImplItemFn) {
        self.judge(&function.sig);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'a TraitItemFn) {
        self.judge(&function.sig);
        visit::visit_trait_item_fn(self, function);
    }
}

fn is_tuple(of: &Type) -> bool {
    match of {
        Type::Tuple(tuple) => !tuple.elems.is_empty(),
        Type::Reference(to) => is_tuple(&to.elem),
        Type::Paren(inner) => is_tuple(&inner.elem),
        _ => false,
    }
}

fn is_bool(of: &Type) -> bool {
    matches!(of, Type::Path(path) if path.path.is_ident("bool"))
}

fn shown(pattern: &Pat) -> String {
    match pattern {
        Pat::Ident(name) => name.ident.to_string(),
        Pat::Tuple(tuple) => format!("({})", tuple.elems.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Pat::TupleStruct(of) => of.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default(),
        _ => "_".to_owned(),
    }
}

/// What was found, a line each.
fn listed(name: &str, choose: fn(Parameters) -> Vec<Found>) -> Vec<String> {
    let mut lines = Vec::new();
    for source in sources_of(name) {
        let found = choose(Parameters::of(&source));
        let line = |f: &Found| format!("{}:{}: {}({})", source.place, f.line, f.function, f.parameter);
        lines.extend(found.iter().map(line));
    }
    lines
}

/// What travels together is a named struct.
#[test]
fn no_parameter_is_an_anonymous_tuple() {
    let crates = MAY_USE.iter().map(|(name, _)| *name);
    let wrong: Vec<String> = crates.flat_map(|name| listed(name, |found| found.tuples)).collect();
    assert!(wrong.is_empty(), "{} anonymous tuples:\n{}", wrong.len(), wrong.join("\n"));
}

/// A bool that is a value may be one; where it changes what a function does, it is an enum.
#[test]
fn bool_parameters_become_fewer() {
    let bools: Vec<String> = MAY_USE.iter().flat_map(|(name, _)| listed(name, |found| found.bools)).collect();
    assert!(bools.len() <= BOOLS_MAX, "{} bool parameters, at most {BOOLS_MAX}:\n{}", bools.len(), bools.join("\n"));
}

/// The parameters that count as tuples and as bools, in small texts.
#[test]
fn parameters_are_found() {
    let cases = [
        ("fn f((a, b): (u8, u8)) {}", "(a, b)", ""),
        ("fn f(a: (u8, u8)) {}", "a", ""),
        ("fn f(a: &(u8, u8), b: &mut (u8, bool)) {}", "a b", ""),
        ("fn f(a: &[(u8, u8)], b: Option<(u8, u8)>, c: ()) {}", "", ""),
        ("fn f(a: impl FnMut((u8, u8)), b: fn((u8, u8))) {}", "", ""),
        ("fn f() { let g = |(a, b): (u8, u8), c: bool| 0; }", "", ""),
        ("fn f() { fn inner(a: (u8, u8)) {} }", "a", ""),
        ("struct S; impl S { fn f(&self, a: (u8, u8), on: bool) {} }", "a", "on"),
        ("trait T { fn f(a: (u8, u8), on: bool); }", "a", "on"),
        ("impl T for S { fn f(a: (u8, u8), on: bool) {} }", "", ""),
        ("fn f(on: bool, off: &bool, most: Option<bool>) -> bool { true }", "", "on"),
        ("#[cfg(test)]\nmod tests { fn f(a: (u8, u8), on: bool) {} }", "", ""),
    ];
    let names = |found: &[Found]| found.iter().map(|f| f.parameter.clone()).collect::<Vec<_>>().join(" ");
    for (text, tuples, bools) in cases {
        let found = Parameters::of(&written(&[("a.rs", text)])[0]);
        assert_eq!(names(&found.tuples), tuples, "{text}");
        assert_eq!(names(&found.bools), bools, "{text}");
    }
}
