//! A cursor over foreign bytes: the only place that checks lengths.

/// More bytes were announced than there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}: {missing} bytes are missing")]
pub struct Truncated {
    /// What was to be read.
    pub what: &'static str,
    /// How many bytes more it takes.
    pub missing: usize,
}

/// A cursor over borrowed bytes. Integers are read in host byte order (`ne`) for kernel records
/// and little-endian (`le`) for capture files.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// Declares a reading method for an integer type.
macro_rules! integer {
    ($name:ident, $ty:ty, $from:ident) => {
        /// Takes one integer.
        ///
        /// # Errors
        ///
        /// [`Truncated`] if fewer bytes are left; the reader is then where it was.
        pub fn $name(&mut self, what: &'static str) -> Result<$ty, Truncated> {
            let bytes = self.array(what)?;
            Ok(<$ty>::$from(bytes))
        }
    };
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes the next `len` bytes.
    ///
    /// # Errors
    ///
    /// [`Truncated`] if fewer are left; the reader is then where it was.
    pub fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Truncated> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            return Err(Truncated { what, missing: len - self.rest.len() });
        };
        self.rest = rest;
        Ok(head)
    }

    /// Takes the next `N` bytes.
    ///
    /// # Errors
    ///
    /// [`Truncated`] if fewer are left; the reader is then where it was.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Truncated> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(Truncated { what, missing: N - self.rest.len() });
        };
        self.rest = rest;
        Ok(*head)
    }

    integer!(u8, u8, from_ne_bytes);
    integer!(u16_ne, u16, from_ne_bytes);
    integer!(u32_ne, u32, from_ne_bytes);
    integer!(i32_ne, i32, from_ne_bytes);
    integer!(u64_ne, u64, from_ne_bytes);
    integer!(u16_le, u16, from_le_bytes);
    integer!(u32_le, u32, from_le_bytes);
    integer!(u64_le, u64, from_le_bytes);
    integer!(i64_le, i64, from_le_bytes);

    /// What has not been taken.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_read_says_what_is_missing_and_takes_nothing() {
        let mut reader = Reader::new(&[1, 2, 3]);
        let error = reader.u32_le("a length").unwrap_err();
        assert_eq!(error, Truncated { what: "a length", missing: 1 });
        assert_eq!(reader.rest(), [1, 2, 3]);
    }
}
