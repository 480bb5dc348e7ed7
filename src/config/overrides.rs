//! `-o KEY=VALUE`: one key of the configuration, set from the command line.

use super::value::Value;

/// Why an override doesn't work; Falco's text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OverrideError {
    /// There is no `=`.
    #[error("Error parsing config option \"{0}\". Must be of the form key=val or key.subkey=val")]
    NoValue(String),
    /// The key is malformed or leads through something that is no map or sequence.
    #[error("Config error at key \"{key}\": Parsing error: {what}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong with it.
        what: String,
    },
}

/// One override.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Override {
    key: String,
    path: Vec<Step>,
    value: Value,
}

/// One step into the tree.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
    Append,
}

impl Override {
    /// Reads one `KEY=VALUE`.
    ///
    /// # Errors
    ///
    /// If there is no `=` or the key is malformed.
    pub fn parse(text: &str) -> Result<Self, OverrideError> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(OverrideError::NoValue(text.to_owned()));
        };
        let fault = |what: String| OverrideError::Key { key: key.to_owned(), what };
        let path = steps(key).map_err(fault)?;
        let value = if value.starts_with('{') && value.ends_with('}') {
            Value::parse(value).map_err(|error| fault(error.to_string()))?
        } else {
            Value::Scalar(value.to_owned())
        };
        Ok(Self { key: key.to_owned(), path, value })
    }

    /// Whether it is about the files that are merged in, and so comes before all others.
    #[must_use]
    pub fn is_about_config_files(&self) -> bool {
        self.path.first() == Some(&Step::Name("config_files".to_owned()))
    }

    /// Sets the key; what is missing on the way is made.
    ///
    /// # Errors
    ///
    /// If the way leads through a scalar, or beyond the end of a sequence.
    pub fn apply(&self, tree: &mut Value) -> Result<(), OverrideError> {
        let fault =
            |what: &str| OverrideError::Key { key: self.key.clone(), what: what.to_owned() };
        let mut node = tree;
        for step in &self.path {
            node = match step {
                Step::Name(name) => {
                    node.child_mut(name).ok_or_else(|| fault("a name leads into no map"))?
                }
                Step::Index(_) | Step::Append => {
                    if *node == Value::Null {
                        *node = Value::Seq(Vec::new());
                    }
                    let Value::Seq(items) = node else {
                        return Err(fault("an index leads into no sequence"));
                    };
                    let index = if let Step::Index(index) = step { *index } else { items.len() };
                    if index == items.len() {
                        items.push(Value::Null);
                    }
                    items.get_mut(index).ok_or_else(|| fault("index beyond the next item"))?
                }
            };
        }
        *node = self.value.clone();
        Ok(())
    }
}

/// Reads `a.b[0].c[]`, with `\` before a character that is meant as such.
fn steps(key: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut name = String::new();
    let mut after_index = false;
    let mut chars = key.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, c @ ('.' | '[' | ']' | '\\'))) => name.push(c),
                _ => return Err(format!("invalid escape sequence at pos {at}")),
            },
            '.' if name.is_empty() && !after_index => {
                return Err(format!("unexpected '.' at pos {at}"));
            }
            '.' => {
                push_name(&mut steps, &mut name);
                after_index = false;
            }
            '[' => {
                if name.is_empty() && !after_index {
                    return Err(format!("unexpected '[' at pos {at}"));
                }
                push_name(&mut steps, &mut name);
                let digits: String =
                    chars.by_ref().map(|(_, c)| c).take_while(|&c| c != ']').collect();
                let end = chars.clone().next().map_or(key.len(), |(at, _)| at);
                if !key.get(..end).is_some_and(|head| head.ends_with(']')) {
                    return Err(format!("missing ']' after pos {at}"));
                }
                steps.push(if digits.is_empty() {
                    Step::Append
                } else {
                    Step::Index(digits.parse().map_err(|_| format!("bad index at pos {at}"))?)
                });
                after_index = true;
            }
            ']' => return Err(format!("unexpected ']' at pos {at}")),
            _ if after_index => return Err(format!("expected '.' character at pos {at}")),
            c => name.push(c),
        }
    }
    if name.is_empty() && !after_index {
        return Err("a name is missing at the end".to_owned());
    }
    push_name(&mut steps, &mut name);
    Ok(steps)
}

fn push_name(steps: &mut Vec<Step>, name: &mut String) {
    if !name.is_empty() {
        steps.push(Step::Name(std::mem::take(name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(start: &str, overrides: &[&str]) -> Result<Value, String> {
        let mut tree = Value::parse(start).unwrap();
        for text in overrides {
            let change = Override::parse(text).map_err(|error| error.to_string())?;
            change.apply(&mut tree).map_err(|error| error.to_string())?;
        }
        Ok(tree)
    }

    #[test]
    fn names_indices_and_appending_reach_into_the_tree() {
        let tree = applied(
            "a: {b: [x]}\n",
            &["a.b[0]=y", "a.b[1]=z", "a.b[]=last", "new.deep[].key=v=w", "dotted\\.name=1"],
        );
        let wanted = "a: {b: [y, z, last]}\nnew: {deep: [{key: 'v=w'}]}\n'dotted.name': 1\n";
        assert_eq!(tree.unwrap(), Value::parse(wanted).unwrap());
    }

    #[test]
    fn a_value_in_braces_is_a_map_and_anything_else_is_text() {
        let tree = applied("", &["a[]={\"extra_output\": \"x\"}", "b=[1,2]", "c=${HOME}"]);
        let wanted = "a: [{extra_output: x}]\nb: '[1,2]'\nc: '${HOME}'\n";
        assert_eq!(tree.unwrap(), Value::parse(wanted).unwrap());
    }

    #[test]
    fn malformed_overrides_are_refused_with_falcos_words() {
        assert_eq!(
            applied("", &["json_output"]).unwrap_err(),
            "Error parsing config option \"json_output\". Must be of the form key=val or key.subkey=val"
        );
        for key in ["", ".a", "a.", "a[0", "a]", "a[x]", "a[0]b", "[0]", "a\\b", "a..b"] {
            let error = applied("", &[&format!("{key}=1")]).unwrap_err();
            assert!(
                error.starts_with(&format!("Config error at key \"{key}\": Parsing error: ")),
                "{error}"
            );
        }
        assert!(applied("a: 1\n", &["a.b=1"]).is_err());
        assert!(applied("a: {}\n", &["a[]=1"]).is_err());
        assert!(applied("a: [1]\n", &["a[5]=1"]).is_err());
    }
}
