//! Values: given twice, useless, with a comment in them, or not of their kind.

use crate::lint::config::{Config, Setting};
use crate::lint::report::Report;
use conf::{Error, Kind, Spec, compat_level, flag, number, parse_time, within};

/// A parameter that one place sets twice.
pub(crate) fn repeated(config: &Config, report: &mut Report) {
    let in_services = config.services.iter().map(|service| service.settings.as_slice());
    for settings in std::iter::once(config.settings.as_slice()).chain(in_services) {
        for (at, setting) in settings.iter().enumerate() {
            let mut earlier = settings.iter().take(at).rev();
            let Some(other) = earlier.find(|other| other.name == setting.name) else { continue };
            let what = format!("set a second time; the value of line {} is lost", other.spot.line);
            let why = "the last setting counts";
            if other.value == setting.value {
                let what = format!("set a second time, to the value of line {}", other.spot.line);
                report.note(&setting.spot, what, why, "remove one of the two");
            } else {
                report.warning(&setting.spot, what, why, "remove one of the two, or join them");
            }
        }
    }
}

/// A parameter of main.cf that is set to its default.
pub(crate) fn same_as_default(config: &Config, report: &mut Report) {
    for setting in &config.settings {
        let Some(spec) = Config::spec(&setting.name) else { continue };
        let depends = spec.computed.is_some() || spec.default.contains("compatibility_level");
        let normal = |text: &str| {
            text.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
        };
        if !depends && setting.name != "compatibility_level" && normal(&setting.value) == normal(spec.default)
        {
            let why = "the setting changes nothing, and hides what was changed";
            report.note(&setting.spot, "set to its default".to_owned(), why, "it can be removed");
        }
    }
}

/// `#` after a value.
pub(crate) fn comments(config: &Config, report: &mut Report) {
    for (_, setting) in config.effective() {
        let Some(at) = comment(setting) else { continue };
        let (value, comment) = setting.value.split_at(at);
        let spot = setting.spot_of(comment.split_whitespace().next().unwrap_or(comment));
        let what = format!("\"{comment}\" is part of the value");
        let mend = format!(
            "write \"{} = {}\", and the comment on a line of its own",
            setting.name,
            value.trim_end()
        );
        match Config::spec(&setting.name).map(|spec| spec.kind) {
            Some(Kind::Str | Kind::Raw) | None => {
                let why = "there are no comments after a value: the words are taken for more of it";
                report.warning(&spot, what, why, &mend);
            }
            Some(_) => {
                let why = "there are no comments after a value: every program that reads it ends with \"fatal: bad ...\"";
                report.error(&spot, what, why, &mend);
            }
        }
    }
}

/// Where the comment of a value begins. Values that are texts or commands may have `#` in them.
fn comment(setting: &Setting) -> Option<usize> {
    let is_text = setting.name.ends_with("_command")
        || setting.name.ends_with("_banner")
        || setting.name.ends_with("_footer")
        || setting.name.ends_with("_filter")
        || setting.name.ends_with("_reply")
        || setting.name == "forward_path"
        || setting.value.starts_with(['"', '\'']);
    let value = &setting.value;
    let is_start = |(at, _): &(usize, char)| {
        let before = value.get(..*at).unwrap_or_default();
        let depth = before.matches('{').count().saturating_sub(before.matches('}').count());
        *at == 0 || (before.ends_with(char::is_whitespace) && depth == 0)
    };
    if is_text {
        return None;
    }
    value.char_indices().filter(|(_, char)| *char == '#').find(is_start).map(|(at, _)| at)
}

/// Values that are not of the parameter's kind, or out of its bounds.
pub(crate) fn bad(config: &Config, report: &mut Report) {
    for (scope, setting) in config.effective() {
        let Some(spec) = Config::spec(&setting.name) else { continue };
        if comment(setting).is_some() {
            continue;
        }
        let problem = match scope.main.expand(&setting.value) {
            Ok(_) if spec.name == "compatibility_level" => {
                compat_level(&scope.main).map(drop).map_err(|error| error.to_string())
            }
            Ok(value) if spec.kind == Kind::Raw => length(spec, setting.value.len().max(value.len())),
            Ok(value) => check(spec, &value, &scope.expand(spec.default)),
            Err(Error::Expansion { warnings }) if spec.kind != Kind::Raw => Err(warnings.join("; ")),
            Err(error) if spec.kind != Kind::Raw => Err(error.to_string()),
            Err(_) => Ok(()),
        };
        if let Err(problem) = problem {
            let why = "every program that reads it ends with \"fatal:\" and this text";
            report.error(&setting.spot, problem, why, &format!("see {} in postconf(5)", setting.name));
        }
    }
}

fn check(spec: &Spec, value: &str, default: &str) -> Result<(), String> {
    let Spec { name, min, max, .. } = *spec;
    let result = match spec.kind {
        Kind::Str | Kind::Raw => return length(spec, value.len()),
        Kind::Bool | Kind::Nbool => flag(name, value).map(drop),
        Kind::Int | Kind::Nint => {
            let value = number(name, value, i32::MIN.into(), i32::MAX.into());
            value.and_then(|value| within(name, value, min, max)).map(drop)
        }
        Kind::Long => {
            number(name, value, i64::MIN, i64::MAX).and_then(|value| within(name, value, min, max)).map(drop)
        }
        Kind::Time => {
            let unit = default.bytes().find(u8::is_ascii_alphabetic).unwrap_or(b's');
            let Some(time) = parse_time(value, unit) else {
                return Err(format!("parameter {name}: bad time value or unit: {value}"));
            };
            return match (min.filter(|min| time < *min), max.filter(|max| time > *max)) {
                (Some(min), _) => Err(format!("invalid {name}: {time} (min {min})")),
                (_, Some(max)) => Err(format!("invalid {name}: {time} (max {max})")),
                _ => Ok(()),
            };
        }
    };
    result.map_err(|error| error.to_string())
}

fn length(spec: &Spec, length: usize) -> Result<(), String> {
    let least = spec.min.unwrap_or(0);
    match i64::try_from(length).is_ok_and(|length| length < least) {
        true => Err(format!("bad string length {length} < {least}: {} = ", spec.name)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, lines};

    #[test]
    fn twice() {
        let master = "smtp inet n - n - - smtpd\n -o a=1\n -o b=2\n -o a=3\n";
        assert_eq!(
            lines("repeated-parameter", "biff = no\nmydomain = x\nbiff = yes\nmydomain = x\n", master),
            [
                "warning 3 biff: set a second time; the value of line 1 is lost",
                "note 4 mydomain: set a second time, to the value of line 2",
                "warning 4 smtp/inet/a: set a second time; the value of line 2 is lost",
            ]
        );
        assert!(lines("repeated-parameter", "a = 1\nb = 1\n", MASTER).is_empty());
    }

    #[test]
    fn defaults() {
        let main = "relayhost =\nsmtputf8_enable = yes\nmailbox_size_limit = 0\nmynetworks_style = subnet\n";
        assert_eq!(lines("same-as-default", main, MASTER), ["note 1 relayhost: set to its default"]);
    }

    #[test]
    fn comments() {
        let main = "smtpd_hard_error_limit = 10   # because\nmydestination = a,\n b # c\nbiff = no#\n\
                    smtpd_banner = $myhostname # 1\nmailbox_command = x # y\nheader_checks = pcre:{{/ #/ OK}}\n";
        assert_eq!(
            lines("comment-after-value", main, MASTER),
            [
                "error 1 smtpd_hard_error_limit: \"# because\" is part of the value",
                "warning 3 mydestination: \"# c\" is part of the value"
            ]
        );
    }

    #[test]
    fn kinds_and_bounds() {
        let main = "smtpd_hard_error_limit = ten\nsmtpd_helo_required = 1\nqueue_run_delay = 5y\nin_flow_delay = 11\n\
                    mail_name =\nmyhostname = ${a\nline_length_limit = 0\n";
        assert_eq!(
            lines("bad-value", main, MASTER),
            [
                "error 1 smtpd_hard_error_limit: bad numerical configuration: smtpd_hard_error_limit = ten",
                "error 2 smtpd_helo_required: bad boolean configuration: smtpd_helo_required = 1",
                "error 3 queue_run_delay: parameter queue_run_delay: bad time value or unit: 5y",
                "error 4 in_flow_delay: invalid in_flow_delay: 11 (max 10)",
                "error 5 mail_name: bad string length 0 < 1: mail_name = ",
                "error 6 myhostname: truncated macro reference: \"${a\"",
                "error 7 line_length_limit: invalid line_length_limit parameter value 0 < 512",
            ]
        );
        let level = "compatibility_level = 3.x\n";
        assert_eq!(
            lines("bad-value", level, MASTER),
            ["error 1 compatibility_level: malformed compatibility level syntax: \"3.x\""]
        );
        let fine = "compatibility_level = 3.11\nsmtpd_hard_error_limit = ${stress?{1}:{20}}\nqueue_run_delay = 300\nrelayhost =\n";
        assert!(lines("bad-value", fine, MASTER).is_empty());
    }
}
