//! Audit records as they come, one a line: types and texts of the kernel's, lines of auditd's, and
//! the events that they are joined to. Seeds: tests/golden/audit.
#![no_main]

use eyas::decode::audit::control::{Status, reply};
use eyas::decode::audit::rule::Listed;
use eyas::decode::audit::{Assembler, AuditRecord};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut assembler = Assembler::default();
    let mut events = 0;
    for (now_ms, line) in (0..).zip(bytes.split(|&byte| byte == b'\n')) {
        let mut take = |_: &eyas::decode::audit::AuditEvent| events += 1;
        if let Ok(Some(record)) = AuditRecord::parse_line(line) {
            assembler.record(&record, now_ms, &mut take);
        }
        if let Some((kind, text)) = line.split_first_chunk::<2>() {
            let kind = 1300 + u16::from_ne_bytes(*kind) % 40;
            if let Ok(record) = AuditRecord::parse(kind, text) {
                assembler.record(&record, now_ms, &mut take);
            }
        }
    }
    assembler.tick(u64::MAX, &mut |_| events += 1);
    assert_eq!(assembler.pending(), 0);
    drop((Status::parse(bytes), reply(bytes), Listed::parse(bytes)));
});
