//! `util.*` and `fdlist.*`.

use super::{FieldClass, FieldInfo, absent, field};
use crate::event::DataType as T;

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
    field("fdlist.nums", T::CharBuf, "Poll/ppoll: comma-joined fd numbers.", absent),
    field("fdlist.names", T::CharBuf, "Poll/ppoll: comma-joined fd names.", absent),
    field("fdlist.cips", T::CharBuf, "Poll/ppoll: client addresses.", absent),
    field("fdlist.sips", T::CharBuf, "Poll/ppoll: server addresses.", absent),
    field("fdlist.cports", T::CharBuf, "Poll/ppoll: client ports.", absent),
    field("fdlist.sports", T::CharBuf, "Poll/ppoll: server ports.", absent),
];
