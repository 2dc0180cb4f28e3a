//! From prose to man(7) macros, and what a page may contain.

use conf::{Declaration, Kind};

/// The requests and macros that pages use.
const KNOWN: [&str; 30] = [
    "TH", "SH", "SS", "PP", "P", "LP", "TP", "IP", "RS", "RE", "B", "I", "BR", "BI", "RB", "RI", "IR", "IB",
    "SM", "EX", "EE", "nf", "fi", "so", "br", "sp", "\\\"", "na", "nh", "ad",
];

const WIDTH: usize = 100;

/// The entry of a parameter.
pub fn parameter(declaration: &Declaration, is_read: bool) -> String {
    let default = match declaration.default {
        _ if declaration.computed.is_some() => "found out at start".to_owned(),
        "" => "empty".to_owned(),
        text => escape(&text.split_whitespace().collect::<Vec<_>>().join(" ")),
    };
    let name = declaration.name;
    let mut prose = prose(declaration.doc);
    if let Some(bounds) = bounds(declaration) {
        prose.push_str(&bounds);
        prose.push('\n');
    }
    if !is_read {
        prose.push_str("No program of this version reads it.\n");
    }
    format!(".TP\n\\fB{name}\\fR (default: {default})\n{prose}")
}

fn bounds(declaration: &Declaration) -> Option<String> {
    let is_number = matches!(declaration.kind, Kind::Int | Kind::Nint | Kind::Long | Kind::Time);
    let unit = if declaration.kind == Kind::Time { " seconds" } else { "" };
    match (declaration.min, declaration.max) {
        _ if !is_number => None,
        (Some(min), Some(max)) => Some(format!("From {min} to {max}{unit}.")),
        (Some(1), None) if declaration.kind == Kind::Time => Some("At least one second.".to_owned()),
        (Some(0) | None, None) => None,
        (Some(min), None) => Some(format!("At least {min}{unit}.")),
        (None, Some(max)) => Some(format!("At most {max}{unit}.")),
    }
}

/// Documentation text, whose lines begin with a blank and have code between backquotes.
fn prose(doc: &str) -> String {
    let mut out = String::new();
    for (number, paragraph) in doc.split("\n \n").flat_map(|text| text.split("\n\n")).enumerate() {
        let words: Vec<_> = paragraph.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        if number > 0 {
            out.push_str(".sp\n");
        }
        let mut text = String::new();
        for (number, piece) in words.join(" ").split('`').enumerate() {
            let piece = escape(piece);
            if number % 2 == 0 {
                text.push_str(&piece);
                continue;
            }
            // Word by word, since a line must not end in the middle of a font.
            let words: Vec<_> = piece.split(' ').map(|word| format!("\\fB{word}\\fR")).collect();
            text.push_str(&words.join(" "));
        }
        out.push_str(&fill(&text));
    }
    out
}

/// Lines that are not too long; none begins with a control character.
pub fn fill(text: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        if length > 0 && length + word.len() >= WIDTH {
            out.push('\n');
            length = 0;
        }
        if length > 0 {
            out.push(' ');
        } else if word.starts_with(['.', '\'']) {
            out.push_str("\\&");
        }
        out.push_str(word);
        length += word.len() + 1;
    }
    out.push('\n');
    out
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\e")
}

/// What is wrong with a page, as far as a simple look can tell.
pub fn faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut note = |number: usize, what: &str| faults.push(format!("line {}: {what}", number + 1));
    let is_alias = text.starts_with(".so ");
    let mut open = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.ends_with([' ', '\t']) {
            note(number, "blanks at the end");
        }
        if line.rsplit_once("\\f").is_some_and(|(_, last)| !last.starts_with('R')) {
            note(number, "a font is not ended");
        }
        let Some(request) = line.strip_prefix(['.', '\'']) else { continue };
        let name = request.split([' ', '\t']).next().unwrap_or_default();
        let name = if name.starts_with("\\\"") { "\\\"" } else { name };
        if !KNOWN.contains(&name) {
            note(number, &format!("unknown macro .{name}"));
        }
        match name {
            "nf" | "EX" | "RS" => open.push(name),
            "fi" | "EE" | "RE" => {
                let begin = match name {
                    "fi" => "nf",
                    "EE" => "EX",
                    _ => "RS",
                };
                if open.pop() != Some(begin) {
                    note(number, &format!(".{name} without .{begin}"));
                }
            }
            _ => {}
        }
    }
    if !open.is_empty() {
        faults.push(format!("not ended: {}", open.join(" ")));
    }
    if !is_alias {
        let code = text.lines().find(|line| !line.starts_with(".\\\""));
        if !code.is_some_and(|line| line.starts_with(".TH ")) {
            faults.push("does not begin with .TH".to_owned());
        }
        for section in ["NAME", "DESCRIPTION", "SEE ALSO"] {
            let is_there = [format!(".SH {section}"), format!(".SH \"{section}\"")]
                .iter()
                .any(|head| text.lines().any(|line| line == head));
            if !is_there {
                faults.push(format!("no section {section}"));
            }
        }
    }
    faults
}

/// The pages that a page names, as `name(section)`.
pub fn references(text: &str) -> Vec<String> {
    let plain = text.replace("\\fB", "").replace("\\fI", "").replace("\\fR", "").replace("\\-", "-");
    let mut found = Vec::new();
    for line in plain.lines() {
        let line = line.strip_prefix(".BR ").map_or(line.to_owned(), |rest| rest.replacen(' ', "", 1));
        for (at, _) in line.match_indices('(') {
            let (before, after) = line.split_at(at);
            let section = after.get(1..3).filter(|text| text.ends_with(')'));
            let Some(section) = section.and_then(|text| text.chars().next()).filter(char::is_ascii_digit)
            else {
                continue;
            };
            let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
            let start = before.rfind(|letter| !is_name(letter)).map_or(0, |found| found + 1);
            if let Some(name) = before.get(start..).filter(|name| !name.is_empty()) {
                found.push(format!("{name}.{section}"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_becomes_roff() {
        assert_eq!(prose(" As `a\\b` says\n .forward.\n"), "As \\fBa\\eb\\fR says .forward.\n");
        assert_eq!(prose(" `a b`\n"), "\\fBa\\fR \\fBb\\fR\n");
        assert_eq!(fill(".x"), "\\&.x\n");
    }

    #[test]
    fn faults_are_found() {
        let good = ".TH X 8\n.SH NAME\nx\n.SH DESCRIPTION\n\\fBx\\fR\n.nf\n.fi\n.SH \"SEE ALSO\"\ny\n";
        assert_eq!(faults(good), [""; 0]);
        assert_eq!(faults(".so man8/smtp.8\n"), [""; 0]);
        for wrong in [".XX\n", "\\fBx\n", ".nf\n", ".fi\n"] {
            assert_eq!(faults(&format!("{good}{wrong}")).len(), 1, "{wrong}");
        }
        assert_eq!(faults("text\n").len(), 4);
    }

    #[test]
    fn references_are_found() {
        let text = "\\fBsmtpd\\fR(8), (see) x (1)\n.BR trivial-rewrite (8),\n";
        assert_eq!(references(text), ["smtpd.8", "trivial-rewrite.8"]);
    }
}
