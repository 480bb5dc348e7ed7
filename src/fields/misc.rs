//! `util.*` and `fdlist.*`.

use super::text::Text;
use super::{FieldClass, FieldInfo, absent, field, path, render, tuple};
use crate::event::{DataType as T, Event, Fd, Value, known};

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

fn push_client_ip(text: &mut Text<'_>, _: &Event<'_>, _: i64, fd: Option<&Fd>) -> bool {
    let end = fd.and_then(tuple::ends).map(|(client, _)| client);
    end.map(|(address, _)| tuple::push_ip(text, address)).is_some()
}

fn push_server_ip(text: &mut Text<'_>, _: &Event<'_>, _: i64, fd: Option<&Fd>) -> bool {
    let end = fd.and_then(tuple::server_end);
    end.map(|(address, _)| tuple::push_ip(text, address)).is_some()
}

fn push_client_port(text: &mut Text<'_>, _: &Event<'_>, _: i64, fd: Option<&Fd>) -> bool {
    let end = fd.and_then(tuple::ends).map(|(client, _)| client);
    end.map(|(_, port)| text.push_uint(port.into())).is_some()
}

/// Of connections only: Falco leaves out the ports of servers here, though not their addresses.
fn push_server_port(text: &mut Text<'_>, _: &Event<'_>, _: i64, fd: Option<&Fd>) -> bool {
    let end = fd.and_then(tuple::ends).map(|(_, server)| server);
    end.map(|(_, port)| text.push_uint(port.into())).is_some()
}
