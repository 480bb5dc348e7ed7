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
    /// `syslog_output`.
    pub syslog: Option<Syslog>,
    /// `program_output`.
    pub program: Option<Program>,
    /// `http_output`.
    pub http: Option<Http>,
    /// `eyas.spool`, whether or not an output uses it; `None` if it is switched off.
    pub spool: Option<Spool>,
    /// `eyas.repeats`: alerts that repeat another are counted instead of sent.
    pub repeats: Option<Repeats>,
}

/// `eyas.repeats`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Repeats {
    /// For how long.
    pub window: Duration,
    /// Whose values have to be the same, beside the rule.
    pub fields: Vec<String>,
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

/// `syslog_output` and `eyas.syslog_output`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Syslog {
    /// The daemon's socket.
    pub socket: PathBuf,
    /// RFC 5424 instead of RFC 3164.
    pub is_rfc_5424: bool,
    /// 0 kern … 23 local7.
    pub facility: u8,
    /// The program's name in messages.
    pub tag: String,
}

/// `program_output`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Program {
    /// What the shell is given.
    pub program: String,
    /// One process for all alerts.
    pub keep_alive: bool,
}

/// `http_output` and `eyas.http_output`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each key")]
pub struct Http {
    /// Where alerts are sent.
    pub url: String,
    /// `User-Agent`.
    pub user_agent: String,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// The server isn't checked.
    pub insecure: bool,
    /// Files and a directory of authorities; the first that isn't empty counts.
    pub ca_cert: PathBuf,
    /// See above.
    pub ca_bundle: PathBuf,
    /// See above.
    pub ca_path: PathBuf,
    /// Certificate and key of the client.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Answers go to stdout.
    pub echo: bool,
    /// Bodies are sent in gzip.
    pub compress: bool,
    /// Idle connections are kept for longer.
    pub keep_alive: bool,
    /// Empty: as the environment says.
    pub proxy: String,
    /// For one request.
    pub timeout: Duration,
}

/// `eyas.spool`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spool {
    /// Where it is.
    pub directory: PathBuf,
    /// Most bytes.
    pub max_bytes: u64,
    /// When it is forced onto the disk.
    pub fsync: Fsync,
    /// Each record has a hash over all before it.
    pub hash_chain: bool,
}

/// `eyas.spool.fsync`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the words of the key")]
pub enum Fsync {
    Never,
    Interval,
    Always,
}

/// syslog's facilities by number; `""` has no name.
#[rustfmt::skip]
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

impl Outputs {
    pub(super) fn read(keys: &Keys<'_>) -> Result<Self, Error> {
        Ok(Self {
            stdout: keys.truth("stdout_output.enabled", false)?,
            file: File::read(keys)?,
            syslog: Syslog::read(keys)?,
            program: Program::read(keys)?,
            http: Http::read(keys)?,
            spool: Spool::read(keys)?,
            repeats: Repeats::read(keys)?,
        })
    }

    /// Whether alerts go anywhere.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.stdout
            || self.file.is_some()
            || self.syslog.is_some()
            || self.program.is_some()
            || self.http.is_some()
    }
}

impl Repeats {
    fn read(keys: &Keys<'_>) -> Result<Option<Self>, Error> {
        const FIELDS: [&str; 4] = ["proc.exepath", "fd.name", "user.uid", "container.id"];
        let window = duration(keys, "eyas.repeats.window", "0s")?;
        if window.is_zero() {
            return Ok(None);
        }
        let mut fields = keys.texts("eyas.repeats.fields")?;
        if fields.is_empty() {
            fields = FIELDS.map(str::to_owned).into();
        }
        Ok(Some(Self { window, fields }))
    }
}

impl Syslog {
    fn read(keys: &Keys<'_>) -> Result<Option<Self>, Error> {
        if !keys.truth("syslog_output.enabled", false)? {
            return Ok(None);
        }
        let name = keys.text("eyas.syslog_output.facility", "user")?;
        let facility = (0..).zip(FACILITIES).find(|(_, known)| !known.is_empty() && *known == name);
        let Some((facility, _)) = facility else {
            return Err(keys.refuse(format_args!(
                "eyas.syslog_output.facility '{name}' is none of user, daemon, auth, authpriv, \
                 local0 … local7 and syslog(3)'s others"
            )));
        };
        let is_rfc_5424 = match keys.text("eyas.syslog_output.format", "rfc3164")? {
            "rfc3164" => false,
            "rfc5424" => true,
            other => {
                return Err(keys.refuse(format_args!(
                    "eyas.syslog_output.format '{other}' is neither rfc3164 nor rfc5424"
                )));
            }
        };
        Ok(Some(Self {
            socket: PathBuf::from(keys.text("eyas.syslog_output.socket", "/dev/log")?),
            is_rfc_5424,
            facility,
            tag: keys.text("eyas.syslog_output.tag", "falco")?.to_owned(),
        }))
    }
}

impl Program {
    fn read(keys: &Keys<'_>) -> Result<Option<Self>, Error> {
        if !keys.truth("program_output.enabled", false)? {
            return Ok(None);
        }
        Ok(Some(Self {
            program: keys.text("program_output.program", "")?.to_owned(),
            keep_alive: keys.truth("program_output.keep_alive", false)?,
        }))
    }
}

impl Http {
    fn read(keys: &Keys<'_>) -> Result<Option<Self>, Error> {
        if !keys.truth("http_output.enabled", false)? {
            return Ok(None);
        }
        let path = |key: &str, default: &'static str| {
            keys.text(&format!("http_output.{key}"), default).map(PathBuf::from)
        };
        let client = if keys.truth("http_output.mtls", false)? {
            Some((
                path("client_cert", "/etc/ssl/certs/client.crt")?,
                path("client_key", "/etc/ssl/certs/client.key")?,
            ))
        } else {
            None
        };
        Ok(Some(Self {
            url: keys.text("http_output.url", "")?.trim_matches(['"', '\'']).to_owned(),
            user_agent: keys.text("http_output.user_agent", "falcosecurity/falco")?.to_owned(),
            headers: keys.pairs("eyas.http_output.headers")?,
            insecure: keys.truth("http_output.insecure", false)?,
            ca_cert: path("ca_cert", "")?,
            ca_bundle: path("ca_bundle", "")?,
            ca_path: path("ca_path", "/etc/ssl/certs")?,
            client,
            echo: keys.truth("http_output.echo", false)?,
            compress: keys.truth("http_output.compress_uploads", false)?,
            keep_alive: keys.truth("http_output.keep_alive", false)?,
            proxy: keys.text("eyas.http_output.proxy", "")?.to_owned(),
            timeout: duration(keys, "eyas.http_output.timeout", "10s")?,
        }))
    }
}

impl Spool {
    fn read(keys: &Keys<'_>) -> Result<Option<Self>, Error> {
        if !keys.truth("eyas.spool.enabled", true)? {
            return Ok(None);
        }
        let fsync = match keys.text("eyas.spool.fsync", "interval")? {
            "never" => Fsync::Never,
            "interval" => Fsync::Interval,
            "always" => Fsync::Always,
            other => {
                return Err(keys.refuse(format_args!(
                    "eyas.spool.fsync '{other}' is none of never, interval, always"
                )));
            }
        };
        Ok(Some(Self {
            directory: PathBuf::from(keys.text("eyas.spool.directory", "/var/lib/eyas/spool")?),
            max_bytes: megabytes(keys.number("eyas.spool.max_size_mb", 512)?).max(1 << 20),
            fsync,
            hash_chain: keys.truth("eyas.spool.hash_chain", false)?,
        }))
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
    fn each_output_has_falcos_keys_and_ours() {
        let outputs = read(
            "syslog_output: {enabled: true}\nprogram_output: {enabled: true, program: cat}\n\
             http_output: {enabled: true, url: '\"http://h\"', mtls: true}\n\
             eyas: {syslog_output: {facility: local3, format: rfc5424}, http_output: {headers: \
             {X-A: b}, timeout: 3s}, spool: {fsync: always, max_size_mb: 9}}\n",
        )
        .unwrap();
        let syslog = outputs.syslog.as_ref().unwrap();
        assert_eq!((syslog.facility, syslog.is_rfc_5424, &*syslog.tag), (19, true, "falco"));
        assert_eq!(outputs.program.as_ref().unwrap().program, "cat");
        let http = outputs.http.as_ref().unwrap();
        assert_eq!((&*http.url, http.timeout), ("http://h", Duration::from_secs(3)));
        assert_eq!(http.headers, [("X-A".to_owned(), "b".to_owned())]);
        assert_eq!(http.client.as_ref().unwrap().1, PathBuf::from("/etc/ssl/certs/client.key"));
        let spool = outputs.spool.as_ref().unwrap();
        assert_eq!((spool.fsync, spool.max_bytes), (Fsync::Always, 9 << 20));
        assert!(outputs.is_any() && !read("").unwrap().is_any());
    }

    #[test]
    fn unknown_words_are_refused() {
        for text in [
            "syslog_output: {enabled: on}\neyas: {syslog_output: {facility: loud}}",
            "syslog_output: {enabled: on}\neyas: {syslog_output: {format: rfc1}}",
            "eyas: {spool: {fsync: often}}",
        ] {
            assert!(read(text).unwrap_err().contains(" is n"), "{text}");
        }
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
