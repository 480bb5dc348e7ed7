//! Where alerts go: Falco's output keys, and those of our own beside them under `eyas:`.

use std::path::PathBuf;
use std::time::Duration;

use super::Error;
use super::read::Keys;
use super::refuse::milliseconds;

/// The outputs that are switched on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outputs {
    /// `stdout_output`.
    pub stdout: bool,
    /// `file_output`.
    pub file: Option<File>,
}

/// `file_output` and `eyas.file_output`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// It stays open.
    pub keep_alive: bool,
    /// It is turned over before it would be larger, in bytes; zero: never.
    pub max_bytes: u64,
    /// It is turned over when it is older; zero: never.
    pub max_age: Duration,
    /// So many old files are kept.
    pub keep: u32,
}

impl Outputs {
    pub(super) fn read(keys: &Keys<'_>) -> Result<Self, Error> {
        Ok(Self { stdout: keys.truth("stdout_output.enabled", false)?, file: File::read(keys)? })
    }
}

impl File {
    fn read(keys: &Keys<'_>) -> Result<Option<Self>, Error> {
        if !keys.truth("file_output.enabled", false)? {
            return Ok(None);
        }
        Ok(Some(Self {
            path: PathBuf::from(keys.text("file_output.filename", "")?),
            keep_alive: keys.truth("file_output.keep_alive", false)?,
            max_bytes: megabytes(keys.number("eyas.file_output.max_size_mb", 0)?),
            max_age: duration(keys, "eyas.file_output.max_age", "0s")?,
            keep: keys.number("eyas.file_output.keep", 5)?,
        }))
    }
}

const fn megabytes(count: u64) -> u64 {
    count.saturating_mul(1 << 20)
}

/// A duration as Prometheus writes it: `1d`, `1h30m`.
fn duration<'a>(keys: &Keys<'a>, key: &str, default: &'a str) -> Result<Duration, Error> {
    let text = keys.text(key, default)?;
    milliseconds(text).map(Duration::from_millis).ok_or_else(|| {
        keys.refuse(format_args!("{key} '{text}' is no duration such as 90s, 1h30m or 7d"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::value::Value;
    use super::*;

    fn read(text: &str) -> Result<Outputs, String> {
        let tree = Value::parse(text).unwrap();
        Outputs::read(&Keys::new(&tree, "f.yaml")).map_err(|error| error.message)
    }

    #[test]
    fn a_file_is_turned_over_as_its_keys_say() {
        let file = read(
            "file_output: {enabled: true, filename: /a}\neyas: {file_output: {max_size_mb: 2, \
             max_age: 1d, keep: 3}}\n",
        );
        let file = file.unwrap().file.unwrap();
        assert_eq!((file.max_bytes, file.keep), (2 << 20, 3));
        assert_eq!(file.max_age, Duration::from_secs(86_400));
        assert_eq!(read("file_output: {filename: /a}\n").unwrap().file, None);
    }

    #[test]
    fn a_duration_without_unit_is_refused() {
        let text = "file_output: {enabled: on, filename: a}\neyas: {file_output: {max_age: 7}}\n";
        assert_eq!(
            read(text).unwrap_err(),
            "Error reading config file (f.yaml): eyas.file_output.max_age '7' is no duration such \
             as 90s, 1h30m or 7d"
        );
    }
}
