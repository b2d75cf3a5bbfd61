//! Is every key a key, every value of its type and within its range? All mistakes are found in one walk over the tree,
//! beside the schema that is made of [`File`].

use crate::file::File;
use crate::nearest::nearest;
use crate::report::Mistake;
use keep::text::grouped;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Keys of other mail servers, and where the same is said here.
const FOREIGN: &[(&str, &str)] = &[
    ("mynetworks", "relay.networks"),
    ("myhostname", "hostname"),
    ("mydestination", "domains"),
    ("relayhost", "delivery.remote and [delivery.smarthost]"),
    ("relay_domains", "domains.relay"),
    ("message_size_limit", "limits.message_octets"),
    ("hopcount_limit", "limits.hops"),
    ("smtpd_tls_cert_file", "tls.certificate"),
    ("smtpd_tls_key_file", "tls.key"),
    ("queue_directory", "spool.path"),
];

/// The JSON Schema of the file, without references.
pub(crate) fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<File>().to_value()
}

/// Every mistake of form in the tree.
pub(crate) fn check(root: &DeTable<'_>) -> Vec<Mistake> {
    let schema = schema();
    let mut walk = Walk { schema: &schema, mistakes: Vec::new() };
    walk.table(root, &schema, &At { path: String::new(), span: 0..0 });
    walk.mistakes
}

struct Walk<'s> {
    schema: &'s Value,
    mistakes: Vec<Mistake>,
}

/// Where the walk is: the dotted path, empty at the root, and the span of the table or value.
struct At {
    path: String,
    span: std::ops::Range<usize>,
}

impl Walk<'_> {
    fn add(&mut self, span: std::ops::Range<usize>, message: String, hint: Option<String>) {
        self.mistakes.push(Mistake { span, message, hint });
    }

    fn table(&mut self, table: &DeTable<'_>, schema: &Value, at: &At) {
        let Some(properties) = schema["properties"].as_object() else { return };
        for (key, value) in table {
            let path = join(&at.path, key.get_ref());
            if let Some(schema) = properties.get(key.get_ref().as_ref()) {
                self.value(value, schema, &At { path, span: value.span() });
            } else {
                let hint = self.meant_key(key.get_ref(), properties.keys());
                self.add(key.span(), format!("unknown key `{path}`"), hint);
            }
        }
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !table.contains_key(key) {
                let about = properties.get(key).and_then(|it| it["description"].as_str()).map(first_sentence);
                self.add(at.span.clone(), format!("`{}` is missing", join(&at.path, key)), about);
            }
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, schema: &Value, at: &At) {
        let schema = variant(schema, value.get_ref());
        match (type_of(schema), value.get_ref()) {
            ("object", DeValue::Table(table)) => self.table(table, schema, at),
            ("array", DeValue::Array(items)) => {
                if items.is_empty() && schema["minItems"].as_u64() > Some(0) {
                    self.add(at.span.clone(), format!("`{}` is empty", at.path), None);
                }
                for (index, item) in items.iter().enumerate() {
                    let at = At { path: format!("{}[{index}]", at.path), span: item.span() };
                    self.value(item, &schema["items"], &at);
                }
            }
            ("string", DeValue::String(text)) => self.choice(text, schema, at),
            ("integer", DeValue::Integer(number)) => {
                let number = i128::from_str_radix(number.as_str(), number.radix()).ok();
                self.range(number, schema, at);
            }
            ("boolean", DeValue::Boolean(_)) => {}
            (wanted, found) => {
                let message = format!("`{}` is {}, not {}", at.path, article(wanted), article(found.type_str()));
                self.add(at.span.clone(), message, None);
            }
        }
    }

    fn choice(&mut self, text: &str, schema: &Value, at: &At) {
        let choices = choices(schema);
        if choices.is_empty() || choices.contains(&text) {
            return;
        }
        let message = format!("`{}` is one of {}", at.path, quoted_list(&choices));
        let hint = nearest(text, choices.iter().copied()).map(|near| format!("did you mean \"{near}\"?"));
        self.add(at.span.clone(), message, hint);
    }

    fn range(&mut self, number: Option<i128>, schema: &Value, at: &At) {
        let bound = |key: &str| schema[key].as_i64().map(i128::from).or(schema[key].as_u64().map(i128::from));
        let (Some(min), max) = (bound("minimum"), bound("maximum")) else { return };
        if number.is_some_and(|number| number >= min && max.is_none_or(|max| number <= max)) {
            return;
        }
        let message = match max {
            Some(max) => format!("`{}` is {} to {}", at.path, grouped(min), grouped(max)),
            None => format!("`{}` is {} or more", at.path, grouped(min)),
        };
        self.add(at.span.clone(), message, None);
    }

    /// What a wrong key may have meant: a neighbour, a key of another section, a key of another server.
    fn meant_key<'k>(&self, key: &str, neighbours: impl Iterator<Item = &'k String>) -> Option<String> {
        if let Some((_, here)) = FOREIGN.iter().find(|(foreign, _)| *foreign == key) {
            return Some(format!("here that is {here}"));
        }
        if let Some(near) = nearest(key, neighbours.map(String::as_str)) {
            return Some(format!("did you mean `{near}`?"));
        }
        let elsewhere = find_key(self.schema, key, "")?;
        Some(format!("there is `{elsewhere}`"))
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Whether a value may be left out as `null` in the schema, and the schema of the value itself.
pub(crate) fn unwrap_optional(schema: &Value) -> (bool, &Value) {
    let Some(variants) = schema["anyOf"].as_array() else {
        return (schema["type"].as_array().is_some_and(|types| types.iter().any(|it| it == "null")), schema);
    };
    let null = |it: &&Value| it["type"] == "null";
    (variants.iter().any(|it| null(&it)), variants.iter().find(|it| !null(it)).unwrap_or(schema))
}

/// The alternative of a schema that a value is meant for: the one of its type, else the first.
fn variant<'s>(schema: &'s Value, value: &DeValue<'_>) -> &'s Value {
    let wanted = match value {
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
        DeValue::String(_) => "string",
        _ => "",
    };
    let variants = schema["anyOf"].as_array().into_iter().flatten();
    variants.into_iter().find(|it| type_of(it) == wanted).unwrap_or(unwrap_optional(schema).1)
}

/// The JSON type that a schema asks for.
pub(crate) fn type_of(schema: &Value) -> &str {
    if schema["oneOf"].is_array() {
        return "string";
    }
    let types = schema["type"].as_array();
    let named = types.and_then(|types| types.iter().find(|it| *it != "null")).unwrap_or(&schema["type"]);
    named.as_str().unwrap_or("any")
}

/// The strings that a schema allows; none if it allows any.
pub(crate) fn choices(schema: &Value) -> Vec<&str> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"].as_array().into_iter().flatten();
    let described = described.flat_map(|it| {
        let one = std::iter::once(&it["const"]);
        one.chain(it["enum"].as_array().into_iter().flatten())
    });
    listed.chain(described).filter_map(Value::as_str).collect()
}

fn find_key(schema: &Value, key: &str, path: &str) -> Option<String> {
    let (_, schema) = unwrap_optional(schema);
    let schema = if schema["items"].is_object() { &schema["items"] } else { schema };
    let properties = schema["properties"].as_object()?;
    if !path.is_empty() && properties.contains_key(key) {
        return Some(join(path, key));
    }
    properties.iter().find_map(|(name, inner)| find_key(inner, key, &join(path, name)))
}

fn article(kind: &str) -> String {
    match kind {
        "object" | "table" => "a table ([…])".to_owned(),
        "array" => "a list ([…, …])".to_owned(),
        "string" => "a string (\"…\")".to_owned(),
        "integer" => "a whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => format!("a {other}"),
    }
}

fn quoted_list(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
    quoted.join(", ")
}

fn first_sentence(text: &str) -> String {
    let text = text.replace('\n', " ");
    text.split_once(". ").map_or(text.clone(), |(first, _)| format!("{first}."))
}
