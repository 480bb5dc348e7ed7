//! `user.*` and `group.*`.

use super::{FieldClass, FieldInfo, absent, field};
use crate::event::DataType as T;

/// Information about the user executing the specific event.
pub static USER: FieldClass = FieldClass {
    name: "user",
    short: "",
    doc: "Information about the user executing the specific event.",
    fields: USER_FIELDS,
};

#[rustfmt::skip]
static USER_FIELDS: &[FieldInfo] = &[
    field("user.uid", T::UInt32, "Effective uid.", absent),
    field("user.name", T::CharBuf, "User name of uid.", absent),
    field("user.homedir", T::CharBuf, "Home directory.", absent),
    field("user.shell", T::CharBuf, "Login shell.", absent),
    field("user.loginuid", T::Int64, "Audit login uid, -1 if unset.", absent),
    field("user.loginname", T::CharBuf, "Name of the login uid.", absent),
];

/// Information about the user group.
pub static GROUP: FieldClass = FieldClass {
    name: "group",
    short: "",
    doc: "Information about the user group.",
    fields: GROUP_FIELDS,
};

#[rustfmt::skip]
static GROUP_FIELDS: &[FieldInfo] = &[
    field("group.gid", T::UInt32, "Effective gid.", absent),
    field("group.name", T::CharBuf, "Group name.", absent),
];
