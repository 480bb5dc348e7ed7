//! One line of /proc/PID/stat.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(stat) = eyas::decode::procfs::stat::Stat::parse(bytes) {
        assert!(stat.short_comm().len() <= 15);
    }
});
