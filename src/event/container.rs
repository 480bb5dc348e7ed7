//! Containers, users and groups as the rules see them; filled by `enrich`, read by `fields`.

use super::thread::Bytes;

/// What is known of a container. Text that was not told is `None`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "Falco's field names")]
pub struct Container {
    pub full_id: Option<Bytes>,
    /// `docker`, `podman`, `containerd` … as `container.type` prints it.
    pub runtime: Option<Bytes>,
    pub name: Option<Bytes>,
    pub image: Option<Bytes>,
    pub image_id: Option<Bytes>,
    pub image_repository: Option<Bytes>,
    pub image_tag: Option<Bytes>,
    pub image_digest: Option<Bytes>,
    pub ip: Option<Bytes>,
    pub cni_json: Option<Bytes>,
    pub privileged: Option<bool>,
    pub host_pid: Option<bool>,
    pub host_network: Option<bool>,
    pub host_ipc: Option<bool>,
    pub is_pod_sandbox: bool,
    pub pod_sandbox_id: Option<Bytes>,
    pub mounts: Vec<Mount>,
    /// Labels in the order told.
    pub labels: Vec<(Bytes, Bytes)>,
    pub pod_labels: Vec<(Bytes, Bytes)>,
}

/// One mount of a container.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "Falco's field names")]
pub struct Mount {
    pub source: Bytes,
    pub dest: Bytes,
    pub mode: Bytes,
    pub is_read_write: bool,
    pub propagation: Bytes,
}

/// An entry of passwd(5).
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "passwd(5)'s names")]
pub struct User {
    pub name: Bytes,
    pub home: Bytes,
    pub shell: Bytes,
}
