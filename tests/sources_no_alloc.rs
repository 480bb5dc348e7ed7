//! Draining the live sources allocates nothing once they are warm. Needs root.
#![allow(clippy::panic, clippy::print_stderr, clippy::unwrap_used)]
#![allow(unsafe_code)]

use std::alloc::GlobalAlloc;
use std::alloc::Layout;
use std::alloc::System;
use std::cell::Cell;
use std::process::Command;

use eyas::sources::Error;
use eyas::sources::FileWatch;
use eyas::sources::ProcConnector;
use eyas::sources::Source;
use eyas::sources::Wanted;
use eyas::sources::proc_connector;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: each call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Has a child open files and start programs, and drains; records and allocations.
fn drain(source: &mut dyn Source) -> (usize, usize) {
    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do cat /etc/passwd > /dev/null; done";
    let status = Command::new("sh").args(["-c", script]).status().unwrap();
    assert!(status.success());
    let before = ALLOCATIONS.with(Cell::get);
    let mut records = 0;
    while source.drain(1024, &mut |_| records += 1).unwrap().more {}
    (records, ALLOCATIONS.with(Cell::get) - before)
}

fn allocates_nothing<S: Source>(source: Result<S, Error>) {
    let mut source = match source {
        Ok(source) => source,
        Err(error) if std::env::var_os("EYAS_REQUIRE").is_none() => {
            eprintln!("SKIPPED: {error}; hint: {}", error.hint());
            return;
        }
        Err(error) => panic!("{error}; hint: {}", error.hint()),
    };
    drain(&mut source);
    let (records, allocations) = drain(&mut source);
    assert!(records > 10);
    assert_eq!(allocations, 0, "for {records} records");
}

#[test]
fn a_file_record_allocates_nothing() {
    allocates_nothing(FileWatch::start(Wanted::ALL));
}

#[test]
fn a_process_record_allocates_nothing() {
    allocates_nothing(ProcConnector::subscribe(proc_connector::Options::default()));
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.with(Cell::get);
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.with(Cell::get), before + 1);
}
