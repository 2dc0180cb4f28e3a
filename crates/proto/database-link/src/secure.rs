//! Encrypted connections.

use std::net::IpAddr;
use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use tls::{Client, ClientSettings, Level, Standing, Target};

use crate::link::Link;

/// What a server's certificate must prove.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// Nothing: encryption is enough.
    Nothing,
    /// That somebody who is trusted made it.
    Chain,
    /// That it is for the server's name as well.
    Name,
}

/// The files of a client.
#[derive(Clone, Default, Debug)]
pub struct Files {
    /// The certificate, and what comes with it.
    pub certificate: Option<String>,
    /// Its key, when that is in a file of its own.
    pub key: Option<String>,
    /// Whose certificates are trusted.
    pub ca_file: Option<String>,
    /// A directory of such certificates.
    pub ca_path: Option<String>,
}

/// How connections are encrypted.
pub struct Secure {
    client: Result<Client, String>,
    proof: Proof,
}

impl Secure {
    /// Reads the files. What is wrong with them is told with every connection.
    pub fn new(files: &Files, proof: Proof) -> Self {
        let path = |file: &Option<String>| file.as_ref().map(PathBuf::from).unwrap_or_default();
        let settings = ClientSettings {
            cert_file: path(&files.certificate),
            key_file: path(files.key.as_ref().map_or(&files.certificate, |_| &files.key)),
            ca_file: path(&files.ca_file),
            ca_path: path(&files.ca_path),
            append_default_ca: files.ca_file.is_none() && files.ca_path.is_none() && proof != Proof::Nothing,
            fingerprint_digest: "sha256".to_owned(),
            ..ClientSettings::default()
        };
        let first_line = |error: tls::Error| error.to_string().lines().next().unwrap_or_default().to_owned();
        Self { client: Client::new(&settings).map_err(first_line), proof }
    }

    /// What is wrong with the files.
    pub fn fault(&self) -> Option<&str> {
        self.client.as_ref().err().map(String::as_str)
    }

    /// Whether the server must prove its name.
    pub fn must_prove(&self) -> bool {
        self.proof == Proof::Name
    }

    /// Encrypts a connection to the server of that name.
    pub async fn wrap(&self, link: Link, host: &str) -> Result<Link, String> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let host = if host.is_empty() { "localhost" } else { host };
        let names = [host.to_owned()];
        let address = host.parse::<IpAddr>().ok();
        let sni = Some(host).filter(|_| address.is_none());
        let target = Target { host, sni, level: Level::Verify, names: &names };
        let (stream, summary) = client.connect(link, &target).await.map_err(|error| error.to_string())?;
        let least = match self.proof {
            Proof::Nothing => Standing::Anonymous,
            Proof::Chain => Standing::Trusted,
            Proof::Name => Standing::Verified,
        };
        let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let has_address = address.zip(leaf).is_some_and(|(address, leaf)| carries(leaf, address));
        match summary.standing {
            standing if standing >= least => Ok(Box::pin(stream)),
            Standing::Trusted if has_address => Ok(Box::pin(stream)),
            Standing::Trusted => Err(format!("server certificate does not match host name \"{host}\"")),
            _ => Err("certificate verify failed".to_owned()),
        }
    }
}

/// Whether a certificate is for an address.
fn carries(certificate: &CertificateDer<'_>, address: IpAddr) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| match (name, address) {
        (GeneralName::IPAddress(bytes), IpAddr::V4(address)) => **bytes == address.octets(),
        (GeneralName::IPAddress(bytes), IpAddr::V6(address)) => **bytes == address.octets(),
        _ => false,
    })
}
