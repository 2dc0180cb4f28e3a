//! The commands of one transaction.

use address::quote_821_local;
use ipc::Recipient;
use ipc::deliver::Request;
use message::xtext;
use smtp::client::{Envelope, RequireTls};
use smtp::ehlo::Keywords;

use crate::Client;
use crate::rewrite::LookupFailed;
use crate::session::Session;

/// SMTPUTF8 was requested.
pub(crate) const SMTPUTF8_REQUESTED: u32 = 1;
/// SMTPUTF8 is needed: UTF-8 in header, sender or recipient.
pub(crate) const SMTPUTF8_DERIVED: u32 = 2 | 4 | 8;
/// `TLS-Required: no`.
pub(crate) const REQUIRETLS_HEADER: u32 = 16;
/// REQUIRETLS was requested.
pub(crate) const REQUIRETLS_ESMTP: u32 = 32;

/// Makes all commands up to DATA.
pub(crate) async fn make(
    client: &Client,
    session: &Session,
    request: &Request,
    recipients: impl Iterator<Item = &Recipient>,
    requiretls: RequireTls,
) -> Result<Envelope, LookupFailed> {
    let mut envelope =
        Envelope { mail: mail(client, session, request, requiretls).await?, ..Envelope::default() };
    for recipient in recipients {
        envelope.recipients.push(rcpt(client, session, request, recipient).await?);
    }
    if client.settings.params.smtp_send_xforward_command {
        xforward(session, request, &mut envelope);
    }
    Ok(envelope)
}

/// Whether the content must be converted to 7 bits.
pub(crate) fn is_downgrade(client: &Client, session: &Session, request: &Request) -> bool {
    !client.settings.common.disable_mime_output_conversion
        && !session.has(Keywords::EIGHT_BIT_MIME)
        && request.encoding != "7bit"
}

/// An address as it appears in a command.
async fn quoted(client: &Client, address: &[u8]) -> Result<Vec<u8>, LookupFailed> {
    let mapped = match &client.generic {
        Some(generic) => generic.map(address).await?,
        None => None,
    };
    let address = mapped.as_deref().unwrap_or(address);
    if address.is_empty() || !client.settings.params.smtp_quote_rfc821_envelope {
        return Ok(address.to_vec());
    }
    Ok(quote_821_local(address))
}

async fn mail(
    client: &Client,
    session: &Session,
    request: &Request,
    requiretls: RequireTls,
) -> Result<Vec<u8>, LookupFailed> {
    let mut command = b"MAIL FROM:<".to_vec();
    command.extend_from_slice(&quoted(client, &request.sender).await?);
    command.push(b'>');
    if session.has(Keywords::SIZE) && !is_downgrade(client, session, request) {
        command.extend_from_slice(format!(" SIZE={}", request.data_size).as_bytes());
    }
    if session.has(Keywords::EIGHT_BIT_MIME) {
        match request.encoding.as_str() {
            "8bit" => command.extend_from_slice(b" BODY=8BITMIME"),
            "7bit" => command.extend_from_slice(b" BODY=7BIT"),
            "" => {}
            other => log::warning!("{}: unknown content encoding: {other}", request.queue_id),
        }
    }
    let wants_requiretls = requiretls > RequireTls::No;
    if session.has(Keywords::DSN) {
        if !request.dsn_envid.is_empty() {
            command.extend_from_slice(b" ENVID=");
            command.extend_from_slice(&xtext::quote(&request.dsn_envid, b"+="));
        }
        // A server that does not promise REQUIRETLS gets to return as little as possible.
        let ret = if wants_requiretls && !session.has(Keywords::REQUIRETLS) {
            dsn::ret::HDRS
        } else {
            request.dsn_ret
        };
        match ret {
            dsn::ret::FULL => command.extend_from_slice(b" RET=FULL"),
            dsn::ret::HDRS => command.extend_from_slice(b" RET=HDRS"),
            _ => {}
        }
    }
    if session.has(Keywords::SMTPUTF8) && request.sendopts & SMTPUTF8_REQUESTED != 0 {
        command.extend_from_slice(b" SMTPUTF8");
    }
    if wants_requiretls && session.has(Keywords::REQUIRETLS) && session.tls.is_some() {
        command.extend_from_slice(b" REQUIRETLS");
    }
    Ok(command)
}

async fn rcpt(
    client: &Client,
    session: &Session,
    request: &Request,
    recipient: &Recipient,
) -> Result<Vec<u8>, LookupFailed> {
    let mut command = b"RCPT TO:<".to_vec();
    command.extend_from_slice(&quoted(client, &recipient.address).await?);
    command.push(b'>');
    if !session.has(Keywords::DSN) {
        return Ok(command);
    }
    if let Some(original) = original_recipient(request, recipient) {
        command.extend_from_slice(b" ORCPT=");
        command.extend_from_slice(&original);
    }
    if recipient.dsn_notify != 0 {
        command.extend_from_slice(format!(" NOTIFY={}", dsn::notify::text(recipient.dsn_notify)).as_bytes());
    }
    Ok(command)
}

fn original_recipient(request: &Request, recipient: &Recipient) -> Option<Vec<u8>> {
    let made;
    let original = if !recipient.dsn_original.is_empty() {
        &recipient.dsn_original
    } else if !recipient.original.is_empty() {
        let external = address::quote_822_local(&recipient.original);
        let wants_utf8 = request.sendopts & (SMTPUTF8_REQUESTED | SMTPUTF8_DERIVED) != 0;
        let is_utf8 = wants_utf8 && !external.is_ascii() && address::valid_utf8(&external);
        let kind: &[u8] = if is_utf8 { b"utf-8;" } else { b"rfc822;" };
        made = [kind, &external].concat();
        &made
    } else {
        return None;
    };
    if bytes::starts_with_ignore_case(original, b"utf-8;") {
        return xtext::uxtext_quote(original, b"+=");
    }
    Some(xtext::quote(original, b"+="))
}

fn xforward(session: &Session, request: &Request, envelope: &mut Envelope) {
    let (client, takes) = (&request.client, session.offer.xforward);
    // Local submission has no client; "unknown" is no news.
    let known = |value: &[u8]| !value.is_empty() && !value.eq_ignore_ascii_case(b"unknown");
    let add = |command: &mut Vec<u8>, name: &str, value: &[u8]| {
        if command.is_empty() {
            command.extend_from_slice(b"XFORWARD");
        }
        command.push(b' ');
        command.extend_from_slice(name.as_bytes());
        command.push(b'=');
        command.extend_from_slice(&xtext::quote(value, b""));
    };
    let first = [
        (takes.name, "NAME", &client.name),
        (takes.addr, "ADDR", &client.address),
        (takes.port, "PORT", &client.port),
    ];
    for (taken, name, value) in first {
        if taken && known(value) {
            add(&mut envelope.xforward_name, name, value);
        }
    }
    let second = &mut envelope.xforward_proto;
    if takes.proto && known(&client.protocol) {
        add(second, "PROTO", &client.protocol);
    }
    if takes.helo && !client.helo.is_empty() {
        add(second, "HELO", &client.helo);
    }
    if takes.ident && !request.log_ident.is_empty() {
        add(second, "IDENT", &request.log_ident);
    }
    if takes.source && !request.rewrite_context.is_empty() {
        let source: &[u8] = if request.rewrite_context == b"local" { b"LOCAL" } else { b"REMOTE" };
        add(second, "SOURCE", source);
    }
}
