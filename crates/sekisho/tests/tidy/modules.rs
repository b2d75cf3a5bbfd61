//! The modules of one crate, and which file a path leads to: through imports, re-exports and globs to where a thing is defined.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Item, UseTree};

use crate::sources::{ModulePath, Source};

/// Imports that lead to imports are followed so far; glob imports can go round.
const HOPS_MAX: usize = 8;

/// The modules of a crate, by their paths.
#[derive(Default)]
pub(crate) struct Modules {
    by_path: BTreeMap<ModulePath, Module>,
}

/// One module: a file, or an inline part of one.
#[derive(Default)]
struct Module {
    /// The file's own module.
    file: ModulePath,
    children: BTreeSet<String>,
    defined: BTreeSet<String>,
    imports: Vec<Import>,
    /// Every path that is written outside of imports, and every single name.
    paths: BTreeSet<Vec<String>>,
}

/// `use a::b as name`, or a glob where it has no name.
struct Import {
    name: Option<String>,
    path: Vec<String>,
}

/// Where a path leads.
#[derive(Debug, PartialEq)]
enum Target {
    Module(ModulePath),
    /// Something defined in this file.
    Definition(ModulePath),
}

/// One file uses what another defines.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    pub(crate) from: ModulePath,
    pub(crate) to: ModulePath,
    pub(crate) name: String,
}

impl Modules {
    pub(crate) fn of(sources: &[Source]) -> Self {
        let mut modules = Self::default();
        for source in sources {
            modules.add(&source.module, &source.module, &source.syntax.items);
        }
        modules
    }

    fn add(&mut self, file: &ModulePath, path: &ModulePath, items: &[Item]) {
        let mut module = Module { file: file.clone(), ..Module::default() };
        for item in items {
            match item {
                Item::Mod(inner) => {
                    module.children.insert(inner.ident.to_string());
                    if let Some((_, items)) = &inner.content {
                        let below = path.iter().cloned().chain([inner.ident.to_string()]).collect();
                        self.add(file, &below, items);
                    }
                }
                Item::Use(import) if import.leading_colon.is_none() => {
                    module.import(&import.tree, &mut Vec::new());
                }
                Item::Use(_) => {}
                other => {
                    module.defined.extend(defined(other));
                    module.read(other.to_token_stream());
                }
            }
        }
        self.by_path.insert(path.clone(), module);
    }

    /// What each file uses of files that are neither above nor below it.
    pub(crate) fn uses(&self) -> BTreeSet<Use> {
        let mut uses = BTreeSet::new();
        for (path, module) in &self.by_path {
            let mut leads = |to: ModulePath, name: &str| {
                let related = to.starts_with(&module.file) || module.file.starts_with(&to);
                if !related {
                    uses.insert(Use { from: module.file.clone(), to, name: name.to_owned() });
                }
            };
            for import in &module.imports {
                match (self.resolve(path, &import.path, HOPS_MAX), &import.name) {
                    (Some(Target::Definition(file)), name) => leads(file, name.as_deref().unwrap_or("*")),
                    (Some(Target::Module(all)), None) => leads(self.file_of(&all), "*"),
                    _ => {}
                }
            }
            for written in &module.paths {
                if let Some(Target::Definition(file)) = self.resolve(path, written, HOPS_MAX) {
                    leads(file, &written.join("::"));
                }
            }
        }
        uses
    }

    fn file_of(&self, module: &ModulePath) -> ModulePath {
        self.by_path.get(module).map_or_else(|| module.clone(), |module| module.file.clone())
    }

    fn resolve(&self, from: &ModulePath, path: &[String], hops: usize) -> Option<Target> {
        let hops = hops.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Target::Module(Vec::new()),
            "self" => Target::Module(from.clone()),
            "super" => Target::Module(above(from)?),
            name => self.look_up(from, name, hops)?,
        };
        for name in rest {
            let Target::Module(module) = &at else { return Some(at) };
            at = match name.as_str() {
                "self" => continue,
                "super" => Target::Module(above(module)?),
                name => self.look_up(module, name, hops)?,
            };
        }
        Some(at)
    }

    fn look_up(&self, path: &ModulePath, name: &str, hops: usize) -> Option<Target> {
        let module = self.by_path.get(path)?;
        if module.children.contains(name) {
            return Some(Target::Module(path.iter().cloned().chain([name.to_owned()]).collect()));
        }
        if module.defined.contains(name) {
            return Some(Target::Definition(module.file.clone()));
        }
        if let Some(import) = module.imports.iter().find(|import| import.name.as_deref() == Some(name)) {
            return self.resolve(path, &import.path, hops);
        }
        let globs = module.imports.iter().filter(|import| import.name.is_none());
        let mut modules = globs.filter_map(|import| match self.resolve(path, &import.path, hops)? {
            Target::Module(all) => Some(all),
            Target::Definition(_) => None,
        });
        modules.find_map(|all| self.look_up(&all, name, hops.checked_sub(1)?))
    }
}

fn above(module: &ModulePath) -> Option<ModulePath> {
    module.split_last().map(|(_, above)| above.to_vec())
}

fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

impl Module {
    fn import(&mut self, tree: &UseTree, before: &mut Vec<String>) {
        let depth = before.len();
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.import(&path.tree, before);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before);
                }
            }
            UseTree::Glob(_) => self.imports.push(Import { name: None, path: before.clone() }),
            UseTree::Name(name) => {
                let written = name.ident.to_string();
                let bound = if written == "self" { before.last().cloned() } else { Some(written.clone()) };
                before.push(written);
                self.imports.push(Import { name: bound, path: before.clone() });
            }
            UseTree::Rename(name) => {
                before.push(name.ident.to_string());
                self.imports.push(Import { name: Some(name.rename.to_string()), path: before.clone() });
            }
        }
        before.truncate(depth);
    }

    /// Takes in the paths of an item, and the imports inside it as if they stood at its module's head.
    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Ident(name) if name == "use" && !is_sign(tokens.get(at), '<') => {
                    let end = (at..tokens.len()).find(|i| is_sign(tokens.get(*i), ';')).unwrap_or(tokens.len());
                    let tree = tokens[at..end].iter().cloned().collect::<TokenStream>();
                    if let Ok(tree) = syn::parse2::<UseTree>(tree) {
                        self.import(&tree, &mut Vec::new());
                    }
                    at = end;
                }
                TokenTree::Ident(name) => {
                    let goes_on =
                        at >= 2 && (is_sign(tokens.get(at - 2), ':') && at >= 3 && is_sign(tokens.get(at - 3), ':'));
                    let field = at >= 2 && is_sign(tokens.get(at - 2), '.');
                    let mut path = vec![name.to_string()];
                    while is_sign(tokens.get(at), ':') && is_sign(tokens.get(at + 1), ':') {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 2) else { break };
                        path.push(next.to_string());
                        at += 3;
                    }
                    if !goes_on && !field {
                        self.paths.insert(path);
                    }
                }
                _ => {}
            }
        }
    }
}

fn is_sign(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}
