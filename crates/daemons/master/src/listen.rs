//! Opening a service's sockets.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use conf::master::Kind;
use nix::sys::socket::sockopt::{Ipv6V6Only, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, UnixAddr, bind, listen, setsockopt, socket,
};
use nix::sys::stat::Mode;

use crate::Fatal;
use crate::instance::as_owner;
use crate::plan::{Endpoint, Plan};

/// The sockets of a service, not blocking and closed on exec. What has a name is made as the mail system's owner, to whom
/// the directory belongs and who must not get root to write elsewhere.
pub(crate) fn open(plan: &Plan, owner: &str) -> Result<Vec<OwnedFd>, Fatal> {
    match &plan.endpoint {
        Endpoint::Inet(addresses) => addresses.iter().map(|address| inet(address, plan.backlog)).collect(),
        Endpoint::Path(path) => {
            let fd = as_owner(owner, || match plan.kind {
                Kind::Fifo => fifo(path),
                Kind::UnixDgram => local(path, SockType::Datagram, plan.backlog),
                _ => local(path, SockType::Stream, plan.backlog),
            })?;
            Ok(vec![fd.map_err(|error| format!("bind {path}: {}", sys::reason(&error)))?])
        }
    }
}

fn inet(address: &SocketAddr, length: i32) -> Result<OwnedFd, Fatal> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let attempt = || -> nix::Result<OwnedFd> {
        let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
        setsockopt(&fd, ReuseAddr, &true)?;
        if address.is_ipv6() {
            // IPv4 clients have a socket of their own.
            setsockopt(&fd, Ipv6V6Only, &true)?;
        }
        bind(fd.as_raw_fd(), &SockaddrStorage::from(*address))?;
        listen(&fd, backlog(length))?;
        Ok(fd)
    };
    attempt()
        .map_err(|error| Fatal(format!("bind {} port {}: {}", address.ip(), address.port(), error.desc())))
}

// Anybody in the right directory may connect; the directories `public` and `private` say who that is.
fn local(path: &str, kind: SockType, length: i32) -> io::Result<OwnedFd> {
    remove_socket(path)?;
    let fd = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    if kind == SockType::Stream {
        listen(&fd, backlog(length))?;
    }
    Ok(fd)
}

// nix takes no more than the C library's SOMAXCONN, which is 128; the kernel cuts what is more than net.core.somaxconn,
// and so what nix refuses becomes the kernel's maximum. A short queue loses clients that come all at once.
fn backlog(length: i32) -> Backlog {
    Backlog::new(length).unwrap_or(Backlog::MAXALLOWABLE)
}

fn fifo(path: &str) -> io::Result<OwnedFd> {
    match nix::unistd::mkfifo(path, Mode::from_bits_truncate(0o622)) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o622))?;
    // Read and write: with a writer of our own, the reader never sees an end.
    let file = fs::OpenOptions::new();
    let fd = {
        use std::os::unix::fs::OpenOptionsExt;
        let mut file = file;
        file.read(true).write(true).custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOFOLLOW).open(path)?
    };
    Ok(fd.into())
}

fn remove_socket(path: &str) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let path = Path::new(path);
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        // What a Postfix with another master.cf left behind under this name may be a FIFO.
        Ok(found) if found.file_type().is_socket() || found.file_type().is_fifo() => fs::remove_file(path),
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
