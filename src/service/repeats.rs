//! Alerts that repeat another one: of the same rule, with the same values of some fields, within a
//! time. They become one summary with their number.
//!
//! Off unless the configuration asks for it. What is remembered has a bound; beyond it alerts pass.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::engine::output::Template;
use crate::engine::rule::Priority;
use crate::engine::rule::Rule;
use crate::event::Event;
use crate::format::Summary;

/// Most alerts that are remembered.
const MAX_REMEMBERED: usize = 4096;

/// Most bytes of a message that are remembered.
const MAX_MESSAGE: usize = 4096;

/// What was alerted on, and how often it came again.
#[derive(Debug)]
pub struct Repeats {
    window_ns: u64,
    key: Template,
    remembered: FxHashMap<Arc<[u8]>, Remembered>,
    /// When each of them is forgotten, the earliest first.
    ends: VecDeque<(u64, Arc<[u8]>)>,
    text: Vec<u8>,
}

/// An alert that was let pass.
#[derive(Debug)]
pub struct Remembered {
    rule: String,
    source: String,
    priority: Priority,
    tags: Vec<String>,
    message: Vec<u8>,
    count: u64,
    since_ns: u64,
    until_ns: u64,
}

impl Remembered {
    /// What is told of those that repeated it.
    #[must_use]
    pub fn summary(&self) -> Summary<'_> {
        Summary {
            rule: &self.rule,
            source: &self.source,
            priority: self.priority,
            tags: &self.tags,
            message: &self.message,
            count: self.count,
            since_ns: self.since_ns,
            until_ns: self.until_ns,
        }
    }
}

impl Repeats {
    /// Alerts whose values of `fields` are the same count as repeated for `window`.
    ///
    /// # Errors
    ///
    /// With the name that is no field.
    pub fn new(window: Duration, fields: &[String]) -> Result<Self, String> {
        let mut text = String::from("-");
        for field in fields {
            let template = Template::parse(&format!("%{field}"));
            let is_field = template.is_ok_and(|template| {
                template.only_field().is_some_and(|only| *only.text == **field)
            });
            if !is_field {
                return Err(format!("eyas.repeats.fields: '{field}' is no field"));
            }
            // A separator that no value has but by an attacker's wish.
            text.push_str(&format!("\u{1f}%{field}"));
        }
        let key =
            Template::parse(&text).map_err(|error| format!("eyas.repeats.fields: {error}"))?;
        Ok(Self {
            window_ns: u64::try_from(window.as_nanos()).unwrap_or(u64::MAX),
            key,
            remembered: FxHashMap::default(),
            ends: VecDeque::new(),
            text: Vec::new(),
        })
    }

    /// Whether an alert repeats another one, and so is counted instead of sent.
    pub fn is_repeat(&mut self, rule: &Rule, event: &Event<'_>) -> bool {
        self.text.clear();
        self.text.extend_from_slice(rule.name.as_bytes());
        self.key.write_text(event, &mut self.text);
        if let Some(found) = self.remembered.get_mut(&self.text[..]) {
            found.count += 1;
            found.until_ns = event.ts;
            return true;
        }
        if self.remembered.len() < MAX_REMEMBERED {
            self.remember(rule, event);
        }
        false
    }

    fn remember(&mut self, rule: &Rule, event: &Event<'_>) {
        let mut message = Vec::new();
        rule.output.write_text(event, &mut message);
        message.truncate(MAX_MESSAGE);
        let key: Arc<[u8]> = Arc::from(&self.text[..]);
        // Times of events may step back a little.
        let end = event.ts.saturating_add(self.window_ns);
        let end = end.max(self.ends.back().map_or(0, |(last, _)| *last));
        self.ends.push_back((end, Arc::clone(&key)));
        let found = Remembered {
            rule: rule.name.clone(),
            source: rule.source.clone(),
            priority: rule.priority,
            tags: rule.tags.clone(),
            message,
            count: 0,
            since_ns: event.ts,
            until_ns: event.ts,
        };
        self.remembered.insert(key, found);
    }

    /// An alert whose time is up, if it was repeated; to be asked until there is none.
    pub fn take_ended(&mut self, now_ns: u64) -> Option<Remembered> {
        while self.ends.front().is_some_and(|(end, _)| *end <= now_ns) {
            let (_, key) = self.ends.pop_front()?;
            let found = self.remembered.remove(&key)?;
            if found.count > 0 {
                return Some(found);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_field_is_refused() {
        let fields = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert!(Repeats::new(Duration::ZERO, &fields(&["proc.name", "proc.aname[2]"])).is_ok());
        assert!(Repeats::new(Duration::ZERO, &fields(&[])).is_ok());
        for bad in ["proc.nome", "", "proc.name x"] {
            let error = Repeats::new(Duration::ZERO, &fields(&[bad])).unwrap_err();
            assert_eq!(error, format!("eyas.repeats.fields: '{bad}' is no field"));
        }
    }
}
