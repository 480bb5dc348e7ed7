//! Whether a document fits the JSON schema of rules files, in the words of Falco's validator.
//!
//! It never makes loading fail. Types are those of YAML text: `10` is an integer and a string,
//! `true` is a Boolean, `yes` is not. Faults are listed from the innermost outwards.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use crate::engine::diagnostic::Schema;
use crate::engine::yaml::Node;

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
        ("required_engine_version", Shape::Text),
        ("required_plugin_versions", Shape::Array(&Shape::Object(&PLUGIN))),
        ("macro", Shape::Text),
        ("condition", Shape::Text),
        ("list", Shape::Text),
        ("items", Shape::Array(&Shape::Item)),
        ("rule", Shape::Text),
        ("desc", Shape::Text),
        ("enabled", Shape::Bool),
        ("output", Shape::Text),
        ("append", Shape::Bool),
        ("priority", Shape::Enum(&PRIORITY)),
        ("capture", Shape::Bool),
        ("capture_duration", Shape::Integer),
        ("source", Shape::Text),
        ("exceptions", Shape::Array(&Shape::Object(&EXCEPTION))),
        ("override", Shape::Object(&OVERRIDE)),
        ("tags", Shape::Array(&Shape::Text)),
        ("warn_evttypes", Shape::Bool),
        ("skip-if-unknown-filter", Shape::Bool),
    ],
    required: &[],
    at_least: 0,
};

static EXCEPTION: Object = Object {
    title: "Exception",
    properties: &[
        ("name", Shape::Text),
        ("fields", Shape::Any),
        ("comps", Shape::Any),
        ("values", Shape::Any),
    ],
    required: &["name"],
    at_least: 0,
};

static OVERRIDE: Object = Object {
    title: "Override",
    properties: &[
        ("items", OVERRIDDEN),
        ("desc", OVERRIDDEN),
        ("condition", OVERRIDDEN),
        ("output", OVERRIDDEN),
        ("priority", OVERRIDDEN),
        ("enabled", OVERRIDDEN),
        ("exceptions", OVERRIDDEN),
        ("capture", OVERRIDDEN),
        ("capture_duration", OVERRIDDEN),
        ("tags", OVERRIDDEN),
        ("warn_evttypes", OVERRIDDEN),
        ("skip-if-unknown-filter", OVERRIDDEN),
    ],
    required: &[],
    at_least: 1,
};

static PLUGIN: Object = Object {
    title: "RequiredPluginVersion",
    properties: &[
        ("name", Shape::Text),
        ("version", Shape::Text),
        ("alternatives", Shape::Array(&Shape::Object(&ALTERNATIVE))),
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
pub(super) fn check(documents: &[Rc<Node>]) -> Schema {
    let mut statuses = Vec::new();
    for document in documents.iter().take_while(|document| !document.is_null()) {
        if fits(document, ROOT, "<root>", &mut statuses) && statuses.len() < MAX_FAULTS {
            statuses.push("ok".to_owned());
        }
    }
    match statuses.first().map(String::as_str) {
        None => Schema::None,
        Some("ok") => Schema::Ok,
        Some(_) => Schema::Failed(statuses),
    }
}

fn property(object: &Object, key: &str) -> Option<Shape> {
    object.properties.iter().find(|(name, _)| *name == key).map(|(_, shape)| *shape)
}

/// Most faults that are told of one file.
const MAX_FAULTS: usize = 1000;

fn fault(path: &str, what: &str, faults: &mut Vec<String>) -> bool {
    if faults.len() < MAX_FAULTS {
        faults.push(format!("failed for {path}: {what}"));
    }
    false
}

const WRONG_TYPE: &str = "Value type not permitted by 'type' constraint.";

fn fits(node: &Node, shape: Shape, path: &str, faults: &mut Vec<String>) -> bool {
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
        Shape::Object(inner) => match node.map() {
            Some(entries) => return object(entries, inner, path, faults),
            None => false,
        },
    };
    has_type || fault(path, WRONG_TYPE, faults)
}

fn is_one_of(node: &Node, names: &[&str], path: &str, faults: &mut Vec<String>) -> bool {
    let mut fits = true;
    if !node.scalar().is_some_and(|text| names.contains(&text)) {
        fits = fault(path, "Failed to match against any enum values.", faults);
    }
    if node.scalar().is_none() {
        fits = fault(path, WRONG_TYPE, faults);
    }
    fits
}

fn is_item(node: &Node, path: &str, faults: &mut Vec<String>) -> bool {
    if node.scalar().is_some() {
        return true;
    }
    for child in 0..2 {
        fault(path, WRONG_TYPE, faults);
        fault(path, &format!("Failed to validate against child schema #{child}."), faults);
    }
    fault(path, "Failed to validate against any schemas allowed by anyOf constraint.", faults)
}

fn array(items: &[Rc<Node>], inner: Shape, path: &str, faults: &mut Vec<String>) -> bool {
    let mut all = true;
    for (index, item) in items.iter().enumerate() {
        if !fits(item, inner, &format!("{path}[{index}]"), faults) {
            let what = format!("Failed to validate item #{index} in array.");
            all = fault(path, &what, faults);
        }
    }
    all
}

fn object(
    entries: &[(Rc<Node>, Rc<Node>)],
    object: &Object,
    path: &str,
    faults: &mut Vec<String>,
) -> bool {
    let mut all = true;
    if entries.len() < object.at_least {
        let what = format!("Object should have no fewer than {} properties.", object.at_least);
        all = fault(path, &what, faults);
    }
    all &= properties(entries, object, path, faults);
    let has = |key: &str| entries.iter().any(|(name, _)| name.scalar() == Some(key));
    for key in object.required.iter().filter(|key| !has(key)) {
        all = fault(path, &format!("Missing required property '{key}'."), faults);
    }
    all
}

fn properties(
    entries: &[(Rc<Node>, Rc<Node>)],
    object: &Object,
    path: &str,
    faults: &mut Vec<String>,
) -> bool {
    let mut all = true;
    let mut known: Vec<&(&str, Shape)> = object.properties.iter().collect();
    known.sort_unstable_by_key(|(name, _)| *name);
    let mut seen = 0;
    for (key, shape) in known {
        let Some((_, value)) = entries.iter().find(|(name, _)| name.scalar() == Some(*key)) else {
            continue;
        };
        seen += 1;
        if !fits(value, *shape, &format!("{path}[{key}]"), faults) {
            let what =
                format!("Failed to validate against schema associated with property name '{key}'.");
            all = fault(path, &what, faults);
        }
    }
    // A key that is there twice makes up a nameless one, as in Falco.
    if seen != entries.len() {
        let unknown = entries
            .iter()
            .filter_map(|(name, _)| name.scalar())
            .find(|name| property(object, name).is_none());
        let what = format!(
            "Object contains a property that could not be validated using 'properties' or \
             'additionalProperties' constraints: '{}'.",
            unknown.unwrap_or_default()
        );
        all = fault(path, &what, faults);
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
