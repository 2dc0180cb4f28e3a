//! Differences that are intended: Ferrofix follows Postfix 3.11, the reference is Debian's 3.7. Each stands in `tests/DEVIATIONS.md`
//! under the same name.

use std::sync::LazyLock;

use harness::Package;
use regex::Regex;

use crate::cases::Case;

/// Whose text a rule changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Ours,
    Reference,
    Both,
}

/// Name in DEVIATIONS.md (with `@`: only for cases that name it), whose text, pattern, replacement.
const RULES: &[(&str, On, &str, &str)] = &[
    // As many digits as the time had.
    ("maildrop-size", On::Both, r"^QID([*!#]?) +\d+ DATE", "QID$1 SIZE DATE"),
    ("version", On::Both, r"version 3\.\d+\.\d+", "version V"),
    ("cleanup-removed", On::Ours, r"^postfix/cleanup\[PID\]: QID\d*: removed \((canceled|discarded)\)\n", ""),
    ("help", On::Ours, r"^S: 214 2.0.0 Commands: .*$", "S: 500 5.5.2 Error: command not recognized"),
    ("help", On::Ours, r" help=1 unknown=0/4 commands=3/7", " unknown=0/5 commands=2/7"),
    ("bad-syntax-counted", On::Both, r" unknown=0/1 commands=(\d)/\d$", " commands=$1"),
    ("postlog-terminal", On::Ours, r"^stderr: (postfix/)?postlog: .*\n", ""),
    ("postmulti-terminal", On::Ours, r"^stderr: postmulti: (fatal|warning): .*\n", ""),
    ("postconf-usage", On::Both, r"usage: postconf .*$", "usage: postconf"),
    ("postconf-lists", On::Ours, r"(specify one of -\S+), (-\S+)$", "$1 $2"),
    (
        "postfix-usage",
        On::Both,
        r"unknown command: '(.*)'. Usage: postfix start .*$",
        "unknown command: '$1'.",
    ),
    (
        "map-create-text",
        On::Both,
        r"(unsupported dictionary type: \w+ does not support bulk-mode creation\.|no 'map create' support for this type: \w+)$",
        "no creation",
    ),
    ("one-of-text", On::Both, r"specify only one of -.*$", "specify only one"),
    ("@alias-domain", On::Ours, r"name must be local and have no domain$", "name must be local"),
    (
        "cdb-change-text",
        On::Both,
        r"fatal: (unsupported non-bulk change request|dict_cdb_open: inappropriate open flags for cdb database .*)$",
        "fatal: no change",
    ),
    ("query-errno", On::Both, r"(query|write|delete) error: [A-Z].*$", "$1 error"),
    (
        "compatibility-notice",
        On::Ours,
        r"^stderr: postfix: (Postfix is using backwards|See https|To disable backwards).*\n",
        "",
    ),
    (
        "close-error",
        On::Reference,
        r"^postfix/cleanup\[PID\]: warning: mail_stream_cleanup: close error\n",
        "",
    ),
    (
        "@comment-warning",
        On::Ours,
        r"^stderr: postconf: warning: .*: #comment after other text is not allowed: .*\n",
        "",
    ),
    (
        "@alias-loop",
        On::Both,
        r"alias database loop\s+for loop2|recipient nesting\s+limit exceeded( for loop2@example.com)?",
        "a loop",
    ),
    (
        "notify-option-text",
        On::Both,
        r"(stderr: sendmail|log: postfix/sendmail\[PID\]): warning: (unknown DSN NOTIFY command value .*\n|bad -N option value.*$)",
        "",
    ),
    ("message-id-record", On::Ours, r"^named_attribute: message_id=.*\n", ""),
    ("json-orig-address", On::Ours, r#""orig_address": "[^"]*", "#, ""),
    ("yp-keys", On::Reference, r"^YP_(LAST_MODIFIED|MASTER_NAME):.*\n", ""),
    (
        "@bounce-announced",
        On::Ours,
        r"^postfix/bounce\[PID\]: QID: sender non-delivery notification: QID\n",
        "",
    ),
    (
        "noqueue-prefix",
        On::Ours,
        r": (NOQUEUE|QID\d*): (lost connection after|timeout after|too many errors after)",
        ": $2",
    ),
];

static COMPILED: LazyLock<Vec<(&str, On, Regex, &str)>> = LazyLock::new(|| {
    let compiled = |from: &str| Regex::new(&format!("(?m){from}")).expect("a rule");
    RULES.iter().map(|(name, on, from, to)| (*name, *on, compiled(from), *to)).collect()
});

/// The text as it is compared.
pub(crate) fn apply(package: Package, case: &Case, text: &str) -> String {
    let mut text = text.to_owned();
    for (name, on, from, to) in COMPILED.iter() {
        let wanted = !name.starts_with('@') || case.deviations.iter().any(|wanted| *wanted == name[1..]);
        let ours = package == Package::Ours;
        if wanted && (*on == On::Both || (*on == On::Ours) == ours) {
            text = from.replace_all(&text, *to).into_owned();
        }
    }
    text
}
