//! Containers, users and groups as the rules see them; filled by `enrich`, read by `fields`.

use super::thread::Bytes;

/// What is known of a container. Text that was not told is `None`.
#[derive(Clone, Debug, Default)]
pub struct Container {
    /// All of its id; the world's table has it by the short one.
    pub full_id: Option<Bytes>,
    /// `docker`, `podman`, `containerd` … as `container.type` prints it.
    pub runtime: Option<Bytes>,
    /// Its name, without the slash that docker puts before it.
    pub name: Option<Bytes>,
    /// The image as it was named when the container was made: `registry/name:tag`.
    pub image: Option<Bytes>,
    /// The image's id.
    pub image_id: Option<Bytes>,
    /// The image's name without tag and digest.
    pub image_repository: Option<Bytes>,
    /// The image's tag.
    pub image_tag: Option<Bytes>,
    /// The image's digest: `sha256:…`.
    pub image_digest: Option<Bytes>,
    /// Its first IPv4 address, as text.
    pub ip: Option<Bytes>,
    /// The result of its network plugins, as JSON text.
    pub cni_json: Option<Bytes>,
    /// It may do everything that the host may.
    pub privileged: Option<bool>,
    /// It shares the host's pid namespace.
    pub host_pid: Option<bool>,
    /// It shares the host's network namespace.
    pub host_network: Option<bool>,
    /// It shares the host's IPC namespace.
    pub host_ipc: Option<bool>,
    /// It only holds the namespaces of a pod.
    pub is_pod_sandbox: bool,
    /// Id of the container that holds the namespaces of its pod.
    pub pod_sandbox_id: Option<Bytes>,
    /// What is mounted into it, in the order told.
    pub mounts: Vec<Mount>,
    /// Labels in the order told.
    pub labels: Vec<(Bytes, Bytes)>,
    /// Labels of its pod, in the order told.
    pub pod_labels: Vec<(Bytes, Bytes)>,
}

/// One mount of a container.
#[derive(Clone, Debug)]
pub struct Mount {
    /// What is mounted: a path of the host, or the name of a volume.
    pub source: Bytes,
    /// Where, as the container sees it.
    pub dest: Bytes,
    /// Options of the mount, as they were told.
    pub mode: Bytes,
    /// It may be written to.
    pub is_read_write: bool,
    /// How mounts below it spread: `rprivate`, `rshared` …; see mount_namespaces(7).
    pub propagation: Bytes,
}

/// An entry of passwd(5).
#[derive(Clone, Debug)]
pub struct User {
    /// Login name.
    pub name: Bytes,
    /// Home directory.
    pub home: Bytes,
    /// Program that is run at login.
    pub shell: Bytes,
}
