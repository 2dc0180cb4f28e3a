//! Policy delegation: `check_policy_service` asks a server of the administrator's, in lines of `name=value`.
//!
//! A policy server is not trusted to answer: it gets a time limit and a number of tries, and then its default action
//! takes its place, which by default is a temporary error.

mod client;
mod request;

use crate::params::Settings;
use std::time::Duration;

pub(crate) use client::Client;

/// What happens when neither the server nor its own default action can decide.
pub(crate) const LAST_RESORT: &str = "451 4.3.5 Server configuration problem";

/// How to talk to a policy server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// `inet:host:port` or `unix:path`.
    pub(crate) server: String,
    pub(crate) default_action: String,
    pub(crate) context: String,
    timeout: Duration,
    max_idle: Duration,
    max_ttl: Duration,
    retry_delay: Duration,
    request_limit: i64,
    try_limit: i64,
}

impl Options {
    /// Reads `server`, or `{ server, name=value, { name = value } ... }` with settings of its own; the error is the text of a fatal
    /// log line.
    pub(crate) fn parse(spec: &str, settings: &Settings) -> Result<Options, String> {
        let mut options = Options {
            server: spec.to_owned(),
            default_action: settings.smtpd_policy_service_default_action.clone(),
            context: settings.smtpd_policy_service_policy_context.clone(),
            timeout: settings.smtpd_policy_service_timeout,
            max_idle: settings.smtpd_policy_service_max_idle,
            max_ttl: settings.smtpd_policy_service_max_ttl,
            retry_delay: settings.smtpd_policy_service_retry_delay,
            request_limit: settings.smtpd_policy_service_request_limit,
            try_limit: settings.smtpd_policy_service_try_limit,
        };
        if !spec.starts_with('{') {
            return Ok(options);
        }
        let inside = spec
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .ok_or_else(|| format!("policy service syntax error: missing '}}' in \"{spec}\""))?;
        let mut rest = inside.trim_start_matches([',', ' ', '\t', '\r', '\n']);
        let end = rest.find([',', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
        options.server = rest[..end].to_owned();
        rest = &rest[end..];
        if options.server.is_empty() {
            return Err(format!("empty policy service: \"{spec}\""));
        }
        for word in bytes::list::split_braced(rest, bytes::list::SEPARATORS) {
            let inside = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            options.set(inside.unwrap_or(word).trim_ascii())?;
        }
        Ok(options)
    }

    fn set(&mut self, setting: &str) -> Result<(), String> {
        let pair = setting.split_once('=').map(|(name, value)| (name.trim_ascii(), value.trim_ascii()));
        let Some((name, value)) = pair else {
            return Err(format!("malformed option: missing '=' after attribute name: \"...{setting}...\""));
        };
        let seconds = || conf::parse_time(value, b's').and_then(|seconds| u64::try_from(seconds).ok());
        let time = || {
            seconds()
                .map(Duration::from_secs)
                .ok_or_else(|| format!("{name}: bad time value or unit: {value}"))
        };
        let bad_number = || format!("bad numerical configuration: {name} = {value}");
        let number = || value.parse::<i64>().ok().filter(|number| *number >= 0).ok_or_else(bad_number);
        match name {
            "timeout" => self.timeout = time()?,
            "max_idle" => self.max_idle = time()?,
            "max_ttl" => self.max_ttl = time()?,
            "retry_delay" => self.retry_delay = time()?,
            "request_limit" => self.request_limit = number()?,
            "try_limit" => self.try_limit = number()?.max(1),
            "default_action" => self.default_action = value.to_owned(),
            "policy_context" => self.context = value.to_owned(),
            _ => return Err(format!("unknown option: \"{name} = {value}\"")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::settings;

    #[test]
    fn settings_of_one_server() {
        let main = settings(&[]);
        let settings = Settings::load(&main).unwrap();
        let parse = |spec| Options::parse(spec, &settings);
        let plain = parse("unix:private/policy").unwrap();
        assert_eq!(
            (plain.server.as_str(), plain.default_action.as_str()),
            ("unix:private/policy", LAST_RESORT)
        );
        let own =
            parse("{ inet:host:10023, timeout=10s, { default_action = DUNNO now } try_limit=5 }").unwrap();
        assert_eq!(own.server, "inet:host:10023");
        assert_eq!((own.timeout, own.try_limit), (Duration::from_secs(10), 5));
        assert_eq!(own.default_action, "DUNNO now");
        assert_eq!(parse("{ }").unwrap_err(), "empty policy service: \"{ }\"");
        assert!(
            parse("{ inet:a:1, timeout = 10s }").unwrap_err().starts_with("malformed option: missing '='")
        );
        assert_eq!(parse("{ inet:a:1, bogus=1 }").unwrap_err(), "unknown option: \"bogus = 1\"");
    }
}
