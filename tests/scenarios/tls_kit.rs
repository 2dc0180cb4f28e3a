//! Certificates, an SMTP client in `openssl s_client`, and what is known of the reference's other words.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use harness::{Package, Reply, System};

/// Where certificates and keys are: `NAME.pem` and `NAME.key`, readable by root only.
pub(crate) const DIRECTORY: &str = "/etc/postfix/tls";

/// The path of a file there.
pub(crate) fn path(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

/// Makes a self-signed certificate; `key` is `rsa`, `p256`, `p384` or `ed25519`.
pub(crate) fn certificate(system: &System, name: &str, key: &str, subject: &str) {
    let key = match key {
        "rsa" => "rsa:2048",
        "p256" => "ec -pkeyopt ec_paramgen_curve:prime256v1",
        "p384" => "ec -pkeyopt ec_paramgen_curve:secp384r1",
        other => other,
    };
    openssl(
        system,
        &format!(
            "req -x509 -newkey {key} -nodes -keyout {name}.key -out {name}.pem -days 30 -subj /CN={subject}"
        ),
    );
}

/// Makes a certificate signed by another one.
pub(crate) fn signed_certificate(system: &System, name: &str, key: &str, subject: &str, issuer: &str) {
    certificate(system, name, key, subject);
    openssl(system, &format!("req -new -key {name}.key -subj /CN={subject} -out {name}.csr"));
    // With an extension, or it would be a certificate of X.509 version 1.
    system.file(&path("extensions"), &format!("subjectAltName = DNS:{subject}\n"));
    openssl(
        system,
        &format!(
            "x509 -req -extfile extensions -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days 30 -out {name}.pem"
        ),
    );
}

/// Runs openssl(1) among the certificates.
pub(crate) fn openssl(system: &System, arguments: &str) -> String {
    let command = format!("mkdir -p {DIRECTORY} && cd {DIRECTORY} && umask 077 && openssl {arguments}");
    system.shell(&command).well().stdout
}

/// Our words put as Postfix 3.7 has them: it has no names for groups. See DEVIATIONS.md.
pub(crate) fn worded(system: &System, text: &str) -> String {
    if system.package() == Package::Ours {
        return text.to_owned();
    }
    text.replace("key-exchange x25519", "key-exchange X25519")
        .replace("key-exchange secp256r1", "key-exchange ECDHE (prime256v1)")
        .replace("key-exchange secp384r1", "key-exchange ECDHE (secp384r1)")
        .replace(", cert fingerprint=", ", fingerprint=")
        .replace(", pkey fingerprint=", ", pkey_fingerprint=")
}

/// An SMTP session inside TLS.
pub(crate) struct Secure {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    seen: String,
    /// s_client shows the last line of the first reply to EHLO.
    has_echo: bool,
}

impl Secure {
    /// STARTTLS at port 25 of 127.0.0.1, with more arguments for s_client(1).
    pub(crate) fn start(system: &System, arguments: &str) -> Self {
        Self::open(
            system,
            &format!("-starttls smtp -name client.example.org -connect 127.0.0.1:25 {arguments}"),
        )
    }

    /// Any connection.
    pub(crate) fn open(_system: &System, arguments: &str) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_client", "-ign_eof", "-crlf"])
            .args(arguments.split_whitespace())
            .current_dir(DIRECTORY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl");
        let stdin = child.stdin.take().expect("a pipe");
        let (sender, lines) = channel();
        let outputs: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("a pipe")), Box::new(child.stderr.take().expect("a pipe"))];
        for output in outputs {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(output);
                let mut line = Vec::new();
                while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                    if sender.send(text).is_err() {
                        break;
                    }
                    line.clear();
                }
            });
        }
        Self { child, stdin, lines, seen: String::new(), has_echo: arguments.contains("-starttls") }
    }

    /// Sends a command and reads the reply; code 0 if the session ends instead.
    pub(crate) fn command(&mut self, command: &str) -> Reply {
        if std::mem::take(&mut self.has_echo) {
            let echo = self.reply();
            assert_eq!(echo.code, 250, "no session:\n{}", self.seen);
        }
        self.send(&format!("{command}\n"));
        self.reply()
    }

    /// Insists on a code.
    pub(crate) fn expect(&mut self, command: &str, code: u16) -> Reply {
        let reply = self.command(command);
        assert_eq!(reply.code, code, "after {command:?}:\n{}", self.seen);
        reply
    }

    /// Sends text; `\n` becomes CRLF.
    pub(crate) fn send(&mut self, text: &str) {
        self.stdin.write_all(text.as_bytes()).ok();
        self.stdin.flush().ok();
    }

    /// Reads a reply among the lines that s_client writes.
    pub(crate) fn reply(&mut self) -> Reply {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut lines = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.seen.push_str(&line);
            self.seen.push('\n');
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
            let (Some(code), Some(separator)) = (code, line.as_bytes().get(3)) else { continue };
            // Certificates and tickets are shown with numbers, too.
            if !matches!(separator, b' ' | b'-') || line.get(4..8).is_some_and(|text| text.starts_with('-')) {
                continue;
            }
            let is_last = *separator == b' ';
            lines.push(line);
            if is_last {
                return Reply { code, lines };
            }
        }
        Reply { code: 0, lines }
    }

    /// One message, with the session's end.
    pub(crate) fn deliver(mut self, recipient: &str) -> String {
        self.expect("EHLO client.example.org", 250);
        self.expect("MAIL FROM:<someone@example.org>", 250);
        self.expect(&format!("RCPT TO:<{recipient}>"), 250);
        self.expect("DATA", 354);
        self.expect("Subject: hidden\n\nText.\n.", 250);
        self.end()
    }

    /// Ends the session; gives all that s_client had to say.
    pub(crate) fn end(mut self) -> String {
        self.send("QUIT\n");
        self.finish()
    }

    /// Waits until the other side has ended the session.
    pub(crate) fn finish(mut self) -> String {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(20)) {
            self.seen.push_str(&line);
            self.seen.push('\n');
        }
        self.child.kill().ok();
        self.child.wait().ok();
        std::mem::take(&mut self.seen)
    }
}
