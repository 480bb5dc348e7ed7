//! `util.*` and `fdlist.*`.

use super::text::Text;
use super::tuple::{self, End};
use super::{FieldClass, FieldInfo, absent, field, path, render};
use crate::event::{DataType as T, Event, Fd, FdKind, Value, known};

/// Utility fields.
pub static UTIL: FieldClass =
    FieldClass { name: "util", short: "", doc: "Utility fields.", fields: UTIL_FIELDS };

#[rustfmt::skip]
static UTIL_FIELDS: &[FieldInfo] = &[
    field("util.cnt", T::UInt64, "Counter incremented at each evaluation.", absent),
];

/// Poll event related fields.
pub static FDLIST: FieldClass = FieldClass {
    name: "fdlist",
    short: "",
    doc: "Poll event related fields.",
    fields: FDLIST_FIELDS,
};

#[rustfmt::skip]
static FDLIST_FIELDS: &[FieldInfo] = &[
    field("fdlist.nums", T::CharBuf, "Poll/ppoll: comma-joined fd numbers.", |e, _| list(e, push_number)),
    field("fdlist.names", T::CharBuf, "Poll/ppoll: comma-joined fd names.", |e, _| list(e, push_name)),
    field("fdlist.cips", T::CharBuf, "Poll/ppoll: client addresses.", |e, _| list(e, push_client_ip)),
    field("fdlist.sips", T::CharBuf, "Poll/ppoll: server addresses.", |e, _| list(e, push_server_ip)),
    field("fdlist.cports", T::CharBuf, "Poll/ppoll: client ports.", |e, _| list(e, push_client_port)),
    field("fdlist.sports", T::CharBuf, "Poll/ppoll: server ports.", |e, _| list(e, push_server_port)),
];

/// Appends what is shown of one descriptor of the list; false if it has nothing to show.
type Push = fn(&mut Text<'_>, &Event<'_>, i64, Option<&Fd>) -> bool;

/// The descriptors that a poll waits for, one text each, joined by commas.
fn list<'a>(event: &Event<'a>, push: Push) -> Option<Value<'a>> {
    if !matches!(event.ty, known::POLL | known::PPOLL) {
        return None;
    }
    let encoded = event.param(1).as_bytes()?;
    let mut text = Text::new(event.arena);
    for (num, _) in render::fd_list(encoded) {
        let start = text.len();
        if start > 0 {
            text.push_byte(b',');
        }
        if !push(&mut text, event, num, path::fd_of(event, num)) {
            text.truncate(start);
        }
    }
    (!text.is_empty()).then(|| text.value())
}

fn push_number(text: &mut Text<'_>, _: &Event<'_>, num: i64, _: Option<&Fd>) -> bool {
    text.push_int(num);
    true
}

fn push_name(text: &mut Text<'_>, event: &Event<'_>, _: i64, fd: Option<&Fd>) -> bool {
    let name = fd.map_or(&b""[..], |fd| tuple::fd_name(event.arena, fd));
    text.push(if name.is_empty() { b"<NA>" } else { name });
    true
}

/// The two ends of a connection; roles are not asked for here.
fn ends(fd: &Fd) -> Option<(End, End)> {
    let socket = fd.socket.as_ref()?;
    matches!(fd.kind, FdKind::Ipv4Socket | FdKind::Ipv6Socket)
        .then_some((socket.client?, socket.server?))
}

fn push_client_ip(text: &mut Text<'_>, _: &Event<'_>, _: i64, fd: Option<&Fd>) -> bool {
    let end = fd.and_then(ends).map(|(client, _)| client);
    end.map(|(address, _)| tuple::push_ip(text, address)).is_some()
}

fn push_server_ip(text: &mut Text<'_>, _: &Event<'_>, _: i64, fd: Option<&Fd>) -> bool {
    let is_server = |fd: &&Fd| matches!(fd.kind, FdKind::Ipv4Server | FdKind::Ipv6Server);
    let own = fd.filter(is_server).and_then(|fd| fd.socket?.server);
    let end = own.or_else(|| fd.and_then(ends).map(|(_, server)| server));
    end.map(|(address, _)| tuple::push_ip(text, address)).is_some()
}

fn push_client_port(text: &mut Text<'_>, _: &Event<'_>, _: i64, fd: Option<&Fd>) -> bool {
    let end = fd.and_then(ends).map(|(client, _)| client);
    end.map(|(_, port)| text.push_uint(port.into())).is_some()
}

/// Of connections only: Falco leaves out the ports of servers here, though not their addresses.
fn push_server_port(text: &mut Text<'_>, _: &Event<'_>, _: i64, fd: Option<&Fd>) -> bool {
    let end = fd.and_then(ends).map(|(_, server)| server);
    end.map(|(_, port)| text.push_uint(port.into())).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::support::{Scene, descriptor, shown};
    use super::*;
    use crate::event::{Param, Socket};

    #[test]
    fn the_descriptors_of_a_poll_are_listed() {
        let mut server = descriptor(FdKind::Ipv4Server, "");
        server.socket =
            Some(Socket { server: Some(("0.0.0.0".parse().unwrap(), 80)), ..Socket::default() });
        // Two of them: 6, a server, and 99, which isn't known.
        let encoded = b"\x02\0\x06\0\0\0\0\0\0\0\x01\0\x63\0\0\0\0\0\0\0\x04\0";
        let scene = Scene::new("poll")
            .with_params(&[Param::Int(1), Param::Bytes(encoded), Param::Int(-1)])
            .with_fd(6, server);
        assert_eq!(shown(&scene, "fdlist.nums"), "6,99");
        assert_eq!(shown(&scene, "fdlist.names"), "0.0.0.0:80,<NA>");
        assert_eq!(shown(&scene, "fdlist.sips"), "0.0.0.0");
        assert_eq!(shown(&scene, "fdlist.sports"), "<NA>");
        assert_eq!(shown(&scene, "evt.arg.fds"), "6:41 99:?4");
    }
}
