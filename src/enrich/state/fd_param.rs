//! Which parameter of an event is the descriptor that it is about.

use std::sync::LazyLock;

use crate::event::{DataType, EventFlags, EventType, known};

/// Index of the parameter with the descriptor that such an event uses; `None`: it uses none, or
/// makes one.
pub(super) fn fd_param(ty: EventType) -> Option<usize> {
    static PARAMS: LazyLock<Vec<u8>> = LazyLock::new(|| {
        EventType::all()
            .map(|ty| found(ty).and_then(|at| u8::try_from(at).ok()).unwrap_or(NONE))
            .collect()
    });
    const NONE: u8 = u8::MAX;
    PARAMS.get(ty.index()).filter(|&&at| at != NONE).map(|&at| usize::from(at))
}

/// The first descriptor behind the result. splice names its source first; Falco means the target.
fn found(ty: EventType) -> Option<usize> {
    let info = ty.info();
    if !info.has(EventFlags::USES_FD) {
        return None;
    }
    if ty == known::SPLICE {
        return info.param_index("fd_out");
    }
    let is_fd = |(_, param): &(usize, &crate::event::ParamInfo)| param.ty == DataType::Fd;
    info.params.iter().enumerate().skip(1).find(is_fd).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_that_uses_a_descriptor_says_which() {
        for ty in EventType::all().filter(|ty| ty.info().has(EventFlags::USES_FD)) {
            assert!(fd_param(ty).is_some(), "{}", ty.name());
        }
    }

    #[test]
    fn an_event_that_makes_a_descriptor_uses_none() {
        assert_eq!(fd_param(known::OPEN), None);
        assert_eq!(fd_param(known::ACCEPT), None);
        assert_eq!(fd_param(known::DUP), Some(1));
        assert_eq!(fd_param(known::MMAP), Some(8));
    }
}
