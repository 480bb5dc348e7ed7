//! What is typed already: rules share the checks of the macros that they use.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Warning;
use crate::engine::condition::Predicate;
use crate::engine::lang::ast::Check;

/// Typed checks, by the place of the check in memory.
#[derive(Debug, Default)]
pub(in crate::engine) struct Memo {
    known: FxHashMap<usize, Known>,
}

#[derive(Debug)]
struct Known {
    /// Kept, so that nothing else gets its place.
    _check: Arc<Check>,
    predicate: Arc<Predicate>,
    warnings: Box<[Warning]>,
}

/// One condition that is being typed.
pub(super) struct Typing<'a> {
    memo: &'a mut Memo,
    pub(super) warnings: Vec<Warning>,
}

impl<'a> Typing<'a> {
    pub(super) const fn new(memo: &'a mut Memo) -> Self {
        Self { memo, warnings: Vec::new() }
    }

    /// Types one check; the error is Falco's text.
    pub(super) fn predicate(&mut self, check: &Arc<Check>) -> Result<Arc<Predicate>, String> {
        let place = Arc::as_ptr(check).addr();
        if let Some(known) = self.memo.known.get(&place) {
            self.warnings.extend_from_slice(&known.warnings);
            return Ok(Arc::clone(&known.predicate));
        }
        let mut warnings = Vec::new();
        let predicate = Arc::new(super::predicate(check, &mut warnings)?);
        self.warnings.extend_from_slice(&warnings);
        let known = Known {
            _check: Arc::clone(check),
            predicate: Arc::clone(&predicate),
            warnings: warnings.into(),
        };
        self.memo.known.insert(place, known);
        Ok(predicate)
    }
}
