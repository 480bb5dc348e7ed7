//! `pmatch`: whether a path lies at or below one of several paths, component by component.

use rustc_hash::FxHashMap;

use super::glob::Glob;

/// A set of paths as a tree of components.
#[derive(Clone, Debug)]
pub struct Paths {
    nodes: Box<[Node]>,
    /// Some component, if every path has a literal one: see [`literals`](Self::literals).
    literals: Option<Box<[Box<[u8]>]>>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    children: FxHashMap<Box<[u8]>, usize>,
    globs: Vec<(Glob, usize)>,
    is_end: bool,
}

impl Paths {
    /// Makes the tree; what lies below another path of the set is dropped.
    #[must_use]
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut nodes = vec![Node::default()];
        let mut known = FxHashMap::default();
        let mut literals = Some(Vec::new());
        for path in paths {
            let mut at = 0;
            for component in components(path) {
                at = *known
                    .entry((at, component))
                    .or_insert_with(|| new_child(&mut nodes, at, component));
            }
            if let Some(node) = nodes.get_mut(at) {
                node.is_end = true;
            }
            let longest = components(path).filter(|c| !is_glob(c)).max_by_key(|c| c.len());
            literals = literals.zip(longest).map(|(mut all, longest)| {
                all.push(longest.into());
                all
            });
        }
        Self { nodes: nodes.into(), literals: literals.map(Into::into) }
    }

    /// Whether `value` is one of the paths or lies below one.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        self.matches_from(0, value)
    }

    /// Texts of which a matching value contains at least one; `None` if there are no such texts.
    #[must_use]
    pub fn literals(&self) -> Option<&[Box<[u8]>]> {
        self.literals.as_deref()
    }

    /// Depth of recursion: components of the longest path, at most half of a literal's bytes.
    fn matches_from(&self, mut at: usize, mut rest: &[u8]) -> bool {
        loop {
            let Some(node) = self.nodes.get(at) else {
                return false;
            };
            if node.is_end {
                return true;
            }
            let Some((component, tail)) = split_component(rest) else {
                return false;
            };
            let matching = node.globs.iter().filter(|(glob, _)| glob.matches(component));
            if matching.into_iter().any(|&(_, next)| self.matches_from(next, tail)) {
                return true;
            }
            let Some(&next) = node.children.get(component) else {
                return false;
            };
            at = next;
            rest = tail;
        }
    }
}

/// Makes a node for `component` below `at`.
fn new_child(nodes: &mut Vec<Node>, at: usize, component: &[u8]) -> usize {
    let new = nodes.len();
    let Some(node) = nodes.get_mut(at) else {
        return at;
    };
    if is_glob(component) {
        node.globs.push((Glob::new(component, false), new));
    } else {
        node.children.insert(component.into(), new);
    }
    nodes.push(Node::default());
    new
}

fn is_glob(component: &[u8]) -> bool {
    component.iter().any(|byte| matches!(byte, b'?' | b'*' | b'['))
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|component| !component.is_empty())
}

/// The first component and what stands behind it.
fn split_component(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = path.iter().position(|&byte| byte != b'/')?;
    let path = path.get(start..)?;
    let end = memchr::memchr(b'/', path).unwrap_or(path.len());
    path.split_at_checked(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paths(list: &[&str]) -> Paths {
        Paths::new(list.iter().map(|path| path.as_bytes()))
    }

    #[test]
    fn a_path_matches_itself_and_what_is_below_it() {
        let paths = paths(&["/foo", "/var//log/"]);
        for value in ["/foo", "/foo/bar", "foo", "//foo/", "/var/log", "/var/log/x"] {
            assert!(paths.matches(value.as_bytes()), "{value}");
        }
        for value in ["/foobar", "/fo", "", "/", "/var", "/bar/foo"] {
            assert!(!paths.matches(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn the_root_matches_everything() {
        assert!(paths(&["/"]).matches(b"/x/y") && paths(&["/"]).matches(b""));
    }

    #[test]
    fn a_wildcard_stays_within_its_component() {
        let paths = paths(&["/home/*/.ssh", "/home/root/x"]);
        assert!(paths.matches(b"/home/me/.ssh/id_rsa"));
        assert!(!paths.matches(b"/home/me/deep/.ssh"));
        assert!(paths.matches(b"/home/root/x") && paths.matches(b"/home/root/.ssh"));
    }

    #[test]
    fn no_path_matches_nothing() {
        assert!(!paths(&[]).matches(b"/"));
    }

    proptest! {
        #[test]
        fn the_tree_is_the_same_as_comparing_components(
            list in proptest::collection::vec("(/[ab*]{0,2}){0,3}", 0..5),
            value in "(/[ab]{0,2}){0,4}",
        ) {
            let plain = list.iter().any(|path| {
                let mut of_value = components(value.as_bytes());
                components(path.as_bytes()).all(|pattern| {
                    of_value.next().is_some_and(|c| Glob::new(pattern, false).matches(c))
                })
            });
            let tree = Paths::new(list.iter().map(|path| path.as_bytes()));
            prop_assert_eq!(tree.matches(value.as_bytes()), plain);
            if let (true, Some(literals)) = (plain, tree.literals()) {
                prop_assert!(literals.iter().any(|l| memchr::memmem::find(value.as_bytes(), l).is_some()));
            }
        }
    }
}
