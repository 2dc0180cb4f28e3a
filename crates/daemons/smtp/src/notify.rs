//! Telling the postmaster about servers that break the protocol (`notify_classes`).

use ::delivery::post::{self, Envelope, Source};

use crate::Client;
use crate::session::Session;

const WIDTH: usize = 78;
const INDENT: usize = 4;

/// Sends the transcript of a session, unless the mail that caused it is such a notice itself.
pub(crate) async fn postmaster(client: &Client, session: &Session, sender: &[u8]) {
    let settings = &client.settings;
    let wanted =
        (session.protocol_error && settings.notify_protocol) || (session.data_error && settings.notify_data);
    let Some(history) = session.history.as_ref().filter(|history| wanted && !history.is_empty()) else {
        return;
    };
    let common = &settings.common;
    let double_bounce = format!("{}@{}", common.double_bounce_sender, common.myhostname);
    if sender.is_empty() || sender == double_bounce.as_bytes() {
        return;
    }
    let recipient = &common.error_notice_recipient;
    let envelope = Envelope {
        sender: double_bounce.as_bytes(),
        recipient: recipient.as_bytes(),
        source: Source::Notify,
        trace_flags: 0,
        send_options: 0,
    };
    let mut notice = match client.poster.open(&envelope).await {
        Ok(notice) => notice,
        Err(error) => {
            log::warning!("postmaster notify: {error}");
            return;
        }
    };
    let daemon = format!("MAILER-DAEMON@{}", common.myhostname);
    if common.header_from_format == "standard" {
        notice.line(format!("From: Mail Delivery System <{daemon}>"));
        notice.line(format!("To: Postmaster <{recipient}>"));
    } else {
        notice.line(format!("From: {daemon} (Mail Delivery System)"));
        notice.line(format!("To: {recipient} (Postmaster)"));
    }
    let (server, protocol) = (&session.namaddrport, settings.protocol.name());
    notice.line(format!("Subject: {} {protocol} client: errors from {server}", common.mail_name));
    notice.line("");
    notice.line(format!("Unexpected response from {server}."));
    notice.line("");
    notice.line("Transcript of session follows.");
    notice.line("");
    for line in history {
        for part in post::wrap(&bytes::printable(line, b'?'), WIDTH, INDENT) {
            // A blank in front keeps what a server said from being taken for anything else.
            notice.line([b" ", part.as_slice()].concat());
        }
    }
    notice.line("");
    notice.line("For other details, see the local mail logfile");
    let status = notice.finish().await;
    if !status.is_ok() {
        log::warning!("postmaster notify: {}", status.detail().text);
    }
}
