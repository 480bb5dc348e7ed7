//! `/proc/<pid>/cgroup`: one line a hierarchy, see cgroups(7).

use super::decimal;
use super::lines;

/// One line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cgroup<'a> {
    /// Number of the hierarchy; 0 is the unified one (v2).
    pub hierarchy: u64,
    /// `cpu,cpuacct`, `name=systemd`; empty for the unified hierarchy.
    pub controllers: &'a [u8],
    /// Path of the group below the hierarchy's root.
    pub path: &'a [u8],
}

/// The lines in the file's order; lines that are none are left out.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Cgroup<'_>> {
    lines(text).filter_map(|line| {
        // Only the path can contain a colon.
        let mut parts = line.splitn(3, |&byte| byte == b':');
        Some(Cgroup {
            hierarchy: decimal(parts.next()?)?,
            controllers: parts.next()?,
            path: parts.next()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_contain_colons() {
        let text = b"4:memory:/a:cri-containerd:b\n0::/init.scope\nnonsense\n";
        let groups: Vec<_> = parse(text).collect();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].path, b"/a:cri-containerd:b");
        assert_eq!((groups[1].hierarchy, groups[1].controllers), (0, &b""[..]));
    }
}
