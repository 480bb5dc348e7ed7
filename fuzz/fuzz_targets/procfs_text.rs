//! The other text files of /proc/PID, passwd and group: each reader over the same bytes.
#![no_main]

use eyas::decode::passwd;
use eyas::decode::procfs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let status = procfs::status::Status::parse(bytes);
    let _ = status.is_in_group(0);
    for mount in procfs::mountinfo::parse(bytes) {
        drop(procfs::mountinfo::unescape(mount.mount_point));
        let _ = mount.super_option(b"upperdir");
    }
    for group in procfs::cgroup::parse(bytes) {
        let _ = eyas::enrich::cgroup::named_container(std::iter::once(group.path));
    }
    let _ = eyas::enrich::cgroup::container_of(bytes);
    let _ = procfs::cmdline::CommandLine::parse(bytes);
    let _ = procfs::fdinfo::flags(bytes);
    let _ = procfs::limits::max_open_files(bytes);
    procfs::net::parse_inet(bytes).for_each(drop);
    procfs::net::parse_unix(bytes).for_each(drop);
    passwd::parse_passwd(bytes).for_each(drop);
    passwd::parse_group(bytes).for_each(drop);
});
