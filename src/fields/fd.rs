//! `fd.*`: the descriptor that an event is about.

use super::{ArgKind as A, FieldClass, FieldFlags as F, FieldInfo, absent, field};
use crate::event::DataType as T;

/// Every syscall that has a file descriptor in its arguments has these fields set with information related to the file.
pub static CLASS: FieldClass = FieldClass {
    name: "fd",
    short: "",
    doc: "Every syscall that has a file descriptor in its arguments has these fields set with information related to the file.",
    fields: CLASS_FIELDS,
};

#[rustfmt::skip]
static CLASS_FIELDS: &[FieldInfo] = &[
    field("fd.num", T::Int64, "Fd number of the event.", absent),
    field("fd.type", T::CharBuf, "Kind of fd.", absent),
    field("fd.typechar", T::CharBuf, "One-letter kind of fd.", absent),
    field("fd.name", T::CharBuf, "Full path, tuple text or other name.", absent),
    field("fd.directory", T::CharBuf, "Directory part of the path.", absent),
    field("fd.filename", T::CharBuf, "Last component of the path.", absent),
    field("fd.ip", T::IpAddr, "Either end address.", absent).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.cip", T::IpAddr, "Client address.", absent),
    field("fd.sip", T::IpAddr, "Server address.", absent),
    field("fd.lip", T::IpAddr, "Local address.", absent),
    field("fd.rip", T::IpAddr, "Remote address.", absent),
    field("fd.port", T::Port, "Either end port.", absent).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.cport", T::Port, "Client port.", absent),
    field("fd.sport", T::Port, "Server port.", absent),
    field("fd.lport", T::Port, "Local port.", absent),
    field("fd.rport", T::Port, "Remote port.", absent),
    field("fd.l4proto", T::CharBuf, "Tcp, udp, icmp, raw or <NA>.", absent),
    field("fd.sockfamily", T::CharBuf, "Ip or unix.", absent),
    field("fd.is_server", T::Bool, "Process side owns the server end.", absent),
    field("fd.uid", T::CharBuf, "Tid and fd number concatenated as text.", absent),
    field("fd.containername", T::CharBuf, "Container id, colon, fd.name.", absent),
    field("fd.containerdirectory", T::CharBuf, "Container id, colon, fd.directory.", absent),
    field("fd.proto", T::Port, "Either end port, by service name.", absent).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.cproto", T::CharBuf, "Client port as text.", absent),
    field("fd.sproto", T::CharBuf, "Server port as text.", absent),
    field("fd.lproto", T::CharBuf, "Local port as text.", absent),
    field("fd.rproto", T::CharBuf, "Remote port as text.", absent),
    field("fd.net", T::IpNet, "Either end in the network.", absent).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.cnet", T::IpNet, "Client address in the network.", absent).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.snet", T::IpNet, "Server address in the network.", absent).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.lnet", T::IpNet, "Local address in the network.", absent).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.rnet", T::IpNet, "Remote address in the network.", absent).flags(F::FILTER_ONLY | F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.connected", T::Bool, "Socket connection state.", absent),
    field("fd.name_changed", T::Bool, "This event changed fd.name.", absent),
    field("fd.cip.name", T::CharBuf, "DNS name of the client.", absent).flags(F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.sip.name", T::CharBuf, "DNS name of the server.", absent).flags(F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.lip.name", T::CharBuf, "DNS name of the local end.", absent).flags(F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.rip.name", T::CharBuf, "DNS name of the remote end.", absent).flags(F::NO_RHS | F::NO_TRANSFORMER),
    field("fd.dev", T::Int32, "Device number, hex in text.", absent).flags(F::PF_HEX),
    field("fd.dev.major", T::Int32, "Device major.", absent),
    field("fd.dev.minor", T::Int32, "Device minor.", absent),
    field("fd.ino", T::Int64, "Inode.", absent),
    field("fd.nameraw", T::CharBuf, "Path as given to the syscall.", absent),
    field("fd.types", T::CharBuf, "Set of fd kinds open in the process, or kind of fd N.", absent).arg(A::INDEX).flags(F::IS_LIST | F::NO_RHS),
    field("fd.is_upper_layer", T::Bool, "File in overlayfs upper layer.", absent),
    field("fd.is_lower_layer", T::Bool, "File in overlayfs lower layer.", absent),
];
