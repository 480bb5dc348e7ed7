//! What container events tell: the JSON that Falco's container plugin writes into captures.

use serde_json::Value;

use super::RawEvent;
use crate::event::{Bytes, Container, Mount, World, known};

/// Learns a container from a `container` event, or an `asyncevent` of that name.
pub(super) fn learn(world: &mut World, raw: &RawEvent<'_>) {
    let json = if raw.ty == known::CONTAINER {
        raw.bytes(0)
    } else if raw.bytes(1) == Some(b"container") {
        raw.bytes(2)
    } else {
        None
    };
    let json = json.map(|json| json.strip_suffix(b"\0").unwrap_or(json));
    let Some(root) = json.and_then(|json| serde_json::from_slice::<Value>(json).ok()) else {
        return;
    };
    let container = root.get("container").unwrap_or(&root);
    if let Some(id) = text(container, "id") {
        world.containers.insert(id, from_json(container));
    }
}

fn from_json(json: &Value) -> Container {
    let image = text(json, "image");
    Container {
        full_id: text(json, "full_id"),
        runtime: json.get("type").and_then(runtime),
        name: text(json, "name"),
        image,
        image_id: text(json, "imageid"),
        image_repository: text(json, "imagerepo"),
        image_tag: text(json, "imagetag"),
        image_digest: text(json, "imagedigest"),
        ip: text(json, "ip"),
        cni_json: text(json, "cni_json"),
        privileged: flag(json, "privileged").or(Some(false)),
        host_pid: flag(json, "host_pid").or(Some(false)),
        host_network: flag(json, "host_network").or(Some(false)),
        host_ipc: flag(json, "host_ipc").or(Some(false)),
        is_pod_sandbox: flag(json, "is_pod_sandbox").unwrap_or(false),
        pod_sandbox_id: text(json, "pod_sandbox_id"),
        mounts: mounts(json),
        labels: pairs(json, "labels"),
        pod_labels: pairs(json, "pod_sandbox_labels"),
    }
}

/// Names of the numbers of runtimes, as `container.type` prints them.
fn runtime(value: &Value) -> Option<Bytes> {
    let name = match value {
        Value::String(name) => name.as_str(),
        Value::Number(number) => match number.as_u64()? {
            0 => "docker",
            1 => "lxc",
            2 => "libvirt-lxc",
            3 => "mesos",
            4 => "rkt",
            6 => "cri",
            7 => "containerd",
            8 => "cri-o",
            9 => "bpm",
            10 => "static",
            11 => "podman",
            _ => return None,
        },
        _ => return None,
    };
    Some(name.as_bytes().into())
}

fn text(json: &Value, key: &str) -> Option<Bytes> {
    json.get(key)?.as_str().map(|text| text.as_bytes().into())
}

fn flag(json: &Value, key: &str) -> Option<bool> {
    json.get(key)?.as_bool()
}

fn mounts(json: &Value) -> Vec<Mount> {
    let Some(mounts) = json.get("Mounts").and_then(Value::as_array) else { return Vec::new() };
    let part = |mount: &Value, key: &str| text(mount, key).unwrap_or_default();
    mounts
        .iter()
        .map(|mount| Mount {
            source: part(mount, "Source"),
            dest: part(mount, "Destination"),
            mode: part(mount, "Mode"),
            is_read_write: flag(mount, "RW").unwrap_or(false),
            propagation: part(mount, "Propagation"),
        })
        .collect()
}

fn pairs(json: &Value, key: &str) -> Vec<(Bytes, Bytes)> {
    let Some(map) = json.get(key).and_then(Value::as_object) else { return Vec::new() };
    map.iter()
        .map(|(name, value)| {
            (name.as_bytes().into(), value.as_str().unwrap_or("").as_bytes().into())
        })
        .collect()
}
