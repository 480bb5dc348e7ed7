//! The cases of the shipped rules: reads `tests/rules/*_cases.yaml` (keys in the README there).

use saphyr_parser::Event;
use saphyr_parser::Parser;
use serde_json::Map;
use serde_json::Value;

use super::host::read;

/// One thing that is done, and whether a rule must alert on it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The rule.
    pub rule: String,
    /// A sentence.
    pub name: String,
    /// Whether the rule must alert, or must not.
    pub fires: bool,
    /// The keys that were given.
    pub keys: Map<String, Value>,
}

impl Case {
    /// A key's text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(|value| value.as_str().unwrap())
    }

    /// A key's list of texts.
    pub fn list(&self, key: &str) -> Option<Vec<&str>> {
        let list = self.keys.get(key)?.as_array().unwrap();
        Some(list.iter().map(|value| value.as_str().unwrap()).collect())
    }

    /// A key's pairs of texts.
    pub fn pairs(&self, key: &str) -> Vec<(&str, &str)> {
        let map = self.keys.get(key).map(|value| value.as_object().unwrap());
        let pairs = map.into_iter().flatten();
        pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect()
    }

    /// Whether a key says `true`.
    pub fn is(&self, key: &str) -> bool {
        self.text(key) == Some("true")
    }
}

/// All cases, in the order of the files.
pub fn all() -> Vec<Case> {
    const KEYS: &[&str] = &[
        "event",
        "name",
        "args",
        "exepath",
        "exe",
        "env",
        "parents",
        "user",
        "tty",
        "container",
        "file",
        "mode",
        "live",
        "ends",
    ];
    let mut cases = Vec::new();
    for file in ["program", "container", "file"] {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules");
        for item in parse(&read(format!("{dir}/{file}_cases.yaml"))).as_array().unwrap() {
            for (kind, fires) in [("fires", true), ("silent", false)] {
                for (name, keys) in item[kind].as_object().unwrap() {
                    let keys = keys.as_object().unwrap().clone();
                    let unknown = keys.keys().find(|key| !KEYS.contains(&key.as_str()));
                    assert_eq!(unknown, None, "{name}");
                    let rule = item["rule"].as_str().unwrap().to_owned();
                    cases.push(Case { rule, name: name.clone(), fires, keys });
                }
            }
        }
    }
    cases
}

/// A YAML document; scalars stay texts.
pub fn parse(text: &str) -> Value {
    let mut open: Vec<(Value, Option<String>)> = Vec::new();
    for event in Parser::new_from_str(text) {
        let done = match event.unwrap().0 {
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::SequenceStart(..) => {
                open.push((Value::Array(Vec::new()), None));
                continue;
            }
            Event::MappingStart(..) => {
                open.push((Value::Object(Map::new()), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().unwrap().0,
            _ => continue,
        };
        match open.last_mut() {
            None => return done,
            Some((Value::Array(items), _)) => items.push(done),
            Some((Value::Object(map), key)) => match key.take() {
                None => *key = Some(done.as_str().unwrap().to_owned()),
                Some(name) => {
                    assert!(map.insert(name.clone(), done).is_none(), "{name} is there twice");
                }
            },
            Some(_) => unreachable!(),
        }
    }
    panic!("no document")
}
