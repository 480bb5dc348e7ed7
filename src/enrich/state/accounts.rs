//! Users and groups that were added or removed while a capture was taken.

use super::RawEvent;
use crate::event::{User, World, known};

/// useradded, userdeleted, groupadded, groupdeleted.
pub(super) fn change(world: &mut World, raw: &RawEvent<'_>) {
    let Some(id) = raw.uint32(0) else { return };
    let text = |index: usize| raw.bytes(index).unwrap_or(b"");
    match raw.ty {
        known::USERADDED => {
            let user = User { name: text(2).into(), home: text(3).into(), shell: text(4).into() };
            world.users.entry(text(5).into()).or_default().insert(id, user);
        }
        known::USERDELETED => {
            if let Some(users) = world.users.get_mut(text(5)) {
                users.remove(&id);
            }
        }
        known::GROUPADDED => {
            world.groups.entry(text(2).into()).or_default().insert(id, text(1).into());
        }
        known::GROUPDELETED => {
            if let Some(groups) = world.groups.get_mut(text(2)) {
                groups.remove(&id);
            }
        }
        _ => {}
    }
}
