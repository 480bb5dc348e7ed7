//! An event that no rule matches costs no allocation.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test")]
#![allow(unsafe_code, reason = "an allocator can be replaced in no other way")]

#[path = "support/rules.rs"]
#[allow(dead_code, reason = "shared with the benches")]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use eyas::engine::ruleset::{Matching, RuleSet, Scratch};
use eyas::event::{Arena, Event};

/// Counts what the present thread allocates.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about the layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the place came from `alloc` above, which is the system's.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as for `dealloc`; the size is the caller's.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How much is allocated while `act` runs.
fn counted(act: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    act();
    COUNT.get() - before
}

/// Judges everyday events twice, so that caches have grown, and counts the third time.
fn allocations(set: &RuleSet) -> (u64, usize) {
    let mut scratch = Scratch::default();
    let mut arena = Arena::with_capacity(1 << 16);
    let events = support::everyday_events();
    let mut total = 0;
    for round in 0..3 {
        total = 0;
        for builder in &events {
            arena.reset();
            let event = Event { arena: &arena, ..builder.event() };
            let mut matches = 0;
            let count = counted(|| set.evaluate(&event, &mut scratch, |_| matches += 1));
            if round == 2 && matches > 0 {
                eprintln!("{} matched", event.ty.name());
            } else {
                total += count;
            }
        }
    }
    (total, events.len())
}

#[test]
fn stock_rules_allocate_nothing_for_everyday_events() {
    let (rules, what) = support::stock_rules();
    eprintln!("{} rules of {what}", rules.len());
    let (total, events) = allocations(&RuleSet::build(rules, Matching::First));
    assert_eq!(total, 0, "over {events} events");
}

#[test]
fn every_kind_of_comparison_allocates_nothing() {
    let conditions = [
        "proc.name in (a, b, c, d, e, f, g, h)",
        "fd.name startswith anyof (/x, /y) and proc.cmdline contains zzz",
        "fd.name glob \"/a*b?c\" or fd.name iglob \"/A*\"",
        "proc.cmdline regex \"x+y\"",
        "fd.name pmatch (/x, /y/*/z)",
        "proc.aname in (x, y)",
        "tolower(proc.name) = zzz",
        "concat(proc.name, proc.pname) = zzz",
        "evt.arg.flags contains O_TRUNC_X",
        "fd.sip = 1.2.3.4 or fd.net = 1.0.0.0/8 or fd.port = 9",
        "proc.name = val(proc.pname)",
        "proc.env[HOME] icontains zzz",
    ];
    let rules = conditions.iter().map(|text| support::rule(text, text)).collect();
    assert_eq!(allocations(&RuleSet::build(rules, Matching::First)).0, 0);
}

#[test]
fn the_counter_counts() {
    let count = counted(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(count, 1);
    let count = counted(|| {
        let mut grown = Vec::with_capacity(1);
        grown.extend_from_slice(std::hint::black_box(&[0_u8; 100]));
    });
    assert_eq!(count, 2);
}
