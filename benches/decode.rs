//! Bytes of the live sources → records, with captured bytes. `cargo bench --bench decode`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;

use eyas::decode::fanotify;
use eyas::decode::proc_connector;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");

    let fork = include_bytes!("../tests/golden/proc_connector/fork.bin");
    group.throughput(Throughput::Elements(1));
    group.bench_function("proc_connector", |bencher| {
        bencher.iter(|| proc_connector::message(black_box(fork)).unwrap());
    });

    let event = include_bytes!("../tests/golden/fanotify/open.bin");
    let read: Vec<u8> = event.repeat(64);
    group.throughput(Throughput::Elements(64));
    group.bench_function("fanotify", |bencher| {
        bencher.iter(|| {
            fanotify::events(black_box(&read)).map(|event| event.unwrap().mask).fold(0, u64::max)
        });
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
