//! What execve(2) does with a file, by the first bytes of it: whether another program is opened to
//! load or interpret it.
//!
//! Sources: execve(2), elf(5); fs/binfmt_elf.c, fs/binfmt_script.c in the kernel.

use super::reader::Reader;
use super::reader::Truncated;

/// How much of a file is needed: program headers stand at its beginning.
pub const HEAD: usize = 4096;

/// Bytes of a script's first line that the kernel looks at.
const LINE: usize = 255;

/// `PT_INTERP` in linux/elf.h.
const PT_INTERP: u32 = 3;

/// Machines whose programs run here: `EM_*` in linux/elf-em.h.
#[cfg(not(target_arch = "aarch64"))]
const MACHINES: [u16; 2] = [62, 3];
/// As above.
#[cfg(target_arch = "aarch64")]
const MACHINES: [u16; 2] = [183, 40];

/// What a file is to execve(2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Executable<'a> {
    /// A program that needs no other to be loaded: a static one, or a loader itself.
    Alone,
    /// A program that names its loader.
    Loaded {
        /// Its path; empty if it doesn't stand in what was read.
        loader: &'a [u8],
    },
    /// A script that names its interpreter.
    Script {
        /// Its path.
        interpreter: &'a [u8],
        /// What stands behind it, as one argument.
        argument: Option<&'a [u8]>,
    },
    /// Something that no program can be made of, or only by what was registered for it
    /// (`binfmt_misc`).
    Other,
}

impl<'a> Executable<'a> {
    /// Knows it by its first [`HEAD`] bytes, or all if it is shorter.
    #[must_use]
    pub fn parse(head: &'a [u8]) -> Self {
        match head {
            [b'#', b'!', line @ ..] => script(line).unwrap_or(Self::Other),
            [0x7f, b'E', b'L', b'F', ..] => elf(head).unwrap_or(Self::Other),
            _ => Self::Other,
        }
    }
}

/// `line`: what stands behind `#!`.
fn script(line: &[u8]) -> Option<Executable<'_>> {
    let is_cut = line.len() >= LINE - 2;
    let line = line.get(..LINE - 2).unwrap_or(line);
    let end = memchr::memchr2(b'\n', 0, line);
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = line.get(..end.unwrap_or(line.len()))?;
    let start = line.iter().position(|byte| !is_blank(byte))?;
    let line = line.get(start..)?;
    let name_end = line.iter().position(is_blank);
    if name_end.is_none() && end.is_none() && is_cut {
        // The interpreter's name may go on.
        return None;
    }
    let (interpreter, rest) = line.split_at_checked(name_end.unwrap_or(line.len()))?;
    let rest = rest.iter().position(|byte| !is_blank(byte)).and_then(|at| rest.get(at..));
    let rest = rest.map(|rest| {
        let end = rest.iter().rposition(|byte| !is_blank(byte)).map_or(0, |at| at + 1);
        rest.get(..end).unwrap_or(rest)
    });
    let is_named = !interpreter.is_empty();
    is_named.then_some(Executable::Script { interpreter, argument: rest })
}

fn elf(head: &[u8]) -> Option<Executable<'_>> {
    let [.., class, order] = head.first_chunk::<6>()?;
    // Little endian, as all that runs here is.
    let is_wide = match (class, order) {
        (1, 1) => false,
        (2, 1) => true,
        _ => return None,
    };
    let machine = Reader::new(head.get(18..)?).u16_le("machine").ok()?;
    if !MACHINES.contains(&machine) {
        return None;
    }
    let word = |at: usize| -> Option<u64> {
        let mut reader = Reader::new(head.get(at..)?);
        word(&mut reader, is_wide).ok()
    };
    let half = |at: usize| Reader::new(head.get(at..)?).u16_le("half a word").ok();
    // e_phoff, e_phentsize, e_phnum.
    let (table, size, count) =
        if is_wide { (word(32)?, half(54)?, half(56)?) } else { (word(28)?, half(42)?, half(44)?) };
    let table = usize::try_from(table).ok()?;
    for place in 0..usize::from(count) {
        let at = table.checked_add(place * usize::from(size))?;
        // A table that goes on beyond what was read may name a loader there.
        let Some(entry) = head.get(at..).filter(|entry| entry.len() >= usize::from(size)) else {
            return Some(Executable::Loaded { loader: b"" });
        };
        if Reader::new(entry).u32_le("type").ok()? == PT_INTERP {
            return Some(Executable::Loaded { loader: loader(head, entry, is_wide) });
        }
    }
    Some(Executable::Alone)
}

/// The text that a `PT_INTERP` entry leads to.
fn loader<'a>(head: &'a [u8], entry: &[u8], is_wide: bool) -> &'a [u8] {
    let field = |at: usize| {
        let mut reader = Reader::new(entry.get(at..)?);
        word(&mut reader, is_wide).ok().and_then(|word| usize::try_from(word).ok())
    };
    // p_offset, p_filesz.
    let (offset, size) = if is_wide { (field(8), field(32)) } else { (field(4), field(16)) };
    let text = offset.zip(size).and_then(|(at, size)| head.get(at..at.checked_add(size)?));
    let text = text.unwrap_or_default();
    text.strip_suffix(b"\0").unwrap_or(text)
}

fn word(reader: &mut Reader<'_>, is_wide: bool) -> Result<u64, Truncated> {
    if is_wide { reader.u64_le("word") } else { reader.u32_le("word").map(u64::from) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(machine: u16, loader: Option<&[u8]>) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend([2, 0]);
        file.extend(machine.to_le_bytes());
        file.resize(32, 0);
        file.extend(64_u64.to_le_bytes());
        file.resize(54, 0);
        file.extend(56_u16.to_le_bytes());
        file.extend(2_u16.to_le_bytes());
        file.resize(64, 0);
        // PT_LOAD, then maybe PT_INTERP.
        file.extend(1_u32.to_le_bytes());
        file.resize(120, 0);
        let text = loader.unwrap_or_default();
        file.extend(if loader.is_some() { PT_INTERP } else { 1 }.to_le_bytes());
        file.resize(128, 0);
        file.extend(176_u64.to_le_bytes());
        file.resize(152, 0);
        file.extend((text.len() as u64 + 1).to_le_bytes());
        file.resize(176, 0);
        file.extend(text);
        file.push(0);
        file
    }

    #[test]
    fn a_program_stands_alone_or_names_its_loader() {
        let [own, ..] = MACHINES;
        assert_eq!(Executable::parse(&program(own, None)), Executable::Alone);
        let file = program(own, Some(b"/lib/ld.so"));
        assert_eq!(Executable::parse(&file), Executable::Loaded { loader: b"/lib/ld.so" });
        // Its loader's name, then the table itself, is beyond what was read.
        assert_eq!(Executable::parse(&file[..180]), Executable::Loaded { loader: b"" });
        assert_eq!(Executable::parse(&file[..130]), Executable::Loaded { loader: b"" });
        assert_eq!(Executable::parse(&file[..50]), Executable::Other);
    }

    #[test]
    fn a_program_of_another_machine_is_nothing_that_is_known() {
        assert_eq!(Executable::parse(&program(8, None)), Executable::Other);
        assert_eq!(Executable::parse(b""), Executable::Other);
        assert_eq!(Executable::parse(b"echo hello"), Executable::Other);
    }

    #[test]
    fn a_script_names_its_interpreter_and_at_most_one_argument() {
        let script = |text: &'static str| match Executable::parse(text.as_bytes()) {
            Executable::Script { interpreter, argument } => Some((interpreter, argument)),
            _ => None,
        };
        assert_eq!(script("#!/bin/sh\necho"), Some((&b"/bin/sh"[..], None)));
        assert_eq!(
            script("#! \t/bin/sh -e  -u \t\n"),
            Some((&b"/bin/sh"[..], Some(&b"-e  -u"[..])))
        );
        assert_eq!(script("#!/bin/sh"), Some((&b"/bin/sh"[..], None)));
        assert_eq!(script("#!\n/bin/sh"), None);
        assert_eq!(script("#!   "), None);
    }

    #[test]
    fn an_interpreter_whose_name_goes_beyond_the_first_line_is_none() {
        let long = [&b"#!/"[..], &[b'x'; 300]].concat();
        assert_eq!(Executable::parse(&long), Executable::Other);
        let long = [&b"#!/sh "[..], &[b'x'; 300]].concat();
        let Executable::Script { argument, .. } = Executable::parse(&long) else { panic!() };
        assert_eq!(argument.map(<[u8]>::len), Some(249));
    }
}
