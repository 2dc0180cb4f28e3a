//! Telling the postmaster about servers that break the protocol (`notify_classes`).

use ipc::cleanup::{Submission, flags};
use queue::RecordType;

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
    let double_bounce = format!("{}@{}", common.double_bounce_sender, common.myorigin);
    if sender.is_empty() || sender == double_bounce.as_bytes() {
        return;
    }
    if let Err(error) = post(client, session, history, &double_bounce).await {
        log::warning!("postmaster notify: {error}");
    }
}

async fn post(client: &Client, session: &Session, history: &[Vec<u8>], sender: &str) -> ipc::Result<()> {
    let settings = &client.settings;
    let common = &settings.common;
    let recipient = &common.error_notice_recipient;
    let mut mail = Submission::open("public/cleanup", flags::MASK_INTERNAL).await?;
    let now = sys::time::unix_duration();
    let date = message::date::mail_date(i64::try_from(now.as_secs()).unwrap_or(0));
    let time = queue::envelope::time_data(i64::try_from(now.as_secs()).unwrap_or(0), now.subsec_micros());
    mail.record(RecordType::Time, time.as_bytes()).await?;
    mail.attribute("log_message_origin", b"local").await?;
    mail.record(RecordType::Sender, sender.as_bytes()).await?;
    mail.record(RecordType::Recipient, recipient.as_bytes()).await?;
    mail.record(RecordType::Content, b"").await?;
    let mut lines = vec![
        format!("Received: by {} ({})", common.myhostname, common.mail_name),
        format!("\tid {}; {date}", mail.queue_id()),
        format!("Date: {date}"),
    ];
    let daemon = format!("MAILER-DAEMON@{}", common.myorigin);
    if common.header_from_format == "standard" {
        lines.push(format!("From: Mail Delivery System <{daemon}>"));
        lines.push(format!("To: Postmaster <{recipient}>"));
    } else {
        lines.push(format!("From: {daemon} (Mail Delivery System)"));
        lines.push(format!("To: {recipient} (Postmaster)"));
    }
    let (name, protocol) = (&common.mail_name, settings.protocol.name());
    lines.extend([
        format!("Subject: {name} {protocol} client: errors from {}", session.namaddrport),
        String::new(),
        format!("Unexpected response from {}.", session.namaddrport),
        String::new(),
        "Transcript of session follows.".to_owned(),
        String::new(),
    ]);
    for line in &lines {
        mail.record(RecordType::Norm, line.as_bytes()).await?;
    }
    for line in history {
        for part in wrap(&bytes::printable(line, b'?')) {
            mail.record(RecordType::Norm, &part).await?;
        }
    }
    mail.record(RecordType::Norm, b"").await?;
    mail.record(RecordType::Norm, b"For other details, see the local mail logfile").await?;
    mail.record(RecordType::Extracted, b"").await?;
    mail.record(RecordType::End, b"").await?;
    mail.finish().await?;
    Ok(())
}

/// Lines of a transcript: one blank before each, and more before what goes on.
fn wrap(line: &[u8]) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut rest = line;
    loop {
        let indent = if parts.is_empty() { 0 } else { INDENT };
        let room = WIDTH - indent;
        let piece = if rest.len() <= room {
            std::mem::take(&mut rest)
        } else {
            // At a blank if there is one.
            let cut = rest.get(..=room).and_then(|head| head.iter().rposition(|&byte| byte == b' '));
            let (piece, tail) = rest.split_at(cut.filter(|&cut| cut > 0).unwrap_or(room));
            rest = bytes::trim_start(tail);
            piece
        };
        parts.push([&b"     "[..=indent], piece].concat());
        if rest.is_empty() {
            return parts;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped_at_blanks() {
        assert_eq!(wrap(b"In:  250 ok"), [b" In:  250 ok".to_vec()]);
        let long = [b"a ".repeat(60), b"z".repeat(100)].concat();
        let parts = wrap(&long);
        assert!(parts.len() >= 3 && parts.iter().all(|part| part.len() <= WIDTH + 1));
        assert!(parts.iter().skip(1).all(|part| part.starts_with(b"     ")));
    }
}
