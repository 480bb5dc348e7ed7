//! Parameters as text: the plain form and, where Falco has one, the resolved form.
//!
//! `evt.args` prints `name=plain(resolved)`, `evt.arg.NAME` the resolved form or else the plain
//! one. What is not known of a live event (`Unknown`, `NotNegative`, `Partial`) has no text.

use crate::event::flags::{enum_names, flag_names};
use crate::event::{Arena, Base, DataType, Event, Kind, Param, ParamInfo, Socket};

use super::text::{Civil, Text, printable, push_dotted, push_general};
use super::{names, path, tuple, user};

/// The parameters that are printed: a system call of which only the name is told has none.
#[must_use]
pub fn shown_params(event: &Event<'_>) -> &'static [ParamInfo] {
    let info = event.ty.info();
    if info.kind == Kind::Generic || event.params.is_empty() { &[] } else { info.params }
}

/// `evt.arg[index]`: the resolved form if there is one, else the plain one.
#[must_use]
pub fn argument<'a>(event: &Event<'a>, index: usize) -> Option<&'a [u8]> {
    let info = shown_params(event).get(index)?;
    let param = event.param(index);
    if !is_told(param) {
        return None;
    }
    /// Room for the names of most flags.
    const ROOM: usize = 96;
    let mut text = Text::with_capacity(ROOM, event.arena);
    push_resolved(event, info, param, &mut text);
    if text.is_empty() || event.world.leftovers.is_some() {
        let mut plain = Text::new(event.arena);
        push_plain(event, info, param, &mut plain);
        leave(event, info, param, plain.as_slice());
        if text.is_empty() {
            text = plain;
        }
    }
    Some(printable(event.arena, text.finish()))
}

/// Keeps what Falco's readers leave behind.
fn leave(event: &Event<'_>, info: &ParamInfo, param: Param<'_>, plain: &[u8]) {
    if let Some(leftovers) = &event.world.leftovers {
        let is_buffer = type_of(info, param) == DataType::ByteBuf && param != Param::Empty;
        leftovers.write(plain, is_buffer);
    }
}

/// `%evt.buffer`: the text of the parameter `data`; in base 64, encoded once more: Falco's way.
#[must_use]
pub fn shown_buffer<'a>(event: &Event<'a>) -> &'a [u8] {
    let params = shown_params(event);
    let Some((index, info)) = params.iter().enumerate().find(|(_, info)| info.name == "data")
    else {
        return b"";
    };
    let param = event.param(index);
    let mut text = Text::new(event.arena);
    push_plain(event, info, param, &mut text);
    leave(event, info, param, text.as_slice());
    let in_base64 = event.world.buffers_in_base64;
    match &event.world.leftovers {
        Some(leftovers) => buffer(event.arena, &leftovers.buffer(), in_base64),
        None if in_base64 && matches!(param, Param::Bytes(_)) => {
            buffer(event.arena, text.as_slice(), true)
        }
        None => text.finish(),
    }
}

/// `evt.args`; `None` if none of the parameters is known.
#[must_use]
pub fn arguments<'a>(event: &Event<'a>) -> Option<&'a [u8]> {
    let params = shown_params(event);
    let mut text = Text::new(event.arena);
    for (index, info) in params.iter().enumerate() {
        let param = event.param(index);
        if !is_told(param) {
            continue;
        }
        if !text.is_empty() {
            text.push_byte(b' ');
        }
        text.push(info.name.as_bytes());
        text.push_byte(b'=');
        let start = text.len();
        push_plain(event, info, param, &mut text);
        let end = text.len();
        leave(event, info, param, text.as_slice().get(start..).unwrap_or_default());
        text.push_byte(b'(');
        push_resolved(event, info, param, &mut text);
        if text.len() == end + 1 {
            text.truncate(end);
        } else {
            text.push_byte(b')');
        }
    }
    if text.is_empty() && !params.is_empty() {
        return None;
    }
    Some(printable(event.arena, text.finish()))
}

/// Whether a parameter has a text at all.
#[must_use]
pub const fn is_told(param: Param<'_>) -> bool {
    !matches!(param, Param::Unknown | Param::NotNegative | Param::Partial { .. })
}

/// The type of a value: of a dynamic parameter, the alternative that the event chose.
#[must_use]
pub fn type_of(info: &ParamInfo, param: Param<'_>) -> DataType {
    if info.ty != DataType::Dyn {
        return info.ty;
    }
    match param {
        Param::Chosen { ty, .. } => ty,
        Param::Bytes(_) => {
            let variable = |ty: &&DataType| ty.size().is_none();
            info.alternatives.iter().find(variable).copied().unwrap_or(DataType::ByteBuf)
        }
        Param::Int(_) => DataType::Int64,
        _ => DataType::UInt64,
    }
}

/// Appends the plain form.
pub fn push_plain(event: &Event<'_>, info: &ParamInfo, param: Param<'_>, text: &mut Text<'_>) {
    if param == Param::Empty {
        let is_text = info.alternatives.contains(&DataType::CharBuf);
        return text.push(if is_text { b"(null)" } else { empty_text(info.ty) });
    }
    let ty = type_of(info, param);
    if let Param::Bytes(bytes) = param {
        return push_plain_bytes(event, ty, bytes, text);
    }
    let (Some(signed), Some(value)) = (param.as_i64(), param.as_u64()) else { return };
    match ty {
        DataType::RelTime if value == u64::MAX => text.push(b"none"),
        DataType::AbsTime => {
            let civil = Civil::local(value, event.world.host.time_zone);
            civil.push_date(text);
            text.push_byte(b' ');
            civil.push_time(text);
            civil.push_nanos(text);
        }
        DataType::Uid | DataType::Gid if value == u64::from(u32::MAX) => text.push(b"-1"),
        DataType::SigSet => push_signal_set(value, text),
        DataType::Mode => push_octal(value, text),
        _ => push_number(ty, info.base, signed, value, text),
    }
}

/// What is printed for a parameter that is there, without data.
const fn empty_text(ty: DataType) -> &'static [u8] {
    match ty {
        DataType::ByteBuf
        | DataType::SockTuple
        | DataType::FdList
        | DataType::CharBufArray
        | DataType::CharBufPairArray
        | DataType::Dyn => b"NULL",
        _ => b"<NA>",
    }
}

fn push_plain_bytes(event: &Event<'_>, ty: DataType, bytes: &[u8], text: &mut Text<'_>) {
    match ty {
        DataType::SockAddr => {
            if let Some(address) = tuple::sock_addr(bytes) {
                tuple::push_sock_addr(text, address);
            }
        }
        DataType::SockTuple => match tuple::sock_tuple(bytes) {
            Some(tuple) => tuple::push_sock_tuple(text, tuple),
            None => text.push(empty_text(ty)),
        },
        DataType::FdList => push_fd_list(event, bytes, text),
        DataType::ByteBuf if bytes.is_empty() => text.push(empty_text(ty)),
        DataType::ByteBuf if event.world.buffers_in_base64 => push_base64(text, bytes),
        DataType::ByteBuf => push_dotted(text, bytes),
        DataType::CharBufArray => {
            let items = crate::event::thread::terminated_items(bytes);
            push_joined(text, items, b".");
        }
        DataType::CharBufPairArray => push_pairs(text, bytes),
        _ => text.push(bytes),
    }
}

fn push_joined<'b>(text: &mut Text<'_>, items: impl Iterator<Item = &'b [u8]>, by: &[u8]) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(by);
        }
        text.push(item);
    }
}

fn push_pairs(text: &mut Text<'_>, bytes: &[u8]) {
    let mut items = crate::event::thread::terminated_items(bytes);
    let mut is_first = true;
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        if !is_first {
            text.push_byte(b',');
        }
        is_first = false;
        text.push(key);
        text.push_byte(b':');
        text.push(value);
    }
}

/// Appends a number as its type prints: 32- and 64-bit unsigned numbers are shown as signed.
fn push_number(ty: DataType, base: Base, signed: i64, value: u64, text: &mut Text<'_>) {
    let is_plain = matches!(
        ty,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
    );
    match base {
        Base::Hex if is_plain => text.push_hex(ty.masked(value)),
        Base::Octal if is_plain => push_octal(ty.masked(value), text),
        _ => match ty {
            DataType::UInt32 => text.push_int(i64::from(low_half(value).cast_signed())),
            DataType::UInt64 => text.push_int(signed),
            _ if ty.is_signed() => text.push_int(signed),
            _ => text.push_uint(value),
        },
    }
}

fn low_half(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// `0`, or octal digits with a leading zero.
fn push_octal(value: u64, text: &mut Text<'_>) {
    if value != 0 {
        text.push_byte(b'0');
    }
    text.push_octal(value);
}

fn push_signal_set(set: u64, text: &mut Text<'_>) {
    let set_signals = names::SIGNALS.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
    push_joined(text, set_signals.map(|(_, name)| name.as_bytes()), b" ");
}

/// `3:f1 4:p4`: descriptor, kind, events in hexadecimal.
fn push_fd_list(event: &Event<'_>, bytes: &[u8], text: &mut Text<'_>) {
    for (index, (fd, events)) in fd_list(bytes).enumerate() {
        if index > 0 {
            text.push_byte(b' ');
        }
        text.push_int(fd);
        text.push_byte(b':');
        let kind = path::fd_of(event, fd).map(|info| names::fd_type_char(info.kind));
        text.push(kind.unwrap_or("?").as_bytes());
        text.push_fmt(format_args!("{events:x}"));
    }
}

/// The items of an encoded list of descriptors: number and events.
pub fn fd_list(bytes: &[u8]) -> impl Iterator<Item = (i64, u16)> {
    let (count, items) = bytes
        .split_first_chunk::<2>()
        .map_or((0, &b""[..]), |(n, rest)| (u16::from_le_bytes(*n), rest));
    items.chunks_exact(10).take(usize::from(count)).filter_map(|item| {
        let (fd, events) = item.split_first_chunk::<8>()?;
        Some((i64::from_le_bytes(*fd), u16::from_le_bytes(*events.first_chunk()?)))
    })
}

/// Appends the resolved form; nothing if there is none.
pub fn push_resolved(event: &Event<'_>, info: &ParamInfo, param: Param<'_>, text: &mut Text<'_>) {
    let ty = type_of(info, param);
    if let Param::Bytes(bytes) = param {
        if matches!(ty, DataType::FsPath | DataType::FsRelPath) {
            push_absolute(event, info, bytes, text);
        }
        return;
    }
    let (Some(signed), Some(value)) = (param.as_i64(), param.as_u64()) else { return };
    match ty {
        DataType::Fd | DataType::Fd32 => push_fd(event, signed, text),
        DataType::Pid | DataType::Pid32 => {
            if let Some(thread) = event.world.thread(signed) {
                text.push(&thread.comm);
            }
        }
        DataType::Errno if signed < 0 => push_errno(signed, text),
        DataType::SigType => text.push(names::signal(value).unwrap_or("").as_bytes()),
        DataType::RelTime if value != u64::MAX => {
            push_general(text, seconds(value));
            text.push_byte(b's');
        }
        DataType::Uid | DataType::Gid => push_id_name(event, ty, value, text),
        DataType::Flags8 | DataType::Flags16 | DataType::Flags32 | DataType::Mode => {
            push_names(text, flag_names(info.flags.copied().unwrap_or(&[]), low_half(value)));
        }
        DataType::EnumFlags8 | DataType::EnumFlags16 | DataType::EnumFlags32 => {
            push_names(text, enum_names(info.flags.copied().unwrap_or(&[]), low_half(value)));
        }
        _ => {}
    }
}

fn push_names(text: &mut Text<'_>, names: impl Iterator<Item = &'static str>) {
    push_joined(text, names.map(str::as_bytes), b"|");
}

#[expect(clippy::cast_precision_loss, reason = "printed with six digits")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn push_errno(negative: i64, text: &mut Text<'_>) {
    text.push(names::errno(negative.unsigned_abs()).unwrap_or("").as_bytes());
}

/// `<4t>1.2.3.4:5->6.7.8.9:80`, `AT_FDCWD`, or the symbol of an error.
fn push_fd(event: &Event<'_>, num: i64, text: &mut Text<'_>) {
    if num == path::AT_FDCWD {
        return text.push(b"AT_FDCWD");
    }
    if num < 0 {
        return push_errno(num, text);
    }
    let Some(fd) = path::fd_of(event, num) else { return };
    text.push_byte(b'<');
    text.push(names::fd_type_char(fd.kind).as_bytes());
    if let Some(socket) = &fd.socket {
        text.push(shown_protocol(socket, fd.kind).as_bytes());
    }
    text.push_byte(b'>');
    text.push(tuple::fd_name(event.arena, fd));
}

const fn shown_protocol(socket: &Socket, kind: crate::event::FdKind) -> &'static str {
    use crate::event::FdKind as K;
    match kind {
        K::Ipv4Socket | K::Ipv6Socket | K::Ipv4Server | K::Ipv6Server => {}
        _ => return "",
    }
    let is_raw = matches!(socket.protocol, crate::event::Protocol::Raw);
    if socket.role.is_none() && !is_raw { "" } else { names::protocol_char(socket.protocol) }
}

fn push_id_name(event: &Event<'_>, ty: DataType, value: u64, text: &mut Text<'_>) {
    let id = low_half(value);
    if id == u32::MAX {
        return text.push(b"<NONE>");
    }
    let name = if ty == DataType::Uid {
        user::user_of(event, id).map(|user| &*user.name)
    } else {
        user::group_name_of(event, id)
    };
    text.push(name.unwrap_or(b"<NA>"));
}

/// The absolute form of a relative path.
fn push_absolute(event: &Event<'_>, info: &ParamInfo, given: &[u8], text: &mut Text<'_>) {
    let Some(thread) = event.thread else { return };
    if given.is_empty() || given.starts_with(b"/") {
        return;
    }
    let base = match info.dirfd.map(|index| event.param(usize::from(index))) {
        None => path::cwd(event, thread),
        Some(dirfd) => {
            dirfd.as_i64().and_then(|dirfd| path::base_of(event, dirfd)).unwrap_or_default()
        }
    };
    text.push(path::join(event.arena, base, given));
}

/// Appends bytes in base 64, see RFC 4648 §4.
pub fn push_base64(text: &mut Text<'_>, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4_u8 {
            let index = usize::try_from(group >> (18 - 6 * u32::from(place)) & 63).unwrap_or(0);
            let is_padding = usize::from(place) > chunk.len();
            let digit = DIGITS.get(index).copied().unwrap_or(b'=');
            text.push_byte(if is_padding { b'=' } else { digit });
        }
    }
}

/// A buffer as `%evt.buffer` prints it.
#[must_use]
pub fn buffer<'a>(arena: &'a Arena, bytes: &[u8], in_base64: bool) -> &'a [u8] {
    let mut text = Text::new(arena);
    if in_base64 {
        push_base64(&mut text, bytes)
    } else {
        push_dotted(&mut text, bytes)
    }
    text.finish()
}
