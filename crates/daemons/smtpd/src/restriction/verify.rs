//! Address verification: `reject_unverified_sender` and `reject_unverified_recipient`.

use super::reject::TempfailAction;
use super::{Check, Name, Verdict, class};
use crate::error_class::ErrorClass;
use crate::session::Session;
use crate::text::{clip, show};
use ipc::verify::AddressStatus;

/// What main.cf says about one of the two restrictions.
struct Terms {
    class: &'static str,
    status: &'static str,
    defer_code: i64,
    reject_code: i64,
    tempfail: TempfailAction,
    reason: String,
}

impl Session {
    /// Asks verify(8) whether mail for an address can be delivered; a probe may take some time.
    pub(super) async fn reject_unverified(&mut self, name: Name) -> Check {
        let terms = self.verification_terms(name);
        let address = if terms.class == class::SENDER { &self.sender } else { &self.recipient };
        let Some(address) = address.clone().filter(|address| !address.is_empty()) else {
            return Ok(Verdict::Dunno);
        };
        let server = self.server.clone();
        let shown = show(&address).into_owned();
        let mut tries = 1;
        let answer = loop {
            let answer = server.outside.verify(&address).await;
            let is_open = matches!(answer, Some((AddressStatus::Todo, _)));
            if !is_open || tries >= server.settings.address_verify_poll_count {
                break answer;
            }
            tries += 1;
            tokio::time::sleep(server.settings.address_verify_poll_delay).await;
        };
        let Some((status, reason)) = answer else {
            log::warning!("{} service failure", server.settings.address_verify_service_name);
            let text = format!("<{shown}>: {} rejected: address verification problem", terms.class);
            return Ok(self.defer_or_defer_if_permit(terms.tempfail, 450, terms.status, &text));
        };
        let code = match status {
            AddressStatus::Ok => return Ok(Verdict::Dunno),
            AddressStatus::Todo | AddressStatus::Defer => terms.defer_code,
            AddressStatus::Bounce => terms.reject_code,
        };
        let reason =
            if code >= 400 && !terms.reason.is_empty() { terms.reason } else { show(&reason).into_owned() };
        Ok(match code / 100 {
            2 => Verdict::Dunno,
            4 => {
                let why = clip(&reason, 250);
                let text = format!("<{shown}>: {} rejected: unverified address: {why}", terms.class);
                self.defer_or_defer_if_permit(terms.tempfail, code, terms.status, &text)
            }
            _ => {
                let text = format!("<{shown}>: {} rejected: undeliverable address: {reason}", terms.class);
                self.reject(ErrorClass::POLICY, code, terms.status, &text)
            }
        })
    }

    fn verification_terms(&self, name: Name) -> Terms {
        let settings = &self.server.settings;
        if name == Name::RejectUnverifiedSender {
            Terms {
                class: class::SENDER,
                status: "4.1.7",
                defer_code: settings.unverified_sender_defer_code,
                reject_code: settings.unverified_sender_reject_code,
                tempfail: self.server.tempfail.sender,
                reason: settings.unverified_sender_reject_reason.clone(),
            }
        } else {
            Terms {
                class: class::RECIPIENT,
                status: "4.1.1",
                defer_code: settings.unverified_recipient_defer_code,
                reject_code: settings.unverified_recipient_reject_code,
                tempfail: self.server.tempfail.recipient,
                reason: settings.unverified_recipient_reject_reason.clone(),
            }
        }
    }
}
