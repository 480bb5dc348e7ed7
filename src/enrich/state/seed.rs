//! The world as it was when a capture began, from the lists in the capture.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Tracker, processes, sockets};
use crate::decode::scap::fds::{ListedFd, ListedKind, mapped};
use crate::decode::scap::lists::{Account, Interface, Process};
use crate::event::{Fd, FdKind, InContainer, Protocol, Role, Socket, Thread, User, World};

impl Tracker {
    /// Learns an address of the machine.
    pub fn add_interface(&mut self, world: &mut World, interface: Interface) {
        self.interfaces.push((interface.address, interface.netmask));
        world.host.addresses.push(interface.address);
    }

    /// Forgets the addresses of the machine: a new list begins.
    pub fn clear_interfaces(&mut self, world: &mut World) {
        self.interfaces.clear();
        world.host.addresses.clear();
    }

    /// Forgets the users and groups of the machine: a new list begins.
    pub fn clear_accounts(&mut self, world: &mut World) {
        let host = crate::event::no_bytes();
        world.users.remove(&host);
        world.groups.remove(&host);
    }

    /// Learns a user or group.
    pub fn add_account(&mut self, world: &mut World, account: &Account<'_>) {
        let host = crate::event::no_bytes();
        match *account {
            Account::User { uid, name, home, shell, .. } => {
                let user = User { name: name.into(), home: home.into(), shell: shell.into() };
                world.users.entry(host).or_default().insert(uid, user);
            }
            Account::Group { gid, name } => {
                world.groups.entry(host).or_default().insert(gid, name.into());
            }
        }
    }

    /// Learns a thread; it gets its relatives when [`finish_lists`](Self::finish_lists) is called.
    pub fn add_process(&mut self, world: &mut World, process: &Process<'_>) {
        if world.threads.len() >= super::MAX_THREADS {
            return;
        }
        let thread = self.thread_of(process);
        let fds = world.threads.remove(&process.tid).map(|old| old.fds);
        let mut thread = Box::new(thread);
        thread.fds = fds.unwrap_or_default();
        world.threads.insert(process.tid, thread);
    }

    /// Learns a descriptor of a thread that is known; others are of no use.
    pub fn add_fd(&mut self, world: &mut World, tid: i64, listed: &ListedFd<'_>) {
        if let Some(thread) = world.threads.get_mut(&tid) {
            thread.fds.to_mut().insert(listed.num, fd_of(listed));
        }
    }

    /// All lists were read: threads get to know their relatives, and connections whose port is
    /// listened on turn out to be the server's end.
    pub fn finish_lists(&mut self, world: &mut World) {
        let mut tids: Vec<i64> = world.threads.keys().copied().collect();
        tids.sort_unstable();
        for &tid in &tids {
            if let Some(thread) = world.threads.get_mut(&tid) {
                thread.nthreads = 0;
            }
        }
        for &tid in &tids {
            self.families.relate(world, tid);
        }
        let ports: BTreeSet<u16> = world
            .threads
            .values()
            .flat_map(|thread| thread.fds.iter())
            .map(|(_, fd)| fd)
            .filter(|fd| matches!(fd.kind, FdKind::Ipv4Server | FdKind::Ipv6Server))
            .filter_map(|fd| Some(fd.socket?.server?.1))
            .collect();
        for tid in tids {
            let Some(thread) = world.threads.get_mut(&tid) else { continue };
            if !thread.fds.iter().any(|(_, fd)| fd.kind == FdKind::Ipv4Socket) {
                continue;
            }
            for (_, fd) in thread.fds.to_mut().iter_mut() {
                find_role(fd, &ports);
            }
        }
    }

    fn thread_of(&self, process: &Process<'_>) -> Thread {
        let mut thread = Thread::unknown(process.tid, process.pid);
        thread.ptid = process.ptid;
        thread.comm = process.comm.into();
        thread.exe = process.exe.into();
        let exepath = process.exepath;
        thread.exepath = exepath.strip_suffix(b" (deleted)").unwrap_or(exepath).into();
        processes::set_args(&mut thread, process.args);
        if thread.is_main() {
            thread.env = process.env.into();
            thread.cwd = match process.cwd {
                [] | b"/" => b"/"[..].into(),
                cwd => cwd.strip_suffix(b"/").unwrap_or(cwd).into(),
            };
        }
        thread.cgroups = process.cgroups.into();
        thread.container = if process.cgroups.is_empty() {
            InContainer::Host
        } else {
            (self.container_of)(process.cgroups)
        };
        thread.root = process.root.into();
        thread.flags = process.flags;
        thread.uid = Some(process.uid);
        thread.gid = Some(process.gid);
        thread.loginuid = Some(process.loginuid);
        thread.tty = Some(process.tty);
        thread.sid = process.sid;
        thread.pgid = process.pgid;
        thread.vpgid = process.vpgid;
        thread.vtid = process.vtid;
        thread.vpid = process.vpid;
        thread.cap_permitted = Some(process.cap_permitted);
        thread.cap_effective = Some(process.cap_effective);
        thread.cap_inheritable = Some(process.cap_inheritable);
        thread.is_exe_writable = Some(process.is_exe_writable);
        thread.is_exe_upper_layer = Some(process.is_exe_upper_layer);
        thread.is_exe_lower_layer = Some(process.is_exe_lower_layer);
        thread.is_exe_from_memfd = Some(process.is_exe_from_memfd);
        thread.exe_ino = process.exe_ino;
        thread.exe_ino_ctime = process.exe_ino_ctime;
        thread.exe_ino_mtime = process.exe_ino_mtime;
        thread.pidns_init_start_ts = process.pidns_init_start_ts;
        thread.fdlimit = Some(process.fdlimit);
        thread.vm_size_kb = Some(process.vm_size_kb);
        thread.vm_rss_kb = Some(process.vm_rss_kb);
        thread.vm_swap_kb = Some(process.vm_swap_kb);
        thread.pfmajor = Some(process.pfmajor);
        thread.pfminor = Some(process.pfminor);
        processes::set_unsaid(&mut thread);
        thread
    }
}

fn fd_of(listed: &ListedFd<'_>) -> Fd {
    let mut fd = match listed.kind {
        ListedKind::Unknown => Fd::new(FdKind::Unknown),
        ListedKind::Connection { source, dest, protocol } => {
            let protocol = protocol_of(protocol);
            let (source, dest) = match (mapped(source.0), mapped(dest.0)) {
                (Some(own), Some(peer)) => {
                    ((IpAddr::V4(own), source.1), (IpAddr::V4(peer), dest.1))
                }
                _ => (source, dest),
            };
            let kind = if source.0.is_ipv4() { FdKind::Ipv4Socket } else { FdKind::Ipv6Socket };
            let mut fd = Fd::new(kind);
            let socket = Socket {
                client: Some(source),
                server: Some(dest),
                protocol,
                is_connected: protocol == Protocol::Tcp,
                ..Socket::default()
            };
            fd.name = sockets::tuple_name(&socket);
            fd.socket = Some(socket);
            fd
        }
        ListedKind::Listening { address, protocol } => {
            let is_v4 = address.0.is_ipv4();
            let mut fd = Fd::new(if is_v4 { FdKind::Ipv4Server } else { FdKind::Ipv6Server });
            fd.name = format!("{}:{}", address.0, address.1).into_bytes().into();
            fd.socket = Some(Socket {
                server: Some(address),
                protocol: protocol_of(protocol),
                ..Socket::default()
            });
            fd
        }
        ListedKind::Unix { source, dest, path } => {
            let mut fd = Fd::new(FdKind::UnixSocket);
            fd.name = path.into();
            let role = if path.is_empty() { Role::Client } else { Role::Server };
            fd.socket =
                Some(Socket { unix_ends: (source, dest), role: Some(role), ..Socket::default() });
            fd
        }
        ListedKind::File { flags, path, dev } => {
            let mut fd = Fd::new(FdKind::File);
            fd.name = path.into();
            fd.flags = flags;
            fd.dev = dev;
            fd
        }
        ListedKind::Named { ty, name } => {
            let mut fd = Fd::new(named_kind(ty));
            fd.name = name.into();
            fd
        }
        ListedKind::Newer { ty } => {
            let mut fd = Fd::new(FdKind::Unsupported);
            fd.name = format!("unknown-type:[{ty}]").into_bytes().into();
            fd
        }
    };
    fd.ino = listed.ino;
    fd
}

/// The side of a listed IPv4 connection: the server's, if the process listens on its port.
fn find_role(fd: &mut Fd, server_ports: &BTreeSet<u16>) {
    if fd.kind != FdKind::Ipv4Socket {
        return;
    }
    let Some(socket) = &mut fd.socket else { return };
    if socket.client.is_some_and(|(_, port)| server_ports.contains(&port)) {
        (socket.client, socket.server) = (socket.server, socket.client);
        socket.role = Some(Role::Server);
        fd.name = sockets::tuple_name(socket);
    } else {
        socket.role = Some(Role::Client);
    }
}

const fn protocol_of(number: u8) -> Protocol {
    match number {
        1 => Protocol::NotApplicable,
        2 => Protocol::Tcp,
        3 => Protocol::Udp,
        4 => Protocol::Icmp,
        5 => Protocol::Raw,
        _ => Protocol::Unknown,
    }
}

const fn named_kind(ty: u8) -> FdKind {
    match ty {
        1 => FdKind::File,
        2 => FdKind::Directory,
        7 => FdKind::Pipe,
        9 => FdKind::Event,
        11 => FdKind::Signal,
        12 => FdKind::EventPoll,
        13 => FdKind::Inotify,
        14 => FdKind::Timer,
        15 => FdKind::Netlink,
        17 => FdKind::Bpf,
        18 => FdKind::UserFault,
        19 => FdKind::IoUring,
        20 => FdKind::MemFd,
        21 => FdKind::PidFd,
        _ => FdKind::Unsupported,
    }
}
