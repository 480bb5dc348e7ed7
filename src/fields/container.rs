//! `container.*` and `k8s.*`: where it happened.

use super::{ArgKind as A, FieldClass, FieldFlags as F, FieldInfo, absent, field};
use crate::event::DataType as T;

/// Container related fields.
pub static CLASS: FieldClass = FieldClass {
    name: "container",
    short: "",
    doc: "Container related fields.",
    fields: CLASS_FIELDS,
};

#[rustfmt::skip]
static CLASS_FIELDS: &[FieldInfo] = &[
    field("container.id", T::CharBuf, "First 12 chars of the container id; host for host processes.", absent).flags(F::FORMAT_SUGGESTED),
    field("container.full_id", T::CharBuf, "Full id; host on the host; empty until metadata arrives.", absent),
    field("container.name", T::CharBuf, "Container name; host on the host.", absent).flags(F::FORMAT_SUGGESTED),
    field("container.image", T::CharBuf, "Image reference.", absent),
    field("container.image.id", T::CharBuf, "Image id.", absent),
    field("container.type", T::CharBuf, "Docker, podman, cri-o, containerd, cri, lxc, libvirt-lxc, bpm, mesos, rkt, host, or empty.", absent),
    field("container.privileged", T::Bool, "Privileged container.", absent),
    field("container.mounts", T::CharBuf, "Mounts as source:dest:mode:rdwr:propagation joined by comma.", absent),
    field("container.mount", T::CharBuf, "One mount by number or by source pattern.", absent).arg(A::INDEX_OR_KEY.required()),
    field("container.mount.source", T::CharBuf, "Source of a mount by number or destination pattern.", absent).arg(A::INDEX_OR_KEY.required()),
    field("container.mount.dest", T::CharBuf, "Destination of a mount by number or source pattern.", absent).arg(A::INDEX_OR_KEY.required()),
    field("container.mount.mode", T::CharBuf, "Mode of a mount.", absent).arg(A::INDEX_OR_KEY.required()),
    field("container.mount.rdwr", T::CharBuf, "True or false as text.", absent).arg(A::INDEX_OR_KEY.required()),
    field("container.mount.propagation", T::CharBuf, "Propagation of a mount.", absent).arg(A::INDEX_OR_KEY.required()),
    field("container.image.repository", T::CharBuf, "Image name without tag and digest.", absent).flags(F::FORMAT_SUGGESTED),
    field("container.image.tag", T::CharBuf, "Image tag.", absent).flags(F::FORMAT_SUGGESTED),
    field("container.image.digest", T::CharBuf, "Image digest.", absent),
    field("container.healthcheck", T::CharBuf, "Never a value in new versions; old: command line or NONE.", absent).flags(F::DEPRECATED),
    field("container.liveness_probe", T::CharBuf, "As healthcheck.", absent).flags(F::DEPRECATED),
    field("container.readiness_probe", T::CharBuf, "As healthcheck.", absent).flags(F::DEPRECATED),
    field("container.start_ts", T::AbsTime, "Start of the pid namespace init process, ns epoch.", absent),
    field("container.duration", T::RelTime, "Event time minus container.start_ts.", absent),
    field("container.ip", T::CharBuf, "Primary IPv4 address as text.", absent),
    field("container.cni.json", T::CharBuf, "CNI result JSON text.", absent),
    field("container.host_pid", T::Bool, "Container shares host pid namespace.", absent),
    field("container.host_network", T::Bool, "Container shares host network namespace.", absent),
    field("container.host_ipc", T::Bool, "Container shares host ipc namespace.", absent),
    field("container.label", T::CharBuf, "One label value.", absent).arg(A::KEY.required()),
    field("container.labels", T::CharBuf, "Labels key:value joined by comma blank, without annotation.* and io.kubernetes.*.", absent),
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
    field("k8s.pod.name", T::CharBuf, "Label io.kubernetes.pod.name.", absent).flags(F::FORMAT_SUGGESTED),
    field("k8s.ns.name", T::CharBuf, "Label io.kubernetes.pod.namespace.", absent).flags(F::FORMAT_SUGGESTED),
    field("k8s.pod.id", T::CharBuf, "Label io.kubernetes.pod.uid (legacy name).", absent),
    field("k8s.pod.uid", T::CharBuf, "Label io.kubernetes.pod.uid.", absent),
    field("k8s.pod.sandbox_id", T::CharBuf, "First 12 chars of the sandbox container id.", absent),
    field("k8s.pod.full_sandbox_id", T::CharBuf, "Full sandbox container id.", absent),
    field("k8s.pod.label", T::CharBuf, "One pod label (bracket or dot form).", absent).arg(A::KEY.required()),
    field("k8s.pod.labels", T::CharBuf, "Pod labels key:value joined by comma blank.", absent),
    field("k8s.pod.ip", T::CharBuf, "Pod IPv4 address.", absent),
    field("k8s.pod.cni.json", T::CharBuf, "Pod CNI result JSON.", absent),
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
