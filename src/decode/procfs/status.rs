//! `/proc/<pid>/status`: identities, memory and capabilities, see proc_pid_status(5).

use super::decimal;
use super::hexadecimal;
use super::lines;
use super::signed;
use super::words;

/// What is used of the file. What this kernel does not show is `None`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Status<'a> {
    /// Thread group.
    pub tgid: Option<i64>,
    /// Real, effective, saved, file system user.
    pub uids: Option<[u32; 4]>,
    /// Real, effective, saved, file system group.
    pub gids: Option<[u32; 4]>,
    /// Supplementary groups, separated by blanks.
    pub groups: &'a [u8],
    /// Thread id in its own pid namespace (4.1).
    pub ns_pid: Option<i64>,
    /// Process group in its own pid namespace (4.1).
    pub ns_pgid: Option<i64>,
    /// Session in its own pid namespace (4.1).
    pub ns_sid: Option<i64>,
    /// Address space in KiB.
    pub vm_size_kb: Option<u32>,
    /// Resident memory in KiB.
    pub vm_rss_kb: Option<u32>,
    /// Swapped out memory in KiB.
    pub vm_swap_kb: Option<u32>,
    /// Inheritable capabilities.
    pub cap_inheritable: Option<u64>,
    /// Permitted capabilities.
    pub cap_permitted: Option<u64>,
    /// Effective capabilities.
    pub cap_effective: Option<u64>,
}

impl<'a> Status<'a> {
    /// Reads the lines that are there.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Self {
        let mut status = Self::default();
        for line in lines(text) {
            let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
            let (key, rest) = line.split_at(colon);
            let value = rest.get(1..).unwrap_or_default().trim_ascii();
            status.set(key, value);
        }
        status
    }

    fn set(&mut self, key: &[u8], value: &'a [u8]) {
        match key {
            b"Tgid" => self.tgid = signed(value),
            b"Uid" => self.uids = four(value),
            b"Gid" => self.gids = four(value),
            b"Groups" => self.groups = value,
            b"NSpid" => self.ns_pid = innermost(value),
            b"NSpgid" => self.ns_pgid = innermost(value),
            b"NSsid" => self.ns_sid = innermost(value),
            b"VmSize" => self.vm_size_kb = kilobytes(value),
            b"VmRSS" => self.vm_rss_kb = kilobytes(value),
            b"VmSwap" => self.vm_swap_kb = kilobytes(value),
            b"CapInh" => self.cap_inheritable = hexadecimal(value),
            b"CapPrm" => self.cap_permitted = hexadecimal(value),
            b"CapEff" => self.cap_effective = hexadecimal(value),
            _ => {}
        }
    }

    /// Whether `gid` is the file system group or one of the supplementary groups.
    #[must_use]
    pub fn is_in_group(&self, gid: u32) -> bool {
        self.gids.is_some_and(|[_, _, _, fs]| fs == gid)
            || words(self.groups).any(|word| decimal(word) == Some(u64::from(gid)))
    }
}

/// Four ids separated by tabs.
fn four(value: &[u8]) -> Option<[u32; 4]> {
    let mut ids = words(value).map(|word| decimal(word).and_then(|id| u32::try_from(id).ok()));
    Some([ids.next()??, ids.next()??, ids.next()??, ids.next()??])
}

/// Namespaces are listed from the outermost inwards.
fn innermost(value: &[u8]) -> Option<i64> {
    signed(words(value).last()?)
}

fn kilobytes(value: &[u8]) -> Option<u32> {
    u32::try_from(decimal(words(value).next()?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_values() {
        let status = Status::parse(
            b"Name:\tba:sh\nState:\tS (sleeping)\nTgid:\t9\nUid:\t1000\t0\t0\t0\nGid:\t5\t6\t7\t8\n\
            Groups:\t4 24 27 \nNSpid:\t9\t1\nNSpgid:\t9\t1\nNSsid:\t3\t0\nVmSize:\t    4140 kB\n\
            VmRSS:\t 12 kB\nVmSwap:\t 0 kB\nCapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\n\
            CapEff:\t0000000000000001\n",
        );
        assert_eq!(status.uids, Some([1000, 0, 0, 0]));
        assert_eq!(status.gids, Some([5, 6, 7, 8]));
        assert_eq!((status.ns_pid, status.ns_pgid, status.ns_sid), (Some(1), Some(1), Some(0)));
        assert_eq!(
            (status.vm_size_kb, status.vm_rss_kb, status.vm_swap_kb),
            (Some(4140), Some(12), Some(0))
        );
        assert_eq!((status.cap_permitted, status.cap_effective), (Some(0xa804_25fb), Some(1)));
        assert!(status.is_in_group(24) && status.is_in_group(8) && !status.is_in_group(2));
    }

    #[test]
    fn what_an_old_kernel_does_not_show_is_none() {
        let status = Status::parse(b"Name:\tsh\nUid:\t0\t0\t0\t0\n");
        assert_eq!((status.ns_pid, status.vm_size_kb, status.gids), (None, None, None));
    }
}
