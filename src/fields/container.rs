//! `container.*` and `k8s.*`: where it happened.

use super::text::{Text, joined};
use super::{Arg, ArgKind as A, FieldClass, FieldFlags as F, FieldInfo, absent, field};
use crate::event::{Container, DataType as T, Event, InContainer, Mount, Param, Value, known};

/// Container related fields.
pub static CLASS: FieldClass = FieldClass {
    name: "container",
    short: "",
    doc: "Container related fields.",
    fields: CLASS_FIELDS,
};

#[rustfmt::skip]
static CLASS_FIELDS: &[FieldInfo] = &[
    field("container.id", T::CharBuf, "First 12 chars of the container id; host for host processes.", |e, _| id(e).map(Value::Bytes)).flags(F::FORMAT_SUGGESTED),
    field("container.full_id", T::CharBuf, "Full id; host on the host; empty until metadata arrives.", |e, _| text(e, b"host", |c| c.full_id.as_deref())),
    field("container.name", T::CharBuf, "Container name; host on the host.", |e, _| text(e, b"host", |c| c.name.as_deref())).flags(F::FORMAT_SUGGESTED),
    field("container.image", T::CharBuf, "Image reference.", |e, _| text(e, b"", |c| c.image.as_deref())),
    field("container.image.id", T::CharBuf, "Image id.", |e, _| text(e, b"", |c| c.image_id.as_deref())),
    field("container.type", T::CharBuf, "docker, podman, cri-o, containerd, cri, lxc, libvirt-lxc, bpm, mesos, rkt, host, or empty.", |e, _| text(e, b"host", |c| c.runtime.as_deref())),
    field("container.privileged", T::Bool, "Privileged container.", |e, _| yes_or_no(e, |c| c.privileged)),
    field("container.mounts", T::CharBuf, "Mounts as source:dest:mode:rdwr:propagation joined by comma.", mounts),
    field("container.mount", T::CharBuf, "One mount by number or by source pattern.", |e, arg| mount(e, arg, |m| &m.source).map(|m| whole_mount(e, m))).arg(A::INDEX_OR_KEY.required()),
    field("container.mount.source", T::CharBuf, "Source of a mount by number or destination pattern.", |e, arg| mount(e, arg, |m| &m.dest).map(|m| Value::Bytes(&m.source))).arg(A::INDEX_OR_KEY.required()),
    field("container.mount.dest", T::CharBuf, "Destination of a mount by number or source pattern.", |e, arg| mount(e, arg, |m| &m.source).map(|m| Value::Bytes(&m.dest))).arg(A::INDEX_OR_KEY.required()),
    field("container.mount.mode", T::CharBuf, "Mode of a mount.", |e, arg| mount(e, arg, |m| &m.source).map(|m| Value::Bytes(&m.mode))).arg(A::INDEX_OR_KEY.required()),
    field("container.mount.rdwr", T::CharBuf, "true or false, as text.", |e, arg| mount(e, arg, |m| &m.source).map(|m| Value::Bytes(m.writable_text()))).arg(A::INDEX_OR_KEY.required()),
    field("container.mount.propagation", T::CharBuf, "Propagation of a mount.", |e, arg| mount(e, arg, |m| &m.source).map(|m| Value::Bytes(&m.propagation))).arg(A::INDEX_OR_KEY.required()),
    field("container.image.repository", T::CharBuf, "Image name without tag and digest.", |e, _| text(e, b"", |c| c.image_repository.as_deref())).flags(F::FORMAT_SUGGESTED),
    field("container.image.tag", T::CharBuf, "Image tag.", |e, _| text(e, b"", |c| c.image_tag.as_deref())).flags(F::FORMAT_SUGGESTED),
    field("container.image.digest", T::CharBuf, "Image digest.", |e, _| text(e, b"", |c| c.image_digest.as_deref())),
    field("container.healthcheck", T::CharBuf, "Never a value in new versions; old: command line or NONE.", absent).flags(F::DEPRECATED),
    field("container.liveness_probe", T::CharBuf, "As healthcheck.", absent).flags(F::DEPRECATED),
    field("container.readiness_probe", T::CharBuf, "As healthcheck.", absent).flags(F::DEPRECATED),
    field("container.start_ts", T::AbsTime, "Start of the pid namespace init process, ns epoch.", |e, _| start(e).map(Value::UInt)),
    field("container.duration", T::RelTime, "Event time minus container.start_ts.", |e, _| start(e).map(|start| Value::UInt(e.ts.saturating_sub(start)))),
    field("container.ip", T::CharBuf, "Primary IPv4 address as text.", |e, _| text(e, b"", |c| c.ip.as_deref())),
    field("container.cni.json", T::CharBuf, "CNI result JSON text.", |e, _| text(e, b"", |c| c.cni_json.as_deref())),
    field("container.host_pid", T::Bool, "Container shares host pid namespace.", |e, _| yes_or_no(e, |c| c.host_pid)),
    field("container.host_network", T::Bool, "Container shares host network namespace.", |e, _| yes_or_no(e, |c| c.host_network)),
    field("container.host_ipc", T::Bool, "Container shares host ipc namespace.", |e, _| yes_or_no(e, |c| c.host_ipc)),
    field("container.label", T::CharBuf, "One label value.", label).arg(A::KEY.required()),
    field("container.labels", T::CharBuf, "Labels key:value joined by comma blank, without annotation.* and io.kubernetes.*.", labels),
    field("proc.is_container_healthcheck", T::Bool, "Never a value in new versions.", absent).flags(F::DEPRECATED),
    field("proc.is_container_liveness_probe", T::Bool, "Never a value in new versions.", absent).flags(F::DEPRECATED),
    field("proc.is_container_readiness_probe", T::Bool, "Never a value in new versions.", absent).flags(F::DEPRECATED),
];

/// Kubernetes context about pods and namespace name, from the labels of the container.
pub static K8S: FieldClass = FieldClass {
    name: "k8s",
    short: "",
    doc: "Kubernetes context about pods and namespace name, from the labels of the container.",
    fields: K8S_FIELDS,
};

#[rustfmt::skip]
static K8S_FIELDS: &[FieldInfo] = &[
    field("k8s.pod.name", T::CharBuf, "Label io.kubernetes.pod.name.", |e, _| named_label(e, b"io.kubernetes.pod.name")).flags(F::FORMAT_SUGGESTED),
    field("k8s.ns.name", T::CharBuf, "Label io.kubernetes.pod.namespace.", |e, _| named_label(e, b"io.kubernetes.pod.namespace")).flags(F::FORMAT_SUGGESTED),
    field("k8s.pod.id", T::CharBuf, "Label io.kubernetes.pod.uid (legacy name).", |e, _| named_label(e, b"io.kubernetes.pod.uid")),
    field("k8s.pod.uid", T::CharBuf, "Label io.kubernetes.pod.uid.", |e, _| named_label(e, b"io.kubernetes.pod.uid")),
    field("k8s.pod.sandbox_id", T::CharBuf, "First 12 chars of the sandbox container id.", |e, _| text(e, b"", |c| c.pod_sandbox_id.as_deref().map(shortened))),
    field("k8s.pod.full_sandbox_id", T::CharBuf, "Full sandbox container id.", |e, _| text(e, b"", |c| c.pod_sandbox_id.as_deref())),
    field("k8s.pod.label", T::CharBuf, "One pod label (bracket or dot form).", pod_label).arg(A::KEY.required()),
    field("k8s.pod.labels", T::CharBuf, "Pod labels key:value joined by comma blank.", pod_labels),
    field("k8s.pod.ip", T::CharBuf, "Pod IPv4 address.", |e, _| text(e, b"", |c| in_pod(c)?.ip.as_deref())),
    field("k8s.pod.cni.json", T::CharBuf, "Pod CNI result JSON.", |e, _| text(e, b"", |c| in_pod(c)?.cni_json.as_deref())),
    field("k8s.rc.name", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.rc.id", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.rc.label", T::CharBuf, "Never a value (needed so that old rules load).", absent).arg(A::KEY.required()).flags(F::DEPRECATED),
    field("k8s.rc.labels", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.svc.name", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.svc.id", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.svc.label", T::CharBuf, "Never a value (needed so that old rules load).", absent).arg(A::KEY.required()).flags(F::DEPRECATED),
    field("k8s.svc.labels", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.rs.name", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.rs.id", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.rs.label", T::CharBuf, "Never a value (needed so that old rules load).", absent).arg(A::KEY.required()).flags(F::DEPRECATED),
    field("k8s.rs.labels", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.deployment.name", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.deployment.id", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.deployment.label", T::CharBuf, "Never a value (needed so that old rules load).", absent).arg(A::KEY.required()).flags(F::DEPRECATED),
    field("k8s.deployment.labels", T::CharBuf, "Never a value (needed so that old rules load).", absent).flags(F::DEPRECATED),
    field("k8s.ns.id", T::CharBuf, "Never a value.", absent).flags(F::DEPRECATED),
    field("k8s.ns.label", T::CharBuf, "Never a value.", absent).arg(A::KEY.required()).flags(F::DEPRECATED),
    field("k8s.ns.labels", T::CharBuf, "Never a value.", absent).flags(F::DEPRECATED),
];

/// Where an event happened, as far as it is known.
enum Place<'a> {
    Host,
    Known(&'a Container),
}

/// `None` if the cgroups are not known, or nothing but the id of the container.
fn place<'a>(event: &Event<'a>) -> Option<Place<'a>> {
    if let Some(id) = told_id(event) {
        return event.world.containers.get(id.as_bytes()).map(Place::Known);
    }
    match &event.thread?.container {
        InContainer::Unknown => None,
        InContainer::Host => Some(Place::Host),
        InContainer::Id(id) => event.world.containers.get(id).map(Place::Known),
    }
}

fn container<'a>(event: &Event<'a>) -> Option<&'a Container> {
    match place(event)? {
        Place::Known(container) => Some(container),
        Place::Host => None,
    }
}

/// What an event that is about a container tells of it, beside what the world learns.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Told<'a> {
    id: &'a str,
    /// Whom it runs as: `user.name` of such an event.
    #[serde(borrow, default, rename = "User")]
    pub(super) user: Option<&'a str>,
}

/// What the event tells, if it is about a container rather than done by a thread.
#[inline]
pub(super) fn told<'a>(event: &Event<'a>) -> Option<Told<'a>> {
    matches!(event.ty, known::CONTAINER | known::ASYNCEVENT).then(|| parsed(event))?
}

fn parsed<'a>(event: &Event<'a>) -> Option<Told<'a>> {
    #[derive(serde::Deserialize)]
    struct Root<'t> {
        #[serde(borrow)]
        container: Told<'t>,
    }
    let json = match event.ty {
        known::CONTAINER => event.param(0),
        known::ASYNCEVENT if event.param(1) == Param::Bytes(b"container") => event.param(2),
        _ => return None,
    };
    let json = json.as_bytes()?;
    let json = json.strip_suffix(b"\0").unwrap_or(json);
    serde_json::from_slice::<Root<'a>>(json).ok().map(|root| root.container)
}

fn told_id<'a>(event: &Event<'a>) -> Option<&'a str> {
    told(event).map(|told| told.id)
}

/// `container.id` on the host.
pub(super) const HOST: &[u8] = b"host";

/// `container.id`.
pub(super) fn id<'a>(event: &Event<'a>) -> Option<&'a [u8]> {
    if let Some(id) = told_id(event) {
        return Some(id.as_bytes());
    }
    match &event.thread?.container {
        InContainer::Unknown => None,
        InContainer::Host => Some(HOST),
        InContainer::Id(id) => Some(id),
    }
}

/// Whether `container.id` is that of the host.
pub(super) fn is_host(event: &Event<'_>) -> Option<bool> {
    if let Some(id) = told_id(event) {
        return Some(id.as_bytes() == HOST);
    }
    match &event.thread?.container {
        InContainer::Unknown => None,
        InContainer::Host => Some(true),
        InContainer::Id(id) => Some(**id == *HOST),
    }
}

/// A text: of the host a constant; of a container what its runtime has told, or nothing.
fn text<'a>(
    event: &Event<'a>,
    on_host: &'static [u8],
    of: fn(&Container) -> Option<&[u8]>,
) -> Option<Value<'a>> {
    Some(Value::Bytes(match place(event)? {
        Place::Host => on_host,
        Place::Known(container) => of(container).unwrap_or_default(),
    }))
}

fn yes_or_no<'a>(event: &Event<'a>, of: fn(&Container) -> Option<bool>) -> Option<Value<'a>> {
    match place(event)? {
        Place::Host => Some(Value::Bool(false)),
        Place::Known(container) => of(container).map(Value::Bool),
    }
}

/// Start of the init process of the container's pid namespace.
fn start(event: &Event<'_>) -> Option<u64> {
    let thread = event.thread?;
    let is_inside = matches!(thread.container, InContainer::Id(_));
    Some(thread.pidns_init_start_ts).filter(|start| is_inside && *start != 0)
}

impl Mount {
    /// Whether it is writable, in Falco's words.
    const fn writable_text(&self) -> &'static [u8] {
        if self.is_read_write { b"true" } else { b"false" }
    }
}

fn push_mount(text: &mut Text<'_>, mount: &Mount) {
    for (index, part) in
        [&*mount.source, &mount.dest, &mount.mode, mount.writable_text(), &mount.propagation]
            .into_iter()
            .enumerate()
    {
        if index > 0 {
            text.push_byte(b':');
        }
        text.push(part);
    }
}

fn whole_mount<'a>(event: &Event<'a>, mount: &Mount) -> Value<'a> {
    let mut text = Text::new(event.arena);
    push_mount(&mut text, mount);
    text.value()
}

fn mounts<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let mounts: &[Mount] = match place(event)? {
        Place::Host => &[],
        Place::Known(container) => &container.mounts,
    };
    let mut text = Text::new(event.arena);
    for (index, mount) in mounts.iter().enumerate() {
        if index > 0 {
            text.push_byte(b',');
        }
        push_mount(&mut text, mount);
    }
    Some(text.value())
}

/// The mount of that number, or the first of which `key` matches the pattern somewhere.
fn mount<'a>(event: &Event<'a>, arg: &Arg, key: fn(&Mount) -> &[u8]) -> Option<&'a Mount> {
    let mounts = &container(event)?.mounts;
    match arg {
        Arg::Index(index) => mounts.get(usize::try_from(*index).ok()?),
        Arg::Key(_) if mounts.is_empty() => None,
        Arg::Key(text) if regex::escape(text).len() == text.len() => {
            mounts.iter().find(|mount| memchr::memmem::find(key(mount), text.as_bytes()).is_some())
        }
        Arg::Key(pattern) => {
            let pattern = regex::bytes::Regex::new(pattern).ok()?;
            mounts.iter().find(|mount| pattern.is_match(key(mount)))
        }
        Arg::None | Arg::Param(_) => None,
    }
}

type Labels = [(crate::event::Bytes, crate::event::Bytes)];

fn find_label<'a>(labels: &'a Labels, wanted: &[u8]) -> Option<Value<'a>> {
    labels.iter().find(|(key, _)| **key == *wanted).map(|(_, value)| Value::Bytes(value))
}

fn join_labels<'a>(
    event: &Event<'a>,
    labels: &Labels,
    is_shown: fn(&[u8]) -> bool,
) -> Option<Value<'a>> {
    let mut text = Text::new(event.arena);
    for (key, value) in labels.iter().filter(|(key, _)| is_shown(key)) {
        if !text.is_empty() {
            text.push(b", ");
        }
        text.push(joined(event.arena, [&**key, value].into_iter(), b":"));
    }
    Some(text.value())
}

fn label<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    let Arg::Key(wanted) = arg else { return None };
    find_label(&container(event)?.labels, wanted.as_bytes())
}

fn named_label<'a>(event: &Event<'a>, name: &[u8]) -> Option<Value<'a>> {
    find_label(&container(event)?.labels, name)
}

fn labels<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let labels: &Labels = match place(event)? {
        Place::Host => &[],
        Place::Known(container) => &container.labels,
    };
    join_labels(event, labels, |key| {
        !key.starts_with(b"annotation.") && !key.starts_with(b"io.kubernetes.")
    })
}

fn pod_label<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    let Arg::Key(wanted) = arg else { return None };
    find_label(&container(event)?.pod_labels, wanted.as_bytes())
}

fn pod_labels<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let labels: &Labels = match place(event)? {
        Place::Host => &[],
        Place::Known(container) => &container.pod_labels,
    };
    join_labels(event, labels, |_| true)
}

/// The container, if it is one of a pod.
fn in_pod(container: &Container) -> Option<&Container> {
    let has_sandbox = container.pod_sandbox_id.as_ref().is_some_and(|id| !id.is_empty());
    has_sandbox.then_some(container)
}

/// The first twelve characters of an id.
fn shortened(id: &[u8]) -> &[u8] {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::support::{Scene, shown};
    use super::*;

    fn contained() -> Scene {
        let bytes = |text: &str| Arc::from(text.as_bytes());
        let mut scene = Scene::new("execve");
        scene.thread.container = InContainer::Id(bytes("5d068b2dd225"));
        let container = Container {
            name: Some(bytes("north-1")),
            runtime: Some(bytes("docker")),
            privileged: Some(true),
            mounts: vec![Mount {
                source: bytes("/"),
                dest: bytes("/host"),
                mode: bytes(""),
                is_read_write: true,
                propagation: bytes("rprivate"),
            }],
            labels: vec![
                (bytes("app"), bytes("web")),
                (bytes("io.kubernetes.pod.name"), bytes("web-abc")),
                (bytes("tier"), bytes("front")),
            ],
            ..Container::default()
        };
        scene.world.containers.insert(bytes("5d068b2dd225"), container);
        scene
    }

    #[test]
    fn the_host_has_values_too() {
        let mut scene = Scene::new("execve");
        scene.thread.container = InContainer::Host;
        for (field, expected) in [
            ("container.id", "host"),
            ("container.name", "host"),
            ("container.image", ""),
            ("container.privileged", "false"),
            ("container.mounts", ""),
            ("container.mount[0]", "<NA>"),
            ("k8s.pod.name", "<NA>"),
        ] {
            assert_eq!(shown(&scene, field), expected, "{field}");
        }
    }

    #[test]
    fn a_container_shows_what_its_runtime_told() {
        let scene = contained();
        for (field, expected) in [
            ("container.id", "5d068b2dd225"),
            ("container.name", "north-1"),
            ("container.image.digest", ""),
            ("container.privileged", "true"),
            ("container.mounts", "/:/host::true:rprivate"),
            ("container.mount.dest[0]", "/host"),
            ("container.mount.source[/ho]", "/"),
            ("container.mount[nothing]", "<NA>"),
            ("container.labels", "app:web, tier:front"),
            ("container.label[app]", "web"),
            ("k8s.pod.name", "web-abc"),
        ] {
            assert_eq!(shown(&scene, field), expected, "{field}");
        }
    }

    #[test]
    fn of_a_container_without_metadata_only_the_id_is_known() {
        let mut scene = contained();
        scene.world.containers.clear();
        assert_eq!(shown(&scene, "container.id"), "5d068b2dd225");
        assert_eq!(shown(&scene, "container.name"), "<NA>");
        assert_eq!(shown(&scene, "container.image"), "<NA>");
        scene.thread.container = InContainer::Unknown;
        assert_eq!(shown(&scene, "container.id"), "<NA>");
    }
}
