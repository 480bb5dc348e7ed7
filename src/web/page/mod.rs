//! The page for the host's admin: files in the binary. It asks for [`STATE`] once a second.

use super::Response;

/// Where the page asks for what it shows, as JSON.
pub const STATE: &str = "/api/state";

/// Only what comes from here is loaded or asked, nothing frames it, and no text becomes code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types";

/// Path, type and text of each file.
const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("index.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
];

/// The file of that path.
#[must_use]
pub fn file(path: &str) -> Option<Response> {
    let (_, content_type, text) = FILES.iter().find(|(name, _, _)| *name == path)?;
    Some(protect(Response::new(content_type, *text)))
}

/// With the headers that keep other pages away from what this one shows.
#[must_use]
pub fn protect(response: Response) -> Response {
    response
        .header("Content-Security-Policy", POLICY)
        .header("Cross-Origin-Resource-Policy", "same-origin")
        .header("Cross-Origin-Opener-Policy", "same-origin")
        .header("Referrer-Policy", "no-referrer")
        .header("X-Frame-Options", "DENY")
}

/// Whether the page may be shown to a browser that knows us by that name: an address or the
/// host's own name. Any other name may have been made to point here by a foreign page, which
/// could then read the alerts through its visitor's browser.
#[must_use]
pub fn is_our_name(host: &str, own: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || !own.is_empty() && host.eq_ignore_ascii_case(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_are_not_ours() {
        assert!(is_our_name("127.0.0.1", "h") && is_our_name("::1", "h") && is_our_name("H", "h"));
        assert!(is_our_name("localhost", ""));
        assert!(!is_our_name("evil.example", "h") && !is_our_name("", ""));
    }

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere() {
        for (path, _, text) in FILES {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("//") || path == "/page.js", "{path} names another place");
            for foreign in ["http:", "https:", "innerHTML", "eval(", "style=", "onclick="] {
                assert!(!text.contains(foreign), "{foreign} in {path}");
            }
        }
    }
}
