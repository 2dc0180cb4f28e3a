//! Outcomes: to the log, and to the services that report, retry and remember.

use std::rc::Rc;

use address::AddressForm;
use dsn::{Dsn, Status, notify};
use fast_flush::Status as FlushStatus;
use ipc::deliver::{self, Times};
use ipc::verify::AddressStatus;
use ipc::{Recipient, bounce, verify};
use table::{Env, Flags, Maps};

use crate::Line;

conf::param_set! {
    /// What reporting an outcome takes.
    pub struct ReportParams {
        bounce_service_name, defer_service_name, trace_service_name, flush_service_name,
        address_verify_service_name, address_verify_negative_cache, soft_bounce,
        delay_logging_resolution_limit, info_log_address_format
    }
}

/// Reports outcomes for one program.
pub struct Reporter {
    params: ReportParams,
    log_form: AddressForm,
    filter: Maps,
    fast_flush: fast_flush::Sites,
}

/// The message that outcomes are about.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The request's flags; agents add [`bounce::FLAG_CLEAN`] where they need it.
    pub flags: u32,
    /// Its queue id.
    pub queue_id: &'a str,
    /// Its times.
    pub times: &'a Times,
    /// The TLS feature summary for the delivery line.
    pub tls: Option<&'a str>,
}

/// Whether a recipient is dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a recipient that is dealt with has to be crossed off"]
pub enum Verdict {
    /// The outcome is on record: cross the recipient off.
    Done,
    /// The recipient stays in the queue.
    Keep,
}

const NO_RELAY: &str = "none";

impl Reporter {
    /// A reporter with the tables of a `..._delivery_status_filter` parameter, `filter_title` being its name.
    ///
    /// Call it before the jail, since the tables are opened here.
    pub fn new(
        main: &conf::MainCf,
        env: &Rc<Env>,
        filter_title: &str,
        filter: &str,
    ) -> Result<Self, conf::Error> {
        let params = ReportParams::load(main)?;
        let log_form = AddressForm::for_log(&params.info_log_address_format).map_err(conf::Error::Value)?;
        Ok(Self {
            params,
            log_form,
            filter: Maps::open(filter_title, filter, env, Flags::NONE),
            fast_flush: fast_flush::Sites::open(main, env)?,
        })
    }

    /// The recipient got the message.
    pub async fn sent(&self, message: Message<'_>, recipient: &Recipient, relay: &str, dsn: Dsn) -> Verdict {
        let dsn = self.filtered(checked("sent", dsn, 2)).await;
        if message.flags & deliver::FLAGS_TRACE_ONLY != 0 {
            let dsn = dsn.action("deliverable");
            return self.probed(message, recipient, relay, &dsn, AddressStatus::Ok).await;
        }
        let dsn = if dsn.action.is_empty() { dsn.action("delivered") } else { dsn };
        let after_delay = recipient.dsn_notify == 0 || recipient.dsn_notify & notify::DELAY != 0;
        let wants_record = message.flags & deliver::FLAG_RECORD != 0
            || (message.flags & deliver::FLAG_RECORD_DELAYED != 0 && after_delay);
        let wants_success = recipient.dsn_notify & notify::SUCCESS != 0;
        let on_record = (!wants_record || self.trace(message, recipient, relay, &dsn).await)
            && (!wants_success || self.trace(message, recipient, relay, &dsn).await);
        if on_record {
            self.log(message, recipient, relay, &dsn, "sent");
            return Verdict::Done;
        }
        let reason = format!("{}: {} service failed", message.queue_id, self.params.trace_service_name);
        self.deferred(message, recipient, relay, Dsn::new(Status::new("4.3.0"), reason)).await
    }

    /// The recipient cannot get the message, ever.
    pub async fn bounced(
        &self,
        message: Message<'_>,
        recipient: &Recipient,
        relay: &str,
        dsn: Dsn,
    ) -> Verdict {
        let dsn = self.filtered(checked("bounce_append", dsn, 5)).await;
        if dsn.status.class() == 4 {
            return self.defer(message, recipient, relay, dsn).await;
        }
        self.bounce(message, recipient, relay, dsn).await
    }

    /// The recipient cannot get the message now.
    pub async fn deferred(
        &self,
        message: Message<'_>,
        recipient: &Recipient,
        relay: &str,
        dsn: Dsn,
    ) -> Verdict {
        let dsn = self.filtered(checked("defer_append", dsn, 4)).await;
        if dsn.status.class() == 5 {
            return self.bounce(message, recipient, relay, dsn).await;
        }
        self.defer(message, recipient, relay, dsn).await
    }

    /// As [`bounced`](Self::bounced) or [`deferred`](Self::deferred), by the class of the status.
    pub async fn failed(
        &self,
        message: Message<'_>,
        recipient: &Recipient,
        relay: &str,
        dsn: Dsn,
    ) -> Verdict {
        if dsn.status.class() == 5 {
            self.bounced(message, recipient, relay, dsn).await
        } else {
            self.deferred(message, recipient, relay, dsn).await
        }
    }

    /// As [`failed`](Self::failed), for a recipient whose failure goes to another sender than the message's: to the owner
    /// of a mailing list. `report` names that sender; it is told at once.
    pub async fn failed_alone(
        &self,
        message: Message<'_>,
        report: bounce::Message,
        recipient: &Recipient,
        relay: &str,
        dsn: Dsn,
    ) -> Verdict {
        let (caller, class) = if dsn.status.class() == 4 { ("defer_one", 4) } else { ("bounce_one", 5) };
        let dsn = self.filtered(checked(caller, dsn, class)).await;
        if dsn.status.class() == 4 {
            return self.defer(message, recipient, relay, dsn).await;
        }
        self.bounce_with(message, recipient, relay, dsn, Some(report)).await
    }

    /// Puts an outcome on record for the report that the sender asked for, and nowhere else; whether that worked.
    pub async fn traced(&self, message: Message<'_>, recipient: &Recipient, relay: &str, dsn: &Dsn) -> bool {
        self.trace(Message { flags: 0, ..message }, recipient, relay, dsn).await
    }

    async fn bounce(&self, message: Message<'_>, recipient: &Recipient, relay: &str, dsn: Dsn) -> Verdict {
        self.bounce_with(message, recipient, relay, dsn, None).await
    }

    async fn bounce_with(
        &self,
        message: Message<'_>,
        recipient: &Recipient,
        relay: &str,
        dsn: Dsn,
        report: Option<bounce::Message>,
    ) -> Verdict {
        if message.flags & deliver::FLAGS_TRACE_ONLY != 0 {
            let dsn = dsn.action("undeliverable");
            return self.probed(message, recipient, relay, &dsn, AddressStatus::Bounce).await;
        }
        let soft = self.params.soft_bounce;
        // Who removes its log on failure must not be left with a defer log that nobody looks at.
        if soft && message.flags & bounce::FLAG_CLEAN != 0 {
            return Verdict::Keep;
        }
        let (dsn, service, status, verdict) = if soft {
            let dsn = Dsn { status: dsn.status.with_class(4), ..dsn }.action("delayed");
            (dsn, &self.params.defer_service_name, "SOFTBOUNCE", Verdict::Keep)
        } else {
            (dsn.action("failed"), &self.params.bounce_service_name, "bounced", Verdict::Done)
        };
        let recorded = match report {
            Some(report) if !soft => self.report_now(service, message, report, recipient, &dsn).await,
            _ => self.append(service, message, recipient, &dsn).await,
        };
        let on_record = recorded
            && (message.flags & deliver::FLAG_RECORD == 0
                || self.trace(message, recipient, relay, &dsn).await);
        if on_record {
            self.log(message, recipient, relay, &dsn, status);
            return verdict;
        }
        if message.flags & bounce::FLAG_CLEAN != 0 {
            return Verdict::Keep;
        }
        let (bounces, traces) = (&self.params.bounce_service_name, &self.params.trace_service_name);
        let reason = format!("{bounces} or {traces} service failure");
        let dsn = Dsn { status: Status::new("4.3.0"), reason: reason.into_bytes(), ..dsn };
        self.defer(message, recipient, relay, dsn).await
    }

    async fn defer(&self, message: Message<'_>, recipient: &Recipient, relay: &str, dsn: Dsn) -> Verdict {
        if message.flags & deliver::FLAGS_TRACE_ONLY != 0 {
            let dsn = dsn.action("undeliverable");
            return self.probed(message, recipient, relay, &dsn, AddressStatus::Defer).await;
        }
        let dsn = dsn.action("delayed");
        let queue_id = message.queue_id;
        // A deferral needs no record to be safe: the recipient stays in the queue file anyway.
        if !self.append(&self.params.defer_service_name, message, recipient, &dsn).await {
            log::warning!("{queue_id}: {} service failure", self.params.defer_service_name);
        }
        self.log(message, recipient, relay, &dsn, "deferred");
        if message.flags & deliver::FLAG_RECORD != 0 {
            let _warned = self.trace(message, recipient, relay, &dsn).await;
        }
        self.remember_site(queue_id, recipient).await;
        Verdict::Keep
    }

    // Mail for a site that may come and fetch it (ETRN).
    async fn remember_site(&self, queue_id: &str, recipient: &Recipient) {
        let Some((_, site)) = bytes::rsplit_once(&recipient.address, b'@') else { return };
        if site.is_empty() {
            return;
        }
        if !matches!(self.fast_flush.add(site, queue_id).await, FlushStatus::Ok | FlushStatus::Deny) {
            log::warning!("{queue_id}: {} service failure", self.params.flush_service_name);
        }
    }

    async fn probed(
        &self,
        message: Message<'_>,
        recipient: &Recipient,
        relay: &str,
        dsn: &Dsn,
        status: AddressStatus,
    ) -> Verdict {
        let on_record = if message.flags & deliver::FLAG_MTA_VERIFY != 0 {
            self.verify(message, recipient, relay, dsn, status).await
        } else {
            self.trace(message, recipient, relay, dsn).await
        };
        if on_record { Verdict::Done } else { Verdict::Keep }
    }

    async fn verify(
        &self,
        message: Message<'_>,
        recipient: &Recipient,
        relay: &str,
        dsn: &Dsn,
        status: AddressStatus,
    ) -> bool {
        let service = &self.params.address_verify_service_name;
        if !self.params.address_verify_negative_cache && status != AddressStatus::Ok {
            self.log(message, recipient, relay, dsn, "undeliverable-but-not-cached");
            return true;
        }
        let mut client = ipc::Client::new(format!("private/{service}"), Some(verify::PROTOCOL));
        let mut addresses = vec![&recipient.original, &recipient.address];
        addresses.dedup();
        for address in addresses.into_iter().filter(|address| !address.is_empty()) {
            let (address, reason) = (address.clone(), dsn.reason.clone());
            let update = verify::Request::Update { address, status, reason };
            let reply = client.request(&update.to_attrs()).await;
            if !reply.and_then(|reply| reply.int32("status")).is_ok_and(|status| status == 0) {
                log::warning!("{}: {service} service failure", message.queue_id);
                return false;
            }
        }
        self.log(message, recipient, relay, dsn, &dsn.action);
        true
    }

    async fn trace(&self, message: Message<'_>, recipient: &Recipient, relay: &str, dsn: &Dsn) -> bool {
        let service = &self.params.trace_service_name;
        let mut record = dsn.clone();
        if relay != NO_RELAY {
            record.reason = [b"delivery via ", relay.as_bytes(), b": ", &dsn.reason].concat();
        }
        if !self.append(service, message, recipient, &record).await {
            log::warning!("{}: {service} service failure", message.queue_id);
            return false;
        }
        if message.flags & deliver::FLAG_USER_VERIFY != 0 {
            self.log(message, recipient, relay, dsn, &dsn.action);
        }
        true
    }

    async fn append(&self, service: &str, message: Message<'_>, recipient: &Recipient, dsn: &Dsn) -> bool {
        let request = bounce::Request::Append {
            flags: message.flags,
            queue_id: message.queue_id.to_owned(),
            recipient: recipient.clone(),
            dsn: dsn.clone(),
        };
        self.ask(service, &request).await
    }

    async fn report_now(
        &self,
        service: &str,
        message: Message<'_>,
        report: bounce::Message,
        recipient: &Recipient,
        dsn: &Dsn,
    ) -> bool {
        let request = bounce::Request::One {
            flags: message.flags,
            message: report,
            recipient: recipient.clone().into(),
            dsn: dsn.clone().into(),
        };
        self.ask(service, &request).await
    }

    async fn ask(&self, service: &str, request: &bounce::Request) -> bool {
        let path = format!("private/{service}");
        bounce::request(&path, request).await.unwrap_or_else(|error| {
            log::warning!("connect to {path}: {error}");
            false
        })
    }

    fn log(&self, message: Message<'_>, recipient: &Recipient, relay: &str, dsn: &Dsn, status: &str) {
        let line = Line {
            queue_id: message.queue_id,
            times: message.times,
            recipient,
            relay,
            tls: message.tls,
            dsn,
            status,
            resolution: u32::try_from(self.params.delay_logging_resolution_limit).unwrap_or(2),
            form: self.log_form,
        };
        log::info!("{}", line.text());
    }

    async fn filtered(&self, dsn: Dsn) -> Dsn {
        if self.filter.is_empty() {
            return dsn;
        }
        let key = [dsn.status.as_str().as_bytes(), b" ", &dsn.reason].concat();
        let found = match self.filter.find(&key).await {
            Ok(Some(found)) => found,
            Ok(None) => return dsn,
            Err(error) => {
                log::warning!("{}: table lookup error: {error}", self.filter.title());
                return dsn;
            }
        };
        let (status, reason) = dsn::split_status(Status::default(), &found.value);
        // Success stays success: a filter must neither lose mail nor double it.
        if status == Status::default() || (status.class() == 2) != (dsn.status.class() == 2) {
            log::warning!("{}: bad status code: {}", self.filter.title(), bytes::show(&found.value));
            return dsn;
        }
        Dsn { status, reason: reason.to_vec(), ..dsn }
    }
}

// A status may come from a hostile server; what it means was decided before, by who calls us.
fn checked(caller: &str, mut dsn: Dsn, class: u8) -> Dsn {
    if dsn.status.class() != class {
        log::warning!("{caller}: ignoring dsn code \"{}\"", dsn.status);
        dsn.status = match class {
            2 => Status::new("2.0.0"),
            4 => Status::new("4.0.0"),
            _ => Status::new("5.0.0"),
        };
    }
    dsn
}
