//! The bytes of a connection: as they are, or through TLS.
//!
//! Source: RFC 8446; the work is rustls'.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Longest file with key and certificates, in bytes.
const MAX_PEM: u64 = 1 << 20;

/// What TLS is spoken with.
pub type Tls = Arc<ServerConfig>;

/// Reads a PEM file with the key and its certificates, ours first.
///
/// # Errors
///
/// With what is wrong with the file.
pub fn tls(path: &Path) -> Result<Tls, String> {
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_PEM).read_to_end(&mut pem))
        .map_err(|error| error.to_string())?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("a certificate can't be read: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| format!("the private key can't be read: {error}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(config))
}

/// A connection's stream.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// Nothing is read or written yet.
    pub(super) fn new(socket: TcpStream, tls: Option<&Tls>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let Some(tls) = tls else { return Ok(Self::Plain(socket)) };
        let connection = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
        Ok(Self::Encrypted(Box::new(StreamOwned::new(connection, socket))))
    }

    pub(super) fn fd(&self) -> i32 {
        self.socket().as_raw_fd()
    }

    /// Tells the other side that there is no more, once all was written.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if let Self::Encrypted(stream) = self {
            stream.conn.send_close_notify();
            // The other side can tell the end by the length, too.
            let _ = stream.flush();
        }
        self.socket().shutdown(Shutdown::Write)
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Encrypted(stream) => &stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}
