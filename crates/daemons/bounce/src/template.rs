//! The texts of reports: built in, and as bounce_template_file has them.
//!
//! A template is parsed when it is first used. One that makes no sense is ignored with a warning, and the built-in one
//! takes its place. `$name` in the text stands for a parameter; times can be had in `_seconds` to `_weeks`.

mod file;
mod names;

use std::cell::OnceCell;

use conf::expand::Expand;
use daemon::Fatal;

pub use names::Names;

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Mail could not be delivered.
    Failure,
    /// Mail is late.
    Delay,
    /// Mail was delivered.
    Success,
    /// What became of mail, or would become of it.
    Verify,
}

/// `header_from_format`: how a `From:` header looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFrom {
    /// `name <address>`.
    Standard,
    /// `address (name)`.
    Obsolete,
}

impl HeaderFrom {
    /// The value of the parameter.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "standard" => Some(Self::Standard),
            "obsolete" => Some(Self::Obsolete),
            _ => None,
        }
    }
}

/// One template of each kind.
#[derive(Debug)]
pub struct Templates {
    /// For failures.
    pub failure: Template,
    /// For delays.
    pub delay: Template,
    /// For deliveries.
    pub success: Template,
    /// For probes and verbose deliveries.
    pub verify: Template,
}

/// The text of one kind of report.
#[derive(Debug)]
pub struct Template {
    /// What it is for.
    pub kind: Kind,
    written: Option<Written>,
    parsed: OnceCell<Parsed>,
}

#[derive(Debug)]
struct Written {
    origin: String,
    text: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Parsed {
    origin: String,
    charset: Vec<u8>,
    is_8bit: bool,
    from: Vec<u8>,
    obsolete_from: Vec<u8>,
    subject: Vec<u8>,
    postmaster_subject: Option<Vec<u8>>,
    lines: Vec<Vec<u8>>,
}

impl Kind {
    /// Its name in template files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Delay => "delay",
            Self::Success => "success",
            Self::Verify => "verify",
        }
    }

    fn built_in(self) -> Parsed {
        let (subject, postmaster_subject, text) = match self {
            Self::Failure => (
                "Undelivered Mail Returned to Sender",
                Some("Postmaster Copy: Undelivered Mail"),
                include_str!("template/failure.txt"),
            ),
            Self::Delay => (
                "Delayed Mail (still being retried)",
                Some("Postmaster Warning: Delayed Mail"),
                include_str!("template/delay.txt"),
            ),
            Self::Success => ("Successful Mail Delivery Report", None, include_str!("template/success.txt")),
            Self::Verify => ("Mail Delivery Status Report", None, include_str!("template/verify.txt")),
        };
        Parsed {
            origin: "[built-in]".to_owned(),
            charset: b"us-ascii".to_vec(),
            is_8bit: false,
            from: b"Mail Delivery System <MAILER-DAEMON>".to_vec(),
            obsolete_from: b"MAILER-DAEMON (Mail Delivery System)".to_vec(),
            subject: subject.into(),
            postmaster_subject: postmaster_subject.map(Into::into),
            lines: text.lines().map(Into::into).collect(),
        }
    }
}

impl Default for Templates {
    fn default() -> Self {
        Self {
            failure: Template::new(Kind::Failure),
            delay: Template::new(Kind::Delay),
            success: Template::new(Kind::Success),
            verify: Template::new(Kind::Verify),
        }
    }
}

impl Templates {
    /// With those that a file has in place of the built-in ones. The name is for messages, too.
    pub fn read(file: &str) -> Result<Self, Fatal> {
        let text = std::fs::read(file)
            .map_err(|fault| Fatal::new(format!("open {file}: {}", conf::reason(&fault))))?;
        let mut templates = Self::default();
        file::load(&mut templates, file, &text)?;
        Ok(templates)
    }

    fn all(&self) -> [&Template; 4] {
        [&self.failure, &self.delay, &self.success, &self.verify]
    }

    fn all_mut(&mut self) -> [&mut Template; 4] {
        [&mut self.failure, &mut self.delay, &mut self.success, &mut self.verify]
    }

    /// The templates as a template file has them, as `postconf -t` shows them.
    pub fn dump(&self, header_from: HeaderFrom) -> Vec<u8> {
        let texts = self.all().map(|template| template.dump(header_from));
        texts.join(&b"\n"[..])
    }

    /// The texts with `$name` expanded, as `postconf -b` shows them.
    pub fn expand(&self, names: &Names<'_>) -> Result<Vec<u8>, Fatal> {
        let mut texts = Vec::new();
        for template in self.all() {
            let mut text = format!("expanded_{}_text = <<EOF\n", template.kind.name()).into_bytes();
            for line in template.lines(names)? {
                text.extend(line);
                text.push(b'\n');
            }
            text.extend(b"EOF\n");
            texts.push(text);
        }
        Ok(texts.join(&b"\n"[..]))
    }
}

impl Template {
    fn new(kind: Kind) -> Self {
        Self { kind, written: None, parsed: OnceCell::new() }
    }

    fn load(&mut self, origin: &str, text: &[u8]) {
        self.written = Some(Written { origin: origin.to_owned(), text: text.to_vec() });
        self.parsed = OnceCell::new();
    }

    /// The character set of the text.
    pub fn charset(&self) -> &[u8] {
        &self.parsed().charset
    }

    /// The encoding of the text.
    pub fn encoding(&self) -> &'static str {
        if self.parsed().is_8bit { "8bit" } else { "7bit" }
    }

    /// The value of `From:`.
    pub fn from(&self, format: HeaderFrom) -> &[u8] {
        match format {
            HeaderFrom::Standard => &self.parsed().from,
            HeaderFrom::Obsolete => &self.parsed().obsolete_from,
        }
    }

    /// The value of `Subject:` to the sender.
    pub fn subject(&self) -> &[u8] {
        &self.parsed().subject
    }

    /// The value of `Subject:` to the postmaster.
    pub fn postmaster_subject(&self) -> &[u8] {
        let parsed = self.parsed();
        parsed.postmaster_subject.as_ref().unwrap_or(&parsed.subject)
    }

    /// The text's lines with `$name` expanded.
    pub fn lines(&self, names: &Names<'_>) -> Result<Vec<Vec<u8>>, Fatal> {
        let (parsed, kind) = (self.parsed(), self.kind.name());
        let mut lines = Vec::with_capacity(parsed.lines.len());
        for line in &parsed.lines {
            let expanded = Expand::PLAIN.run(line, &|name: &[u8]| names.value(&parsed.origin, kind, name));
            for warning in &expanded.warnings {
                log::warning!("{warning}");
            }
            names.take_fault()?;
            let problem = match (expanded.failed, expanded.undefined) {
                (true, _) => "bad $name syntax",
                (_, true) => "undefined $name",
                _ => {
                    lines.push(expanded.text);
                    continue;
                }
            };
            let (origin, line) = (&parsed.origin, bytes::show(line));
            return Err(Fatal::new(format!("{origin}: {problem} in {kind} template: {line}")));
        }
        Ok(lines)
    }

    fn dump(&self, header_from: HeaderFrom) -> Vec<u8> {
        let parsed = self.parsed();
        let mut text = format!("{}_template = <<EOF\n", self.kind.name()).into_bytes();
        let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| text.extend_from_slice(part));
        put(&[b"Charset: ", &parsed.charset, b"\n"]);
        put(&[b"From: ", self.from(header_from), b"\n"]);
        put(&[b"Subject: ", &parsed.subject, b"\n"]);
        if let Some(subject) = &parsed.postmaster_subject {
            put(&[b"Postmaster-Subject: ", subject, b"\n"]);
        }
        put(&[b"\n"]);
        parsed.lines.iter().for_each(|line| put(&[line, b"\n"]));
        put(&[b"EOF\n"]);
        text
    }

    fn parsed(&self) -> &Parsed {
        self.parsed.get_or_init(|| match &self.written {
            Some(written) => parse(self.kind, written).unwrap_or_else(|problems| {
                problems.iter().for_each(|problem| log::warning!("{problem}"));
                self.kind.built_in()
            }),
            None => self.kind.built_in(),
        })
    }
}

/// The errors are the warnings to log.
fn parse(kind: Kind, written: &Written) -> Result<Parsed, Vec<String>> {
    let (origin, class) = (&written.origin, kind.name());
    let mut parsed = Parsed { origin: origin.clone(), ..kind.built_in() };
    let mut lines = written.text.split(|&byte| byte == b'\n').peekable();
    while let Some((name, value)) = lines.peek().and_then(|line| header(line)) {
        lines.next();
        let label = bytes::show(name);
        let ignored = |problem: &str, what: &str| {
            vec![format!(
                "{origin}: {problem} \"{label}\" header {what} in {class} template -- ignoring this template"
            )]
        };
        if value.is_empty() {
            return Err(ignored("empty", "value"));
        }
        if !value.is_ascii() {
            return Err(ignored("non-ASCII", "value"));
        }
        match name.to_ascii_lowercase().as_slice() {
            b"charset" => parsed.charset = value.to_vec(),
            b"from" => (parsed.from, parsed.obsolete_from) = (value.to_vec(), value.to_vec()),
            b"subject" => parsed.subject = value.to_vec(),
            b"postmaster-subject" => match &mut parsed.postmaster_subject {
                Some(subject) => *subject = value.to_vec(),
                None => return Err(ignored("inapplicable", "label")),
            },
            _ => return Err(ignored("unknown", "label")),
        }
    }
    while lines.next_if(|line| bytes::trim(line).is_empty()).is_some() {}
    parsed.lines = lines.map(Into::into).collect();
    if parsed.lines.is_empty() {
        return Err(vec![format!(
            "{origin}: missing message text in {class} template -- ignoring this template"
        )]);
    }
    parsed.is_8bit = !parsed.lines.iter().all(|line| line.is_ascii());
    if parsed.is_8bit && parsed.charset.eq_ignore_ascii_case(b"us-ascii") {
        return Err(vec![
            format!("{origin}: 8-bit message text in {class} template"),
            "please specify a charset value other than us-ascii".to_owned(),
            "-- ignoring this template for now".to_owned(),
        ]);
    }
    Ok(parsed)
}

fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, rest) = line.split_at(message::header::name_length(line)?);
    let start = rest.iter().position(|&byte| byte != b':' && !bytes::is_space(byte)).unwrap_or(rest.len());
    Some((name, rest.get(start..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: Kind, text: &str) -> Result<Parsed, Vec<String>> {
        parse(kind, &Written { origin: "t".to_owned(), text: text.into() })
    }

    #[test]
    fn headers_and_text() {
        let text = "charset: utf-8\nFrom : me\nPostmaster-Subject: p\n\n \nwört\n\nend";
        let parsed = written(Kind::Failure, text).unwrap();
        assert_eq!((parsed.charset.as_slice(), parsed.from.as_slice()), (&b"utf-8"[..], &b"me"[..]));
        assert_eq!(parsed.postmaster_subject.as_deref(), Some(&b"p"[..]));
        assert!(parsed.is_8bit);
        assert_eq!(parsed.lines, ["wört".as_bytes(), b"", b"end"]);
    }

    #[test]
    fn what_makes_no_sense_is_ignored() {
        for (kind, text, warning) in [
            (Kind::Delay, "Subject:\n\nx", "t: empty \"Subject\" header value in delay template"),
            (Kind::Delay, "Subject: ö\n\nx", "t: non-ASCII \"Subject\" header value in delay template"),
            (Kind::Verify, "X: y\n\nx", "t: unknown \"X\" header label in verify template"),
            (
                Kind::Success,
                "Postmaster-Subject: y\n\nx",
                "t: inapplicable \"Postmaster-Subject\" header label in success template",
            ),
            (Kind::Failure, "Subject: y\n\n \n", "t: missing message text in failure template"),
        ] {
            let warnings = written(kind, text).unwrap_err();
            assert_eq!(warnings, [format!("{warning} -- ignoring this template")]);
        }
        assert_eq!(written(Kind::Failure, "ö").unwrap_err().len(), 3);
    }
}
