//! Template files: `name_template = <<END`, the text, and `END` on a line of its own.

use daemon::Fatal;
use queue::envelope::split_attribute;

use super::Templates;

/// Takes the templates out of a file's text.
pub(super) fn load(templates: &mut Templates, path: &str, text: &[u8]) -> Result<(), Fatal> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let mut lines = text.split(|&byte| byte == b'\n');
    // COMPAT: Postfix counts from 2. Test: `problems_name_file_and_line`.
    let mut number = 1;
    while let Some(line) = lines.next() {
        number += 1;
        if matches!(bytes::trim_start(line).first(), None | Some(b'#')) {
            continue;
        }
        let (name, value) = split_attribute(line).map_err(|problem| {
            Fatal::new(format!("{path}, line {number}: {problem}: \"{}\"", bytes::show(line)))
        })?;
        let mut value = value.to_vec();
        if let Some(marker) = value.strip_prefix(b"<<") {
            let marker = end_marker(path, number, marker)?.to_vec();
            value.clear();
            let mut is_ended = false;
            for line in lines.by_ref() {
                number += 1;
                if line == marker {
                    is_ended = true;
                    break;
                }
                if !value.is_empty() {
                    value.push(b'\n');
                }
                value.extend_from_slice(line);
            }
            if !is_ended {
                let marker = bytes::show(&marker);
                log::warning!("{path}, line {number}: missing \"{marker}\" end marker");
            }
        }
        let class = name.strip_suffix(b"_template").unwrap_or_default();
        match templates.all_mut().into_iter().find(|template| template.kind.name().as_bytes() == class) {
            Some(template) => template.load(path, &value),
            None => log::warning!(
                "{path}, line {number}: unknown template name: {} -- ignoring this template",
                bytes::show(name)
            ),
        }
    }
    Ok(())
}

fn end_marker<'a>(path: &str, number: usize, text: &'a [u8]) -> Result<&'a [u8], Fatal> {
    let marker = bytes::trim_start(text);
    let problem = match marker.first() {
        Some(byte) if byte.is_ascii_alphanumeric() => return Ok(marker),
        Some(_) => "malformed",
        None => "missing",
    };
    Err(Fatal::new(format!("{path}, line {number}: {problem} end marker after <<")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::HeaderFrom;

    #[test]
    fn problems_name_file_and_line() {
        for (text, problem) in [
            ("# x\n\nfailure_template", "f, line 4: missing '=' after attribute name: \"failure_template\""),
            ("failure_template = <<", "f, line 2: missing end marker after <<"),
            ("failure_template = << *", "f, line 2: malformed end marker after <<"),
        ] {
            let fault = load(&mut Templates::default(), "f", text.as_bytes()).unwrap_err();
            assert_eq!(fault.to_string(), problem);
        }
    }

    #[test]
    fn some_templates_replace_the_built_in_ones() {
        let mut templates = Templates::default();
        let text = b"other_template = x\nverify_template = <<END\n\nSubject: s\n\none\n\ntwo\nEND\ndelay_template = short";
        load(&mut templates, "f", text).unwrap();
        let shown = String::from_utf8(templates.dump(HeaderFrom::Standard)).unwrap();
        assert!(shown.contains("Subject: s\n\none\n\ntwo\nEOF\n"), "{shown}");
        assert!(shown.contains("Postmaster-Subject: Postmaster Warning: Delayed Mail\n\nshort\nEOF\n"));
        assert!(shown.starts_with("failure_template = <<EOF\nCharset: us-ascii\n"));
    }
}
