//! An SMTP client that says exactly what the test says, and keeps a transcript.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};

/// A reply: its code and its lines, codes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits; 0 when the connection ended instead.
    pub code: u16,
    /// The lines as they came, without their ends.
    pub lines: Vec<String>,
}

impl Reply {
    /// The last line.
    pub fn last(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }

    /// All lines.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// A connection to an SMTP server.
pub struct SmtpClient {
    reader: BufReader<TcpStream>,
    transcript: String,
}

impl SmtpClient {
    /// Connects from the given local address, if one is given. The greeting is not read yet.
    pub fn connect(from: Option<IpAddr>, to: SocketAddr) -> std::io::Result<Self> {
        let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let fd: OwnedFd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        if let Some(from) = from {
            bind(fd.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(from, 0)))?;
        }
        connect(fd.as_raw_fd(), &SockaddrStorage::from(to))?;
        let stream = TcpStream::from(fd);
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(stream), transcript: String::new() })
    }

    /// Reads one reply, of as many lines as it has.
    pub fn reply(&mut self) -> Reply {
        let mut lines = Vec::new();
        let mut code = 0;
        loop {
            let mut bytes = Vec::new();
            match self.reader.read_until(b'\n', &mut bytes) {
                Ok(length) if length > 0 => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.note("S: (nothing)");
                    return Reply { code: 0, lines };
                }
                // Whether it ends well or is reset depends on who is faster.
                Ok(_) | Err(_) => {
                    self.note("S: (closed)");
                    return Reply { code: 0, lines };
                }
            }
            let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
            self.note(&format!("S: {line}"));
            let more = line.as_bytes().get(3) == Some(&b'-');
            code = line.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(code);
            lines.push(line);
            if !more {
                return Reply { code, lines };
            }
        }
    }

    /// Sends a command and reads the reply.
    pub fn command(&mut self, command: &str) -> Reply {
        self.send_line(command);
        self.reply()
    }

    /// Sends a command and insists on the code of the reply.
    pub fn expect(&mut self, command: &str, code: u16) -> Reply {
        let reply = self.command(command);
        assert_eq!(reply.code, code, "after {command:?}:\n{}", self.transcript);
        reply
    }

    /// Sends one line; reads nothing.
    pub fn send_line(&mut self, line: &str) {
        self.note(&format!("C: {line}"));
        self.send(format!("{line}\r\n").as_bytes());
    }

    /// Sends bytes as they are, unnoted. A connection that ended shows in the next reply.
    pub fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).ok();
    }

    /// Sends a message's text (lines ended by LF) with dots stuffed, and the end; reads the reply.
    pub fn message(&mut self, text: &str) -> Reply {
        let mut wire = Vec::new();
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            if line.starts_with('.') {
                wire.push(b'.');
            }
            wire.extend_from_slice(line.as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        self.send(&wire);
        self.note("C: (message)");
        self.reply()
    }

    /// A whole transaction that is expected to be accepted. Gives the last reply. The greeting must have been answered.
    pub fn submit(&mut self, sender: &str, recipients: &[&str], text: &str) -> Reply {
        self.expect(&format!("MAIL FROM:<{sender}>"), 250);
        for recipient in recipients {
            self.expect(&format!("RCPT TO:<{recipient}>"), 250);
        }
        self.expect("DATA", 354);
        let reply = self.message(text);
        assert_eq!(reply.code, 250, "{}", self.transcript);
        reply
    }

    /// Closes our side for writing.
    pub fn shutdown(&mut self) {
        self.reader.get_mut().shutdown(std::net::Shutdown::Write).ok();
    }

    /// How long a reply is waited for.
    pub fn patience(&mut self, time: Duration) {
        self.reader.get_mut().set_read_timeout(Some(time)).expect("set the time-out");
    }

    /// What was said so far: `C:` and `S:` lines.
    pub fn transcript(&self) -> &str {
        &self.transcript
    }

    fn note(&mut self, line: &str) {
        self.transcript.push_str(line);
        self.transcript.push('\n');
    }
}
