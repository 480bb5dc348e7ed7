//! Which rules are tried, and in which order.
//!
//! Rules are tried in the order in which they were enabled: first those that are enabled by
//! themselves, in the order of definition, then those that the selection enables.

use super::{Selection, Selector};
use crate::engine::rule::Rule;

/// Applies the selection and puts the rules in trial order; those that are not enabled stand last.
pub(super) fn select(rules: Vec<Rule>, selection: &[Selection]) -> Vec<Rule> {
    let mut rules: Vec<Option<Rule>> = rules.into_iter().map(Some).collect();
    let is = |rule: &Option<Rule>, test: &dyn Fn(&Rule) -> bool| rule.as_ref().is_some_and(test);
    let mut order: Vec<usize> =
        (0..).zip(&rules).filter(|(_, rule)| is(rule, &|r| r.enabled)).map(|(i, _)| i).collect();
    for step in selection {
        for (index, rule) in rules.iter_mut().enumerate() {
            let Some(rule) = rule.as_mut().filter(|rule| step.which.matches(rule)) else {
                continue;
            };
            if rule.enabled && !step.enable {
                order.retain(|other| *other != index);
            } else if !rule.enabled && step.enable {
                order.push(index);
            }
            rule.enabled = step.enable;
        }
    }
    let mut selected: Vec<Rule> =
        order.iter().filter_map(|index| rules.get_mut(*index)?.take()).collect();
    selected.extend(rules.into_iter().flatten());
    selected
}

impl Selector {
    /// Whether it is about this rule.
    #[must_use]
    pub fn matches(&self, rule: &Rule) -> bool {
        match self {
            Self::Rule(pattern) => matches_wildcard(pattern, &rule.name),
            Self::NameContains(part) => rule.name.contains(part.as_str()),
            Self::Tag(tag) => rule.tags.contains(tag),
        }
    }
}

/// Whether `text` is `pattern`, in which every `*` stands for anything.
fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else {
            return false;
        };
        rest = behind;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches_wildcard("*", "Any"));
        assert!(matches_wildcard("A*y", "Any"));
        assert!(matches_wildcard("A*n*", "Any"));
        assert!(matches_wildcard("Any", "Any"));
        assert!(!matches_wildcard("any", "Any"));
        assert!(!matches_wildcard("An", "Any"));
        assert!(!matches_wildcard("A*n", "Any"));
        assert!(!matches_wildcard("aa*aa", "aaa"));
        assert!(!matches_wildcard("", "Any"));
    }
}
