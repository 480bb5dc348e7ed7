//! `fs.path.*`: the paths of file system events.

use super::{FieldClass, FieldInfo, absent, field};
use crate::event::DataType as T;

/// Every syscall that has a filesystem path in its arguments has these fields set with information related to the path arguments. This differs from the fd.* fields as it includes syscalls like unlink, rename, etc. that act directly on filesystem paths as compared to opened file descriptors.
pub static CLASS: FieldClass = FieldClass {
    name: "fs.path",
    short: "",
    doc: "Every syscall that has a filesystem path in its arguments has these fields set with information related to the path arguments. This differs from the fd.* fields as it includes syscalls like unlink, rename, etc. that act directly on filesystem paths as compared to opened file descriptors.",
    fields: CLASS_FIELDS,
};

#[rustfmt::skip]
static CLASS_FIELDS: &[FieldInfo] = &[
    field("fs.path.name", T::CharBuf, "Resolved path of a single-path filesystem event.", absent),
    field("fs.path.nameraw", T::CharBuf, "Path as given.", absent),
    field("fs.path.source", T::CharBuf, "Resolved source path of a two-path event.", absent),
    field("fs.path.sourceraw", T::CharBuf, "Source path as given.", absent),
    field("fs.path.target", T::CharBuf, "Resolved target path of a two-path event.", absent),
    field("fs.path.targetraw", T::CharBuf, "Target path as given.", absent),
];
