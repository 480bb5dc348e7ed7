//! Whom the client trusts, and how it shows who it is.
//!
//! The host's certificates are found where its OpenSSL looks for them; keys of the configuration
//! name others. Cryptography is ring's: it runs on every processor and kernel that we do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};

/// The directory that Falco names if the configuration doesn't; where distributions differ, their
/// own place is asked, too.
const USUAL_DIRECTORY: &str = "/etc/ssl/certs";

/// Most bytes of a file with certificates or a key.
const MAX_FILE: u64 = 4 << 20;

/// What the configuration says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settings {
    /// Nobody is checked.
    pub insecure: bool,
    /// A file of one authority, or of some.
    pub ca_cert: PathBuf,
    /// A file of many.
    pub ca_bundle: PathBuf,
    /// A directory of files.
    pub ca_path: PathBuf,
    /// Certificate and key with which the client shows who it is.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Makes the client's half of TLS.
pub(super) fn config(settings: &Settings) -> Result<TlsConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut builder = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::clone(&provider))
        .disable_verification(settings.insecure);
    if !settings.insecure {
        builder = builder.root_certs(RootCerts::Specific(Arc::new(authorities(settings)?)));
    }
    if let Some((certificate, key)) = &settings.client {
        builder = builder.client_cert(Some(identity(certificate, key, &provider)?));
    }
    Ok(builder.build())
}

/// The authorities that are trusted: Falco asks for the file, then for the bundle, then for the
/// directory.
fn authorities(settings: &Settings) -> Result<Vec<Certificate<'static>>, String> {
    let Settings { ca_cert, ca_bundle, ca_path, .. } = settings;
    let is_set = |path: &Path| !path.as_os_str().is_empty();
    let (found, from) = if is_set(ca_cert) {
        (rustls_native_certs::load_certs_from_paths(Some(ca_cert), None), ca_cert.as_path())
    } else if is_set(ca_bundle) {
        (rustls_native_certs::load_certs_from_paths(Some(ca_bundle), None), ca_bundle.as_path())
    } else if is_set(ca_path) && ca_path != Path::new(USUAL_DIRECTORY) {
        (rustls_native_certs::load_certs_from_paths(None, Some(ca_path)), ca_path.as_path())
    } else {
        (rustls_native_certs::load_native_certs(), Path::new(USUAL_DIRECTORY))
    };
    if found.certs.is_empty() {
        let reason = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(format!("{}: no certificate of an authority{reason}", from.display()));
    }
    Ok(found
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect())
}

/// The client's own certificate with its key, which have to belong together.
fn identity(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<ClientCert, String> {
    let refuse =
        |path: &Path, reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
    let pem = read(certificate).map_err(|error| refuse(certificate, &error))?;
    let chain: Vec<Certificate<'static>> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(found)) => Some(found),
            _ => None,
        })
        .collect();
    if chain.is_empty() {
        return Err(refuse(certificate, &"no certificate in PEM"));
    }
    let pem = read(key).map_err(|error| refuse(key, &error))?;
    let private = PrivateKey::from_pem(&pem).map_err(|_| refuse(key, &"no private key in PEM"))?;
    // Whoever connects with what doesn't fit would learn of it by a panic.
    let ders = chain.iter().map(|one| CertificateDer::from(one.der().to_vec())).collect();
    let der =
        PrivateKeyDer::try_from(private.der().to_vec()).map_err(|reason| refuse(key, &reason))?;
    rustls::sign::CertifiedKey::from_der(ders, der, provider).map_err(|error| {
        refuse(key, &format!("not the key of {}: {error}", certificate.display()))
    })?;
    Ok(ClientCert::new_with_certs(&chain, private))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}
