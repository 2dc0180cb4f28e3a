//! What the queue manager reads from main.cf.

use std::time::Duration;

use address::Splitter;
use conf::{Error, MainCf, transport_int_within, transport_str, transport_time};

use crate::scheduler::feedback::Feedback;
use crate::scheduler::{Limits, Settings};

conf::param_set! {
    /// What the queue manager reads.
    pub(crate) struct Params {
        address_verify_pending_request_limit, bounce_queue_lifetime, bounce_service_name, confirm_delay_cleared,
        daemon_timeout, qmgr_daemon_timeout, default_delivery_slot_cost, default_delivery_slot_discount, default_delivery_slot_loan,
        default_destination_concurrency_failed_cohort_limit, default_destination_concurrency_limit,
        default_destination_concurrency_negative_feedback, default_destination_concurrency_positive_feedback,
        default_destination_rate_delay, default_destination_recipient_limit, default_extra_recipient_limit,
        default_filter_nexthop, default_minimum_delivery_slots, default_process_limit, default_recipient_limit,
        default_recipient_refill_delay, default_recipient_refill_limit, default_transport_rate_delay,
        defer_service_name, defer_transports, destination_concurrency_feedback_debug, disable_verp_bounces,
        double_bounce_sender, helpful_warnings,
        in_flow_delay, info_log_address_format, initial_destination_concurrency, ipc_idle, ipc_ttl,
        local_destination_concurrency_limit, local_destination_recipient_limit, maximal_backoff_time,
        maximal_queue_lifetime, minimal_backoff_time, myhostname, owner_request_special, process_name,
        qmgr_clog_warn_time, qmgr_ipc_timeout, qmgr_message_active_limit, qmgr_message_recipient_limit,
        qmgr_message_recipient_minimum, queue_run_delay, recipient_delimiter, rewrite_service_name,
        smtputf8_enable, trace_service_name, transport_retry_time, verp_delimiter_filter
    }
}

impl Params {
    /// Makes values fit each other.
    pub(crate) fn adjust(&mut self, main: &MainCf) {
        if self.process_name == "nqmgr" {
            let file = format!("{}/master.cf", main.path().display());
            log::warning!("please update the {file} file; the new queue manager");
            log::warning!("(old name: nqmgr) has become the standard queue manager (new name: qmgr)");
            log::warning!("support for the name old name (nqmgr) will be removed from Postfix");
        }
        if self.qmgr_message_recipient_limit < self.qmgr_message_active_limit {
            log::warning!(
                "qmgr_message_recipient_limit is smaller than qmgr_message_active_limit - adjusting qmgr_message_recipient_limit"
            );
            self.qmgr_message_recipient_limit = self.qmgr_message_active_limit;
        }
        if self.bounce_queue_lifetime > self.maximal_queue_lifetime {
            log::warning!(
                "bounce_queue_lifetime is larger than maximal_queue_lifetime - adjusting bounce_queue_lifetime"
            );
            self.bounce_queue_lifetime = self.maximal_queue_lifetime;
        }
    }

    /// `defer_transports`, split.
    pub(crate) fn deferred_transports(&self) -> Vec<Vec<u8>> {
        words(&self.defer_transports).into_iter().map(String::into_bytes).collect()
    }

    /// The scheduler's general limits.
    pub(crate) fn limits(&self) -> Limits {
        let splitter = Splitter::new(self.recipient_delimiter.as_str())
            .with_double_bounce_sender(self.double_bounce_sender.as_str())
            .with_owner_request_special(self.owner_request_special);
        Limits {
            messages: self.qmgr_message_active_limit,
            recipients: self.qmgr_message_recipient_limit,
            recipients_per_message: self.qmgr_message_recipient_minimum,
            destination_rest: self.minimal_backoff_time,
            transport_rest: self.transport_retry_time,
            clog_warning: if self.helpful_warnings { self.qmgr_clog_warn_time } else { Duration::ZERO },
            debug_feedback: self.destination_concurrency_feedback_debug,
            splitter,
        }
    }

    /// How a transport is configured.
    pub(crate) fn transport(&self, main: &MainCf, name: &str) -> Result<Settings, Error> {
        let at_least = |suffix: &str, default: i64, min: Option<i64>| {
            transport_int_within(main, name, suffix, default, min, None)
        };
        let number = |suffix: &str, default: i64| at_least(suffix, default, Some(0));
        let time = |suffix: &str, default: Duration, min: i64| {
            transport_time(main, name, suffix, default, b's', Some(min))
        };
        let (concurrency, recipients) = match name {
            "local" => (self.local_destination_concurrency_limit, self.local_destination_recipient_limit),
            _ => (self.default_destination_concurrency_limit, self.default_destination_recipient_limit),
        };
        let initial = self.initial_destination_concurrency;
        let settings = Settings {
            concurrency_limit: small(number("_destination_concurrency_limit", concurrency)?),
            initial_concurrency: small(at_least("_initial_destination_concurrency", initial, Some(1))?),
            recipient_limit: small(number("_destination_recipient_limit", recipients)?) as usize,
            recipients: number("_recipient_limit", self.default_recipient_limit)?,
            extra_recipients: number("_extra_recipient_limit", self.default_extra_recipient_limit)?,
            refill_limit: at_least("_recipient_refill_limit", self.default_recipient_refill_limit, Some(1))?,
            refill_delay: time("_recipient_refill_delay", self.default_recipient_refill_delay, 1)?,
            slot_cost: number("_delivery_slot_cost", self.default_delivery_slot_cost)?,
            slot_loan: number("_delivery_slot_loan", self.default_delivery_slot_loan)?,
            slot_discount: transport_int_within(
                main,
                name,
                "_delivery_slot_discount",
                self.default_delivery_slot_discount,
                Some(0),
                Some(100),
            )?,
            minimum_slots: number("_minimum_delivery_slots", self.default_minimum_delivery_slots)?,
            positive: self.feedback(
                main,
                name,
                "_destination_concurrency_positive_feedback",
                &self.default_destination_concurrency_positive_feedback,
            )?,
            negative: self.feedback(
                main,
                name,
                "_destination_concurrency_negative_feedback",
                &self.default_destination_concurrency_negative_feedback,
            )?,
            failed_cohort_limit: number(
                "_destination_concurrency_failed_cohort_limit",
                self.default_destination_concurrency_failed_cohort_limit,
            )?,
            rate_delay: time("_destination_rate_delay", self.default_destination_rate_delay, 0)?,
            transport_rate_delay: time("_transport_rate_delay", self.default_transport_rate_delay, 0)?,
        };
        Ok(settings.consistent())
    }

    fn feedback(&self, main: &MainCf, name: &str, suffix: &str, default: &str) -> Result<Feedback, Error> {
        let text = transport_str(main, name, suffix, default)?;
        let parameter = if text == default { format!("default{suffix}") } else { format!("{name}{suffix}") };
        let feedback = Feedback::parse(&text).unwrap_or_else(|| {
            log::warning!("{parameter}: ignoring malformed or unreasonable feedback: {text}");
            Feedback::ONE
        });
        if self.destination_concurrency_feedback_debug {
            let initial = self.initial_destination_concurrency;
            let value = feedback.value(small(initial));
            log::info!("{name}: {parameter} feedback type {} value at {initial}: {value}", feedback.kind());
        }
        Ok(feedback)
    }
}

/// The words of a list parameter.
fn words(text: &str) -> Vec<String> {
    bytes::list::split(text, bytes::list::SEPARATORS).map(str::to_owned).collect()
}

fn small(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transports_own_settings_win() {
        let mut main = MainCf::default();
        main.set("slow_destination_rate_delay", "3");
        main.set("relay_destination_concurrency_limit", "3");
        main.set("bulk_destination_concurrency_positive_feedback", "1/8");
        main.set("bulk_delivery_slot_cost", "0");
        let params = Params::load(&main).unwrap();
        let of = |name: &str| params.transport(&main, name).unwrap();
        assert_eq!((of("smtp").concurrency_limit, of("smtp").initial_concurrency), (20, 5));
        assert_eq!((of("smtp").recipient_limit, of("local").recipient_limit), (50, 1));
        assert_eq!((of("local").concurrency_limit, of("local").initial_concurrency), (2, 2));
        assert_eq!((of("relay").concurrency_limit, of("relay").initial_concurrency), (3, 3));
        let slow = of("slow");
        assert_eq!((slow.concurrency_limit, slow.rate_delay), (1, Duration::from_secs(3)));
        assert_eq!((of("bulk").positive.value(2), of("bulk").slot_cost), (0.125, 0));
        main.set("bulk_delivery_slot_cost", "many");
        let error = params.transport(&main, "bulk").unwrap_err().to_string();
        assert_eq!(error, "bad numerical configuration: bulk_delivery_slot_cost = many");
    }
}
