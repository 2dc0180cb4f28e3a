//! The `Received:` header, line by line as it goes into the queue file.

use crate::date::mail_date;
use crate::text::sanitize_comment;

/// The client of an SMTP session as its `Received:` header shows it.
#[derive(Clone, Debug, Default)]
pub struct Client<'a> {
    /// The HELO or EHLO name, or the host name when there was none.
    pub helo: &'a [u8],
    /// The verified host name or `unknown`.
    pub name: &'a [u8],
    /// The address as in an address literal (`IPv6:` included).
    pub address: &'a [u8],
    /// Finished lines about TLS, without their leading tab, from [`tls_lines`] or otherwise.
    pub tls: Vec<Vec<u8>>,
    /// The login name, when smtpd_sasl_authenticated_header wants it shown.
    pub authenticated_sender: Option<&'a [u8]>,
}

/// What the server says about itself.
#[derive(Clone, Debug)]
pub struct Server<'a> {
    /// `myhostname`.
    pub hostname: &'a str,
    /// `mail_name`.
    pub mail_name: &'a str,
    /// The protocol with its RFC 3848 letters, such as `ESMTPSA`.
    pub protocol: &'a str,
    /// The queue id; `None` before there is one.
    pub queue_id: Option<&'a str>,
    /// The only recipient, quoted (RFC 822 form).
    pub only_recipient: Option<&'a [u8]>,
    /// When the message began to arrive.
    pub arrival: i64,
}

/// The lines of an SMTP server's `Received:` header. Without `client` the session stays hidden, as with
/// smtpd_hide_client_session.
pub fn smtp_lines(client: Option<&Client<'_>>, server: &Server<'_>) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let mut by = Vec::new();
    if let Some(client) = client {
        lines.push(
            [b"Received: from ", client.helo, b" (", client.name, b" [", client.address, b"])"].concat(),
        );
        lines.extend(client.tls.iter().map(|line| [b"\t", line.as_slice()].concat()));
        if let Some(login) = client.authenticated_sender {
            lines.push([b"\t(Authenticated sender: ", sanitize_comment(login).as_slice(), b")"].concat());
        }
        by.push(b'\t');
    } else {
        by.extend_from_slice(b"Received: ");
    }
    by.extend_from_slice(format!("by {} ({})", server.hostname, server.mail_name).as_bytes());
    if client.is_some() {
        by.extend_from_slice(format!(" with {}", server.protocol).as_bytes());
    }
    if let Some(queue_id) = server.queue_id {
        by.extend_from_slice(format!(" id {queue_id}").as_bytes());
    }
    let date = mail_date(server.arrival);
    match server.only_recipient {
        Some(recipient) => {
            lines.push(by);
            lines.push([b"\tfor <", recipient, b">; ", date.as_bytes()].concat());
        }
        None => {
            by.push(b';');
            lines.push(by);
            lines.push(format!("\t{date}").into_bytes());
        }
    }
    lines
}

/// The lines of a local submission's `Received:` header.
pub fn local_lines(
    hostname: &str,
    mail_name: &str,
    user_id: u32,
    queue_id: &str,
    arrival: i64,
) -> [Vec<u8>; 2] {
    [
        format!("Received: by {hostname} ({mail_name}, from userid {user_id})").into_bytes(),
        format!("\tid {queue_id}; {}", mail_date(arrival)).into_bytes(),
    ]
}

/// A signature or key exchange of a TLS session.
#[derive(Clone, Debug, Default)]
pub struct TlsSignature<'a> {
    /// Algorithm, such as `RSA-PSS`.
    pub name: &'a str,
    /// Curve; empty when the key has none.
    pub curve: &'a str,
    /// Key size, shown when there is no curve.
    pub bits: u32,
    /// Digest; empty when the algorithm implies it.
    pub digest: &'a str,
    /// Whether a raw public key was used instead of a certificate.
    pub raw_public_key: bool,
}

/// What the header tells of a TLS session.
#[derive(Clone, Debug, Default)]
pub struct Tls<'a> {
    /// Such as `TLSv1.3`.
    pub protocol: &'a str,
    /// Such as `TLS_AES_256_GCM_SHA384`.
    pub cipher: &'a str,
    /// Bits of the key in use.
    pub cipher_used_bits: u32,
    /// Bits of the algorithm.
    pub cipher_bits: u32,
    /// Key exchange; only name, curve and bits count.
    pub key_exchange: Option<TlsSignature<'a>>,
    /// The server's signature.
    pub server_signature: Option<TlsSignature<'a>>,
    /// The client's signature.
    pub client_signature: Option<TlsSignature<'a>>,
    /// What the client presented.
    pub peer: TlsPeer<'a>,
}

/// What a TLS client presented.
#[derive(Clone, Debug, Default)]
pub enum TlsPeer<'a> {
    /// It was not asked.
    #[default]
    NotRequested,
    /// It was asked and had none.
    NotPresented,
    /// A certificate.
    Certificate {
        /// Common name of the subject.
        subject: &'a [u8],
        /// Common name of the issuer.
        issuer: &'a [u8],
        /// Whether it leads to a trusted authority.
        verified: bool,
    },
    /// A raw public key.
    RawPublicKey {
        /// Digest algorithm.
        algorithm: &'a str,
        /// Fingerprint.
        fingerprint: &'a str,
    },
}

/// The comment lines about TLS, without their leading tab.
pub fn tls_lines(tls: &Tls<'_>) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let mut line = format!(
        "(using {} with cipher {} ({}/{} bits)",
        tls.protocol, tls.cipher, tls.cipher_used_bits, tls.cipher_bits
    );
    let mut on_same_line = false;
    if let Some(exchange) = tls.key_exchange.as_ref().filter(|exchange| !exchange.name.is_empty()) {
        lines.push(std::mem::replace(&mut line, format!(" key-exchange {}", exchange.name)).into_bytes());
        if !exchange.curve.is_empty() {
            line += &format!(" ({})", exchange.curve);
        } else if exchange.bits > 0 {
            line += &format!(" ({} bits)", exchange.bits);
        }
        on_same_line = true;
    }
    if let Some(signature) = tls.server_signature.as_ref().filter(|signature| !signature.name.is_empty()) {
        if !on_same_line {
            lines.push(std::mem::take(&mut line).into_bytes());
        }
        line += &signature_text("server", signature);
    }
    if let Some(signature) = tls.client_signature.as_ref().filter(|signature| !signature.name.is_empty()) {
        lines.push(std::mem::take(&mut line).into_bytes());
        line += &signature_text("client", signature);
    }
    lines.push(format!("{line})").into_bytes());
    lines.push(match tls.peer {
        TlsPeer::NotRequested => b"(No client certificate requested)".to_vec(),
        TlsPeer::NotPresented => b"(Client did not present a certificate)".to_vec(),
        TlsPeer::Certificate { subject, issuer, verified } => {
            let verified: &[u8] = if verified { b"\" (verified OK))" } else { b"\" (not verified))" };
            let (subject, issuer) = (sanitize_comment(subject), sanitize_comment(issuer));
            [b"(Client CN \"", subject.as_slice(), b"\", Issuer \"", &issuer, verified].concat()
        }
        TlsPeer::RawPublicKey { algorithm, fingerprint } => {
            format!("(Client RPK {algorithm} digest {fingerprint})").into_bytes()
        }
    });
    lines
}

fn signature_text(side: &str, signature: &TlsSignature<'_>) -> String {
    let mut text = format!(" {side}-signature {}", signature.name);
    let raw = signature.raw_public_key;
    if !signature.curve.is_empty() {
        text += &format!(" ({}{})", signature.curve, if raw { " raw public key" } else { "" });
    } else if signature.bits > 0 {
        text += &format!(" ({} bit{})", signature.bits, if raw { " raw public key" } else { "s" });
    }
    if !signature.digest.is_empty() {
        text += &format!(" {side}-digest {}", signature.digest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[Vec<u8>]) -> Vec<String> {
        lines.iter().map(|line| String::from_utf8(line.clone()).unwrap()).collect()
    }

    #[test]
    fn smtp_with_tls() {
        let tls = Tls {
            protocol: "TLSv1.3",
            cipher: "TLS_AES_256_GCM_SHA384",
            cipher_used_bits: 256,
            cipher_bits: 256,
            key_exchange: Some(TlsSignature { name: "X25519", ..Default::default() }),
            server_signature: Some(TlsSignature {
                name: "RSA-PSS",
                bits: 2048,
                digest: "SHA256",
                ..Default::default()
            }),
            ..Default::default()
        };
        let client = Client {
            helo: b"h.example",
            name: b"unknown",
            address: b"192.0.2.1",
            tls: tls_lines(&tls),
            authenticated_sender: Some(b"joe"),
        };
        let server = Server {
            hostname: "mx.example",
            mail_name: "Postfix",
            protocol: "ESMTPSA",
            queue_id: Some("ABC"),
            only_recipient: None,
            arrival: 0,
        };
        let lines = text(&smtp_lines(Some(&client), &server));
        assert_eq!(
            lines[..7],
            [
                "Received: from h.example (unknown [192.0.2.1])",
                "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
                "\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)",
                "\t(No client certificate requested)",
                "\t(Authenticated sender: joe)",
                "\tby mx.example (Postfix) with ESMTPSA id ABC;",
                &format!("\t{}", mail_date(0)),
            ]
        );
    }

    #[test]
    fn hidden_session_with_one_recipient() {
        let server = Server {
            hostname: "mx.example",
            mail_name: "Postfix",
            protocol: "ESMTP",
            queue_id: Some("ABC"),
            only_recipient: Some(b"r@example"),
            arrival: 0,
        };
        let lines = text(&smtp_lines(None, &server));
        assert_eq!(
            lines,
            ["Received: by mx.example (Postfix) id ABC", &format!("\tfor <r@example>; {}", mail_date(0))]
        );
    }
}
