//! A thousand different messages, and what has to become of each.

use std::collections::BTreeMap;

/// How a message gets into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By SMTP while the queue manager runs: it ends in `deferred`, or somewhere on its way.
    Deferred,
    /// The same, and is put on hold.
    Held,
    /// By SMTP to a destination that does not answer: it stays in `active`.
    Active,
    /// By SMTP with no queue manager: it stays in `incoming`.
    Incoming,
    /// By sendmail while the system is down: it stays in `maildrop`.
    Maildrop,
}

/// A message and what is expected.
pub(crate) struct Message {
    /// How it is submitted.
    pub(crate) way: Way,
    /// The envelope sender.
    pub(crate) sender: String,
    /// What follows it in MAIL.
    pub(crate) mail: &'static str,
    /// The envelope recipients.
    pub(crate) recipients: Vec<String>,
    /// What follows them in RCPT.
    pub(crate) rcpt: &'static str,
    /// The message as it is submitted, lines ended by LF.
    pub(crate) text: Vec<u8>,
    /// Where copies of it have to arrive: `MAILBOX:ADDRESS`, once each.
    pub(crate) copies: Vec<String>,
    /// What the copies say, white space apart.
    pub(crate) body: Vec<u8>,
    /// Whether its sender has to get a notification, just one.
    pub(crate) report: bool,
}

/// Makes them.
pub(crate) fn all(count: usize) -> Vec<Message> {
    (0..count).map(message).collect()
}

/// What all copies must be, by key, with their texts.
pub(crate) fn expected(messages: &[Message]) -> BTreeMap<String, Vec<u8>> {
    let mut expected = BTreeMap::new();
    for message in messages {
        for copy in &message.copies {
            let before = expected.insert(copy.clone(), message.body.clone());
            assert!(before.is_none(), "{copy} is expected twice");
        }
    }
    expected
}

/// Text as it is compared: lines are broken on the way where they are too long.
pub(crate) fn squeezed(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !matches!(byte, b' ' | b'\n' | b'\r')).collect()
}

/// The body of a message that was delivered.
pub(crate) fn body(text: &[u8]) -> &[u8] {
    let end = text.windows(2).position(|pair| pair == b"\n\n");
    end.map_or(&[], |end| &text[end + 2..])
}

fn message(n: usize) -> Message {
    let way = match n % 10 {
        0..=3 => Way::Deferred,
        4 => Way::Held,
        5..=7 => Way::Incoming,
        8 => Way::Maildrop,
        // A few at a time: they must all be tried at once.
        _ if n % 100 == 9 => Way::Active,
        _ => Way::Incoming,
    };
    let (text, body, mail) = text(n, way);
    let mut message = Message {
        way,
        sender: format!("s{n}@senders.test"),
        mail,
        recipients: Vec::new(),
        rcpt: "",
        text,
        copies: Vec::new(),
        body: squeezed(&body),
        report: false,
    };
    if way == Way::Active {
        message.to(format!("m{n}@hang.test"), &[format!("hang:m{n}@hang.test")]);
        return message;
    }
    recipients(&mut message, n);
    message
}

impl Message {
    fn to(&mut self, recipient: String, copies: &[String]) {
        self.recipients.push(recipient);
        self.copies.extend_from_slice(copies);
    }
}

/// Different from the kinds of text in period, so that all pairs occur.
fn recipients(message: &mut Message, n: usize) {
    let by_smtp = message.way != Way::Maildrop;
    let remote = format!("m{n}@example.net");
    let to_remote = [format!("remote:{remote}")];
    match n % 13 {
        0 => message.to(remote, &to_remote),
        1 => message.to(format!("m{n}@virtual.test"), &[format!("virtual:m{n}@virtual.test")]),
        2 => message.to(format!("alice+m{n}@example.com"), &[format!("alice:alice+m{n}@example.com")]),
        3 => {
            let alias = format!("team+m{n}@example.com");
            message.to(alias.clone(), &[format!("bob:{alias}"), format!("carol:{alias}")]);
        }
        4 => {
            // Expanded by cleanup.
            let copies = [format!("remote:m{n}.one@example.net"), format!("virtual:m{n}.two@virtual.test")];
            message.to(format!("fan{n}@example.com"), &copies);
        }
        5 => {
            for k in 0..if n.is_multiple_of(5) { 120 } else { 7 } {
                message.to(format!("m{n}.{k}@example.net"), &[format!("remote:m{n}.{k}@example.net")]);
            }
        }
        6 => {
            message.sender.clear();
            message.to(remote, &to_remote);
        }
        7 => {
            // One is done before the change, one after it.
            message.to(format!("m{n}@early.test"), &[format!("early:m{n}@early.test")]);
            message.to(remote, &to_remote);
            message.to(format!("m{n}@virtual.test"), &[format!("virtual:m{n}@virtual.test")]);
        }
        8 => {
            message.to(format!("m{n}@bounce.test"), &[]);
            message.report = true;
        }
        9 => {
            message.to(format!("m{n}@bounce.test"), &[]);
            message.to(remote, &to_remote);
            if by_smtp && n.is_multiple_of(2) {
                message.rcpt = " NOTIFY=NEVER";
            } else {
                message.report = true;
            }
        }
        10 => {
            message.to(format!("m{n}@virtual.test"), &[format!("virtual:m{n}@virtual.test")]);
            if by_smtp {
                message.rcpt = " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;first+2Blast@else.test";
                message.report = true;
            }
        }
        11 => {
            message.to(format!("nosuch+m{n}@example.com"), &[]);
            message.report = true;
        }
        // The same recipient twice is one recipient.
        _ => {
            message.to(remote.clone(), &to_remote);
            message.to(remote, &[]);
        }
    }
}

/// The text, its body as it arrives, and parameters of MAIL.
fn text(n: usize, way: Way) -> (Vec<u8>, Vec<u8>, &'static str) {
    let plain = |head: String, body: Vec<u8>| {
        let mut text = head.into_bytes();
        text.push(b'\n');
        text.extend_from_slice(&body);
        (text, body, "")
    };
    let head = format!("Subject: number {n}\nX-Number: {n}\n");
    if n % 200 == 7 || n % 200 == 108 {
        return plain(head, lines(n, 1_000_000));
    }
    match n % 11 {
        0 => (Vec::new(), Vec::new(), ""),
        1 => plain(head, b"Hello.\n".to_vec()),
        2 => {
            let mut body = "Gr\u{fc}\u{df}e, \u{65e5}\u{672c}\n".as_bytes().to_vec();
            body.extend_from_slice(b"\xe4\xf6\xfc\xff latin\n");
            let mail = if way == Way::Maildrop { "" } else { " BODY=8BITMIME RET=HDRS ENVID=env+2B1" };
            let (text, body, _) = plain(head, body);
            (text, body, mail)
        }
        3 => {
            let mut body = vec![b'a'; 990];
            body.push(b'\n');
            body.extend(std::iter::repeat_n(b'b', 3000));
            body.push(b'\n');
            body.extend(std::iter::repeat_n(b'c', 70_000));
            body.push(b'\n');
            plain(head, body)
        }
        4 => plain(head, b"..two dots\n.one\n\n\nFrom the start\n.\x01\x7f\tend\n".to_vec()),
        5 => {
            let edge = "X-Folded: one\n two\n\tthree\nX-Empty:\nX-Tight:value\nx-spaced : value\n\
                        To: \"A, B\" <a@b.test>, undisclosed-recipients:;\nFrom: someone@else.test (\u{e9})\n";
            plain(format!("{edge}X-Long: {}\n{head}", "word ".repeat(500)), b"Text.\n".to_vec())
        }
        6 => (head.into_bytes(), Vec::new(), ""),
        7 => plain(head, lines(n, 100_000)),
        8 => {
            let body = b"no header here\nX-Late: no\n".to_vec();
            (body.clone(), body, "")
        }
        9 => {
            let mime = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"xx\"\n";
            let body = b"pre\n--xx\nContent-Type: text/plain; charset=utf-8\n\n\xc3\xa4\n--xx\n\nmore\n--xx--\npost\n";
            plain(format!("{mime}{head}"), body.to_vec())
        }
        _ => plain(
            format!("Date: Thu, 1 Jan 1970 00:00:00 +0000\nMessage-Id: <{n}@own>\n{head}"),
            lines(n, 3000),
        ),
    }
}

fn lines(n: usize, size: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(size + 80);
    let mut line = 0;
    while body.len() < size {
        line += 1;
        body.extend_from_slice(format!("message {n} line {line} {}\n", "x".repeat(line % 50)).as_bytes());
    }
    body
}
