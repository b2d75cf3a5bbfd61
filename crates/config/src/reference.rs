//! The reference of all keys, made from [`File`]: what the doc comment says, and type and default from the code.

use crate::file::File;
use crate::shape;
use serde_json::Value;
use std::fmt::Write as _;

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Key {
    /// `limits.hops`; `listener[].bind` for a key of each entry of a list.
    pub path: String,
    /// `string`, `integer`, `boolean`, `list of string`, or the values it can have.
    pub kind: String,
    /// The doc comment.
    pub about: String,
    /// Default as TOML; none if the key is required or may be left out.
    pub default: Option<String>,
    /// Whether it must be given.
    pub required: bool,
}

/// A table of the file with its keys.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Section {
    /// `limits`, `listener[]`; empty for the keys before the first table.
    pub path: String,
    /// What the section is for.
    pub about: String,
    /// Its keys in the order of the code.
    pub keys: Vec<Key>,
}

impl Section {
    /// How the section's header is written: `[limits]`, `[[listener]]`; nothing for the keys before the first table.
    pub fn header(&self) -> String {
        match self.path.strip_suffix("[]") {
            Some(list) => format!("[[{list}]]"),
            None if self.path.is_empty() => String::new(),
            None => format!("[{}]", self.path),
        }
    }
}

/// The JSON Schema of the file, for editors.
pub fn schema() -> Value {
    schemars::schema_for!(File).to_value()
}

/// Every section in the order of the code.
pub fn sections() -> Vec<Section> {
    let mut sections = Vec::new();
    collect("", &shape::schema(), &mut sections);
    sections
}

fn collect(path: &str, schema: &Value, sections: &mut Vec<Section>) {
    let index = sections.len();
    let about = schema["description"].as_str().unwrap_or_default().to_owned();
    sections.push(Section { path: path.to_owned(), about, keys: Vec::new() });
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let about = inner["description"].as_str().unwrap_or_default();
        let (_, value) = shape::unwrap_optional(inner);
        let table = if value["items"]["properties"].is_object() { &value["items"] } else { value };
        if table["properties"].is_object() {
            let mut table = table.clone();
            table["description"] = about.into();
            let suffix = if value["items"].is_object() { "[]" } else { "" };
            collect(&format!("{path}{suffix}"), &table, sections);
        } else {
            let default = inner.get("default").filter(|it| !it.is_null()).map(Value::to_string);
            let required = required.contains(&name.as_str());
            sections[index].keys.push(Key { path, kind: kind(value), about: about.to_owned(), default, required });
        }
    }
}

fn kind(schema: &Value) -> String {
    if let Some(variants) = schema["anyOf"].as_array() {
        return variants.iter().map(kind).collect::<Vec<_>>().join(" | ");
    }
    let choices = shape::choices(schema);
    if !choices.is_empty() {
        return choices.iter().map(|choice| format!("\"{choice}\"")).collect::<Vec<_>>().join(" | ");
    }
    match shape::type_of(schema) {
        "array" => format!("list of {}", kind(&schema["items"])),
        other => other.to_owned(),
    }
}

/// The reference as Markdown: for `sekisho config reference`, and for `docs/`.
pub fn markdown() -> String {
    let mut out = String::from("# sekisho.toml\n");
    for section in sections() {
        let header = section.header();
        if !header.is_empty() {
            let _ = write!(out, "\n## {header}\n");
        }
        let _ = write!(out, "\n{}\n", section.about);
        for key in &section.keys {
            let _ = write!(out, "\n### {}\n\n{}\n\n{}\n", key.path, key.kind, key.about);
        }
    }
    out
}
