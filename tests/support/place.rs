//! A place that an agent of its own watches: what is opened there is an alert.

use std::fs;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use super::host::Agent;
use super::host::PATIENCE;
use super::host::Sandbox;

/// The web server with all that it can show.
pub const WEB: &str = "webserver: {enabled: true, listen_address: 127.0.0.1, listen_port: 0, \
                   prometheus_metrics_enabled: true, ui: true}\n\
                   metrics: {enabled: true, interval: 1h}\n";

/// The same as options of the command line.
pub const WEB_OPTIONS: &[&str] = &[
    "webserver.enabled=true",
    "webserver.listen_address=127.0.0.1",
    "webserver.listen_port=0",
    "webserver.prometheus_metrics_enabled=true",
    "metrics.enabled=true",
    "metrics.interval=1h",
];

/// A rule of that name for the opens of files below a directory.
pub fn rule(name: &str, directory: &Path) -> String {
    format!(
        "- rule: {name}\n  desc: d\n  condition: evt.type = openat and fd.name startswith {}/\n  \
         output: \"{name} saw %fd.name\"\n  priority: WARNING\n  tags: [T1]\n",
        directory.display()
    )
}

/// Writes a file that only its owner can write, in one step.
pub fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    fs::rename(new, path).unwrap();
}

/// A directory for the opens, a rules file and a configuration.
#[derive(Debug)]
pub struct Place {
    pub sandbox: Sandbox,
    /// Where the rule sees opens.
    pub opens: PathBuf,
    pub rules: PathBuf,
    pub config: PathBuf,
}

impl Place {
    /// With these lines in its configuration.
    pub fn new(config: &str) -> Self {
        let sandbox = Sandbox::new();
        let opens = sandbox.dir.join("opens");
        fs::create_dir(&opens).unwrap();
        let place = Self {
            rules: sandbox.dir.join("rules.yaml"),
            config: sandbox.dir.join("eyas.yaml"),
            opens,
            sandbox,
        };
        put(&place.rules, &rule("Opened", &place.opens));
        place.configure(config);
        place
    }

    /// Writes the configuration anew.
    pub fn configure(&self, more: &str) {
        let base = "stdout_output: {enabled: true}\nlog_stderr: true\nlog_syslog: false\n";
        put(&self.config, &format!("{base}rules_files: [{}]\n{more}", self.rules.display()));
    }

    /// Starts the agent and waits until it sees opens.
    pub fn start(&self) -> Agent {
        self.start_in(&[])
    }

    /// The same with these environment variables.
    pub fn start_in(&self, environment: &[(&str, &Path)]) -> Agent {
        let mut agent = Agent::start_in(environment, &["-c", self.config.to_str().unwrap()]);
        let deadline = Instant::now() + PATIENCE;
        for number in 0.. {
            let name = format!("first-{number}");
            self.open(&name);
            let ends = |line: &str| line.contains(&name);
            if agent.line_within(Duration::from_millis(500), ends).is_some() {
                break;
            }
            assert!(Instant::now() < deadline, "it sees nothing: {}", agent.errors());
        }
        agent
    }

    /// Opens a file that was never opened before.
    pub fn open(&self, name: &str) {
        fs::write(self.opens.join(name), "").unwrap();
    }
}

/// The body of a page; nothing unless the status is 200.
pub fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200 ").then(|| body.to_owned())
}

/// What the sum of the series of that metric stands at.
pub fn metric(address: &str, name: &str) -> u64 {
    let page = get(address, "/metrics").unwrap();
    let series = page
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
    series.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// The address that the log says.
pub fn address(agent: &Agent) -> String {
    const BEFORE: &str = "listening on ";
    agent.error("the web server's address", |text| text.contains(BEFORE));
    let errors = agent.errors();
    let from = errors.rfind(BEFORE).unwrap() + BEFORE.len();
    errors[from..].split_whitespace().next().unwrap().to_owned()
}
