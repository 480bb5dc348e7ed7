//! Can any rule alert on an open of this path, whoever opens it and how?
//!
//! Each rule's condition is judged by the path alone, with three answers: true, false, depends.
//! Where it is false for all rules, a traced call takes no second stop. What isn't
//! understood here (patterns, transformers, lists of a kind) depends: too much is looked at then,
//! never too little.

use crate::engine::lang::ast::Check;
use crate::engine::lang::ast::Expr;
use crate::engine::lang::ast::Operand;
use crate::engine::lang::ast::Operator;
use crate::engine::lang::ast::Right;
use crate::engine::rule::Rule;

/// What is known of one open on its entry, beside its path.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'o> {
    /// Its `evt.type`.
    pub event: &'o [u8],
    /// `evt.is_open_read`, if it is known.
    pub reads: Option<bool>,
    /// `evt.is_open_write`, if it is known.
    pub writes: Option<bool>,
}

/// The conditions of all rules about opens.
#[derive(Clone, Debug)]
pub struct PathFilter {
    rules: Vec<Tree>,
}

/// A condition, as far as it is about the path.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Path(PathCheck),
    /// What the event's type is compared with.
    Type(Operator, Vec<Box<[u8]>>),
    /// Whether it reads, or writes.
    Access {
        writes: bool,
        wanted: bool,
    },
    /// The same for every path; `None`: it depends.
    Fixed(Option<bool>),
}

/// A comparison of the path, or of a part of it, with texts.
#[derive(Clone, Debug, PartialEq)]
struct PathCheck {
    part: Part,
    operator: Operator,
    texts: Vec<Box<[u8]>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Name,
    Directory,
    Filename,
}

impl PathFilter {
    /// Takes the conditions of `rules`, which have to be resolved.
    pub fn new<'a>(rules: impl Iterator<Item = &'a Rule>) -> Self {
        Self { rules: rules.map(|rule| Tree::of(&rule.expr)).collect() }
    }

    /// Whether a rule can match an open of `path` of which this is known, too.
    #[must_use]
    pub fn may_match_call(&self, path: &[u8], opening: &Opening<'_>) -> bool {
        self.rules.iter().any(|tree| tree.judge(path, opening) != Some(false))
    }
}

impl Tree {
    fn of(expr: &Expr) -> Self {
        let all = |children: &[Expr]| children.iter().map(Self::of).collect::<Vec<_>>();
        match expr {
            Expr::And(children) => Self::All(all(children)),
            Expr::Or(children) => Self::Any(all(children)),
            Expr::Not(child) => Self::Not(Box::new(Self::of(child))),
            Expr::Check(check) => Self::of_check(check),
            Expr::Macro { .. } => Self::Fixed(None),
        }
    }

    fn of_check(check: &Check) -> Self {
        let depends = Self::Fixed(None);
        let Operand::Field { name, argument: None, .. } = &check.left else { return depends };
        if check.modifier.is_some() {
            return depends;
        }
        let texts: Vec<Box<[u8]>> = match &check.right {
            Right::Nothing => Vec::new(),
            Right::Literal(text) => vec![text.as_bytes().into()],
            Right::List(items) => items.iter().map(|item| item.as_bytes().into()).collect(),
            Right::Operand { .. } => return depends,
        };
        let part = match name.as_str() {
            "fd.name" => Part::Name,
            "fd.directory" => Part::Directory,
            "fd.filename" => Part::Filename,
            "evt.type" => return Self::Type(check.operator, texts),
            "evt.is_open_read" => return Self::of_access(false, check.operator, &texts),
            "evt.is_open_write" => return Self::of_access(true, check.operator, &texts),
            "evt.dir" => return Self::Fixed(compare(check.operator, b"<", &texts)),
            _ => return depends,
        };
        // Operators that aren't understood give no answer for any path.
        match compare(check.operator, b"/", &texts) {
            None => depends,
            Some(_) => Self::Path(PathCheck { part, operator: check.operator, texts }),
        }
    }

    /// `evt.is_open_write = true` and its like.
    fn of_access(writes: bool, operator: Operator, texts: &[Box<[u8]>]) -> Self {
        let wanted = match texts {
            [text] if **text == *b"true" => true,
            [text] if **text == *b"false" => false,
            _ => return Self::Fixed(None),
        };
        match operator {
            Operator::Equal => Self::Access { writes, wanted },
            Operator::NotEqual => Self::Access { writes, wanted: !wanted },
            _ => Self::Fixed(None),
        }
    }

    fn judge(&self, path: &[u8], opening: &Opening<'_>) -> Option<bool> {
        match self {
            Self::All(children) => fold(children, path, opening, false),
            Self::Any(children) => fold(children, path, opening, true),
            Self::Not(child) => child.judge(path, opening).map(|answer| !answer),
            Self::Path(check) => check.judge(path),
            Self::Type(operator, texts) => compare(*operator, opening.event, texts),
            Self::Access { writes, wanted } => {
                let is_so = if *writes { opening.writes } else { opening.reads };
                is_so.map(|is_so| is_so == *wanted)
            }
            Self::Fixed(answer) => *answer,
        }
    }
}

/// The answer of a list that `decisive` decides alone.
fn fold(children: &[Tree], path: &[u8], opening: &Opening<'_>, decisive: bool) -> Option<bool> {
    let mut result = Some(!decisive);
    for child in children {
        match child.judge(path, opening) {
            Some(answer) if answer == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

impl PathCheck {
    fn judge(&self, path: &[u8]) -> Option<bool> {
        // Where the path isn't known, nothing is.
        let slash = path.iter().rposition(|&byte| byte == b'/')?;
        let (directory, filename) = path.split_at_checked(slash)?;
        let part = match self.part {
            Part::Name => path,
            Part::Directory if directory.is_empty() => b"/",
            Part::Directory => directory,
            Part::Filename => filename.get(1..)?,
        };
        compare(self.operator, part, &self.texts)
    }
}

/// The answer of an operator; `None` for those that aren't understood here.
fn compare(operator: Operator, value: &[u8], texts: &[Box<[u8]>]) -> Option<bool> {
    let any = |test: &dyn Fn(&[u8]) -> bool| Some(texts.iter().any(|text| test(text)));
    match operator {
        Operator::Equal | Operator::In => any(&|text| value == text),
        Operator::NotEqual => any(&|text| value == text).map(|answer| !answer),
        Operator::StartsWith => any(&|text| value.starts_with(text)),
        Operator::EndsWith => any(&|text| value.ends_with(text)),
        Operator::Contains => any(&|text| memchr::memmem::find(value, text).is_some()),
        Operator::Exists => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::lang::parser::parse;

    fn may_match(condition: &str, path: &str) -> bool {
        let filter = PathFilter { rules: vec![Tree::of(&parse(condition).unwrap())] };
        let opening = Opening { event: b"openat", reads: None, writes: None };
        filter.may_match_call(path.as_bytes(), &opening)
    }

    /// A test that a condition can or can't hold on a path.
    macro_rules! case {
        ($name:ident, $condition:expr, can: [$($can:expr),*], cannot: [$($cannot:expr),*]) => {
            #[test]
            fn $name() {
                $(assert!(may_match($condition, $can), "{}", $can);)*
                $(assert!(!may_match($condition, $cannot), "{}", $cannot);)*
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
        the_root_is_a_directory,
        "fd.directory = / and fd.filename startswith .",
        can: ["/.hidden"],
        cannot: ["/shown", "/x/.hidden"]
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
    #[test]
    fn how_a_call_opens_counts_where_it_is_known() {
        let condition = "evt.type = openat and evt.is_open_write = true and fd.name = /etc/x";
        let filter = PathFilter { rules: vec![Tree::of(&parse(condition).unwrap())] };
        let opening =
            |event: &'static str, writes| Opening { event: event.as_bytes(), reads: None, writes };
        let may = |event, writes| filter.may_match_call(b"/etc/x", &opening(event, writes));
        assert!(may("openat", Some(true)) && may("openat", None));
        assert!(!may("openat", Some(false)) && !may("open", Some(true)));
    }

    case!(another_event, "evt.type = execve", can: [], cannot: ["/x"]);
    case!(
        what_is_not_understood_can_be,
        "fd.name glob '/etc/*' or fd.name pmatch (/usr) or tolower(fd.name) = /x",
        can: ["/anything"],
        cannot: []
    );
    case!(an_unknown_path_can_be_any, "fd.name = /etc/shadow", can: [""], cannot: []);
}
