//! Rejections, and decisions that are put off because a lookup failed.

use super::{Halt, Verdict, class};
use crate::error_class::ErrorClass;
use crate::session::Session;
use crate::text::{clip, printable};

/// A reason to defer, kept until it is known whether it matters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deferral {
    pub(crate) active: bool,
    class: ErrorClass,
    code: i64,
    status: String,
    reason: String,
}

/// The state of access control in a session.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// The reply of the last rejection.
    pub(crate) reply: String,
    /// A permit turns into a deferral.
    pub(crate) defer_if_permit: Deferral,
    /// A reject turns into a deferral.
    pub(crate) defer_if_reject: Deferral,
    /// `defer_if_permit` as it was after the restrictions of earlier stages.
    pub(crate) after_client: bool,
    pub(crate) after_helo: bool,
    pub(crate) after_sender: bool,
    /// The depth at which `warn_if_reject` was seen; 0: not in effect.
    pub(crate) warn_if_reject: u32,
    pub(crate) depth: u32,
    pub(crate) sender_listed: bool,
    pub(crate) recipient_listed: bool,
    /// The default action of a policy server is being done.
    pub(crate) in_default_action: bool,
    /// The message will be discarded; nothing else matters.
    pub(crate) discard: bool,
}

/// What happens when a lookup fails on which a rejection depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TempfailAction {
    /// `defer`
    Defer,
    /// `defer_if_permit`
    DeferIfPermit,
}

impl TempfailAction {
    /// Reads a value of `reject_tempfail_action` and its like.
    pub(crate) fn parse(value: &str) -> Option<TempfailAction> {
        match value.to_ascii_lowercase().as_str() {
            "defer" => Some(TempfailAction::Defer),
            "defer_if_permit" => Some(TempfailAction::DeferIfPermit),
            _ => None,
        }
    }
}

impl Session {
    /// Forgets what the evaluation of an earlier list left.
    pub(crate) fn reset_checks(&mut self) {
        self.checks.depth = 0;
        self.checks.warn_if_reject = 0;
        self.checks.defer_if_reject.active = false;
    }

    /// Rejects: makes the reply and logs it. With `warn_if_reject` it is only logged.
    pub(crate) fn reject(&mut self, trouble: ErrorClass, code: i64, status: &str, text: &str) -> Verdict {
        let excused = [ErrorClass::SOFTWARE, ErrorClass::RESOURCE, ErrorClass::DATA];
        let warn_only = self.checks.warn_if_reject > 0 && !excused.contains(&trouble);
        self.error_mask.add(trouble);
        let mut reply = format!("{code} {status} {text}");
        if !(400..=599).contains(&code) {
            log::warning!("SMTP reply code configuration error: {reply}");
            reply = "450 4.7.1 Service unavailable".to_owned();
        } else if dsn::enhanced_status(status.as_bytes()) != Some(status.len()) {
            log::warning!("DSN detail code configuration error: {reply}");
            reply = "450 4.7.1 Service unavailable".to_owned();
        }
        let mut reply = printable(clip(&reply, 510).as_bytes(), ' ', self.server.encoding);
        if !warn_only && self.checks.defer_if_reject.active && reply.starts_with('5') {
            self.checks.warn_if_reject = 0;
            self.checks.defer_if_reject.active = false;
            let earlier = self.checks.defer_if_reject.clone();
            return self.reject(earlier.class, earlier.code, &earlier.status, &earlier.reason);
        }
        let class = match reply.as_bytes().first() {
            Some(b'5') if !self.server.settings.soft_bounce => "5",
            _ => "4",
        };
        reply.replace_range(..1, class);
        reply.replace_range(4..5, class);
        self.log_whatsup(if warn_only { "reject_warning" } else { "reject" }, &reply);
        self.checks.reply = reply;
        if warn_only { Verdict::Dunno } else { Verdict::Reject }
    }

    /// Rejects with the reason for which a permission had to be put off.
    pub(crate) fn reject_deferred_permit(&mut self) -> Verdict {
        let earlier = self.checks.defer_if_permit.clone();
        self.reject(earlier.class, earlier.code, &earlier.status, &earlier.reason)
    }

    /// Remembers a reason to defer in case of a rejection. The first reason stays.
    pub(crate) fn defer_if_reject(&mut self, trouble: ErrorClass, code: i64, status: &str, text: &str) {
        self.checks.defer_if_reject.set(trouble, code, status, text);
    }

    /// Defers, or remembers a reason to defer in case of a permission.
    pub(crate) fn defer_or_defer_if_permit(
        &mut self,
        action: TempfailAction,
        code: i64,
        status: &str,
        text: &str,
    ) -> Verdict {
        if self.checks.warn_if_reject > 0 || action == TempfailAction::Defer {
            return self.reject(ErrorClass::POLICY, code, status, text);
        }
        self.checks.defer_if_permit.set(ErrorClass::POLICY, code, status, text);
        Verdict::Dunno
    }

    /// Ends the evaluation: the configuration is wrong.
    pub(crate) fn server_error(&mut self) -> Halt {
        self.reject(ErrorClass::SOFTWARE, 451, "4.3.5", "Server configuration error");
        Halt::Rejected
    }

    /// Ends the evaluation: a lookup failed.
    pub(crate) fn lookup_failure(&mut self, name: &str) -> Halt {
        self.reject(ErrorClass::DATA, 451, "4.3.0", &format!("<{name}>: Temporary lookup failure"));
        Halt::Rejected
    }

    /// Ends the evaluation after a table error.
    pub(crate) fn table_error(&mut self, error: &table::Error, name: &str) -> Halt {
        if error.is_config() { self.server_error() } else { self.lookup_failure(name) }
    }
}

impl Deferral {
    fn set(&mut self, class: ErrorClass, code: i64, status: &str, text: &str) {
        if !self.active {
            *self =
                Deferral { active: true, class, code, status: status.to_owned(), reason: text.to_owned() };
        }
    }
}

/// Makes a status about an address fit for what is rejected: a text from a table may be about a recipient where a
/// sender is rejected, and the other way round.
pub(crate) fn fix_status(status: &str, reply_class: &str) -> String {
    let Some(detail) = status.get(1..).and_then(|rest| rest.strip_prefix(".1.")) else {
        return status.to_owned();
    };
    let fixed = match reply_class {
        class::SENDER => match detail {
            "1" | "3" | "4" | "6" | "7" => "4.1.7",
            "2" | "8" => "4.1.8",
            _ => "4.1.0",
        },
        class::RECIPIENT => match detail {
            "1" => "4.1.1",
            "2" | "8" => "4.1.2",
            "3" | "7" => "4.1.3",
            "4" => "4.1.4",
            "5" => "4.1.5",
            "6" => "4.1.6",
            _ => "4.1.0",
        },
        _ => "4.0.0",
    };
    let (old_class, new_rest) = (&status[..1], &fixed[1..]);
    if status[1..] != *new_rest {
        log::info!("mapping DSN status {status} into {reply_class} status {old_class}{new_rest}");
    }
    fixed.to_owned()
}

/// Splits a text into an enhanced status code and the rest.
pub(crate) fn split_status<'a>(default: &str, text: &'a str) -> (String, &'a str) {
    match dsn::enhanced_status(text.as_bytes()) {
        Some(length) => match text.split_at_checked(length) {
            Some((status, rest)) => (status.to_owned(), rest.trim_ascii_start()),
            None => (default.to_owned(), text),
        },
        None => (default.to_owned(), text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_fit_what_is_rejected() {
        assert_eq!(fix_status("5.1.1", class::SENDER), "4.1.7");
        assert_eq!(fix_status("5.1.8", class::RECIPIENT), "4.1.2");
        assert_eq!(fix_status("5.1.1", class::CLIENT), "4.0.0");
        assert_eq!(fix_status("5.7.1", class::SENDER), "5.7.1");
        assert_eq!(split_status("5.7.1", "4.7.0 later"), ("4.7.0".to_owned(), "later"));
        assert_eq!(split_status("5.7.1", "go away"), ("5.7.1".to_owned(), "go away"));
    }
}
