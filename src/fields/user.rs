//! `user.*` and `group.*`.

use super::{Arg, FieldClass, FieldInfo, container, field};
use crate::event::{DataType as T, Event, InContainer, User, Value};

/// Information about the user executing the specific event.
pub static USER: FieldClass = FieldClass {
    name: "user",
    short: "",
    doc: "Information about the user executing the specific event.",
    fields: USER_FIELDS,
};

#[rustfmt::skip]
static USER_FIELDS: &[FieldInfo] = &[
    field("user.uid", T::UInt32, "Effective uid.", uid),
    field("user.name", T::CharBuf, "User name of uid.", name),
    field("user.homedir", T::CharBuf, "Home directory.", |e, _| user_text(e, |user| &user.home, b"/root")),
    field("user.shell", T::CharBuf, "Login shell.", |e, _| user_text(e, |user| &user.shell, NOT_FOUND)),
    field("user.loginuid", T::Int64, "Audit login uid, -1 if unset.", loginuid),
    field("user.loginname", T::CharBuf, "Name of the login uid.", loginname),
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
    field("group.gid", T::UInt32, "Effective gid.", gid),
    field("group.name", T::CharBuf, "Group name.", group_name),
];

/// What a name is that isn't in the tables.
const NOT_FOUND: &[u8] = b"<NA>";

/// The key of the event's user and group tables: the container's id, empty for the host.
fn table_of<'a>(event: &Event<'a>) -> &'a [u8] {
    match event.thread.map(|thread| &thread.container) {
        Some(InContainer::Id(id)) => id,
        _ => b"",
    }
}

/// The user of that number where the event happened.
#[must_use]
pub fn user_of<'a>(event: &Event<'a>, uid: u32) -> Option<&'a User> {
    event.world.users.get(table_of(event))?.get(&uid)
}

/// The name of the group of that number where the event happened.
#[must_use]
pub fn group_name_of<'a>(event: &Event<'a>, gid: u32) -> Option<&'a [u8]> {
    Some(event.world.groups.get(table_of(event))?.get(&gid)?)
}

fn uid<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    event.thread?.uid.map(|uid| Value::UInt(uid.into()))
}

fn gid<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    event.thread?.gid.map(|gid| Value::UInt(gid.into()))
}

/// Of an event that is about a container, whom that runs as.
fn name<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    if let Some(user) = container::told(event).and_then(|told| told.user) {
        return Some(Value::Bytes(user.as_bytes()));
    }
    user_text(event, |user| &user.name, b"root")
}

/// A text of the user; `root` is what it is for uid 0 without an entry.
fn user_text<'a>(
    event: &Event<'a>,
    text: fn(&User) -> &[u8],
    root: &'static [u8],
) -> Option<Value<'a>> {
    let uid = event.thread?.uid?;
    let missing = if uid == 0 { root } else { NOT_FOUND };
    Some(Value::Bytes(user_of(event, uid).map_or(missing, text)))
}

/// Falco delivers an unset login uid as -1.
fn loginuid<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let uid = event.thread?.loginuid?;
    Some(Value::Int(if uid == u32::MAX { -1 } else { uid.into() }))
}

fn loginname<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let uid = event.thread?.loginuid?;
    let missing = if uid == 0 { b"root" } else { NOT_FOUND };
    Some(Value::Bytes(user_of(event, uid).map_or(missing, |user| &user.name)))
}

fn group_name<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let gid = event.thread?.gid?;
    let missing = if gid == 0 { b"root" } else { NOT_FOUND };
    Some(Value::Bytes(group_name_of(event, gid).unwrap_or(missing)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::support::{Scene, shown};
    use super::*;

    #[test]
    fn names_come_from_the_table_of_the_events_container() {
        let mut scene = Scene::new("openat");
        let user = |name: &[u8]| User {
            name: Arc::from(name),
            home: Arc::from(&b"/home/x"[..]),
            shell: Arc::from(&b"/bin/sh"[..]),
        };
        scene.world.users.entry(Arc::from(&b""[..])).or_default().insert(1000, user(b"maria"));
        scene.world.users.entry(Arc::from(&b"abc"[..])).or_default().insert(1000, user(b"app"));
        scene.thread.uid = Some(1000);
        assert_eq!(shown(&scene, "user.name"), "maria");
        scene.thread.container = InContainer::Id(Arc::from(&b"abc"[..]));
        assert_eq!(shown(&scene, "user.name"), "app");
        assert_eq!(shown(&scene, "user.homedir"), "/home/x");
    }

    #[test]
    fn an_unknown_user_is_a_present_text() {
        let mut scene = Scene::new("openat");
        scene.thread.uid = Some(0);
        scene.thread.gid = Some(u32::MAX);
        scene.thread.loginuid = Some(u32::MAX);
        assert_eq!(shown(&scene, "user.name"), "root");
        assert_eq!(shown(&scene, "user.homedir"), "/root");
        assert_eq!(shown(&scene, "user.shell"), "<NA>");
        assert_eq!(shown(&scene, "group.name"), "<NA>");
        assert_eq!(shown(&scene, "group.gid"), "4294967295");
        assert_eq!(shown(&scene, "user.loginuid"), "-1");
        assert_eq!(shown(&scene, "user.loginname"), "<NA>");
    }
}
