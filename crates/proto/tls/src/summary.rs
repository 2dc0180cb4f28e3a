//! What is known of a TLS session, and the two texts made of it: the log line and the Received: comment.

use std::fmt::Write;

use crate::log_mask::LogMask;

/// Which end we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We accepted the connection.
    Server,
    /// We made the connection.
    Client,
}

/// How much is known of the peer's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It showed no certificate.
    Anonymous,
    /// Its certificate does not lead to a trust anchor.
    Untrusted,
    /// Its certificate leads to a trust anchor.
    Trusted,
    /// And carries a name that was asked for.
    Verified,
}

/// A handshake signature of TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Algorithm.
    pub name: &'static str,
    /// Curve, for ECDSA.
    pub curve: Option<&'static str>,
    /// Key size, for RSA.
    pub bits: Option<usize>,
    /// Digest, where the algorithm leaves a choice.
    pub digest: Option<&'static str>,
}

/// What the peer's certificate says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Common name of the subject, printable.
    pub subject: String,
    /// Common name (or organisation) of the issuer, printable.
    pub issuer: String,
    /// Digest of the certificate, `AA:BB:...`.
    pub certificate_digest: String,
    /// Digest of the public key.
    pub key_digest: String,
    /// Why the chain is not trusted.
    pub problem: Option<Problem>,
}

/// Why a peer's chain is not trusted, in the words of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The certificate is its own issuer.
    SelfSigned,
    /// The chain ends here, and not at a trust anchor.
    UntrustedIssuer(String),
    /// It is meant for other things.
    Purpose,
    /// Anything else.
    Other(String),
}

impl Problem {
    fn line(&self, role: Role, peer: &str) -> String {
        let purpose = match role {
            Role::Server => "client",
            Role::Client => "server",
        };
        let failed = format!("certificate verification failed for {peer}");
        match self {
            Self::SelfSigned => format!("{failed}: self-signed certificate"),
            Self::UntrustedIssuer(issuer) => format!("{failed}: untrusted issuer {issuer}"),
            Self::Purpose => format!("{failed}: not designated for use as a {purpose} certificate"),
            Self::Other(text) => format!("{purpose} {failed}: {text}"),
        }
    }
}

/// One established session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Which end we are.
    pub role: Role,
    /// `TLSv1.3` or `TLSv1.2`.
    pub protocol: &'static str,
    /// OpenSSL's name of the suite.
    pub cipher: &'static str,
    /// Key size of the suite.
    pub bits: u16,
    /// The group of the key exchange; TLS 1.3 only, as in Postfix.
    pub key_exchange: Option<&'static str>,
    /// Absent in a resumed session and below TLS 1.3.
    pub server_signature: Option<Signature>,
    /// Absent without client certificate, in a resumed session and below TLS 1.3.
    pub client_signature: Option<Signature>,
    /// How much is known of the peer.
    pub standing: Standing,
    /// The peer's certificate.
    pub peer: Option<Peer>,
    /// An earlier session was resumed.
    pub resumed: bool,
    /// The name that the client asked for, if the certificate was chosen by it (server side).
    pub sni: Option<String>,
}

impl Summary {
    /// Logs what is asked for; `peer` is `name[address]`, with `:port` for a client.
    pub fn log(&self, mask: LogMask, peer: &str) {
        if mask.has_any(LogMask::CACHE) && self.resumed {
            let how = if self.role == Role::Server { " (RFC 5077 session ticket)" } else { "" };
            log::info!("{peer}: Reusing old session{how}");
        }
        if let Some(shown) = &self.peer {
            self.log_peer(mask, peer, shown);
        }
        if mask.has_any(LogMask::SUMMARY) {
            log::info!("{}", self.line(peer));
        }
    }

    /// The trust of a server is logged before its names, that of a client after them.
    fn log_peer(&self, mask: LogMask, peer: &str, shown: &Peer) {
        let mut names = LogMask::VERBOSE.with(LogMask::PEERCERT);
        if self.role == Role::Client {
            names = names.with(LogMask::CERTMATCH);
            self.log_trust(mask, peer, shown);
        }
        if mask.has_any(names) {
            log::info!(
                "{peer}: subject_CN={}, issuer={}, cert fingerprint={}, pkey fingerprint={}",
                shown.subject,
                shown.issuer,
                shown.certificate_digest,
                shown.key_digest
            );
        }
        if self.role == Role::Server {
            self.log_trust(mask, peer, shown);
        }
    }

    fn log_trust(&self, mask: LogMask, peer: &str, shown: &Peer) {
        if !mask.has_any(LogMask::UNTRUSTED) {
            return;
        }
        // A client has more to wish for than trust.
        let (what, enough) = match self.role {
            Role::Server => ("certificate", Standing::Trusted),
            Role::Client => ("peer credential", Standing::Verified),
        };
        if self.resumed && self.standing < enough {
            log::info!("{peer}: re-using session with untrusted {what}, look for details earlier in the log");
        } else if let Some(problem) = &shown.problem {
            log::info!("{}", problem.line(self.role, peer));
        }
    }

    /// The log line of level 1; `peer` is `name[address]`, with `:port` for a client.
    pub fn line(&self, peer: &str) -> String {
        self.worded(peer, "established")
    }

    /// The log line for another delivery over the same connection.
    pub fn reuse_line(&self, peer: &str) -> String {
        self.worded(peer, "reused")
    }

    /// The lines of a Received: header, each beginning with a tab; `asked` says whether the client was asked for a certificate.
    pub fn received(&self, asked: crate::AskCertificate) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = format!(
            "\t(using {} with cipher {} ({}/{} bits)",
            self.protocol, self.cipher, self.bits, self.bits
        );
        if let Some(exchange) = self.key_exchange {
            lines.push(std::mem::replace(&mut line, format!("\t key-exchange {exchange}")));
        }
        if let Some(signature) = &self.server_signature {
            if self.key_exchange.is_none() {
                lines.push(std::mem::replace(&mut line, "\t".to_owned()));
            }
            append_signature(&mut line, "server", signature);
        }
        if let Some(signature) = &self.client_signature {
            lines.push(std::mem::replace(&mut line, "\t".to_owned()));
            append_signature(&mut line, "client", signature);
        }
        line.push(')');
        lines.push(line);
        lines.push(match &self.peer {
            Some(peer) => format!(
                "\t(Client CN \"{}\", Issuer \"{}\" ({}))",
                comment(&peer.subject),
                comment(&peer.issuer),
                if self.standing >= Standing::Trusted { "verified OK" } else { "not verified" }
            ),
            None if asked == crate::AskCertificate::Yes => {
                "\t(Client did not present a certificate)".to_owned()
            }
            None => "\t(No client certificate requested)".to_owned(),
        });
        lines
    }

    fn worded(&self, peer: &str, usage: &str) -> String {
        let standing = match self.standing {
            Standing::Anonymous => "Anonymous",
            Standing::Untrusted => "Untrusted",
            Standing::Trusted => "Trusted",
            Standing::Verified => "Verified",
        };
        let direction = match self.role {
            Role::Client => "to",
            Role::Server => "from",
        };
        let mut line = format!("{standing} TLS connection {usage} {direction} {peer}");
        if let (Role::Server, Some(sni)) = (self.role, &self.sni) {
            append(&mut line, format_args!(" to {sni}"));
        }
        append(
            &mut line,
            format_args!(
                ": {} with cipher {} ({}/{} bits)",
                self.protocol, self.cipher, self.bits, self.bits
            ),
        );
        if let Some(exchange) = self.key_exchange {
            append(&mut line, format_args!(" key-exchange {exchange}"));
        }
        if let Some(signature) = &self.server_signature {
            append_signature(&mut line, "server", signature);
        }
        if let Some(signature) = &self.client_signature {
            append_signature(&mut line, "client", signature);
        }
        line
    }
}

fn append(line: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    line.write_fmt(text).unwrap_or_default();
}

fn append_signature(line: &mut String, side: &str, signature: &Signature) {
    append(line, format_args!(" {side}-signature {}", signature.name));
    if let Some(curve) = signature.curve {
        append(line, format_args!(" ({curve})"));
    } else if let Some(bits) = signature.bits {
        append(line, format_args!(" ({bits} bits)"));
    }
    if let Some(digest) = signature.digest {
        append(line, format_args!(" {side}-digest {digest}"));
    }
}

/// Text that cannot end a header comment or the header.
fn comment(text: &str) -> String {
    let safe =
        |c: char| if c.is_ascii_graphic() && !matches!(c, '(' | ')' | '\\') || c == ' ' { c } else { '?' };
    text.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        Summary {
            role: Role::Server,
            protocol: "TLSv1.3",
            cipher: "TLS_AES_256_GCM_SHA384",
            bits: 256,
            key_exchange: Some("x25519"),
            server_signature: Some(Signature {
                name: "RSA-PSS",
                curve: None,
                bits: Some(2048),
                digest: Some("SHA256"),
            }),
            client_signature: None,
            standing: Standing::Anonymous,
            peer: None,
            resumed: false,
            sni: None,
        }
    }

    #[test]
    fn log_line() {
        assert_eq!(
            summary().line("h.example[192.0.2.1]"),
            "Anonymous TLS connection established from h.example[192.0.2.1]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 \
             (256/256 bits) key-exchange x25519 server-signature RSA-PSS (2048 bits) server-digest SHA256"
        );
    }

    #[test]
    fn received_lines() {
        assert_eq!(
            summary().received(crate::AskCertificate::No),
            [
                "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
                "\t key-exchange x25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)",
                "\t(No client certificate requested)"
            ]
        );
    }
}
