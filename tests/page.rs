//! The page at `/` as its reader sees it: in a browser, without a window, of a running agent.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod support;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use support::Need;
use support::have;
use support::host::Agent;
use support::place::Place;
use support::place::WEB;
use support::place::address;
use support::place::put;
use support::place::rule;

const NEEDS: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector, Need::Chromium];

/// Width and height of the window.
const WINDOW: (u32, u32) = (1440, 900);

/// What a browser made of a page.
#[derive(Debug)]
struct Visit {
    /// The document after its scripts ran, as markup.
    document: String,
    /// What the browser wrote to its log: refusals and errors of scripts among it.
    log: String,
    /// Every address that the page had the browser ask.
    asked: Vec<String>,
    screenshot: PathBuf,
}

impl Visit {
    /// Opens the page for some seconds of its own time. `dir` is for what the browser writes.
    fn to(page: &str, dir: &Path) -> Self {
        let network = dir.join("network.json");
        let screenshot = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page.png");
        let _ = fs::remove_file(&screenshot);
        // A browser that hangs must not hang the tests.
        let browser = Command::new("timeout")
            .args(["--kill-after=5", "90", support::chromium().unwrap()])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--hide-scrollbars", "--no-first-run", "--disable-background-networking"])
            .args(["--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom"])
            .arg(format!("--window-size={},{}", WINDOW.0, WINDOW.1))
            .arg(format!("--screenshot={}", screenshot.display()))
            .arg(format!("--log-net-log={}", network.display()))
            .arg(format!("--user-data-dir={}", dir.join("browser").display()))
            .arg(page)
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&browser.stderr).into_owned();
        assert!(browser.status.success(), "{}: {log}", browser.status);
        let document = String::from_utf8_lossy(&browser.stdout).into_owned();
        Self { document, log, asked: asked_by(page, &network), screenshot }
    }

    /// The text of the cell behind the one with this text, in the table of rules.
    fn count_of(&self, rule: &str) -> &str {
        let cell = format!("<td>{rule}</td><td>");
        let (_, rest) =
            self.document.split_once(&cell).unwrap_or_else(|| panic!("{rule}: {self:?}"));
        rest.split('<').next().unwrap()
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        assert!(self.document.contains(text), "no {text} in {}\n{}", self.document, self.log);
    }
}

/// The addresses in the browser's record of the network: those that the page asked for, not what
/// a browser asks its maker.
fn asked_by(page: &str, network: &Path) -> Vec<String> {
    let network: serde_json::Value = serde_json::from_slice(&fs::read(network).unwrap()).unwrap();
    let origin = page.trim_end_matches('/');
    let events = network["events"].as_array().unwrap().iter().map(|event| &event["params"]);
    let of_page = events.filter(|request| {
        request["initiator"] == origin || request["url"].as_str().is_some_and(|url| url == page)
    });
    of_page.filter_map(|request| request["url"].as_str()).map(str::to_owned).collect()
}

/// Width and height by the header of a PNG file (RFC 2083, 11.2.1).
fn size_of_png(bytes: &[u8]) -> (u32, u32) {
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(&bytes[12..16], b"IHDR");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// An agent with a rule that told, one that will tell once, and one that has nothing to tell.
fn agent_with_alerts(place: &Place, name: &str) -> Agent {
    let once = "- rule: Opened once\n  desc: d\n  condition: evt.type = openat and fd.name = ";
    let rest = "\n  output: \"%proc.name opened %fd.name\"\n  priority: CRITICAL\n";
    let file = place.opens.join("secret");
    put(
        &place.rules,
        &format!(
            "{}{once}{}{rest}{}",
            rule("Opened", &place.opens),
            file.display(),
            rule("Never opened", Path::new("/nowhere")),
        ),
    );
    let mut agent = place.start();
    for name in [name, "secret"] {
        place.open(name);
        agent.line("the open", |line| line.contains(name));
    }
    agent.line("the one open", |line| line.contains("Critical"));
    agent
}

#[test]
fn the_page_shows_what_happens_and_takes_no_text_for_markup() {
    if !have("the_page_shows_what_happens_and_takes_no_text_for_markup", NEEDS) {
        return;
    }
    let place = Place::new(&format!("rule_matching: all\n{WEB}"));
    let agent = agent_with_alerts(&place, "<b>bold<script>x");
    let page = format!("http://{}/", address(&agent));
    let visit = Visit::to(&page, &place.sandbox.dir);

    // Alerts, as text.
    visit.shows("&lt;b&gt;bold&lt;script&gt;x");
    assert!(!visit.document.contains("<b>bold"), "{}", visit.document);
    visit.shows(&format!("opened {}/secret</p>", place.opens.display()));
    visit.shows("<b>Opened once</b><span class=\"tag\">Critical</span>");
    // Rules with their counts.
    assert_eq!(visit.count_of("Opened once"), "1");
    assert_eq!(visit.count_of("Never opened"), "0");
    assert!(visit.count_of("Opened").replace(',', "").parse::<u64>().unwrap() >= 2);
    visit.shows("3 loaded");
    // Sources, coverage and losses.
    visit.shows("class=\"good\">watching</p>");
    visit.shows("<span class=\"dot up\"></span><span>fanotify</span><span>");
    visit.shows("id=\"coverage\" class=\"big\">3<small>of 3 rules can fire</small>");
    visit.shows("<ul id=\"drops\"><li><span>");
    assert!(!visit.document.contains("class=\"big\">–<"), "an empty tile: {}", visit.document);

    for complaint in
        ["Refused to", "Content Security Policy", "Content-Security-Policy", "Uncaught"]
    {
        assert!(!visit.log.contains(complaint), "{}", visit.log);
    }
    for part in ["", "page.js", "page.css", "icon.svg", "api/state?after=0"] {
        assert!(visit.asked.contains(&format!("{page}{part}")), "{part}: {:?}", visit.asked);
    }
    assert!(visit.asked.iter().all(|asked| asked.starts_with(&page)), "{:?}", visit.asked);

    let picture = fs::read(&visit.screenshot).unwrap();
    assert_eq!(size_of_png(&picture), WINDOW);
    // One colour alone is packed into some 5 kB.
    assert!(picture.len() > 25_000, "an empty picture of {} bytes", picture.len());
    assert!(agent.end(Signal::SIGTERM).status.success());
}
