//! What is asked and what is answered, as bytes of HTTP.

/// Most headers of a request.
const MAX_HEADERS: usize = 64;

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// Without the part behind `?`.
    pub path: &'a str,
    /// The part behind `?`, or nothing.
    pub query: &'a str,
    /// The value of `Host`, without the port; empty where HTTP/1.0 has none.
    pub host: &'a str,
}

/// An answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    status: (u16, &'static str),
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
}

impl Response {
    /// 200 with a body of that `Content-Type`.
    #[must_use]
    pub fn new(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type", content_type)];
        Self { status: (200, "OK"), headers, body: body.into() }
    }

    /// 404.
    #[must_use]
    pub fn not_found() -> Self {
        Self::refusal(404, "Not Found")
    }

    /// 421: the name by which it was asked isn't ours.
    #[must_use]
    pub fn misdirected() -> Self {
        Self::refusal(421, "Misdirected Request")
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn refusal(status: u16, reason: &'static str) -> Self {
        let body = format!("{status} {reason}\n").into_bytes();
        let headers = vec![("Content-Type", "text/plain")];
        Self { status: (status, reason), headers, body }
    }

    /// As bytes; without the body if only the head was asked for.
    fn into_bytes(self, only_head: bool) -> Vec<u8> {
        let (status, reason) = self.status;
        let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!(
            "Content-Length: {}\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n\
             Cache-Control: no-store\r\n\r\n",
            self.body.len()
        ));
        let mut bytes = head.into_bytes();
        if !only_head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// The answer to what has arrived so far; nothing if the request isn't complete.
pub(super) fn reply(input: &[u8], answer: &super::Answer) -> Option<Vec<u8>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let bad = || Some(Response::refusal(400, "Bad Request").into_bytes(false));
    match parsed.parse(input) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Some(too_large()),
        Err(_) => return bad(),
    }
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return bad();
    };
    let mut hosts = parsed.headers.iter().filter(|one| one.name.eq_ignore_ascii_case("host"));
    let host = match (hosts.next(), hosts.next()) {
        (Some(one), None) => std::str::from_utf8(one.value).ok(),
        (None, None) if version == 0 => Some(""),
        _ => None,
    };
    let Some(host) = host else { return bad() };
    let only_head = method == "HEAD";
    if !only_head && method != "GET" {
        let refusal = Response::refusal(405, "Method Not Allowed").header("Allow", "GET, HEAD");
        return Some(refusal.into_bytes(false));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request { path, query, host: without_port(host) };
    Some(answer(&request).into_bytes(only_head))
}

/// 431, for a request that is longer than any that we know.
pub(super) fn too_large() -> Vec<u8> {
    Response::refusal(431, "Request Header Fields Too Large").into_bytes(false)
}

/// `host:80` and `[::1]:80` without the port and the brackets.
fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_apart() {
        let answer = |request: &Request<'_>| {
            Response::new("t", format!("{} {} {}", request.path, request.query, request.host))
        };
        for (request, body) in [
            ("GET /a?b=c HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "/a b=c ::1"),
            ("GET / HTTP/1.1\r\nhost: x:1\r\n\r\n", "/  x"),
            ("GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n", "/  10.0.0.1"),
            ("GET / HTTP/1.0\r\n\r\n", "/  "),
        ] {
            let bytes = reply(request.as_bytes(), &answer).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(text.split_once("\r\n\r\n").unwrap().1, body, "{request}");
        }
        assert_eq!(reply(b"GET / HTTP/1.1\r\nHost: x\r\n", &answer), None);
    }
}
