//! Cgroups: as `thread.cgroups` shows them, and the container that their paths name.
//!
//! The patterns are data: one row each, in the order in which Falco's container plugin tries them.
//! Every path is tried with all rows before the next path; the first that matches decides.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::decode::procfs::cgroup;
use crate::decode::procfs::cgroup::Cgroup;
use crate::event::Bytes;
use crate::event::InContainer;
use crate::event::thread::terminated_items;

/// Who runs a container, as its cgroup tells.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Runtime {
    Podman,
    Docker,
    Cri,
    Containerd,
    Lxc,
    LibvirtLxc,
    Bpm,
}

/// A container named by a cgroup path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Named<'a> {
    /// Who runs it.
    pub runtime: Runtime,
    /// What `container.id` is.
    pub id: &'a [u8],
    /// The whole id where the path has it.
    pub full_id: &'a [u8],
}

/// How a path names a container.
enum Pattern {
    /// 64 hexadecimal digits between the last occurrences of two texts; an empty second one is
    /// the end.
    Between(&'static [u8], &'static [u8]),
    /// What follows the first namespace-like component; see [`in_namespace`].
    InNamespace,
    /// Up to the next slash.
    After(&'static [u8]),
    /// The three forms of libvirt's driver; see [`libvirt`].
    Libvirt,
    /// Cloud Foundry's; see [`bpm`].
    Bpm,
}

use Pattern::After;
use Pattern::Between;

#[rustfmt::skip]
static PATTERNS: &[(Runtime, Pattern)] = &[
    (Runtime::Podman, Between(b"/libpod-", b".scope")),
    (Runtime::Podman, Between(b"/libpod-", b".scope/container")),
    (Runtime::Podman, Between(b"/libpod-", b"")),
    (Runtime::Podman, Between(b"/libpod-payload-", b".scope")),
    (Runtime::Podman, Between(b"/libpod-payload-", b".scope/container")),
    (Runtime::Podman, Between(b"/libpod-payload-", b"")),
    (Runtime::Docker, Between(b"/", b"")),
    (Runtime::Docker, Between(b"/docker-", b".scope")),
    (Runtime::Cri, Between(b"/", b"")),
    (Runtime::Cri, Between(b"/crio-", b"")),
    (Runtime::Cri, Between(b"/cri-containerd-", b".scope")),
    (Runtime::Cri, Between(b"/crio-", b".scope")),
    (Runtime::Cri, Between(b":cri-containerd:", b"")),
    (Runtime::Cri, Between(b"/docker-", b".scope")),
    (Runtime::Cri, Between(b"/nerdctl-", b".scope")),
    (Runtime::Containerd, Pattern::InNamespace),
    (Runtime::Lxc, After(b"/lxc/")),
    (Runtime::Lxc, After(b"/lxc.payload/")),
    (Runtime::Lxc, After(b"/lxc.payload.")),
    (Runtime::LibvirtLxc, Pattern::Libvirt),
    (Runtime::Bpm, Pattern::Bpm),
];

/// Digits of a full id.
const FULL_ID: usize = 64;

/// Characters of an id that are shown.
const SHORT_ID: usize = 12;

/// The container that the first matching path names; `None`: the host.
pub fn named_container<'a>(paths: impl Iterator<Item = &'a [u8]>) -> Option<Named<'a>> {
    paths.into_iter().find_map(|path| {
        PATTERNS.iter().find_map(|(runtime, pattern)| {
            let (id, full_id) = pattern.find(path)?;
            Some(Named { runtime: *runtime, id, full_id })
        })
    })
}

/// The container that a process is in whose
/// [`cgroups`](crate::event::Thread::cgroups) are these.
#[must_use]
pub fn named_in(cgroups: &[u8]) -> Option<Named<'_>> {
    named_container(terminated_items(cgroups).filter_map(|item| {
        let equals = item.iter().position(|&byte| byte == b'=')?;
        item.get(equals + 1..)
    }))
}

/// Which container a process is in whose
/// [`cgroups`](crate::event::Thread::cgroups) are these.
#[must_use]
pub fn container_of(cgroups: &[u8]) -> InContainer {
    named_in(cgroups).map_or(InContainer::Host, |named| InContainer::Id(named.id.into()))
}

impl Pattern {
    /// Shown and full id.
    fn find<'a>(&self, path: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        match self {
            Between(prefix, suffix) => {
                let id = between(path, prefix, suffix)?;
                Some((id.get(..SHORT_ID)?, id))
            }
            Self::InNamespace => {
                let id = in_namespace(path)?;
                Some((id.get(..SHORT_ID).unwrap_or(id), id))
            }
            After(prefix) => {
                let rest = after(path, prefix)?;
                let end = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
                rest.get(..end).filter(|id| !id.is_empty()).map(|id| (id, id))
            }
            Self::Libvirt => libvirt(path).filter(|id| !id.is_empty()).map(|id| (id, id)),
            Self::Bpm => bpm(path).map(|id| (id, id)),
        }
    }
}

fn between<'a>(path: &'a [u8], prefix: &[u8], suffix: &[u8]) -> Option<&'a [u8]> {
    let start = memchr::memmem::rfind(path, prefix)? + prefix.len();
    let end = if suffix.is_empty() { path.len() } else { memchr::memmem::rfind(path, suffix)? };
    let id = path.get(start..end)?;
    (id.len() == FULL_ID && id.iter().all(u8::is_ascii_hexdigit)).then_some(id)
}

/// `/NAMESPACE/ID` as ctr makes it: what follows the last occurrence of the first component that
/// could be a namespace and is not the last one. Groups of systemd on the host end otherwise.
fn in_namespace(path: &[u8]) -> Option<&[u8]> {
    let namespace = path
        .split_inclusive(|&byte| byte == b'/')
        .skip(1)
        .find(|part| part.strip_suffix(b"/").is_some_and(is_namespace))?;
    let mut start = None;
    for at in memchr::memmem::find_iter(path, namespace) {
        // The component with both of its slashes.
        if at > 0 && path.get(at - 1) == Some(&b'/') {
            start = Some(at + namespace.len());
        }
    }
    let id = path.get(start?..)?;
    let is_systemd = [&b".service"[..], b".slice", b".scope"].iter().any(|end| path.ends_with(end));
    let is_hex = id.len() == FULL_ID && id.iter().all(u8::is_ascii_hexdigit);
    ((1..=FULL_ID).contains(&id.len()) && (is_hex || !is_systemd)).then_some(id)
}

/// Letters and digits, in groups separated by single `.`, `_` or `-`.
fn is_namespace(part: &[u8]) -> bool {
    part.split(|byte| matches!(byte, b'.' | b'_' | b'-'))
        .all(|group| !group.is_empty() && group.iter().all(u8::is_ascii_alphanumeric))
}

fn libvirt(path: &[u8]) -> Option<&[u8]> {
    if let Some(name) = path.strip_suffix(b".libvirt-lxc") {
        let slash = name.iter().rposition(|&byte| byte == b'/')?;
        return name.get(slash + 1..);
    }
    // machine-lxc\x2d2293906\x2dlibvirt\x2dcontainer.scope: one character follows the "\x2".
    let name = path.strip_suffix(b".scope/libvirt").or_else(|| path.strip_suffix(b".scope"));
    if let Some(id) = name.and_then(|name| after(name, br"-lxc\x2")) {
        return id.get(1..);
    }
    after(path, b"/libvirt/lxc/")
}

fn bpm(path: &[u8]) -> Option<&[u8]> {
    let rest = after(path, b"bpm-")?;
    let end = memchr::memmem::find(rest, b".scope").unwrap_or(rest.len());
    let id = rest.get(..end)?;
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (!id.is_empty() && id.iter().all(is_allowed)).then_some(id)
}

/// What follows the first occurrence of `prefix`.
fn after<'a>(path: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    path.get(memchr::memmem::find(path, prefix)? + prefix.len()..)
}

/// What one text of `/proc/<pid>/cgroup` says.
#[derive(Clone, Debug)]
pub struct Membership {
    /// As [`Thread::cgroups`](crate::event::Thread::cgroups) has it.
    pub cgroups: Bytes,
    /// The container.
    pub container: InContainer,
}

/// Memberships by the text of the file: most processes share a few.
#[derive(Debug, Default)]
pub struct Memberships {
    known: FxHashMap<Box<[u8]>, Membership>,
}

impl Memberships {
    /// Texts kept; when there are more, all are forgotten and found out anew.
    const MAX: usize = 1024;

    /// What `text`, of `/proc/<pid>/cgroup`, says.
    pub fn find(&mut self, text: &[u8]) -> Membership {
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        if self.known.len() >= Self::MAX {
            self.known.clear();
        }
        let membership = Membership::parse(text);
        self.known.insert(Box::from(text), membership.clone());
        membership
    }
}

impl Membership {
    fn parse(text: &[u8]) -> Self {
        let mut list = Vec::new();
        let is_unified_only = cgroup::parse(text).all(|group| group.hierarchy == 0);
        for group in cgroup::parse(text) {
            for controller in controllers(&group, is_unified_only) {
                list.extend_from_slice(falco_name(controller));
                list.push(b'=');
                list.extend_from_slice(group.path);
                list.push(0);
            }
        }
        let named = named_container(paths(text, is_unified_only));
        Self {
            cgroups: Arc::from(list),
            container: named.map_or(InContainer::Host, |named| InContainer::Id(named.id.into())),
        }
    }
}

/// Paths of the hierarchies with controllers; the others (`name=systemd`, the unified one beside
/// old ones) aren't seen by Falco's drivers.
fn paths(text: &[u8], is_unified_only: bool) -> impl Iterator<Item = &[u8]> {
    cgroup::parse(text)
        .filter(move |group| controllers(group, is_unified_only).next().is_some())
        .map(|group| group.path)
}

/// Controllers of the unified hierarchy that Falco's drivers report a path for.
const UNIFIED: &[u8] = b"cpuset,cpu,cpuacct,io,memory";

fn controllers<'a>(group: &Cgroup<'a>, is_unified_only: bool) -> impl Iterator<Item = &'a [u8]> {
    let names = match group.controllers {
        b"" if is_unified_only => UNIFIED,
        names if names.starts_with(b"name=") => b"",
        names => names,
    };
    names.split(|&byte| byte == b',').filter(|name| !name.is_empty())
}

/// The name that Falco has for a controller.
fn falco_name(controller: &[u8]) -> &[u8] {
    match controller.strip_suffix(b"_cgroup").unwrap_or(controller) {
        b"perf" => b"perf_event",
        b"mem" => b"memory",
        b"io" => b"blkio",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "5d068b2dd2256539dfccbc0dc617e35e42e49bc4e099ab80bbb40fb31c3b9b03";

    /// Declares a test of that name: a path (`HEX` replaced) and what it names.
    macro_rules! case {
        ($name:ident, $path:expr, $expected:expr) => {
            #[test]
            fn $name() {
                let path = $path.replace("HEX", HEX);
                let found = named_container(std::iter::once(path.as_bytes()));
                let found =
                    found.map(|named| (named.runtime, std::str::from_utf8(named.id).unwrap()));
                let expected: Option<(Runtime, &str)> = $expected;
                assert_eq!(found, expected);
            }
        };
    }

    const SHORT: &str = "5d068b2dd225";

    case!(docker_by_cgroupfs, "/docker/HEX", Some((Runtime::Docker, SHORT)));
    case!(docker_by_systemd, "/system.slice/docker-HEX.scope", Some((Runtime::Docker, SHORT)));
    case!(podman_by_systemd, "/machine.slice/libpod-HEX.scope", Some((Runtime::Podman, SHORT)));
    case!(
        podman_below_its_scope,
        "/machine.slice/libpod-HEX.scope/container",
        Some((Runtime::Podman, SHORT))
    );
    case!(podman_payload, "/machine.slice/libpod-payload-HEX", Some((Runtime::Podman, SHORT)));
    case!(
        kubernetes_by_systemd,
        "/kubepods.slice/kubepods-pod12.slice/cri-containerd-HEX.scope",
        Some((Runtime::Cri, SHORT))
    );
    case!(crio_by_systemd, "/kubepods.slice/crio-HEX.scope", Some((Runtime::Cri, SHORT)));
    case!(
        kubernetes_in_a_systemd_name,
        "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:HEX",
        Some((Runtime::Cri, SHORT))
    );
    case!(
        ctr_with_a_long_name,
        "/default/my-container-1",
        Some((Runtime::Containerd, "my-container"))
    );
    case!(ctr_with_a_short_name, "/default/web", Some((Runtime::Containerd, "web")));
    // A group of this form takes 32 hexadecimal digits for a container, as Falco does.
    case!(
        a_group_of_two_levels_is_taken_for_ctrs,
        "/process_api/b14247bbd0acdf4a9218e3f93a38966c",
        Some((Runtime::Containerd, "b14247bbd0ac"))
    );
    case!(a_service_is_the_host, "/system.slice/sshd.service", None);
    case!(a_session_is_the_host, "/user.slice/user-0.slice/session-1.scope", None);
    case!(the_root_group_is_the_host, "/", None);
    case!(one_level_is_the_host, "/user.slice", None);
    case!(lxc_by_its_own_name, "/lxc.payload.zinc/init.scope", Some((Runtime::Lxc, "zinc")));
    case!(
        libvirt_by_systemd,
        r"/machine.slice/machine-lxc\x2d22\x2dlibvirt\x2dc.scope",
        Some((Runtime::LibvirtLxc, r"22\x2dlibvirt\x2dc"))
    );
    case!(bpm_by_systemd, "/system.slice/bpm-job.1_a.scope", Some((Runtime::Bpm, "job.1_a")));
    case!(too_few_digits_are_no_container, "/system.slice/docker-5d068b2dd225.scope", None);

    fn membership(text: &str) -> Membership {
        Memberships::default().find(text.replace("HEX", HEX).as_bytes())
    }

    #[test]
    fn old_hierarchies_are_listed_by_controller() {
        let found =
            membership("9:name=systemd:/docker/HEX\n5:cpu,cpuacct:/a\n4:memory:/b\n0::/c\n");
        assert_eq!(found.cgroups.as_ref(), b"cpu=/a\0cpuacct=/a\0memory=/b\0");
        assert_eq!(found.container, InContainer::Host);
    }

    #[test]
    fn the_unified_hierarchy_is_listed_for_its_usual_controllers() {
        let found = membership("0::/system.slice/docker-HEX.scope\n");
        assert!(found.cgroups.starts_with(b"cpuset=/system.slice/docker-"));
        assert_eq!(found.container, InContainer::Id(SHORT.as_bytes().into()));
        let named = named_in(&found.cgroups).unwrap();
        assert_eq!((named.runtime, named.full_id), (Runtime::Docker, HEX.as_bytes()));
    }

    #[test]
    fn the_first_group_that_names_a_container_decides() {
        let found = membership("5:cpu:/\n4:memory:/docker/HEX\n");
        assert_eq!(found.container, InContainer::Id(SHORT.as_bytes().into()));
    }
}
