//! `/proc/<pid>/cmdline` and `environ`: items, each terminated by a NUL.

/// How many bytes of arguments, and of the environment, the rules see: Falco cuts both at a page.
pub const LIMIT: usize = 4096;

/// A command line: argv\[0\] and the rest.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CommandLine<'a> {
    /// argv\[0\]
    pub exe: &'a [u8],
    /// argv\[1..\]; each but a cut last one is terminated by a NUL.
    pub args: &'a [u8],
}

impl<'a> CommandLine<'a> {
    /// Splits off argv\[0\], and cuts what is beyond the limit.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Self {
        let text = text.get(..LIMIT).unwrap_or(text);
        match text.iter().position(|&byte| byte == 0) {
            Some(end) => {
                let (exe, rest) = text.split_at(end);
                Self { exe, args: rest.get(1..).unwrap_or_default() }
            }
            None => Self { exe: text, args: b"" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_arguments_are_arguments() {
        let line = CommandLine::parse(b"sh\0\0-c\0");
        assert_eq!((line.exe, line.args), (&b"sh"[..], &b"\0-c\0"[..]));
    }

    #[test]
    fn a_line_without_nul_is_the_program_alone() {
        assert_eq!(CommandLine::parse(b"nginx: master").exe, b"nginx: master");
        assert_eq!(CommandLine::parse(b"").exe, b"");
    }
}
