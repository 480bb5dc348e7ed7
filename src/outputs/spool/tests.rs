//! The spool over ends, damage and want of room.

use super::*;

fn settings(dir: &Path) -> Settings {
    Settings { directory: dir.join("spool"), max_bytes: 1 << 20, fsync: Fsync::Never, chain: true }
}

fn alerts(numbers: std::ops::Range<u64>) -> Vec<Arc<Alert>> {
    let alert = |number: u64| {
        let text = format!("alert {number} {}", "x".repeat(100)).into_bytes().into();
        Arc::new(Alert { text, priority: 4 })
    };
    numbers.map(alert).collect()
}

/// Delivers everything; the numbers that the texts say.
fn drain(spool: &mut Spool) -> Vec<u64> {
    let mut found = Vec::new();
    while let Some(record) = spool.oldest().unwrap() {
        found.push(number(&record));
        spool.done(record.number).unwrap();
    }
    found
}

fn number(record: &Record) -> u64 {
    let text = String::from_utf8(record.payload.clone()).unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

fn newest(dir: &Path) -> PathBuf {
    let segments = scan::segments(&dir.join("spool")).unwrap();
    dir.join("spool").join(scan::name(segments.last().unwrap().first))
}

#[test]
fn what_was_not_delivered_is_there_after_the_next_start_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    spool.append(&alerts(0..10)).unwrap();
    for _ in 0..4 {
        let record = spool.oldest().unwrap().unwrap();
        spool.done(record.number).unwrap();
    }
    drop(spool);
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    assert_eq!(spool.waiting(), 6);
    spool.append(&alerts(10..12)).unwrap();
    assert_eq!(drain(&mut spool), (4..12).collect::<Vec<_>>());
    drop(spool);
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    assert_eq!(spool.oldest().unwrap(), None);
}

#[test]
fn a_torn_end_costs_only_what_was_torn() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    spool.append(&alerts(0..3)).unwrap();
    drop(spool);
    let path = newest(dir.path());
    let whole = std::fs::read(&path).unwrap();
    for cut in 1..170 {
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let mut spool = Spool::open(settings(dir.path())).unwrap();
        spool.append(&alerts(3..4)).unwrap();
        let mut found = Vec::new();
        while let Some(record) = spool.oldest().unwrap() {
            found.push(number(&record));
            spool.skip_to(record.number + 1);
        }
        assert!(found == [0, 1, 3] || (found == [0, 3] && cut > 160), "{cut}: {found:?}");
        drop(spool);
        // Back to the beginning for the next cut.
        std::fs::remove_file(dir.path().join("spool/cursor")).unwrap();
    }
}

#[test]
fn zeros_at_the_end_are_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    spool.append(&alerts(0..3)).unwrap();
    drop(spool);
    let file = OpenOptions::new().append(true).open(newest(dir.path())).unwrap();
    (&file).write_all(&[0; 5000]).unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    spool.append(&alerts(3..5)).unwrap();
    assert_eq!(drain(&mut spool), [0, 1, 2, 3, 4]);
    assert_eq!(spool.take_losses(), Losses { torn: 5000, ..Losses::default() });
}

#[test]
fn damage_in_the_newest_segment_is_no_torn_end_and_costs_only_what_was_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("spool");
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    spool.append(&alerts(0..6)).unwrap();
    drop(spool);
    let path = newest(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let record = record::record_len(&whole[SEGMENT_HEAD..]).unwrap();
    // In head, chain and payload of the third, and of the first.
    for (alert, at) in [(2, 2), (2, 9), (2, 17), (2, 30), (2, record - 1), (0, 5)] {
        let mut bytes = whole.clone();
        bytes[SEGMENT_HEAD + alert * record + at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let faults = inspect(&directory).unwrap().faults;
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(!faults[0].is_torn_end, "{faults:?}");
        let mut spool = Spool::open(settings(dir.path())).unwrap();
        let rest = (0..6).filter(|number| *number != u64::try_from(alert).unwrap());
        assert_eq!(drain(&mut spool), rest.collect::<Vec<_>>(), "{alert} {at}");
        assert_eq!(spool.take_losses(), Losses { damaged: 1, ..Losses::default() });
        drop(spool);
        std::fs::remove_file(directory.join("cursor")).unwrap();
    }
}

#[test]
fn a_damaged_head_costs_no_alert_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("spool");
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    spool.append(&alerts(0..6)).unwrap();
    drop(spool);
    let file = OpenOptions::new().write(true).open(newest(dir.path())).unwrap();
    file.write_all_at(b"?", 20).unwrap();
    let status = inspect(&directory).unwrap();
    assert!(status.waiting() == 6 && !status.faults[0].is_torn_end, "{status:?}");
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    spool.append(&alerts(6..7)).unwrap();
    assert_eq!(drain(&mut spool), (0..7).collect::<Vec<_>>());
    assert_eq!(spool.take_losses(), Losses::default());
}

#[test]
fn nobody_else_may_read_its_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    spool.append(&alerts(0..1)).unwrap();
    for entry in std::fs::read_dir(dir.path().join("spool")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o77, 0, "{entry:?}");
    }
}

#[test]
fn damage_in_the_middle_costs_what_was_damaged_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    for start in (0..2000).step_by(10) {
        spool.append(&alerts(start..start + 10)).unwrap();
    }
    assert!(spool.segments.len() > 3);
    let second = spool.segments[1];
    drop(spool);
    let path = dir.path().join("spool").join(scan::name(second.first));
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(b"!", 1000).unwrap();
    let faults = inspect(&dir.path().join("spool")).unwrap().faults;
    assert!(!faults.is_empty() && !faults[0].is_torn_end, "{faults:?}");
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    let found = drain(&mut spool);
    let losses = spool.take_losses();
    assert_eq!((losses.damaged, found.len()), (1, 1999));
    assert!(found.is_sorted());
    assert_eq!(found.last(), Some(&1999));
}

#[test]
fn a_full_spool_drops_the_oldest_and_counts_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    for start in (0..20_000).step_by(10) {
        spool.append(&alerts(start..start + 10)).unwrap();
    }
    assert!(spool.bytes() <= 1 << 20);
    let losses = spool.take_losses();
    assert_eq!(losses.dropped + spool.waiting(), 20_000);
    assert_eq!(drain(&mut spool), (losses.dropped..20_000).collect::<Vec<_>>());
}

#[test]
fn delivered_segments_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    for start in (0..2000).step_by(10) {
        spool.append(&alerts(start..start + 10)).unwrap();
    }
    drain(&mut spool);
    assert_eq!(spool.segments.len(), 1);
    assert_eq!(scan::segments(&dir.path().join("spool")).unwrap().len(), 1);
}

#[test]
fn only_one_process_has_it_open_and_anyone_may_look() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    assert!(matches!(Spool::open(settings(dir.path())), Err(Error::Busy(_))));
    spool.append(&alerts(0..3)).unwrap();
    spool.done(0).unwrap();
    let status = inspect(&dir.path().join("spool")).unwrap();
    assert_eq!((status.waiting(), status.first, status.segments), (2, 1, 1));
    assert_eq!(status.faults, []);
}

#[test]
fn a_removed_alert_shows_in_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    spool.append(&alerts(0..3)).unwrap();
    drop(spool);
    // Whoever changes it makes the checksum right, too.
    let path = newest(dir.path());
    let bytes = std::fs::read(&path).unwrap();
    let (mut forged, mut at) = (bytes[..SEGMENT_HEAD].to_vec(), SEGMENT_HEAD);
    for number in 0..3 {
        let mut found = record::read_record(&bytes[at..], number).unwrap();
        at += record::record_len(&bytes[at..]).unwrap();
        if number == 1 {
            found.payload = b"alert 1 nothing happened".to_vec();
        }
        record::push_record(number, found.chain.as_ref(), &found.payload, &mut forged);
    }
    std::fs::write(&path, forged).unwrap();
    let status = inspect(&dir.path().join("spool")).unwrap();
    assert_eq!(status.faults.len(), 1);
    assert!(status.faults[0].what.contains("chain is broken"), "{status:?}");
}

#[test]
fn a_lost_end_behind_the_cursor_gives_no_number_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    spool.append(&alerts(0..3)).unwrap();
    assert_eq!(drain(&mut spool), [0, 1, 2]);
    drop(spool);
    let path = newest(dir.path());
    let len = std::fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(len - 200).unwrap();
    let mut spool = Spool::open(settings(dir.path())).unwrap();
    spool.append(&alerts(3..5)).unwrap();
    assert_eq!(drain(&mut spool), [3, 4]);
}
