//! The listing for people.
//!
//! Programs parse it, so every column is where Postfix has it. The form depends on `enable_long_queue_ids`.

use message::date::asctime;

use crate::list::{Format, Message, Recipient};

/// Where the reason's closing parenthesis stands, for short reasons.
const REASON_END: usize = 76;

/// Writes `mailq` output.
#[derive(Debug)]
pub(crate) struct Mailq {
    columns: &'static Columns,
    /// The last time shown and its text: mail often comes in bursts.
    time: (i64, String),
    reason: Vec<u8>,
    count: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Columns {
    headings: [&'static str; 4],
    id: usize,
    size: usize,
    time: usize,
}

const SHORT: Columns = Columns {
    headings: ["-Queue ID-", "--Size--", "----Arrival Time----", "-Sender/Recipient-------"],
    id: 11,
    size: 7,
    time: 20,
};

const LONG: Columns = Columns {
    headings: ["----Queue ID-----", "--Size--", "---Arrival Time----", "--Sender/Recipient------"],
    id: 17,
    size: 8,
    time: 19,
};

impl Mailq {
    pub(crate) fn new(long_ids: bool) -> Mailq {
        let columns = if long_ids { &LONG } else { &SHORT };
        Mailq { columns, time: (0, asctime(0)), reason: Vec::new(), count: 0, bytes: 0 }
    }

    fn line(&self, words: [&str; 3], last: &[u8], out: &mut Vec<u8>) {
        let Columns { id, size, time, .. } = self.columns;
        let text = format!("{:<id$} {:>size$} {:<time$} ", words[0], words[1], words[2]);
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(last);
        out.push(b'\n');
    }
}

impl Format for Mailq {
    fn message(&mut self, message: &Message, out: &mut Vec<u8>) {
        if self.count > 0 {
            out.push(b'\n');
        } else {
            let [id, size, time, who] = self.columns.headings;
            self.line([id, size, time], who.as_bytes(), out);
        }
        self.count += 1;
        self.bytes = self.bytes.wrapping_add(message.size.cast_unsigned());
        self.reason.clear();

        let mut id = String::from_utf8_lossy(&message.queue_id).into_owned();
        match message.queue_name.as_slice() {
            b"active" => id.push('*'),
            b"hold" => id.push('!'),
            _ => {}
        }
        if message.forced_expire {
            id.push('#');
        }
        if self.time.0 != message.time {
            self.time = (message.time, asctime(message.time));
        }
        let width = self.columns.time;
        let time = self.time.1.get(..width).unwrap_or(&self.time.1);
        self.line([&id, &message.size.to_string(), time], &message.sender, out);
    }

    fn recipient(&mut self, recipient: &Recipient, out: &mut Vec<u8>) {
        // A reason is shown where it changes. Nothing is shown as long as there was none.
        if self.reason != recipient.reason {
            self.reason.clone_from(&recipient.reason);
            let shown = if self.reason.is_empty() { b"reason unavailable" } else { self.reason.as_slice() };
            out.resize(out.len() + REASON_END.saturating_sub(shown.len()), b' ');
            out.push(b'(');
            out.extend_from_slice(shown);
            out.extend_from_slice(b")\n");
        }
        self.line(["", "", ""], &recipient.address, out);
    }

    fn message_end(&mut self, _out: &mut Vec<u8>) {}

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.count == 0 {
            out.extend_from_slice(b"Mail queue is empty\n");
            return;
        }
        let plural = if self.count == 1 { "" } else { "s" };
        let summary = format!("\n-- {} Kbytes in {} Request{plural}.\n", self.bytes / 1024, self.count);
        out.extend_from_slice(summary.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::{SAMPLE, render};

    #[test]
    fn both_forms() {
        let short = render(SAMPLE, &mut Mailq::new(false)).unwrap();
        let lines: Vec<&str> = short.lines().collect();
        assert_eq!(lines[0], "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------");
        assert!(lines[1].starts_with("A1B2C3D4E5*     352 Tue Nov 14 "), "{}", lines[1]);
        assert!(lines[1].ends_with("  MAILER-DAEMON"));
        assert_eq!(lines[2], format!("{:41}r@example.com", ""));
        assert_eq!(lines[3], "");
        assert!(lines[4].starts_with("3Pt2mN2VXxznjll!# 1048576 Tue Nov 14"));
        assert_eq!(lines[5], format!("{:>77})", "(connect to y[192.0.2.1]:25: \"no\""));
        assert_eq!(lines[8], format!("{:>77})", "(reason unavailable"));
        assert_eq!(lines[10..], ["", "-- 1024 Kbytes in 2 Requests."]);
        let long = render(SAMPLE, &mut Mailq::new(true)).unwrap();
        let lines: Vec<&str> = long.lines().collect();
        assert_eq!(lines[0], "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------");
        assert!(lines[1].starts_with("A1B2C3D4E5*            352 Tue Nov 14 "));
        assert_eq!(lines[2], format!("{:47}r@example.com", ""));
    }

    #[test]
    fn empty() {
        let text = render(b"protocol\0mail_queue_list_protocol\0\0\0", &mut Mailq::new(false)).unwrap();
        assert_eq!(text, "Mail queue is empty\n");
    }
}
