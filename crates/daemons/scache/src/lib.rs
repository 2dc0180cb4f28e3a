//! scache(8) - tells those who ask that no connection is cached.
//!
//! In Postfix this service keeps open SMTP connections for reuse, since its clients are many processes that come and go.
//! Here one smtp(8) process has many deliveries and keeps its connections itself, so that nothing is handed over. The
//! service exists because master.cf names it, and for the time of a change from one system to the other: a Postfix
//! smtp(8) that asks is answered in its protocol, "not saved" and "not found", and goes on with connections of its own.
//!
//! It trusts nobody and keeps nothing. A descriptor that a client hands over is closed.

use std::rc::Rc;

use daemon::{Clients, Connection, Fatal, OnReload, Service, Startup};
use ipc::{Attrs, Stream};

/// The greeting.
pub const PROTOCOL: &str = "connection_cache_protocol";

/// The request makes no sense.
const BAD: i32 = 1;

/// The request was understood and did not succeed.
const FAIL: i32 = 2;

/// The connection cache that caches nothing.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionCache;

impl Service for ConnectionCache {
    const PROGRAM: &'static str = "scache";
    const CLIENTS: Clients = Clients::Many;
    // There is one such process, and the next one waits for this one's end; clients make their request again.
    const ON_RELOAD: OnReload = OnReload::EndNow;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        match startup.options.arguments.first() {
            Some(argument) => Err(Fatal::new(format!("unexpected command-line argument: {argument}"))),
            None => Ok(Self),
        }
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let Some(stream) = connection.into_stream() else { return };
        if let Err(error) = converse(stream).await {
            log::warning!("client: {error}");
        }
    }
}

async fn converse(mut stream: Stream) -> ipc::Result<()> {
    stream.greet(PROTOCOL).await?;
    while let Some(request) = stream.receive_or_end().await? {
        let status = |code| Attrs::new().int("status", code);
        let reply = match request.text("request").unwrap_or_default() {
            b"save_endp" => {
                skip_descriptor(&mut stream).await?;
                status(FAIL)
            }
            b"save_dest" => status(FAIL),
            b"find_endp" => status(FAIL).str("property", ""),
            b"find_dest" => status(FAIL).str("property", "").str("property", ""),
            other => {
                log::warning!("unrecognized request: \"{}\", ignored", bytes::show(other));
                status(BAD)
            }
        };
        stream.send(&reply).await?;
    }
    Ok(())
}

// The descriptor travels with one byte. Whoever reads the byte without asking for the descriptor leaves it to the
// kernel, which closes it.
async fn skip_descriptor(stream: &mut Stream) -> ipc::Result<()> {
    if stream.pending().is_empty() && stream.fill().await? == 0 {
        return Err(ipc::Error::Closed("unix".to_owned()));
    }
    stream.consume(1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn postfixs_client_is_answered() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut client, server) = tokio::net::UnixStream::pair().unwrap();
            let ask = async {
                // As a Postfix client sends them; the NUL after the second request goes with a descriptor.
                client.write_all(b"request\0find_dest\0label\0smtp:x\0\0").await.unwrap();
                client.write_all(b"request\0save_endp\0ttl\x002\0label\0y\0property\0z\0\0\0").await.unwrap();
                client.write_all(b"request\0find_endp\0label\0y\0\0request\0x\0\0").await.unwrap();
                client.shutdown().await.unwrap();
                let mut answers = Vec::new();
                client.read_to_end(&mut answers).await.unwrap();
                answers
            };
            let (served, answers) = tokio::join!(converse(Stream::new(server).unwrap()), ask);
            served.unwrap();
            let wanted: &[u8] =
                b"protocol\0connection_cache_protocol\0\0status\x002\0property\0\0property\0\0\0\
                status\x002\0\0status\x002\0property\0\0\0status\x001\0\0";
            assert_eq!(answers, wanted);
        });
    }

    #[test]
    fn what_is_handed_over_is_closed() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut client, server) = tokio::net::UnixStream::pair().unwrap();
            let (mut ours, theirs) = tokio::net::UnixStream::pair().unwrap();
            let hand_over = async {
                client.write_all(b"request\0save_endp\0ttl\x002\0label\0y\0property\0z\0\0").await.unwrap();
                sys::descriptor::send(client.as_fd(), theirs.as_fd()).unwrap();
                drop(theirs);
                client.shutdown().await.unwrap();
                let mut answers = Vec::new();
                client.read_to_end(&mut answers).await.unwrap();
                answers
            };
            let (served, answers) = tokio::join!(converse(Stream::new(server).unwrap()), hand_over);
            served.unwrap();
            assert!(answers.ends_with(b"\0\0status\x002\0\0"));
            assert_eq!(ours.read(&mut [0]).await.unwrap(), 0);
        });
    }
}
