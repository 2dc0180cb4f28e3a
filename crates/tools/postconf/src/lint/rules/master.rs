//! The lines of both files, and the entries of master.cf.

use crate::lint::config::Config;
use crate::lint::report::Report;
use std::path::Path;

/// Lines that no program can read.
pub(crate) fn broken_lines(config: &Config, report: &mut Report) {
    for (spot, problem) in &config.broken {
        let why = "no program of the mail system starts with such a line in the file";
        report.error(spot, problem.clone(), why, "correct the line, or put \"#\" before it");
    }
}

/// `-o` without a name, or without `=`.
pub(crate) fn broken_options(config: &Config, report: &mut Report) {
    for (spot, text, problem) in config.services.iter().flat_map(|service| &service.broken) {
        let mend = match text.as_str() {
            "" => "remove the option, or give it a name=value".to_owned(),
            text => format!("write \"-o {text}=\" for an empty value"),
        };
        let what = format!("invalid \"-o {text}\" option value: {problem}");
        let why =
            "the program ends as soon as it is started, and the master keeps trying: the service is down";
        report.error(spot, what, why, &mend);
    }
}

/// `inet` services that are private, also by default.
pub(crate) fn private_inet(config: &Config, report: &mut Report) {
    for service in &config.services {
        if service.entry.field(1) == "inet" && service.entry.field(2) != "n" {
            let what = format!("\"{}\" in the third field, \"private\"", service.entry.field(2));
            let why = "a network service cannot be private: the master does not start";
            report.error(&service.spot, what, why, "write \"n\" there");
        }
    }
}

/// Two entries of the same name and type.
pub(crate) fn duplicate_services(config: &Config, report: &mut Report) {
    for (at, service) in config.services.iter().enumerate() {
        let mut earlier = config.services.iter().take(at);
        if let Some(first) = earlier.find(|other| other.entry.name == service.entry.name) {
            let what = format!("a second entry for this service; the first is in line {}", first.spot.line);
            let why = "only the last one counts, and the other one's settings are lost";
            report.warning(&service.spot, what, why, "remove one of them, or rename it");
        }
    }
}

/// Programs that are not where the master looks for them.
pub(crate) fn missing_programs(config: &Config, report: &mut Report) {
    let directory = config.global().text("daemon_directory");
    if !Path::new(&directory).is_dir() {
        return;
    }
    for service in &config.services {
        let command = service.entry.field(crate::pattern::COMMAND);
        let path = Path::new(&directory).join(command);
        if !path.exists() {
            let what = format!("there is no program {}", path.display());
            let why =
                "every request to the service fails; the master logs \"bad command startup\" and tries again";
            report.error(&service.spot, what, why, "correct the name of the program, or remove the entry");
        }
    }
}

/// A comment after the command; the program gets it as arguments.
pub(crate) fn stray_arguments(config: &Config, report: &mut Report) {
    for service in &config.services {
        let takes_any = matches!(service.program(), "pipe" | "spawn");
        if takes_any {
            continue;
        }
        if let Some(argument) = service.plain_arguments().find(|argument| argument.starts_with('#')) {
            let what = format!("\"{argument}\" after the command");
            let why = "a comment is a line of its own; here it becomes arguments of the program, which does not start";
            report.error(&service.spot, what, why, "move the comment to a line that begins with \"#\"");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::lines;

    #[test]
    fn lines_that_cannot_be_read() {
        assert_eq!(
            lines("broken-line", "a = b\nnonsense\n", "smtp unix\nx unx - - - - - smtp\n"),
            [
                "error 2 main.cf: missing '=' after attribute name: \"nonsense\"",
                "error 1 master.cf: bad field count: \"smtp unix\"",
                "error 2 master.cf: invalid type field \"unx\" in \"x unx - - - - - smtp\"",
            ]
        );
        assert!(lines("broken-line", "a = b\n c\n", "smtp unix - - n - - smtp\n").is_empty());
    }

    #[test]
    fn options_without_equals_sign() {
        let master = "smtp inet n - n - - smtpd\n -o a=\n -o smtpd_milters\n";
        assert_eq!(
            lines("broken-option", "", master),
            [
                "error 3 smtp/inet: invalid \"-o smtpd_milters\" option value: missing '=' after attribute name"
            ]
        );
        assert!(lines("broken-option", "", "smtp inet n - n - - smtpd -o { a = b }\n").is_empty());
    }

    #[test]
    fn entries() {
        assert_eq!(lines("private-inet", "", "smtp inet - - n - - smtpd\n").len(), 1);
        assert!(lines("private-inet", "", "smtp inet n - n - - smtpd\n").is_empty());
        let twice = "a unix - - n - - smtp\na inet n - n - - smtpd\na unix - - n - - lmtp\n";
        assert_eq!(
            lines("duplicate-service", "", twice),
            ["warning 3 a/unix: a second entry for this service; the first is in line 1"]
        );
        assert_eq!(lines("stray-argument", "", "a unix - - n - - smtp # b\n").len(), 1);
        assert!(lines("stray-argument", "", "a unix - n n - - pipe argv=x # b\n").is_empty());
    }

    #[test]
    fn programs() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("smtp"), "").unwrap();
        let main = format!("daemon_directory = {}\n", directory.path().display());
        let master = "a unix - - n - - smtp\nb unix - - n - - smtpx\n";
        assert_eq!(lines("missing-program", &main, master).len(), 1);
        assert!(lines("missing-program", "daemon_directory = /nonexistent\n", master).is_empty());
    }
}
