//! A receiver of mail that keeps little: who got which message when. For loads; [`harness::Sink`] is for conversations.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// One recipient of one message that was answered with 250.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// The recipient's address, without brackets.
    pub(crate) recipient: String,
    /// When it was answered.
    pub(crate) at: Instant,
}

/// The receiver. It lives as long as the test.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    arrivals: Arc<Mutex<Vec<Arrival>>>,
}

impl Receiver {
    /// Receives at this address.
    pub(crate) fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).expect("listen");
        let receiver = Self::default();
        let worker = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let worker = worker.clone();
                std::thread::spawn(move || worker.session(stream));
            }
        });
        receiver
    }

    /// What arrived so far.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().expect("the arrivals").clone()
    }

    fn session(&self, stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut writer = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        let mut recipients = Vec::new();
        writer.write_all(b"220 receiver.example.net ESMTP\r\n").ok()?;
        loop {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line).ok()? == 0 {
                return None;
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            let reply = match verb.as_str() {
                "EHLO" => "250-receiver.example.net\r\n250-PIPELINING\r\n250-SIZE\r\n250 8BITMIME",
                "MAIL" => {
                    recipients.clear();
                    "250 2.1.0 Ok"
                }
                "RCPT" => {
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                    recipients.push(address.to_owned());
                    "250 2.1.5 Ok"
                }
                "DATA" => {
                    writer.write_all(b"354 Go on\r\n").ok()?;
                    data(&mut reader)?;
                    // Counted before the reply: from here on it is ours, whether the sender learns it or not.
                    let at = Instant::now();
                    let mut arrivals = self.arrivals.lock().expect("the arrivals");
                    arrivals.extend(recipients.drain(..).map(|recipient| Arrival { recipient, at }));
                    "250 2.0.0 Ok"
                }
                "QUIT" => {
                    writer.write_all(b"221 2.0.0 Bye\r\n").ok()?;
                    return Some(());
                }
                _ => "250 2.0.0 Ok",
            };
            writer.write_all(reply.as_bytes()).ok()?;
            writer.write_all(b"\r\n").ok()?;
        }
    }
}

fn data(reader: &mut BufReader<TcpStream>) -> Option<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if line == b".\r\n" {
            return Some(());
        }
    }
}
