//! A condition, as far as some fields alone decide it: true, false, or it depends on the others.
//!
//! It is made once for the fields that are known ahead, and is then much smaller than the
//! condition: what depends on others has become one answer, "depends". From it follows, too, in
//! which places a file can lie at all if the condition is to be true of its opening.

use std::sync::Arc;

use super::comparison::Test;
use super::condition::{Condition, Node, Predicate};
use super::matchers::BytesTest;
use super::transform::Source;
use crate::event::Event;
use crate::fields::Field;

/// A condition, reduced to the comparisons of fields that are known ahead.
#[derive(Clone, Debug)]
pub struct Partial {
    root: Part,
}

#[derive(Clone, Debug)]
enum Part {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Test(Arc<Predicate>),
    Depends,
}

impl Partial {
    /// Reduces a condition to the comparisons of fields for which `is_known` says so.
    #[must_use]
    pub fn of(condition: &Condition, is_known: &dyn Fn(&Field) -> bool) -> Self {
        Self { root: Part::of(condition.root(), is_known) }
    }

    /// Whether the condition is true for `event`, of which the known fields are looked at; `None`
    /// if that depends on the others.
    #[must_use]
    pub fn decide(&self, event: &Event<'_>) -> Option<bool> {
        self.root.decide(event)
    }

    /// Where a file lies of whose opening the condition can be true; perhaps in fewer places.
    /// `opening`: an event like those asked for, but for the path.
    #[must_use]
    pub fn places(&self, opening: &Event<'_>) -> Places {
        self.root.places(true, opening)
    }
}

impl Part {
    fn of(node: &Node, is_known: &dyn Fn(&Field) -> bool) -> Self {
        let all = |children: &[Node]| -> Vec<Self> {
            children.iter().map(|child| Self::of(child, is_known)).collect()
        };
        match node {
            Node::And(children) => Self::joined(all(children), Self::All),
            Node::Or(children) => Self::joined(all(children), Self::Any),
            Node::Not(child) => match Self::of(child, is_known) {
                Self::Depends => Self::Depends,
                child => Self::Not(Box::new(child)),
            },
            Node::Test(predicate) => {
                let mut all_known = true;
                predicate.for_each_field(&mut |field| all_known &= is_known(field));
                if all_known { Self::Test(Arc::clone(predicate)) } else { Self::Depends }
            }
        }
    }

    /// Several that depend are as good as one.
    fn joined(mut parts: Vec<Self>, join: fn(Vec<Self>) -> Self) -> Self {
        let before = parts.len();
        parts.retain(|part| !matches!(part, Self::Depends));
        if parts.len() < before {
            parts.push(Self::Depends);
        }
        match parts.as_slice() {
            [Self::Depends] => Self::Depends,
            _ => join(parts),
        }
    }

    fn decide(&self, event: &Event<'_>) -> Option<bool> {
        match self {
            Self::All(children) => decide_all(children, false, event),
            Self::Any(children) => decide_all(children, true, event),
            Self::Not(child) => child.decide(event).map(|value| !value),
            Self::Test(predicate) => Some(predicate.holds(event)),
            Self::Depends => None,
        }
    }

    /// `wanted`: which value of it is asked for.
    fn places(&self, wanted: bool, opening: &Event<'_>) -> Places {
        match (self, wanted) {
            // All of them have to be as wanted: each bounds the places, the narrowest most.
            (Self::All(children), true) | (Self::Any(children), false) => children
                .iter()
                .map(|child| child.places(wanted, opening))
                .min_by_key(Places::width)
                .unwrap_or(Places::Anywhere),
            (Self::All(children), false) | (Self::Any(children), true) => children
                .iter()
                .map(|child| child.places(wanted, opening))
                .fold(Places::NOWHERE, Places::and),
            (Self::Not(child), wanted) => child.places(!wanted, opening),
            (Self::Test(predicate), wanted) => match predicate.path_field() {
                Some(field) if wanted => Places::of(predicate, field),
                None if predicate.holds(opening) != wanted => Places::NOWHERE,
                _ => Places::Anywhere,
            },
            (Self::Depends, _) => Places::Anywhere,
        }
    }
}

impl Predicate {
    /// The field of the path that it compares; empty if there are several, or transformers.
    fn path_field(&self) -> Option<&'static str> {
        let mut found = None;
        self.for_each_field(&mut |field| {
            if field.info.name.starts_with("fd.") {
                found = Some("");
            }
        });
        match (&self.source, &self.test) {
            (_, Test::Right(_)) => found,
            (Source::Field { field, .. }, _) => found.map(|_| field.info.name),
            _ => found,
        }
    }
}

/// Decides a conjunction or disjunction: `decisive` is the value of one child that settles it.
fn decide_all(children: &[Part], decisive: bool, event: &Event<'_>) -> Option<bool> {
    let mut result = Some(!decisive);
    for child in children {
        match child.decide(event) {
            Some(value) if value == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

/// Where files lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Places {
    /// In these.
    Some(Vec<Place>),
    /// There is no telling.
    Anywhere,
}

/// One place.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// This file.
    File(Box<[u8]>),
    /// This directory, not those below it.
    Directory(Box<[u8]>),
    /// Wherever the path begins with this text.
    Beginning(Box<[u8]>),
}

impl Places {
    /// No file at all.
    pub const NOWHERE: Self = Self::Some(Vec::new());

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Some(mut places), Self::Some(others)) => {
                places.extend(others);
                places.sort_unstable();
                places.dedup();
                Self::Some(places)
            }
            _ => Self::Anywhere,
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Some(places) => places.len(),
            Self::Anywhere => usize::MAX,
        }
    }

    /// Where a comparison of a path can be true.
    fn of(predicate: &Predicate, field: &str) -> Self {
        match field {
            "fd.name" => Self::of_test(&predicate.test, Place::File),
            "fd.directory" => Self::of_test(&predicate.test, Place::Directory),
            _ => Self::Anywhere,
        }
    }

    fn of_test(test: &Test, place: fn(Box<[u8]>) -> Place) -> Self {
        let one = |path: &[u8]| match path {
            [b'/', ..] => Self::Some(vec![place(path.into())]),
            // No path is like this.
            _ => Self::NOWHERE,
        };
        match test {
            Test::Bytes(BytesTest::Equal(path)) => one(path),
            Test::Bytes(BytesTest::In(paths)) => {
                paths.iter().map(one).fold(Self::NOWHERE, Self::and)
            }
            Test::Bytes(BytesTest::StartsWith(text)) if text.len() > 1 => {
                Self::Some(vec![Place::Beginning(text.clone())])
            }
            Test::OneOf(tests) | Test::AnyOf(tests) | Test::AllOf(tests) => {
                tests.iter().map(|test| Self::of_test(test, place)).fold(Self::NOWHERE, Self::and)
            }
            _ => Self::Anywhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::compile::compile;
    use crate::engine::lang::parser::parse;
    use crate::event::builder::EventBuilder;
    use crate::event::known;

    fn partial(condition: &str) -> Partial {
        let known = ["evt.type", "fd.name", "fd.directory", "fd.filename"];
        let compiled = compile(&parse(condition).unwrap()).unwrap();
        Partial::of(&compiled.condition, &|field| known.contains(&field.info.name))
    }

    fn opening(path: &str) -> EventBuilder {
        EventBuilder::new(known::OPENAT).file(3, path)
    }

    /// A test that a condition can or can't hold of the opening of a path.
    macro_rules! case {
        ($name:ident, $condition:expr, can: [$($can:expr),*], cannot: [$($cannot:expr),*]) => {
            #[test]
            fn $name() {
                let partial = partial($condition);
                $(assert_ne!(partial.decide(&opening($can).event()), Some(false), "{}", $can);)*
                $(assert_eq!(partial.decide(&opening($cannot).event()), Some(false), "{}", $cannot);)*
            }
        };
    }

    case!(
        a_named_file,
        "evt.type in (open, openat) and evt.is_open_write = true and fd.name = /etc/shadow",
        can: ["/etc/shadow"],
        cannot: ["/etc/shadow2", "/shadow"]
    );
    case!(
        a_directory_with_exceptions,
        "evt.type = openat and fd.directory = /etc and not fd.filename in (mtab, ld.so.cache)",
        can: ["/etc/passwd"],
        cannot: ["/etc/mtab", "/etc/x/passwd", "/passwd"]
    );
    case!(
        who_opens_it_is_not_known,
        "fd.name startswith /root/.ssh or proc.name = cat",
        can: ["/anything", "/root/.ssh/id"],
        cannot: []
    );
    case!(
        who_does_not_open_it_is_not_known_either,
        "not proc.name = cat and fd.name contains .ssh",
        can: ["/root/.ssh/id"],
        cannot: ["/root/id"]
    );
    case!(
        patterns_and_transformers,
        "fd.name glob '/etc/*' or fd.name pmatch (/usr) or tolower(fd.name) = /x",
        can: ["/etc/a", "/usr/b", "/X"],
        cannot: ["/opt/a"]
    );
    case!(another_event, "evt.type = execve", can: [], cannot: ["/x"]);
    case!(
        a_comparison_with_what_is_not_known,
        "fd.name = val(proc.exepath)",
        can: ["/x"],
        cannot: []
    );

    fn places(condition: &str) -> Places {
        partial(condition).places(&opening("").event())
    }

    fn file(path: &str) -> Place {
        Place::File(path.as_bytes().into())
    }

    fn directory(path: &str) -> Place {
        Place::Directory(path.as_bytes().into())
    }

    fn beginning(path: &str) -> Place {
        Place::Beginning(path.as_bytes().into())
    }

    #[test]
    fn named_files_and_directories_are_places() {
        let condition = "evt.type = openat and (fd.name in (/etc/shadow, /etc/passwd, /x) or \
                         fd.directory = /etc/cron.d or fd.name startswith /root/.ssh/) and \
                         not fd.filename = x and proc.name = cat";
        let expected = [
            file("/etc/passwd"),
            file("/etc/shadow"),
            file("/x"),
            directory("/etc/cron.d"),
            beginning("/root/.ssh/"),
        ];
        assert_eq!(places(condition), Places::Some(expected.into()));
    }

    #[test]
    fn what_another_event_is_about_is_no_place() {
        let condition = "evt.type = execve and proc.name = cat or \
                         evt.type = openat and fd.name = /etc/shadow";
        assert_eq!(places(condition), Places::Some(vec![file("/etc/shadow")]));
        assert_eq!(places("not evt.type = openat"), Places::NOWHERE);
    }

    #[test]
    fn what_has_no_place_can_be_anywhere() {
        for condition in [
            "fd.filename = id_rsa",
            "fd.name contains .ssh",
            "not fd.name startswith /usr/",
            "not (fd.name = /x and fd.name = /y)",
            "proc.name = cat or fd.name = /etc/shadow",
            "fd.name startswith /",
            "tolower(fd.name) = /x",
            "fd.name = val(proc.exepath)",
        ] {
            assert_eq!(places(condition), Places::Anywhere, "{condition}");
        }
    }
}
