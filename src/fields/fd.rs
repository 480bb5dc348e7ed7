//! `fd.*`: the descriptor that an event is about.

use super::text::{Text, joined};
use super::tuple::{self, End, Side};
use super::{
    Arg, ArgKind as A, Compare, FieldClass, FieldFlags as F, FieldInfo, absent, evt_open, field,
    names, path, render,
};
use crate::event::{
    DataType as T, Event, EventType, Fd, FdKind, FdNumber, InContainer, Param, Protocol, Value,
    known,
};

/// Every syscall that has a file descriptor in its arguments has these fields set with information related to the file.
pub static CLASS: FieldClass = FieldClass {
    name: "fd",
    short: "",
    doc: "Every syscall that has a file descriptor in its arguments has these fields set with information related to the file.",
    fields: CLASS_FIELDS,
};

#[rustfmt::skip]
static CLASS_FIELDS: &[FieldInfo] = &[
    field("fd.num", T::Int64, "Number of the descriptor of the event.", num),
    field("fd.type", T::CharBuf, "Kind of fd.", kind),
    field("fd.typechar", T::CharBuf, "One-letter kind of fd.", kind_char),
    field("fd.name", T::CharBuf, "Full path, tuple text or other name.", name_value).flags(F::SANITISED),
    field("fd.directory", T::CharBuf, "Directory part of the path.", |e, _| directory(e).map(Value::Bytes)).flags(F::SANITISED).begins_as(name_value),
    field("fd.filename", T::CharBuf, "Last component of the path.", filename).flags(F::SANITISED),
    field("fd.ip", T::IpAddr, "Either end address.", either_ip).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER).compare(Compare::EitherEnd(either_ip)),
    field("fd.cip", T::IpAddr, "Client address.", |e, _| ip(e, Side::Client)),
    field("fd.sip", T::IpAddr, "Server address.", |e, _| ip(e, Side::Server)),
    field("fd.lip", T::IpAddr, "Local address.", |e, _| ip(e, Side::Local)),
    field("fd.rip", T::IpAddr, "Remote address.", |e, _| ip(e, Side::Remote)),
    field("fd.port", T::Port, "Either end port.", either_port).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER).compare(Compare::EitherEnd(either_port)),
    field("fd.cport", T::Port, "Client port.", |e, _| port(e, Side::Client)),
    field("fd.sport", T::Port, "Server port.", |e, _| port(e, Side::Server)),
    field("fd.lport", T::Port, "Local port.", |e, _| port(e, Side::Local)),
    field("fd.rport", T::Port, "Remote port.", |e, _| port(e, Side::Remote)),
    field("fd.l4proto", T::CharBuf, "tcp, udp, icmp, raw or <NA>.", l4proto),
    field("fd.sockfamily", T::CharBuf, "ip or unix.", sockfamily),
    field("fd.is_server", T::Bool, "Process side owns the server end.", is_server),
    field("fd.uid", T::CharBuf, "Tid and fd number concatenated as text.", uid),
    field("fd.containername", T::CharBuf, "Container id, colon, fd.name.", |e, _| in_container(e, name(e)?)).flags(F::SANITISED),
    field("fd.containerdirectory", T::CharBuf, "Container id, colon, fd.directory.", |e, _| in_container(e, directory(e)?)).flags(F::SANITISED),
    field("fd.proto", T::Port, "Either end port, by service name.", either_port).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER).compare(Compare::EitherEnd(either_port)),
    field("fd.cproto", T::CharBuf, "Client port as text.", |e, _| port_text(e, Side::Client)),
    field("fd.sproto", T::CharBuf, "Server port as text.", |e, _| port_text(e, Side::Server)),
    field("fd.lproto", T::CharBuf, "Local port as text.", |e, _| port_text(e, Side::Local)),
    field("fd.rproto", T::CharBuf, "Remote port as text.", |e, _| port_text(e, Side::Remote)),
    field("fd.net", T::IpNet, "Either end in the network.", either_ip).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER).compare(Compare::EitherEnd(either_ip)),
    field("fd.cnet", T::IpNet, "Client address in the network.", |e, _| ip(e, Side::Client)).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.snet", T::IpNet, "Server address in the network.", |e, _| ip(e, Side::Server)).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.lnet", T::IpNet, "Local address in the network.", |e, _| ip(e, Side::Local)).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.rnet", T::IpNet, "Remote address in the network.", |e, _| ip(e, Side::Remote)).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.connected", T::Bool, "Socket connection state.", |e, _| Some(Value::Bool(info(e)?.socket.is_some_and(|socket| socket.is_connected)))),
    field("fd.name_changed", T::Bool, "This event changed fd.name.", |e, _| info(e).map(|_| Value::Bool(e.fd.name_changed))),
    field("fd.cip.name", T::CharBuf, "DNS name of the client.", absent).flags(F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.sip.name", T::CharBuf, "DNS name of the server.", absent).flags(F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.lip.name", T::CharBuf, "DNS name of the local end.", absent).flags(F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.rip.name", T::CharBuf, "DNS name of the remote end.", absent).flags(F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.dev", T::Int32, "Device number, hex in text.", |e, _| Some(Value::Int(info(e)?.dev.cast_signed().into()))).flags(F::PF_HEX),
    field("fd.dev.major", T::Int32, "Device major.", |e, _| Some(Value::Int((info(e)?.dev >> 8 & 0xfff).into()))),
    field("fd.dev.minor", T::Int32, "Device minor.", |e, _| info(e).map(|fd| Value::Int((fd.dev & 0xff | fd.dev >> 12 & 0xf_ff00).into()))),
    field("fd.ino", T::Int64, "Inode.", |e, _| Some(Value::Int(info(e)?.ino.cast_signed()))),
    field("fd.nameraw", T::CharBuf, "Path as given to the syscall.", name_raw).flags(F::SANITISED),
    field("fd.types", T::CharBuf, "Set of fd kinds open in the process, or kind of fd N.", types).arg(A::INDEX).flags(F::IS_LIST | F::NO_RHS),
    field("fd.is_upper_layer", T::Bool, "File in overlayfs upper layer.", |e, _| Some(Value::Bool(info(e)?.is_upper_layer))),
    field("fd.is_lower_layer", T::Bool, "File in overlayfs lower layer.", |e, _| Some(Value::Bool(info(e)?.is_lower_layer))),
];

/// Whether it is an event with a descriptor.
pub(super) fn has_fd(event: &Event<'_>) -> bool {
    event.ty.info().has_fd()
}

/// What is known of the event's descriptor; nothing for events that have none.
/// An accept of which no address was told is still about the number that it returned.
#[inline]
pub(super) fn info<'a>(event: &Event<'a>) -> Option<&'a Fd> {
    if !has_fd(event) {
        return None;
    }
    match event.fd.info {
        Some(info) if event.world.leftovers.is_none() => Some(info),
        _ => info_elsewhere(event),
    }
}

/// The same where it isn't the event's own.
fn info_elsewhere<'a>(event: &Event<'a>) -> Option<&'a Fd> {
    let shown = evt_open::looked_at(event).flatten().or(event.fd.info);
    shown.or_else(|| match event.fd.num {
        FdNumber::Known(num @ 0..) => event.world.fd_table(event.thread?)?.get(num),
        _ => None,
    })
}

fn num<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    if !has_fd(event) {
        return None;
    }
    match event.fd.num {
        FdNumber::None => None,
        FdNumber::Known(num) => Some(Value::Int(num)),
        FdNumber::NotNegative => Some(Value::NotNegative),
    }
}

fn kind<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    Some(Value::Bytes(names::fd_type(info(event)?.kind).as_bytes()))
}

fn kind_char<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    if !has_fd(event) {
        return None;
    }
    let kind = info(event).map_or_else(|| kind_made_by(event.ty), |fd| fd.kind);
    Some(Value::Bytes(names::fd_type_char(kind).as_bytes()))
}

/// What a call makes when it succeeds; Falco takes every socket for IPv4 here.
pub(super) const fn kind_made_by(ty: EventType) -> FdKind {
    match ty {
        // Not open: Falco still asks for its enter event, which isn't shown any more.
        known::OPENAT | known::OPENAT2 | known::CREAT => FdKind::File,
        known::SOCKET | known::ACCEPT | known::ACCEPT4 => FdKind::Ipv4Socket,
        known::PIPE | known::PIPE2 => FdKind::Pipe,
        known::EVENTFD | known::EVENTFD2 => FdKind::Event,
        known::SIGNALFD | known::SIGNALFD4 => FdKind::Signal,
        known::TIMERFD_CREATE => FdKind::Timer,
        known::INOTIFY_INIT | known::INOTIFY_INIT1 => FdKind::Inotify,
        _ => FdKind::Unknown,
    }
}

/// `fd.name`: from the descriptor, or of a call that didn't make one from its parameters.
#[must_use]
pub fn name<'a>(event: &Event<'a>) -> Option<&'a [u8]> {
    if !has_fd(event) {
        return None;
    }
    name_of(event, info(event))
}

fn name_value<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    name(event).map(Value::Bytes)
}

fn name_of<'a>(event: &Event<'a>, info: Option<&'a Fd>) -> Option<&'a [u8]> {
    match info {
        Some(fd) if tuple::is_partial(fd) => None,
        Some(fd) => Some(tuple::fd_name(event.arena, fd)),
        None => name_from_params(event),
    }
}

/// The path or address that the event itself carries; empty for events that carry none.
fn name_from_params<'a>(event: &Event<'a>) -> Option<&'a [u8]> {
    match event.ty {
        known::OPEN | known::CREAT | known::ACCEPT | known::ACCEPT4 | known::CONNECT => {
            render::argument(event, 1)
        }
        known::OPENAT | known::OPENAT2 => {
            let given = text_of(event.param(2))?;
            let base = match event.param(1).as_i64() {
                _ if given.starts_with(b"/") => b"",
                Some(dirfd) => path::base_of(event, dirfd).unwrap_or(path::UNKNOWN),
                None => return None,
            };
            Some(path::join(event.arena, base, given))
        }
        known::OPEN_BY_HANDLE_AT => text_of(event.param(3)),
        _ if event.fd.is_unread => None,
        _ => Some(b""),
    }
}

/// A text parameter; what Falco shows for one without data.
const fn text_of(param: Param<'_>) -> Option<&[u8]> {
    match param {
        Param::Bytes(bytes) => Some(bytes),
        Param::Empty => Some(b"<NA>"),
        _ => None,
    }
}

fn name_raw<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    if !has_fd(event) {
        return None;
    }
    let raw = match (info(event), event.ty) {
        (Some(fd), _) => &fd.name_raw,
        (None, known::OPENAT | known::OPENAT2) => text_of(event.param(2))?,
        (None, _) => name_from_params(event)?,
    };
    Some(Value::Bytes(path::without_double_slashes(event.arena, raw)))
}

fn directory<'a>(event: &Event<'a>) -> Option<&'a [u8]> {
    if !has_fd(event) {
        return None;
    }
    let info = info(event);
    let name = name_of(event, info)?;
    match info.map(|fd| fd.kind) {
        Some(FdKind::Directory) => Some(name),
        None | Some(FdKind::File) => Some(directory_part(name)),
        _ => None,
    }
}

/// What stands before the last slash; a path that ends with one is kept.
fn directory_part(name: &[u8]) -> &[u8] {
    match memchr::memrchr(b'/', name) {
        None => b"/",
        Some(last) if last + 1 == name.len() => name,
        Some(0) => b"/",
        Some(last) => name.get(..last).unwrap_or_default(),
    }
}

fn filename<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let fd = info(event).filter(|fd| fd.kind == FdKind::File)?;
    let name = tuple::fd_name(event.arena, fd);
    Some(Value::Bytes(match memchr::memrchr(b'/', name) {
        None => b"/",
        Some(last) if last + 1 == name.len() => name,
        Some(last) => name.get(last + 1..).unwrap_or_default(),
    }))
}

/// The container's id, a colon, and the text; on the host the id is empty.
fn in_container<'a>(event: &Event<'a>, text: &[u8]) -> Option<Value<'a>> {
    let id: &[u8] = match event.thread.map(|thread| &thread.container) {
        Some(InContainer::Id(id)) => id,
        _ => b"",
    };
    Some(Value::Bytes(joined(event.arena, [id, text].into_iter(), b":")))
}

fn uid<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let FdNumber::Known(num) = event.fd.num else { return None };
    if !has_fd(event) {
        return None;
    }
    let mut text = Text::new(event.arena);
    text.push_int(event.tid);
    text.push_int(num);
    Some(text.value())
}

const fn is_server_kind(kind: FdKind) -> bool {
    matches!(kind, FdKind::Ipv4Server | FdKind::Ipv6Server)
}

const fn is_ip(kind: FdKind) -> bool {
    is_server_kind(kind) || matches!(kind, FdKind::Ipv4Socket | FdKind::Ipv6Socket)
}

/// The transport protocol; of a socket that has no ends, and of all else, it is unknown.
pub(super) fn protocol(fd: &Fd) -> Option<Protocol> {
    let told = fd.socket.as_ref().filter(|socket| {
        let is_raw = socket.protocol == Protocol::Raw;
        is_ip(fd.kind) && (socket.role.is_some() || is_raw || is_server_kind(fd.kind))
    });
    let protocol = told.map_or(Protocol::Unknown, |socket| socket.protocol);
    (!tuple::is_partial(fd) || protocol != Protocol::Unknown).then_some(protocol)
}

fn l4proto<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    Some(Value::Bytes(names::protocol(protocol(info(event)?)?).as_bytes()))
}

/// What `fd.sockfamily` is.
pub(super) const fn family(kind: FdKind) -> Option<&'static str> {
    match kind {
        _ if is_ip(kind) => Some("ip"),
        FdKind::UnixSocket => Some("unix"),
        _ => None,
    }
}

fn sockfamily<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    Some(Value::Bytes(family(info(event)?.kind)?.as_bytes()))
}

fn is_server<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let fd = info(event)?;
    if is_server_kind(fd.kind) {
        return Some(Value::Bool(true));
    }
    if !is_ip(fd.kind) {
        return Some(Value::Bool(false));
    }
    if tuple::is_partial(fd) && fd.socket?.server.is_none() {
        return None;
    }
    if fd.socket.is_some_and(|socket| socket.serves) {
        return Some(Value::Bool(true));
    }
    let address = fd.socket.and_then(|socket| socket.server).map_or_else(
        || match fd.kind {
            FdKind::Ipv6Socket => std::net::Ipv6Addr::UNSPECIFIED.into(),
            _ => std::net::Ipv4Addr::UNSPECIFIED.into(),
        },
        |(address, _)| address,
    );
    Some(Value::Bool(tuple::is_local(event, address)))
}

const fn ip_value<'a>(end: End) -> Value<'a> {
    Value::Ip(end.0)
}

fn port_value<'a>(end: End) -> Value<'a> {
    Value::UInt(end.1.into())
}

fn ip<'a>(event: &Event<'a>, side: Side) -> Option<Value<'a>> {
    tuple::end_of(event, info(event)?, side).map(ip_value)
}

fn port<'a>(event: &Event<'a>, side: Side) -> Option<Value<'a>> {
    tuple::end_of(event, info(event)?, side).map(port_value)
}

/// The port as text. Of sockets with one end only, Falco's text is empty.
fn port_text<'a>(event: &Event<'a>, side: Side) -> Option<Value<'a>> {
    let fd = info(event)?;
    let kind = fd.kind;
    if is_server_kind(kind) || (kind == FdKind::UnixSocket && side == Side::Client) {
        let has_text = matches!(side, Side::Client | Side::Server);
        return (has_text && tuple::with_role(fd).is_some()).then_some(Value::Bytes(b""));
    }
    let (_, port) = tuple::end_of(event, fd, side)?;
    let mut text = Text::new(event.arena);
    text.push_uint(port.into());
    Some(text.value())
}

fn either_ip<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    either(event, ip_value)
}

fn either_port<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    either(event, port_value)
}

/// Both ends of a connection, or the one end of a server. Of a socket that was just made they are
/// the unspecified address and port 0, as in Falco, whose roles are not asked for here.
fn either<'a>(event: &Event<'a>, value: fn(End) -> Value<'a>) -> Option<Value<'a>> {
    let fd = info(event)?;
    let socket = fd.socket.as_ref().filter(|_| is_ip(fd.kind))?;
    if socket.is_partial {
        let known = value(socket.server.or(socket.client)?);
        return Some(Value::List(event.arena.alloc_slice_copy(&[known])));
    }
    let none = match fd.kind {
        FdKind::Ipv6Socket | FdKind::Ipv6Server => std::net::Ipv6Addr::UNSPECIFIED.into(),
        _ => std::net::Ipv4Addr::UNSPECIFIED.into(),
    };
    let server = socket.server.unwrap_or((none, 0));
    if is_server_kind(fd.kind) {
        return Some(Value::List(event.arena.alloc_slice_copy(&[value(server)])));
    }
    let client = socket.client.unwrap_or((none, 0));
    Some(Value::List(event.arena.alloc_slice_copy(&[value(client), value(server)])))
}

/// The kinds of descriptor that the process has open, each once, or the kind of one of them.
fn types<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    if !has_fd(event) {
        return None;
    }
    let table = event.world.fd_table(event.thread?)?;
    let text = |fd: &Fd| Value::Bytes(names::fd_type(fd.kind).as_bytes());
    if let Arg::Index(num) = arg {
        let fd = path::fd_of(event, i64::from(*num))?;
        return Some(Value::List(event.arena.alloc_slice_copy(&[text(fd)])));
    }
    let mut found = bumpalo::collections::Vec::new_in(event.arena);
    table.for_each_in_falcos_order(event.arena, |fd| {
        if !found.contains(&text(fd)) {
            found.push(text(fd));
        }
    });
    (!found.is_empty()).then(|| Value::List(found.into_bump_slice()))
}

#[cfg(test)]
mod tests {
    use super::super::support::{Scene, descriptor, shown};
    use super::*;
    use crate::event::{Role, Socket};

    fn connection() -> Scene {
        let mut fd = descriptor(FdKind::Ipv4Socket, "");
        fd.socket = Some(Socket {
            client: Some(("192.168.7.20".parse().unwrap(), 53321)),
            server: Some(("203.0.113.9".parse().unwrap(), 443)),
            protocol: Protocol::Tcp,
            role: Some(Role::Client),
            is_connected: true,
            ..Socket::default()
        });
        let mut scene = Scene::new("connect").with_fd(3, fd);
        scene.world.host.addresses.push("192.168.7.20".parse().unwrap());
        scene
    }

    #[test]
    fn a_file_has_a_directory_and_a_name() {
        let mut scene = Scene::new("read").with_fd(3, descriptor(FdKind::File, "/srv/a/quartz"));
        for (field, expected) in [
            ("fd.name", "/srv/a/quartz"),
            ("fd.directory", "/srv/a"),
            ("fd.filename", "quartz"),
            ("fd.type", "file"),
            ("fd.typechar", "f"),
            ("fd.uid", "8563"),
            ("fd.containername", ":/srv/a/quartz"),
            ("fd.sip", "<NA>"),
            ("fd.l4proto", "<NA>"),
            ("fd.is_server", "false"),
            ("fd.types", "(file)"),
            ("fd.types[4]", "<NA>"),
        ] {
            assert_eq!(shown(&scene, field), expected, "{field}");
        }
        scene.fd = Some((3, descriptor(FdKind::File, "/top")));
        assert_eq!(shown(&scene, "fd.directory"), "/");
        scene.fd = Some((3, descriptor(FdKind::Directory, "/srv/a")));
        assert_eq!(shown(&scene, "fd.directory"), "/srv/a");
        assert_eq!(shown(&scene, "fd.filename"), "<NA>");
    }

    #[test]
    fn a_device_number_has_two_halves() {
        let mut fd = descriptor(FdKind::File, "/x");
        fd.dev = 0xffff_ffff;
        let scene = Scene::new("read").with_fd(3, fd);
        assert_eq!(shown(&scene, "fd.dev"), "FFFFFFFF");
        assert_eq!(shown(&scene, "fd.dev.major"), "4095");
        assert_eq!(shown(&scene, "fd.dev.minor"), "1048575");
    }

    #[test]
    fn a_connection_has_two_ends_and_two_sides() {
        let scene = connection();
        for (field, expected) in [
            ("fd.name", "192.168.7.20:53321->203.0.113.9:443"),
            ("fd.cip", "192.168.7.20"),
            ("fd.sport", "443"),
            ("fd.lip", "192.168.7.20"),
            ("fd.rport", "443"),
            ("fd.rproto", "443"),
            ("fd.l4proto", "tcp"),
            ("fd.sockfamily", "ip"),
            ("fd.is_server", "false"),
            ("fd.connected", "true"),
        ] {
            assert_eq!(shown(&scene, field), expected, "{field}");
        }
    }

    #[test]
    fn a_socket_without_a_role_has_no_ends() {
        let mut scene = connection();
        if let Some((_, fd)) = &mut scene.fd {
            fd.socket.as_mut().unwrap().role = None;
        }
        assert_eq!(shown(&scene, "fd.sip"), "<NA>");
        assert_eq!(shown(&scene, "fd.l4proto"), "<NA>");
        assert_eq!(shown(&scene, "fd.is_server"), "false");
    }

    #[test]
    fn a_failed_open_has_the_name_that_was_asked_for() {
        let mut scene = Scene::new("openat").with_params(&[
            Param::Int(-2),
            Param::Int(77),
            Param::Bytes(b"no//such"),
        ]);
        assert_eq!(shown(&scene, "fd.name"), "<UNKNOWN>no/such");
        assert_eq!(shown(&scene, "fd.nameraw"), "no/such");
        assert_eq!(shown(&scene, "fd.typechar"), "f");
        assert_eq!(shown(&scene, "fd.type"), "<NA>");
        scene.params[1] = Param::Int(path::AT_FDCWD);
        assert_eq!(shown(&scene, "fd.name"), "/root/no/such");
        assert_eq!(shown(&scene, "fd.directory"), "/root/no");
        assert_eq!(shown(&scene, "fd.filename"), "<NA>");
    }

    #[test]
    fn control_characters_are_not_printed() {
        let scene = Scene::new("read").with_fd(3, descriptor(FdKind::File, "/tmp/a\nb"));
        assert_eq!(shown(&scene, "fd.name"), "/tmp/a\u{fffd}b");
        assert_eq!(scene.value("fd.name"), Some(format!("{:?}", Value::Bytes(b"/tmp/a\nb"))));
    }

    #[test]
    fn other_events_have_no_descriptor() {
        let scene = Scene::new("unlink").with_fd(3, descriptor(FdKind::File, "/x"));
        assert_eq!(shown(&scene, "fd.name"), "<NA>");
        assert_eq!(shown(&scene, "fd.num"), "<NA>");
    }
}
