//! What replaying a capture costs, in nanoseconds of CPU an event, by stage: reading blocks,
//! decoding, state, rules; plain and gzip.
//!
//! Events: short programs that start, read, write, connect and end, some 800,000 events. Rules:
//! the stock rules (`EYAS_STOCK_RULES` names their directory; without it the project's own).
//!
//! Two quiet processors at 2.3 GHz, three runs: read 25 to 30 ns, gzip 50 to 55 more, decode 99 to
//! 104, state 84 to 89, the 93 rules 55 to 60; 268 to 273 in all, 213 without rules.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    missing_docs,
    reason = "a bench"
)]

#[path = "../tests/support/capture.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod capture;
#[path = "../tests/support/rules.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod support;

use std::hint::black_box;
use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::path::Path;

use eyas::decode::scap::block::Kind;
use eyas::decode::scap::{Decoder, recycled_params};
use eyas::engine::ruleset::{Matching, RuleSet, Scratch};
use eyas::event::World;
use eyas::service::replay::{Replay, container_of};
use eyas::sources::replay::Capture;

const SESSIONS: u32 = 13_000;

/// Time that this thread was on a CPU, in nanoseconds; a busy machine doesn't spoil it.
fn on_cpu() -> u64 {
    let text = std::fs::read("/proc/thread-self/schedstat").unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn open(bytes: &[u8]) -> Capture {
    // A copy, since the reader may live as long as the program.
    Capture::new(Path::new("bench.scap"), Box::new(Cursor::new(bytes.to_vec())), None).unwrap()
}

/// The best of several rounds.
fn best(mut round: impl FnMut() -> (u64, u64)) -> f64 {
    const ROUNDS: usize = 5;
    let figures = (0..ROUNDS).map(|_| {
        let (ns, events) = round();
        ns as f64 / events as f64
    });
    figures.fold(f64::INFINITY, f64::min)
}

fn blocks(bytes: &[u8]) -> (u64, u64) {
    let mut capture = open(bytes);
    let start = on_cpu();
    let mut events = 0;
    while let Some(block) = capture.next_block().unwrap() {
        events += u64::from(matches!(block.kind, Kind::Event(_)));
        black_box(block.body.len());
    }
    (on_cpu() - start, events)
}

fn decode(bytes: &[u8]) -> (u64, u64) {
    let mut capture = open(bytes);
    let mut decoder = Decoder::default();
    let mut kept = Vec::new();
    let start = on_cpu();
    let mut events = 0;
    while let Some(block) = capture.next_block().unwrap() {
        let Kind::Event(kind) = block.kind else { continue };
        let mut params = recycled_params(std::mem::take(&mut kept));
        black_box(decoder.event(kind, block.body, &mut params).unwrap());
        kept = recycled_params(params);
        events += 1;
    }
    (on_cpu() - start, events)
}

fn replay(bytes: &[u8], rules: Option<&RuleSet>) -> (u64, u64) {
    let mut replay = Replay::new(open(bytes), container_of, Box::new(World::default));
    let mut scratch = Scratch::default();
    let mut matches = 0_u64;
    let start = on_cpu();
    let judged = replay.run(|event| {
        if let Some(rules) = rules {
            rules.evaluate(event, &mut scratch, |_| matches += 1);
        }
        ControlFlow::Continue(())
    });
    judged.unwrap();
    black_box(matches);
    (on_cpu() - start, replay.summary().last_num)
}

fn main() {
    let plain = capture::Capture::everyday(SESSIONS).bytes;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&plain).unwrap();
    let packed = packer.finish().unwrap();
    println!("capture: {} MB plain, {} MB gzip", plain.len() >> 20, packed.len() >> 20);
    let reading = best(|| blocks(&plain));
    let unpacking = best(|| blocks(&packed)) - reading;
    let decoded = best(|| decode(&plain));
    let tracked = best(|| replay(&plain, None));
    println!("read     {reading:6.1} ns an event");
    println!("gzip    +{unpacking:6.1}");
    println!("decode  +{:6.1}", decoded - reading);
    println!("state   +{:6.1} (whole without rules {tracked:.1})", tracked - decoded);
    let (rules, what) = support::stock_rules();
    let count = rules.len();
    let rules = RuleSet::build(rules, Matching::First);
    let whole = best(|| replay(&plain, Some(&rules)));
    println!("rules   +{:6.1} (whole {whole:.1}; {count} rules of {what})", whole - tracked);
}
