//! Looks a server's name up without glibc: /etc/hosts, then the servers of /etc/resolv.conf.

use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::decode::dns;
use crate::decode::dns::{Answer, Kind, Resolvers};

/// Most bytes that are read of either file.
const MAX_FILE: u64 = 1 << 20;

/// Most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

const DNS_PORT: u16 = 53;

/// How a name is looked up.
#[derive(Clone, Debug)]
pub(super) struct Files {
    hosts: PathBuf,
    resolvers: PathBuf,
    /// Another port than DNS's, for tests.
    port: u16,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            hosts: PathBuf::from("/etc/hosts"),
            resolvers: PathBuf::from("/etc/resolv.conf"),
            port: DNS_PORT,
        }
    }
}

impl Resolver for Files {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default);
        let limit = Duration::from_secs(30).min(*timeout.after);
        let addresses = self.look_up(host, Instant::now() + limit).map_err(ureq::Error::Io)?;
        let mut found = self.empty();
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            found.push(SocketAddr::new(address, port));
        }
        Ok(found)
    }
}

impl Files {
    fn look_up(&self, host: &str, deadline: Instant) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let found = dns::hosts(&text(&self.hosts), host);
        if !found.is_empty() {
            return Ok(found);
        }
        let resolvers = dns::resolvers(&text(&self.resolvers));
        let mut last = None;
        for name in candidates(host, &resolvers) {
            match self.ask_all(&name, &resolvers, deadline) {
                Ok(found) if !found.is_empty() => return Ok(found),
                Ok(_) => {}
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("no address of {host} is known"))
        }))
    }

    /// Asks one server after the other for both kinds of addresses.
    fn ask_all(
        &self,
        name: &str,
        resolvers: &Resolvers,
        deadline: Instant,
    ) -> io::Result<Vec<IpAddr>> {
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        for _ in 0..resolvers.attempts {
            for server in &resolvers.servers {
                let server = SocketAddr::new(*server, self.port);
                let limit = Duration::from_secs(resolvers.timeout);
                let mut found = Vec::new();
                let mut is_answered = true;
                for kind in [Kind::A, Kind::Aaaa] {
                    match ask(server, name, kind, limit, deadline) {
                        Ok(answer) if matches!(answer.code, 0 | 3) => {
                            found.extend(answer.addresses)
                        }
                        Ok(answer) => {
                            let text = format!("{server} answers with code {}", answer.code);
                            last = io::Error::other(text);
                            is_answered = false;
                        }
                        Err(error) => {
                            last = io::Error::new(error.kind(), format!("{server}: {error}"));
                            is_answered = false;
                        }
                    }
                }
                if is_answered || !found.is_empty() {
                    return Ok(found);
                }
                if Instant::now() >= deadline {
                    return Err(last);
                }
            }
        }
        Err(last)
    }
}

/// The names that a name may stand for, in the order in which they are asked for.
fn candidates(host: &str, resolvers: &Resolvers) -> Vec<String> {
    if host.ends_with('.') {
        return vec![host.to_owned()];
    }
    let mut names: Vec<_> =
        resolvers.search.iter().map(|domain| format!("{host}.{domain}")).collect();
    let has_dots = host.matches('.').count() >= resolvers.dots;
    names.insert(if has_dots { 0 } else { names.len() }, host.to_owned());
    names
}

fn ask(
    server: SocketAddr,
    name: &str,
    kind: Kind,
    limit: Duration,
    deadline: Instant,
) -> io::Result<Answer> {
    let until = deadline.min(Instant::now() + limit);
    let id = random();
    let mut question = Vec::new();
    if !dns::push_question(id, name, kind, &mut question) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is no name")));
    }
    let answer = ask_udp(server, &question, id, kind, until)?;
    if !answer.is_cut {
        return Ok(answer);
    }
    // As much as was said counts if TCP fails.
    Ok(ask_tcp(server, &question, id, kind, until).unwrap_or(answer))
}

fn ask_udp(
    server: SocketAddr,
    question: &[u8],
    id: u16,
    kind: Kind,
    until: Instant,
) -> io::Result<Answer> {
    let any: IpAddr = if server.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(server)?;
    socket.send(question)?;
    let mut bytes = [0; 4096];
    loop {
        socket.set_read_timeout(Some(left(until)?))?;
        let len = socket.recv(&mut bytes)?;
        if let Ok(answer) = dns::answer(bytes.get(..len).unwrap_or_default(), id, kind) {
            return Ok(answer);
        }
    }
}

fn ask_tcp(
    server: SocketAddr,
    question: &[u8],
    id: u16,
    kind: Kind,
    until: Instant,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, left(until)?)?;
    stream.set_read_timeout(Some(left(until)?))?;
    stream.set_write_timeout(Some(left(until)?))?;
    let len = u16::try_from(question.len()).unwrap_or(u16::MAX);
    stream.write_all(&[&len.to_be_bytes(), question].concat())?;
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut bytes = vec![0; u16::from_be_bytes(len).into()];
    stream.read_exact(&mut bytes)?;
    dns::answer(&bytes, id, kind).map_err(io::Error::other)
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A number that nobody else can guess.
fn random() -> u16 {
    let hasher = std::hash::RandomState::new().build_hasher();
    u16::try_from(hasher.finish() & 0xffff).unwrap_or(0)
}

/// A file's text; nothing if it can't be read.
fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(MAX_FILE).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers `siem.b.example` with 10.9.8.7 and knows nothing else.
    fn serve() -> u16 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut bytes) {
                let mut answer = bytes[..len].to_vec();
                let is_known = memchr::memmem::find(&answer, b"\x04siem\x01b\x07example").is_some();
                let is_a = answer[len - 3] == 1;
                answer[2] |= 0x80;
                answer[3] = if is_known { 0 } else { 3 };
                if is_known && is_a {
                    answer[7] = 1;
                    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 9, 8, 7]);
                }
                // Something that nobody asked for comes first.
                socket.send_to(b"nonsense", from).unwrap();
                socket.send_to(&answer, from).unwrap();
            }
        });
        port
    }

    #[test]
    fn a_name_is_found_in_the_file_and_by_the_servers_through_the_search_list() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files {
            hosts: dir.path().join("hosts"),
            resolvers: dir.path().join("resolv.conf"),
            port: serve(),
        };
        std::fs::write(&files.hosts, "10.1.1.1 here\n").unwrap();
        let text = "nameserver 127.0.0.1\nsearch a.example b.example\n";
        std::fs::write(&files.resolvers, text).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let look_up = |host| files.look_up(host, deadline);
        let address = |text: &str| -> Vec<IpAddr> { vec![text.parse().unwrap()] };
        assert_eq!(look_up("here").unwrap(), address("10.1.1.1"));
        assert_eq!(look_up("siem").unwrap(), address("10.9.8.7"));
        assert_eq!(look_up("siem.b.example").unwrap(), address("10.9.8.7"));
        assert_eq!(look_up("::1").unwrap(), address("::1"));
        let error = look_up("elsewhere").unwrap_err();
        assert_eq!(error.to_string(), "no address of elsewhere is known");
    }
}
