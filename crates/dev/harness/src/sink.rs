//! A receiver of mail by SMTP or LMTP, whose replies the test chooses.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A message that was received: the end of its data was answered with 250.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The argument of MAIL.
    pub mail: String,
    /// The arguments of the RCPTs that were accepted.
    pub recipients: Vec<String>,
    /// The message, lines ended by LF, dots unstuffed.
    pub data: Vec<u8>,
    /// Which connection it came by, counted from 1.
    pub connection: usize,
}

impl Received {
    /// The message as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }
}

#[derive(Default)]
struct State {
    messages: Vec<Received>,
    transcripts: BTreeMap<usize, String>,
    rules: Vec<(String, String)>,
    connections: usize,
    open: usize,
    most_open: usize,
    tls: Option<Arc<rustls::ServerConfig>>,
}

/// How the peer is spoken to.
enum Wire {
    Plain(TcpStream),
    Tls(Box<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>),
    Closed,
}

/// The receiver. It lives as long as the test.
#[derive(Clone)]
pub struct Sink {
    shared: Arc<(Mutex<State>, Condvar)>,
    lmtp: bool,
}

/// What it says to EHLO when nothing else is asked for.
const HELLO: &str =
    "250-sink.example.net\n250-PIPELINING\n250-SIZE 10240000\n250-8BITMIME\n250-DSN\n250 ENHANCEDSTATUSCODES";

impl Sink {
    /// Receives mail at the address by SMTP.
    pub fn smtp(address: &str) -> Self {
        Self::start(address, false)
    }

    /// Receives mail at the address by LMTP.
    pub fn lmtp(address: &str) -> Self {
        Self::start(address, true)
    }

    fn start(address: &str, lmtp: bool) -> Self {
        let address: SocketAddr = address.parse().expect("an address with a port");
        let listener =
            TcpListener::bind(address).unwrap_or_else(|error| panic!("listen at {address}: {error}"));
        let sink = Self { shared: Arc::default(), lmtp };
        let worker = sink.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sink = worker.clone();
                std::thread::spawn(move || sink.serve(stream));
            }
        });
        sink
    }

    /// From now on a command that begins with `command` gets this reply; the newest rule wins. `CONNECT` is the
    /// greeting, `.` the end of data (LMTP: `.<recipient`). Lines are separated by `\n`. The reply `CLOSE` closes the
    /// connection, `HANG` never answers, `WAIT n TEXT` answers after n milliseconds.
    pub fn on(&self, command: &str, reply: &str) -> &Self {
        self.lock(|state| state.rules.push((command.to_ascii_uppercase(), reply.to_owned())));
        self
    }

    /// From now on STARTTLS works, with the key and the certificates in these PEM files, and EHLO offers it. Files are read at once.
    pub fn tls(&self, certificates: &str, key: &str) -> &Self {
        let chain = CertificateDer::pem_file_iter(certificates).expect("a certificate file");
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_file(key).expect("a private key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().expect("protocol versions");
        let config = builder.with_no_client_auth().with_single_cert(chain, key).expect("a key that fits");
        self.lock(|state| state.tls = Some(Arc::new(config)));
        self.on("EHLO", &format!("{}\n250 STARTTLS", HELLO.replace("250 ", "250-")))
    }

    /// Forgets the rules.
    pub fn obey(&self) {
        self.lock(|state| state.rules.clear());
    }

    /// Forgets what was received and said.
    pub fn clear(&self) {
        self.lock(|state| {
            state.messages.clear();
            state.transcripts.clear();
            state.connections = 0;
            state.most_open = state.open;
        });
    }

    /// What was received so far.
    pub fn messages(&self) -> Vec<Received> {
        self.lock(|state| state.messages.clone())
    }

    /// Waits until so many messages have been received.
    pub fn wait_for(&self, count: usize, patience: Duration) -> Vec<Received> {
        let deadline = Instant::now() + patience;
        let (state, changed) = &*self.shared;
        let mut state = state.lock().expect("the sink's state");
        while state.messages.len() < count {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                panic!("{} of {count} messages received:\n{:?}", state.messages.len(), state.transcripts);
            };
            state = changed.wait_timeout(state, left).expect("the sink's state").0;
        }
        state.messages.clone()
    }

    /// What was said, `C:` and `S:` lines, one connection after the other.
    pub fn transcript(&self) -> String {
        self.transcripts().concat()
    }

    /// What was said, by connection.
    pub fn transcripts(&self) -> Vec<String> {
        self.lock(|state| state.transcripts.values().cloned().collect())
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.lock(|state| state.connections)
    }

    /// How many connections were open at the same time, at most.
    pub fn most_open(&self) -> usize {
        self.lock(|state| state.most_open)
    }

    fn lock<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        let result = action(&mut self.shared.0.lock().expect("the sink's state"));
        self.shared.1.notify_all();
        result
    }

    fn serve(&self, stream: TcpStream) {
        let number = self.lock(|state| {
            state.connections += 1;
            state.open += 1;
            state.most_open = state.most_open.max(state.open);
            state.connections
        });
        self.session(stream, number);
        self.lock(|state| state.open -= 1);
    }

    fn session(&self, stream: TcpStream, connection: usize) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut wire = BufReader::new(Wire::Plain(stream));
        let peer = &mut wire;
        let mut message = Received { connection, ..Received::default() };
        self.answer(connection, peer, "CONNECT", "220 sink.example.net ESMTP")?;
        loop {
            let line = self.line(connection, peer)?;
            let upper = line.to_ascii_uppercase();
            let verb = upper.split([' ', ':']).next().unwrap_or_default();
            let default = match verb {
                "EHLO" | "LHLO" => HELLO,
                "HELO" => "250 sink.example.net",
                "MAIL" => "250 2.1.0 Ok",
                "RCPT" => "250 2.1.5 Ok",
                "DATA" => "354 End data with <CR><LF>.<CR><LF>",
                "RSET" | "NOOP" => "250 2.0.0 Ok",
                "QUIT" => "221 2.0.0 Bye",
                "STARTTLS" if self.lock(|state| state.tls.is_some()) => "220 2.0.0 Ready to start TLS",
                _ => "502 5.5.2 Error: command not recognized",
            };
            let code = self.answer(connection, peer, &line, default)?;
            match verb {
                "MAIL" if code == 250 => {
                    message = Received { connection, mail: argument(&line), ..Received::default() };
                }
                "RCPT" if code / 100 == 2 => message.recipients.push(argument(&line)),
                "RSET" => message = Received { connection, ..Received::default() },
                "DATA" if code == 354 => {
                    message.data = self.data(connection, peer)?;
                    let all = std::mem::take(&mut message);
                    self.end(peer, all)?;
                }
                "QUIT" => return Some(()),
                "STARTTLS" if code == 220 => self.start_tls(connection, peer)?,
                _ => {}
            }
        }
    }

    /// A sink without certificate that was told to answer 220 breaks the protocol.
    fn start_tls(&self, connection: usize, peer: &mut BufReader<Wire>) -> Option<()> {
        let Some(config) = self.lock(|state| state.tls.clone()) else {
            self.note(connection, "S: (no TLS)");
            peer.get_mut().write_all(b"not a TLS record\r\n").ok()?;
            return None;
        };
        let mut session = rustls::ServerConnection::new(config).ok()?;
        let Wire::Plain(mut stream) = std::mem::replace(peer.get_mut(), Wire::Closed) else { return None };
        while session.is_handshaking() {
            if let Err(error) = session.complete_io(&mut stream) {
                self.note(connection, &format!("S: (handshake: {error})"));
                return None;
            }
        }
        self.note(connection, &format!("S: (TLS, SNI {:?})", session.server_name()));
        *peer = BufReader::new(Wire::Tls(Box::new(rustls::StreamOwned::new(session, stream))));
        Some(())
    }

    fn data(&self, connection: usize, reader: &mut BufReader<Wire>) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        loop {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line).ok()? == 0 {
                self.note(connection, "C: (closed in data)");
                return None;
            }
            if line == b".\r\n" {
                self.note(connection, "C: (message)");
                return Some(data);
            }
            let text = line.strip_suffix(b"\r\n").unwrap_or(&line);
            data.extend_from_slice(text.strip_prefix(b".").unwrap_or(text));
            data.push(b'\n');
        }
    }

    fn end(&self, writer: &mut BufReader<Wire>, message: Received) -> Option<()> {
        let connection = message.connection;
        if !self.lmtp {
            let code = self.answer(connection, writer, ".", "250 2.0.0 Ok: queued as SINK")?;
            if code / 100 == 2 {
                self.lock(|state| state.messages.push(message));
            }
            return Some(());
        }
        let mut taken = Received { recipients: Vec::new(), ..message.clone() };
        for recipient in &message.recipients {
            let key = format!(".{}", recipient.split(' ').next().unwrap_or_default());
            if self.answer(connection, writer, &key, "250 2.1.5 Ok")? / 100 == 2 {
                taken.recipients.push(recipient.clone());
            }
        }
        if !taken.recipients.is_empty() {
            self.lock(|state| state.messages.push(taken));
        }
        Some(())
    }

    /// Sends the reply to a command; gives its code, or nothing when the connection is to end.
    fn answer(
        &self,
        connection: usize,
        writer: &mut BufReader<Wire>,
        command: &str,
        default: &str,
    ) -> Option<u16> {
        let upper = command.to_ascii_uppercase();
        let rule = self.lock(|state| {
            let rules = state.rules.iter().rev();
            rules.clone().find(|(key, _)| upper.starts_with(key)).map(|(_, reply)| reply.clone())
        });
        let mut reply = rule.unwrap_or_else(|| default.to_owned());
        if reply == "CLOSE" {
            self.note(connection, "S: (closes)");
            writer.get_mut().close();
            return None;
        }
        if reply == "HANG" {
            std::thread::sleep(Duration::from_secs(600));
            return None;
        }
        if let Some((time, text)) = reply.strip_prefix("WAIT ").and_then(|rest| rest.split_once(' ')) {
            std::thread::sleep(Duration::from_millis(time.parse().expect("milliseconds")));
            reply = text.to_owned();
        }
        for line in reply.split('\n') {
            self.note(connection, &format!("S: {line}"));
        }
        writer.get_mut().write_all(format!("{}\r\n", reply.replace('\n', "\r\n")).as_bytes()).ok()?;
        let code = reply.get(..3)?.parse().ok()?;
        if code == 421 {
            return None;
        }
        Some(code)
    }

    fn line(&self, connection: usize, reader: &mut BufReader<Wire>) -> Option<String> {
        let mut bytes = Vec::new();
        if reader.read_until(b'\n', &mut bytes).unwrap_or(0) == 0 {
            self.note(connection, "C: (closed)");
            return None;
        }
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        self.note(connection, &format!("C: {line}"));
        Some(line)
    }

    fn note(&self, connection: usize, line: &str) {
        self.lock(|state| {
            let transcript = state.transcripts.entry(connection).or_default();
            transcript.push_str(line);
            transcript.push('\n');
        });
    }
}

impl Wire {
    fn close(&mut self) {
        match self {
            Self::Plain(stream) => stream.shutdown(std::net::Shutdown::Both).ok(),
            Self::Tls(stream) => stream.sock.shutdown(std::net::Shutdown::Both).ok(),
            Self::Closed => None,
        };
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Closed => Ok(0),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
            Self::Closed => Ok(()),
        }
    }
}

/// What follows `MAIL FROM:` and the like.
fn argument(line: &str) -> String {
    line.split_once(':').map_or("", |(_, argument)| argument).trim().to_owned()
}
