//! `body_checks` for what is no longer in the body.

use crate::lint::config::Config;
use crate::lint::report::Report;
use crate::lint::tables;

/// Patterns about the headers of MIME parts.
pub(crate) fn mime_parts(config: &Config, report: &mut Report) {
    for (scope, setting) in config.effective() {
        if setting.name != "body_checks" || scope.is_on("disable_mime_input_processing") {
            continue;
        }
        for table in tables::in_value(&scope.expand(&setting.value)) {
            let is_part = |key: &str| {
                let key = key.to_ascii_lowercase();
                WORDS.iter().any(|word| key.contains(word))
            };
            let found =
                table.rows().into_iter().flatten().find(|row| table.is_pattern() && is_part(&row.key));
            if let Some(row) = found {
                let what = format!("{} is about the header of a MIME part", row.key);
                let why = "headers of parts are for mime_header_checks (header_checks by default): here the pattern never matches";
                let mend = "move it to a table in mime_header_checks";
                report.warning(&setting.spot_of(&table.name), what, why, mend);
            }
        }
    }
}

const WORDS: [&str; 6] =
    ["name=", "name\\s*=", "name *=", "content-type", "content-disposition", "content-transfer-encoding"];

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, lines};

    #[test]
    fn patterns_of_part_headers() {
        let main = "body_checks = pcre:{{/^(.*)name=\"(.*)\\.(exe|vbs)\"/ REJECT no}}\n";
        assert_eq!(
            lines("mime-part-pattern", main, MASTER),
            ["warning 1 body_checks: /^(.*)name=\"(.*)\\.(exe|vbs)\"/ is about the header of a MIME part"]
        );
        let off = format!("{main}disable_mime_input_processing = yes\n");
        assert!(lines("mime-part-pattern", &off, MASTER).is_empty());
        let others = "body_checks = pcre:{{/viagra/ REJECT}}\nmime_header_checks = pcre:{{/name=/ REJECT}}\n";
        assert!(lines("mime-part-pattern", others, MASTER).is_empty());
    }
}
