//! The product's sources: whole files, without what is compiled for tests only.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, ImplItem, Item};

/// Where a module stands in its crate: empty for `lib.rs`, `["server", "rcpt"]` for `server/rcpt.rs`.
pub(crate) type ModulePath = Vec<String>;

/// One file of the product.
pub(crate) struct Source {
    /// Below the workspace's root: `crates/smtp/src/line.rs`.
    pub(crate) place: String,
    pub(crate) module: ModulePath,
    pub(crate) text: String,
    /// What is compiled into the product.
    pub(crate) syntax: syn::File,
    /// Lines that are not tests.
    pub(crate) lines: usize,
    /// Modules declared here whose files hold tests only.
    test_modules: Vec<ModulePath>,
}

/// One word of the code, with its line: a name, a sign, a bracket. Comments and what strings say are not code.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) line: usize,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is above this crate")
}

pub(crate) fn rust_files(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The product's files of one crate.
pub(crate) fn sources_of(name: &str) -> Vec<Source> {
    let mut files = Vec::new();
    rust_files(&root().join("crates").join(name).join("src"), &mut files);
    files.sort();
    assert!(!files.is_empty(), "crate {name} has sources");
    let read = |path: &PathBuf| {
        let place = path.strip_prefix(root()).expect("it lies below the root").display().to_string();
        Source::new(&place, &fs::read_to_string(path).expect("a source is text"))
    };
    product_only(files.iter().map(read).collect())
}

/// Drops the files of test modules, with all that lies below them.
pub(crate) fn product_only(all: Vec<Source>) -> Vec<Source> {
    let tests: Vec<ModulePath> = all.iter().flat_map(|source| source.test_modules.clone()).collect();
    all.into_iter().filter(|source| !tests.iter().any(|test| source.module.starts_with(test))).collect()
}

impl Source {
    pub(crate) fn new(place: &str, text: &str) -> Self {
        let mut syntax = syn::parse_file(text).unwrap_or_else(|e| panic!("{place}: {e}"));
        let module = module_path(place);
        let mut tests = Tests::default();
        tests.leave_out(&mut syntax.items, &module);
        let lines = text.lines().count() - tests.lines.len();
        Self { place: place.to_owned(), module, text: text.to_owned(), syntax, lines, test_modules: tests.modules }
    }

    /// All its words, in their order.
    pub(crate) fn words(&self) -> Vec<Word> {
        let mut words = Vec::new();
        add_words(self.syntax.to_token_stream(), &mut words);
        words
    }
}

/// `crates/smtp/src/server/mod.rs` is `["server"]`. A program's `main.rs` stands beside the library's modules.
fn module_path(place: &str) -> ModulePath {
    let below = place.split_once("/src/").map_or(place, |(_, below)| below);
    let mut path: ModulePath = below.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(path.last().map(String::as_str), Some("mod" | "lib")) {
        path.pop();
    }
    path
}

/// What was found that is compiled for tests only.
#[derive(Default)]
struct Tests {
    lines: BTreeSet<usize>,
    modules: Vec<ModulePath>,
}

impl Tests {
    fn leave_out(&mut self, items: &mut Vec<Item>, module: &ModulePath) {
        items.retain(|item| {
            if let Item::Mod(declared) = item
                && is_test(&declared.attrs)
            {
                self.modules.push(below(module, declared));
            }
            self.keeps(item, of_item(item))
        });
        for item in items {
            match item {
                Item::Mod(inner) => {
                    let path = below(module, inner);
                    if let Some((_, items)) = &mut inner.content {
                        self.leave_out(items, &path);
                    }
                }
                Item::Impl(block) => block.items.retain(|item| self.keeps(item, of_impl_item(item))),
                _ => {}
            }
        }
    }

    fn keeps(&mut self, item: &impl Spanned, attributes: &[Attribute]) -> bool {
        let test = is_test(attributes);
        if test {
            self.lines.extend(item.span().start().line..=item.span().end().line);
        }
        !test
    }
}

fn below(module: &ModulePath, inner: &syn::ItemMod) -> ModulePath {
    module.iter().cloned().chain([inner.ident.to_string()]).collect()
}

fn is_test(attributes: &[Attribute]) -> bool {
    let says_test = |list: &syn::MetaList| list.path.is_ident("cfg") && list.tokens.to_string() == "test";
    attributes.iter().any(|attribute| attribute.meta.require_list().is_ok_and(says_test))
}

fn of_item(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn of_impl_item(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Fn(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        _ => &[],
    }
}

fn add_words(tokens: TokenStream, words: &mut Vec<Word>) {
    let word = |text: &str, at: proc_macro2::Span| Word { text: text.to_owned(), line: at.start().line };
    for token in tokens {
        match token {
            TokenTree::Ident(name) => words.push(word(&name.to_string(), name.span())),
            TokenTree::Punct(sign) => words.push(word(&sign.as_char().to_string(), sign.span())),
            TokenTree::Literal(value) => words.push(word("\"\"", value.span())),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                words.push(word(open, group.span_open()));
                add_words(group.stream(), words);
                words.push(word(close, group.span_close()));
            }
        }
    }
}

/// Files of a crate `x` for a test of the tests, by their places below `src`.
pub(crate) fn written(files: &[(&str, &str)]) -> Vec<Source> {
    product_only(files.iter().map(|(below, text)| Source::new(&format!("crates/x/src/{below}"), text)).collect())
}

/// The rest of a file is read, whatever of it is for tests.
#[test]
fn only_tests_are_left_out() {
    let cases: &[(&str, &str, usize)] = &[
        ("#[cfg(test)]\nmod tests;\nfn kept() {}\n", "kept", 1),
        ("#[cfg(test)]\nmod tests {\n    fn gone() {}\n}\nfn kept() {}\n", "kept", 1),
        ("/// Why.\n#[cfg(test)]\n#[allow(unused)]\npub(crate) mod tests {\n}\n\nfn kept() {}\n", "kept", 2),
        ("#[cfg(test)]\nuse a::gone;\nfn kept() {}\n", "kept", 1),
        ("fn kept() {}\n#[cfg(test)]\nfn gone() {\n}\nfn too() {}", "kept too", 2),
        ("impl A {\n    #[cfg(test)]\n    fn gone() {}\n    fn kept() {}\n}\n", "kept", 3),
        ("mod a {\n    #[cfg(test)]\n    mod tests;\n    fn kept() {}\n}", "kept", 3),
        ("// #[cfg(test)]\nconst A: &str = \"#[cfg(test)]\nmod tests {\";\nfn kept() {}\n", "kept", 4),
        ("#[cfg(feature = \"fuzzing\")]\nfn kept() {}\n#[cfg(any(test, unix))]\nfn too() {}\n", "kept too", 4),
    ];
    for (text, kept, lines) in cases {
        let source = Source::new("crates/x/src/a.rs", text);
        let words = source.words();
        let functions: Vec<&str> = words.windows(2).filter(|w| w[0].text == "fn").map(|w| &*w[1].text).collect();
        assert_eq!(functions.join(" "), *kept, "{text}");
        assert_eq!(source.lines, *lines, "{text}");
    }
}

#[test]
fn files_of_test_modules_are_left_out() {
    let files = written(&[
        ("lib.rs", "mod a;\n#[cfg(test)]\nmod fixtures;"),
        ("a.rs", "#[cfg(test)]\nmod tests;\nmod b;"),
        ("a/b.rs", ""),
        ("a/tests.rs", "mod more;"),
        ("a/tests/more.rs", ""),
        ("fixtures.rs", ""),
    ]);
    let places: Vec<&str> = files.iter().map(|source| source.place.as_str()).collect();
    assert_eq!(places, ["crates/x/src/lib.rs", "crates/x/src/a.rs", "crates/x/src/a/b.rs"]);
}
