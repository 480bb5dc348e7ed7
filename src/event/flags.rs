//! How a table of flag or enum names is read. The tables are in [`flag_tables`](super::flag_tables).

/// Names with their values, in the order in which Falco tries and prints them.
pub type FlagTable = &'static [(&'static str, u32)];

/// The names of the set bits of `value`, by Falco's algorithm.
///
/// Entries are tried in table order: a zero entry matches only a zero value; another one matches
/// if all its bits are left, and takes them away. Unknown bits are silently dropped.
/// Source: falco-libs' rendering of flags.
pub fn flag_names(table: FlagTable, value: u32) -> impl Iterator<Item = &'static str> {
    let mut rest = value;
    let mut done = false;
    table.iter().filter_map(move |&(name, bits)| {
        let matches = if bits == 0 { value == 0 } else { rest & bits == bits && rest != 0 };
        if done || !matches {
            return None;
        }
        rest &= !bits;
        done = bits == value;
        Some(name)
    })
}

/// All names whose value is exactly `value`.
pub fn enum_names(table: FlagTable, value: u32) -> impl Iterator<Item = &'static str> {
    table.iter().filter(move |&&(_, number)| number == value).map(|&(name, _)| name)
}

/// The value of `name`.
#[must_use]
pub fn value_of(table: FlagTable, name: &str) -> Option<u32> {
    table.iter().find(|(candidate, _)| *candidate == name).map(|&(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::super::flag_tables::FILE_FLAGS;
    use super::*;

    #[test]
    fn read_write_is_tried_before_its_halves() {
        let names: Vec<_> = flag_names(FILE_FLAGS, 4359).collect();
        assert_eq!(names, ["O_TRUNC", "O_CREAT", "O_RDWR", "O_CLOEXEC"]);
    }

    #[test]
    fn zero_has_the_name_of_the_zero_entry() {
        assert_eq!(flag_names(FILE_FLAGS, 0).collect::<Vec<_>>(), ["O_NONE"]);
    }
}
