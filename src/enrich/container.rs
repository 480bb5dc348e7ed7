//! What is known of a container beside its id: from the state that docker and containerd keep on
//! disk. No socket is asked, so no runtime can make an event wait.
//!
//! A container that can't be found is looked for again after 100 ms, then ever later, at the
//! latest every minute: the runtime may write its state after the container's first program runs.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::cgroup::Runtime;
use super::settings::below_root;
use crate::event::Bytes;
use crate::event::Container;
use crate::event::Mount;

/// No file larger than this is read: 1 MiB.
const MAX_FILE: u64 = 1 << 20;

/// Containers that are remembered, found or not; when there are more, all are forgotten.
const MAX_CONTAINERS: usize = 4096;

const FIRST_RETRY_NS: u64 = 100_000_000;
const LAST_RETRY_NS: u64 = 60_000_000_000;

/// Finds what is known of containers.
#[derive(Debug)]
pub struct Containers {
    host_root: PathBuf,
    /// Where docker's state may be, likeliest first.
    docker_roots: Vec<PathBuf>,
    containerd_state: PathBuf,
    missing: FxHashMap<Bytes, Missing>,
}

/// A container that was looked for in vain.
#[derive(Debug)]
struct Missing {
    retry_at_ns: u64,
    delay_ns: u64,
}

impl Containers {
    /// Places as in [`Settings`](super::Settings).
    #[must_use]
    pub fn new(host_root: PathBuf, docker_root: PathBuf, containerd_state: PathBuf) -> Self {
        let (docker_roots, missing) = (vec![docker_root], FxHashMap::default());
        Self { host_root, docker_roots, containerd_state, missing }
    }

    /// Notes where docker's configuration says that its state is.
    pub fn read_docker_configuration(&mut self) {
        let configuration: Option<DockerDaemon> =
            read_json(&self.host_root.join("etc/docker/daemon.json"));
        if let Some(root) = configuration.and_then(|found| found.data_root.or(found.graph)) {
            self.add_docker_root(root);
        }
    }

    /// Notes where a docker daemon with these arguments keeps its state. Only root's daemon of the
    /// host counts: who tells of containers decides which rules except them.
    pub fn note_docker_daemon<'a>(&mut self, arguments: impl Iterator<Item = &'a [u8]>) {
        const NAMES: [&[u8]; 4] = [b"--data-root", b"--graph", b"-g", b"-data-root"];
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let value = NAMES.iter().find_map(|name| match argument.strip_prefix(*name) {
                Some(b"") => arguments.next(),
                Some(rest) => rest.strip_prefix(b"="),
                None => None,
            });
            if let Some(root) = value {
                self.add_docker_root(PathBuf::from(OsStr::from_bytes(root)));
            }
        }
    }

    fn add_docker_root(&mut self, root: PathBuf) {
        // More daemons than that are not looked after.
        const MAX: usize = 8;
        if !root.is_absolute() || self.docker_roots.len() >= MAX {
            return;
        }
        let root = below_root(&self.host_root, &root);
        if !self.docker_roots.contains(&root) {
            self.docker_roots.push(root);
        }
    }

    /// Adds the container `id` to `known` if it can be found and isn't there.
    pub fn find(
        &mut self,
        id: &Bytes,
        runtime: Runtime,
        full_id: &[u8],
        now_ns: u64,
        known: &mut FxHashMap<Bytes, Container>,
    ) {
        if known.contains_key(id) {
            return;
        }
        if self.missing.get(id).is_some_and(|missing| now_ns < missing.retry_at_ns) {
            return;
        }
        if let Some(container) = self.read(runtime, full_id) {
            if known.len() >= MAX_CONTAINERS {
                known.clear();
            }
            self.missing.remove(id);
            known.insert(Bytes::clone(id), container);
            return;
        }
        if self.missing.len() >= MAX_CONTAINERS {
            self.missing.clear();
        }
        let missing = self
            .missing
            .entry(Bytes::clone(id))
            .or_insert(Missing { retry_at_ns: 0, delay_ns: FIRST_RETRY_NS / 2 });
        missing.delay_ns = (missing.delay_ns * 2).min(LAST_RETRY_NS);
        missing.retry_at_ns = now_ns.saturating_add(missing.delay_ns);
    }

    /// Forgets those that `is_inhabited` denies.
    pub fn retain(
        &mut self,
        is_inhabited: impl Fn(&Bytes) -> bool,
        known: &mut FxHashMap<Bytes, Container>,
    ) {
        known.retain(|id, _| is_inhabited(id));
        self.missing.retain(|id, _| is_inhabited(id));
    }

    fn read(&self, runtime: Runtime, full_id: &[u8]) -> Option<Container> {
        // It goes into a path: only what ids are made of, so no `..` and no slash.
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
        let full_id =
            std::str::from_utf8(full_id).ok().filter(|id| id.bytes().all(|b| is_plain(&b)))?;
        match runtime {
            Runtime::Docker => self.read_docker(full_id).or_else(|| self.read_containerd(full_id)),
            Runtime::Cri | Runtime::Containerd => self.read_containerd(full_id),
            Runtime::Podman | Runtime::Lxc | Runtime::LibvirtLxc | Runtime::Bpm => None,
        }
    }

    fn read_docker(&self, full_id: &str) -> Option<Container> {
        let (directory, config) = self.docker_roots.iter().find_map(|root| {
            let directory = root.join("containers").join(full_id);
            let config: DockerConfig = read_json(&directory.join("config.v2.json"))?;
            Some((directory, config))
        })?;
        let host: DockerHostConfig =
            read_json(&directory.join("hostconfig.json")).unwrap_or_default();
        Some(config.into_container(full_id, &host))
    }

    fn read_containerd(&self, full_id: &str) -> Option<Container> {
        let tasks = self.containerd_state.join("io.containerd.runtime.v2.task");
        // The namespace isn't in the cgroup of a pod; containers are in few of them.
        let namespaces = ["k8s.io", "default"];
        let config: BundleConfig = namespaces.iter().find_map(|namespace| {
            read_json(&tasks.join(namespace).join(full_id).join("config.json"))
        })?;
        Some(config.into_container(full_id))
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    let file = File::open(path).ok()?;
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Docker's `daemon.json`, as far as it is used; `graph` is the older name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct DockerDaemon {
    data_root: Option<PathBuf>,
    graph: Option<PathBuf>,
}

/// Docker's `config.v2.json`, as far as it is used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerConfig {
    name: Option<String>,
    /// `sha256:…`
    image: Option<String>,
    config: Option<DockerInnerConfig>,
    #[serde(default)]
    mount_points: FxHashMap<String, DockerMount>,
    network_settings: Option<DockerNetworks>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerInnerConfig {
    image: Option<String>,
    labels: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerMount {
    source: Option<String>,
    destination: Option<String>,
    #[serde(rename = "RW")]
    is_read_write: Option<bool>,
    mode: Option<String>,
    relabel: Option<String>,
    propagation: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerNetworks {
    networks: Option<FxHashMap<String, DockerNetwork>>,
}

#[derive(Debug, Deserialize)]
struct DockerNetwork {
    #[serde(rename = "IPAddress")]
    address: Option<String>,
}

/// Docker's `hostconfig.json`, as far as it is used.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DockerHostConfig {
    privileged: Option<bool>,
    pid_mode: Option<String>,
    ipc_mode: Option<String>,
    network_mode: Option<String>,
}

impl DockerConfig {
    fn into_container(self, full_id: &str, host: &DockerHostConfig) -> Container {
        let mut container = Container {
            full_id: Some(bytes(full_id)),
            runtime: Some(bytes("docker")),
            name: self.name.as_deref().map(|name| bytes(name.trim_start_matches('/'))),
            image_id: self
                .image
                .as_deref()
                .map(|id| bytes(id.strip_prefix("sha256:").unwrap_or(id))),
            privileged: host.privileged,
            host_pid: host.pid_mode.as_deref().map(|mode| mode == "host"),
            host_ipc: host.ipc_mode.as_deref().map(|mode| mode == "host"),
            host_network: host.network_mode.as_deref().map(|mode| mode == "host"),
            ..Container::default()
        };
        let addresses = self.network_settings.and_then(|settings| settings.networks);
        container.ip = addresses
            .iter()
            .flat_map(FxHashMap::values)
            .filter_map(|network| network.address.as_deref())
            .find(|address| !address.is_empty())
            .map(bytes);
        if let Some(config) = self.config {
            if let Some(image) = config.image {
                name_image(&mut container, &image);
            }
            container.labels = labels(config.labels.unwrap_or_default());
        }
        let mut mounts: Vec<_> = self.mount_points.into_values().map(Mount::from).collect();
        mounts.sort_by(|a, b| a.dest.cmp(&b.dest));
        container.mounts = mounts;
        container
    }
}

impl From<DockerMount> for Mount {
    fn from(mount: DockerMount) -> Self {
        let text = |value: Option<String>| bytes(value.as_deref().unwrap_or_default());
        Self {
            source: text(mount.source),
            dest: text(mount.destination),
            mode: text(mount.mode.or(mount.relabel)),
            is_read_write: mount.is_read_write.unwrap_or(true),
            propagation: text(mount.propagation),
        }
    }
}

/// A bundle's `config.json` (OCI runtime specification), as far as it is used.
#[derive(Debug, Deserialize)]
struct BundleConfig {
    #[serde(default)]
    annotations: FxHashMap<String, String>,
}

impl BundleConfig {
    fn into_container(self, full_id: &str) -> Container {
        const PREFIX: &str = "io.kubernetes.cri.";
        let annotation =
            |name: &str| self.annotations.get(&format!("{PREFIX}{name}")).map(String::as_str);
        let mut container = Container {
            full_id: Some(bytes(full_id)),
            runtime: Some(bytes("containerd")),
            name: annotation("container-name").map(bytes),
            is_pod_sandbox: annotation("container-type") == Some("sandbox"),
            pod_sandbox_id: annotation("sandbox-id").map(bytes),
            ..Container::default()
        };
        if let Some(image) = annotation("image-name").filter(|_| !container.is_pod_sandbox) {
            name_image(&mut container, image);
        }
        // The labels that the k8s.* fields read, by the names that the kubelet gives them.
        for (label, source) in [
            ("io.kubernetes.container.name", "container-name"),
            ("io.kubernetes.pod.name", "sandbox-name"),
            ("io.kubernetes.pod.namespace", "sandbox-namespace"),
            ("io.kubernetes.pod.uid", "sandbox-uid"),
        ] {
            if let Some(value) = annotation(source) {
                container.labels.push((bytes(label), bytes(value)));
            }
        }
        container
    }
}

fn labels(map: serde_json::Map<String, serde_json::Value>) -> Vec<(Bytes, Bytes)> {
    map.into_iter().filter_map(|(key, value)| Some((bytes(&key), bytes(value.as_str()?)))).collect()
}

/// `registry:5000/name:tag@digest` into its parts.
fn name_image(container: &mut Container, image: &str) {
    container.image = Some(bytes(image));
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    // A colon before a slash is the registry's port.
    let (repository, tag) = match rest.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (rest, ""),
    };
    container.image_repository = Some(bytes(repository));
    container.image_tag = Some(bytes(tag));
    container.image_digest = digest.map(bytes);
}

fn bytes(text: &str) -> Bytes {
    Bytes::from(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ID: &str = "5d068b2dd2256539dfccbc0dc617e35e42e49bc4e099ab80bbb40fb31c3b9b03";

    fn find(
        containers: &mut Containers,
        known: &mut FxHashMap<Bytes, Container>,
        runtime: Runtime,
        now_ns: u64,
    ) -> Option<Container> {
        let id = bytes(&ID[..12]);
        containers.find(&id, runtime, ID.as_bytes(), now_ns, known);
        known.get(&id).cloned()
    }

    fn text(value: Option<&Bytes>) -> &str {
        std::str::from_utf8(value.unwrap()).unwrap()
    }

    #[test]
    fn docker_tells_name_image_mounts_and_labels() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("containers").join(ID);
        fs::create_dir_all(&directory).unwrap();
        fs::write(
            directory.join("config.v2.json"),
            r#"{"Name":"/web","Image":"sha256:abc","Config":{"Image":"reg:5000/a/nginx:1.2",
            "Labels":{"b":"2","a":"1"}},"MountPoints":{"/data":{"Source":"/srv","Destination":
            "/data","RW":false,"Propagation":"rprivate","Mode":"ro"}},
            "NetworkSettings":{"Networks":{"bridge":{"IPAddress":"172.17.0.2"}}}}"#,
        )
        .unwrap();
        fs::write(directory.join("hostconfig.json"), r#"{"Privileged":true,"PidMode":"host"}"#)
            .unwrap();
        let mut containers = Containers::new("/".into(), root.path().into(), root.path().into());
        let found = find(&mut containers, &mut FxHashMap::default(), Runtime::Docker, 0).unwrap();
        assert_eq!(text(found.name.as_ref()), "web");
        assert_eq!(text(found.image.as_ref()), "reg:5000/a/nginx:1.2");
        assert_eq!(text(found.image_repository.as_ref()), "reg:5000/a/nginx");
        assert_eq!(text(found.image_tag.as_ref()), "1.2");
        assert_eq!(text(found.image_id.as_ref()), "abc");
        assert_eq!(text(found.ip.as_ref()), "172.17.0.2");
        assert_eq!(
            (found.privileged, found.host_pid, found.host_ipc),
            (Some(true), Some(true), None)
        );
        assert_eq!(found.labels.len(), 2);
        assert_eq!((found.mounts.len(), found.mounts[0].is_read_write), (1, false));
    }

    #[test]
    fn a_container_not_yet_written_is_looked_for_again_later() {
        let root = tempfile::tempdir().unwrap();
        let mut containers = Containers::new("/".into(), root.path().into(), root.path().into());
        let mut known = FxHashMap::default();
        assert!(find(&mut containers, &mut known, Runtime::Docker, 0).is_none());
        let directory = root.path().join("containers").join(ID);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("config.v2.json"), r#"{"Name":"/late"}"#).unwrap();
        assert!(find(&mut containers, &mut known, Runtime::Docker, FIRST_RETRY_NS - 1).is_none());
        assert!(find(&mut containers, &mut known, Runtime::Docker, FIRST_RETRY_NS).is_some());
    }

    #[test]
    fn a_daemon_with_its_state_elsewhere_is_known_by_its_arguments() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("containers").join(ID);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("config.v2.json"), r#"{"Name":"/there"}"#).unwrap();
        let mut containers = Containers::new("/".into(), "/nowhere".into(), "/nowhere".into());
        let path = root.path().to_str().unwrap();
        containers
            .note_docker_daemon([&b"-H"[..], b"x", b"--data-root", path.as_bytes()].into_iter());
        assert!(find(&mut containers, &mut FxHashMap::default(), Runtime::Docker, 0).is_some());
        let joined = format!("--graph={path}/x");
        containers.note_docker_daemon([joined.as_bytes(), b"--data-root=relative"].into_iter());
        assert_eq!(containers.docker_roots.len(), 3);
    }

    #[test]
    fn the_daemons_configuration_tells_where_its_state_is() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/docker")).unwrap();
        fs::write(root.path().join("etc/docker/daemon.json"), r#"{"data-root":"/srv/docker"}"#)
            .unwrap();
        let mut containers = Containers::new(root.path().into(), "/a".into(), "/b".into());
        containers.read_docker_configuration();
        assert_eq!(containers.docker_roots[1], root.path().join("srv/docker"));
    }

    #[test]
    fn a_pod_tells_its_kubernetes_names_by_labels() {
        let root = tempfile::tempdir().unwrap();
        let bundle = root.path().join("io.containerd.runtime.v2.task/k8s.io").join(ID);
        fs::create_dir_all(&bundle).unwrap();
        fs::write(
            bundle.join("config.json"),
            r#"{"annotations":{"io.kubernetes.cri.container-name":"app","io.kubernetes.cri.image-name":
            "docker.io/library/redis:7@sha256:1","io.kubernetes.cri.sandbox-namespace":"prod"}}"#,
        )
        .unwrap();
        let mut containers = Containers::new("/".into(), root.path().into(), root.path().into());
        let found = find(&mut containers, &mut FxHashMap::default(), Runtime::Cri, 0).unwrap();
        assert_eq!(text(found.name.as_ref()), "app");
        assert_eq!(text(found.image_repository.as_ref()), "docker.io/library/redis");
        assert_eq!(text(found.image_digest.as_ref()), "sha256:1");
        assert!(found.labels.contains(&(bytes("io.kubernetes.pod.namespace"), bytes("prod"))));
    }

    #[test]
    fn an_id_that_is_a_path_is_not_looked_for() {
        let containers = Containers::new("/".into(), "/".into(), "/".into());
        assert!(containers.read(Runtime::Docker, b"../../etc").is_none());
    }
}
