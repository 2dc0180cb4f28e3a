//! The listing for programs: one JSON object a message and line.

use crate::list::{Format, Message, Recipient};

/// Writes JSON lines.
#[derive(Debug, Default)]
pub(crate) struct Json {
    recipients: usize,
}

impl Format for Json {
    fn message(&mut self, message: &Message, out: &mut Vec<u8>) {
        self.recipients = 0;
        out.push(b'{');
        put(out, "queue_name", &message.queue_name);
        out.extend_from_slice(b", ");
        put(out, "queue_id", &message.queue_id);
        let (time, size, expire) = (message.time, message.size, message.forced_expire);
        let numbers =
            format!(", \"arrival_time\": {time}, \"message_size\": {size}, \"forced_expire\": {expire}, ");
        out.extend_from_slice(numbers.as_bytes());
        put(out, "sender", &message.sender);
        out.extend_from_slice(b", \"recipients\": [");
    }

    fn recipient(&mut self, recipient: &Recipient, out: &mut Vec<u8>) {
        if self.recipients > 0 {
            out.extend_from_slice(b", ");
        }
        self.recipients += 1;
        out.push(b'{');
        put(out, "orig_address", &recipient.original);
        out.extend_from_slice(b", ");
        put(out, "address", &recipient.address);
        if !recipient.reason.is_empty() {
            out.extend_from_slice(b", ");
            let name = match recipient.log_class.as_slice() {
                b"defer" => "delay_reason",
                b"bounce" => "bounce_reason",
                _ => "other_reason",
            };
            put(out, name, &recipient.reason);
        }
        out.push(b'}');
    }

    fn message_end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"]}\n");
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}
}

fn put(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\": \"");
    quote(out, value);
    out.push(b'"');
}

/// Control characters were replaced on arrival, so that quotes and backslashes are all that needs care; the others are
/// here for completeness.
fn quote(out: &mut Vec<u8>, text: &[u8]) {
    for &c in text {
        match c {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', c]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 | 0x7f => out.extend_from_slice(format!("\\u{c:04X}").as_bytes()),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::{SAMPLE, render};

    #[test]
    fn lines() {
        let text = render(SAMPLE, &mut Json::default()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "{\"queue_name\": \"active\", \"queue_id\": \"A1B2C3D4E5\", \"arrival_time\": 1700000000, \
             \"message_size\": 352, \"forced_expire\": false, \"sender\": \"MAILER-DAEMON\", \"recipients\": \
             [{\"orig_address\": \"o@example.com\", \"address\": \"r@example.com\"}]}"
        );
        assert!(lines[1].contains(
            "\"forced_expire\": true, \"sender\": \"a@b\", \"recipients\": [{\"orig_address\": \"x@y\", \
             \"address\": \"x@y\", \"delay_reason\": \"connect to y[192.0.2.1]:25: \\\"no\\\"\"}, "
        ));
        assert!(lines[1].contains("\"address\": \"x2@y\", \"bounce_reason\": "));
        assert!(lines[1].ends_with("{\"orig_address\": \"x3@y\", \"address\": \"x3@y\"}]}"));
    }
}
