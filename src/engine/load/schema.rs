//! Whether a document fits the JSON schema of rules files, in the words of Falco's validator.
//!
//! It never makes loading fail. Types are those of YAML text: `10` is an integer and a string,
//! `true` is a Boolean, `yes` is not. Faults are listed from the innermost outwards.

use std::fmt;
use std::fmt::{Display, Formatter};

use serde_json::{Map, Value, json};

use crate::engine::diagnostic::Schema;
use crate::engine::yaml::{Documents, Node};

/// What a value may be.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Any,
    Text,
    Integer,
    Bool,
    /// One of some texts.
    Enum(&'static Names),
    /// A text or an integer.
    Item,
    Array(&'static Self),
    Object(&'static Object),
}

#[derive(Debug)]
struct Names {
    title: &'static str,
    names: &'static [&'static str],
}

#[derive(Debug)]
struct Object {
    title: &'static str,
    /// By name: faults are listed in this order.
    properties: &'static [(&'static str, Shape)],
    required: &'static [&'static str],
    at_least: usize,
}

static PRIORITY: Names = Names {
    title: "Priority",
    names: &[
        "EMERGENCY",
        "ALERT",
        "CRITICAL",
        "ERROR",
        "WARNING",
        "NOTICE",
        "INFO",
        "INFORMATIONAL",
        "DEBUG",
    ],
};

static OPERATION: Names = Names { title: "OverriddenItem", names: &["append", "replace"] };

const OVERRIDDEN: Shape = Shape::Enum(&OPERATION);

static ITEM: Object = Object {
    title: "FalcoRule",
    properties: &[
        ("append", Shape::Bool),
        ("capture", Shape::Bool),
        ("capture_duration", Shape::Integer),
        ("condition", Shape::Text),
        ("desc", Shape::Text),
        ("enabled", Shape::Bool),
        ("exceptions", Shape::Array(&Shape::Object(&EXCEPTION))),
        ("items", Shape::Array(&Shape::Item)),
        ("list", Shape::Text),
        ("macro", Shape::Text),
        ("output", Shape::Text),
        ("override", Shape::Object(&OVERRIDE)),
        ("priority", Shape::Enum(&PRIORITY)),
        ("required_engine_version", Shape::Text),
        ("required_plugin_versions", Shape::Array(&Shape::Object(&PLUGIN))),
        ("rule", Shape::Text),
        ("skip-if-unknown-filter", Shape::Bool),
        ("source", Shape::Text),
        ("tags", Shape::Array(&Shape::Text)),
        ("warn_evttypes", Shape::Bool),
    ],
    required: &[],
    at_least: 0,
};

static EXCEPTION: Object = Object {
    title: "Exception",
    properties: &[
        ("comps", Shape::Any),
        ("fields", Shape::Any),
        ("name", Shape::Text),
        ("values", Shape::Any),
    ],
    required: &["name"],
    at_least: 0,
};

static OVERRIDE: Object = Object {
    title: "Override",
    properties: &[
        ("capture", OVERRIDDEN),
        ("capture_duration", OVERRIDDEN),
        ("condition", OVERRIDDEN),
        ("desc", OVERRIDDEN),
        ("enabled", OVERRIDDEN),
        ("exceptions", OVERRIDDEN),
        ("items", OVERRIDDEN),
        ("output", OVERRIDDEN),
        ("priority", OVERRIDDEN),
        ("skip-if-unknown-filter", OVERRIDDEN),
        ("tags", OVERRIDDEN),
        ("warn_evttypes", OVERRIDDEN),
    ],
    required: &[],
    at_least: 1,
};

static PLUGIN: Object = Object {
    title: "RequiredPluginVersion",
    properties: &[
        ("alternatives", Shape::Array(&Shape::Object(&ALTERNATIVE))),
        ("name", Shape::Text),
        ("version", Shape::Text),
    ],
    required: &["name", "version"],
    at_least: 0,
};

static ALTERNATIVE: Object = Object {
    title: "Alternative",
    properties: &[("name", Shape::Text), ("version", Shape::Text)],
    required: &["name", "version"],
    at_least: 0,
};

const ROOT: Shape = Shape::Array(&Shape::Object(&ITEM));

/// Compares the documents with the schema. As in Falco, the first document's verdict is the
/// file's, and nothing behind an empty document counts.
pub(super) fn check(documents: &Documents) -> Schema {
    let mut faults = Faults::default();
    for document in documents.iter().take_while(|document| !document.is_null()) {
        if fits(document, ROOT, &Path::Root, &mut faults) {
            faults.push(|| "ok".to_owned());
        }
    }
    match faults.told.first().map(String::as_str) {
        None => Schema::None,
        Some("ok") => Schema::Ok,
        Some(_) => Schema::Failed(faults.told),
    }
}

/// Most faults that are told of one file.
const MAX_FAULTS: usize = 1000;

/// Most bytes of them.
const MAX_FAULT_BYTES: usize = 1 << 20;

/// What doesn't fit, up to where nobody reads on.
#[derive(Default)]
struct Faults {
    told: Vec<String>,
    bytes: usize,
}

impl Faults {
    fn push(&mut self, text: impl FnOnce() -> String) {
        if self.told.len() < MAX_FAULTS && self.bytes < MAX_FAULT_BYTES {
            let text = text();
            self.bytes += text.len();
            self.told.push(text);
        }
    }

    /// A fault at `path`; gives `false` for it.
    fn add(&mut self, path: &Path<'_>, what: impl Display) -> bool {
        self.push(|| format!("failed for {path}: {what}"));
        false
    }
}

/// The way to a value; it becomes text if there is something to tell of it.
enum Path<'a> {
    Root,
    Index(&'a Self, usize),
    Key(&'a Self, &'a str),
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("<root>"),
            Self::Index(before, index) => write!(f, "{before}[{index}]"),
            Self::Key(before, key) => write!(f, "{before}[{key}]"),
        }
    }
}

const WRONG_TYPE: &str = "Value type not permitted by 'type' constraint.";

fn fits(node: Node<'_>, shape: Shape, path: &Path<'_>, faults: &mut Faults) -> bool {
    let has_type = match shape {
        Shape::Any => true,
        Shape::Text => node.scalar().is_some(),
        Shape::Integer => node.scalar().is_some_and(is_integer),
        Shape::Bool => matches!(node.scalar(), Some("true" | "false")),
        Shape::Enum(names) => return is_one_of(node, names.names, path, faults),
        Shape::Item => return is_item(node, path, faults),
        Shape::Array(inner) => match node.sequence() {
            Some(items) => return array(items, *inner, path, faults),
            None => false,
        },
        Shape::Object(inner) => {
            if node.map().is_some() {
                return object(node, inner, path, faults);
            }
            false
        }
    };
    has_type || faults.add(path, WRONG_TYPE)
}

fn is_one_of(node: Node<'_>, names: &[&str], path: &Path<'_>, faults: &mut Faults) -> bool {
    let mut fits = true;
    if !node.scalar().is_some_and(|text| names.contains(&text)) {
        fits = faults.add(path, "Failed to match against any enum values.");
    }
    if node.scalar().is_none() {
        fits = faults.add(path, WRONG_TYPE);
    }
    fits
}

fn is_item(node: Node<'_>, path: &Path<'_>, faults: &mut Faults) -> bool {
    if node.scalar().is_some() {
        return true;
    }
    for child in 0..2 {
        faults.add(path, WRONG_TYPE);
        faults.add(path, format_args!("Failed to validate against child schema #{child}."));
    }
    faults.add(path, "Failed to validate against any schemas allowed by anyOf constraint.")
}

fn array<'a>(
    items: impl Iterator<Item = Node<'a>>,
    inner: Shape,
    path: &Path<'_>,
    faults: &mut Faults,
) -> bool {
    let mut all = true;
    for (index, item) in items.enumerate() {
        if !fits(item, inner, &Path::Index(path, index), faults) {
            all = faults.add(path, format_args!("Failed to validate item #{index} in array."));
        }
    }
    all
}

fn object(node: Node<'_>, object: &Object, path: &Path<'_>, faults: &mut Faults) -> bool {
    let mut all = true;
    let count = node.map().map_or(0, |entries| entries.len());
    if count < object.at_least {
        let least = object.at_least;
        let what = format_args!("Object should have no fewer than {least} properties.");
        all = faults.add(path, what);
    }
    all &= properties(node, count, object, path, faults);
    for key in object.required.iter().filter(|key| node.get(key).is_none()) {
        all = faults.add(path, format_args!("Missing required property '{key}'."));
    }
    all
}

fn properties(
    node: Node<'_>,
    count: usize,
    object: &Object,
    path: &Path<'_>,
    faults: &mut Faults,
) -> bool {
    let mut all = true;
    let mut seen = 0;
    for (key, shape) in object.properties {
        let Some(value) = node.get(key) else { continue };
        seen += 1;
        if !fits(value, *shape, &Path::Key(path, key), faults) {
            let what = format_args!(
                "Failed to validate against schema associated with property name '{key}'."
            );
            all = faults.add(path, what);
        }
    }
    // A key that is there twice makes up a nameless one, as in Falco.
    if seen != count {
        let is_known = |key: &str| object.properties.iter().any(|(name, _)| *name == key);
        let mut keys = node.map().into_iter().flatten().filter_map(|(name, _)| name.scalar());
        let unknown = keys.find(|key| !is_known(key)).unwrap_or_default();
        let what = format_args!(
            "Object contains a property that could not be validated using 'properties' or \
             'additionalProperties' constraints: '{unknown}'."
        );
        all = faults.add(path, what);
    }
    all
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The schema itself, as Falco's `--rule-schema` prints it.
#[must_use]
pub fn rule_schema() -> Value {
    let mut definitions = Map::new();
    let root = described(ROOT, &mut definitions);
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-06/schema#",
        "definitions": definitions,
    });
    if let (Value::Object(schema), Value::Object(root)) = (&mut schema, root) {
        schema.extend(root);
    }
    schema
}

/// A shape in the schema's words; shapes with a name go into `definitions`.
fn described(shape: Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Text => json!({"type": "string"}),
        Shape::Integer => json!({"type": "integer"}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Array(inner) => {
            json!({"type": "array", "items": described(*inner, definitions)})
        }
        Shape::Item => define(
            "Item",
            definitions,
            |_| json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        ),
        Shape::Enum(names) => {
            define(names.title, definitions, |_| json!({"type": "string", "enum": names.names}))
        }
        Shape::Object(object) => define(object.title, definitions, |definitions| {
            let mut properties = Map::new();
            for (name, shape) in object.properties {
                properties.insert((*name).to_owned(), described(*shape, definitions));
            }
            let mut described = json!({
                "type": "object",
                "additionalProperties": false,
                "properties": properties,
            });
            if let Value::Object(described) = &mut described {
                if object.at_least > 0 {
                    described.insert("minProperties".to_owned(), json!(object.at_least));
                } else {
                    described.insert("required".to_owned(), json!(object.required));
                }
            }
            described
        }),
    }
}

fn define(
    title: &str,
    definitions: &mut Map<String, Value>,
    body: impl FnOnce(&mut Map<String, Value>) -> Value,
) -> Value {
    let mut body = body(definitions);
    if let Value::Object(body) = &mut body {
        body.insert("title".to_owned(), json!(title));
    }
    definitions.insert(title.to_owned(), body);
    json!({"$ref": format!("#/definitions/{title}")})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_every_key_of_a_rule() {
        let schema = rule_schema();
        let properties = &schema["definitions"]["FalcoRule"]["properties"];
        for key in super::super::rule_item::KEYS {
            assert!(properties.get(key).is_some(), "{key}");
        }
        assert_eq!(schema["items"]["$ref"], "#/definitions/FalcoRule");
        assert_eq!(schema["definitions"]["Override"]["minProperties"], 1);
        assert_eq!(schema["definitions"].as_object().unwrap().len(), 8);
    }
}
