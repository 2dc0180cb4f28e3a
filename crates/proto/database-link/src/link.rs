//! Byte streams to servers.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// A connection, encrypted or not.
pub type Link = Pin<Box<dyn Stream>>;

/// What connections are made of.
pub trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// Connects to a local socket.
pub async fn local(path: &Path) -> io::Result<Link> {
    Ok(Box::pin(UnixStream::connect(path).await?))
}

/// Connects to an address.
pub async fn remote(address: SocketAddr) -> io::Result<Link> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Box::pin(stream))
}

/// Says goodbye, if that takes no waiting.
pub fn part(link: &mut Link, goodbye: &[u8]) {
    let mut context = Context::from_waker(Waker::noop());
    // Servers note in their log who left without a word. Nothing more depends on it.
    let _said = pin!(async {
        link.write_all(goodbye).await?;
        link.flush().await
    })
    .poll(&mut context);
}

/// The name of a server on the network.
pub struct Name {
    text: String,
    /// Its addresses when last known.
    known: Mutex<Vec<IpAddr>>,
}

impl Name {
    /// Looks the name up for the first time: in a jail there may be no way to do that.
    pub fn new(text: &str) -> Self {
        let addresses = (text, 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect());
        Self { text: text.to_owned(), known: Mutex::new(addresses.unwrap_or_default()) }
    }

    /// The name as it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its addresses. The error is the C library's text.
    pub async fn addresses(&self, port: u16) -> Result<Vec<SocketAddr>, String> {
        let found = tokio::net::lookup_host((self.text.as_str(), port)).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(found) => *known = found.map(|address| address.ip()).collect(),
            Err(error) if known.is_empty() => {
                let text = error.to_string();
                return Err(text.rsplit_once(": ").map_or(text.as_str(), |(_, reason)| reason).to_owned());
            }
            Err(_) => {}
        }
        Ok(known.iter().map(|&address| SocketAddr::new(address, port)).collect())
    }
}

/// The name of the user that this process runs as, for servers that ask the system about it.
pub fn user_name() -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
    user.ok().flatten().map(|user| user.name)
}

/// The port of a service, a number or a name of services(5).
pub fn port(service: &str) -> Option<u16> {
    if !service.is_empty() && service.bytes().all(|byte| byte.is_ascii_digit()) {
        return service.parse().ok();
    }
    let services = std::fs::read("/etc/services").ok()?;
    String::from_utf8_lossy(&services).lines().find_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let name = words.next()?;
        let port = words.next()?.strip_suffix("/tcp")?.parse().ok()?;
        (name == service || words.any(|alias| alias == service)).then_some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        assert_eq!(port("3306"), Some(3306));
        assert_eq!(port("65536"), None);
        assert_eq!(port(""), None);
        assert_eq!(port("no-such-service"), None);
        if std::path::Path::new("/etc/services").exists() {
            assert_eq!(port("smtp"), Some(25));
        }
    }

    #[tokio::test]
    async fn names() {
        let name = Name::new("127.0.0.1");
        assert_eq!(name.addresses(7).await, Ok(vec![SocketAddr::from(([127, 0, 0, 1], 7))]));
        assert!(Name::new("no-such-host.invalid").addresses(7).await.is_err());
    }
}
