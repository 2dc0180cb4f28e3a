//! ETRN (RFC 1985).

use crate::error_class::ErrorClass;
use crate::restriction::Hangup;
use crate::session::{Handled, Session, Stop};
use crate::text::{clip, show};
use crate::token::Token;
use ipc::flush::Status;

impl Session {
    pub(super) async fn etrn(&mut self, tokens: &[Token]) -> Handled {
        if self.server.settings.smtpd_helo_required && self.helo_name.is_none() {
            return self.refuse(ErrorClass::POLICY, "503 Error: send HELO/EHLO first").await;
        }
        if self.in_transaction() {
            return self.refuse(ErrorClass::PROTOCOL, "503 Error: MAIL transaction in progress").await;
        }
        let [_, argument] = tokens else {
            return self.refuse(ErrorClass::PROTOCOL, "500 Syntax: ETRN domain").await;
        };
        let site = match argument.text.as_slice() {
            [b'@' | b'#', rest @ ..] => rest,
            whole => whole,
        };
        if address::valid_hostname(site).is_err() && address::valid_mailhost_literal(site).is_err() {
            return self.refuse(ErrorClass::PROTOCOL, "501 Error: invalid parameter syntax").await;
        }
        if self.stand_alone {
            log::warning!("do not use ETRN in \"sendmail -bs\" mode");
            return self.fail("458 Unable to queue messages").await;
        }
        let site = show(site).into_owned();
        if let Some(reply) = self.check_etrn(&site).await.map_err(|Hangup| Stop::Quiet)? {
            return self.fail(&reply).await;
        }
        let server = self.server.clone();
        match server.outside.flush_site(&site).await {
            Status::Ok => self.accept("250 Queuing started").await,
            Status::Deny => {
                log::warning!("reject: ETRN {}... from {}", clip(&site, 100), self.peer.namaddr);
                self.fail(&format!("459 <{site}>: service unavailable")).await
            }
            Status::Bad => {
                log::warning!("bad ETRN {}... from {}", clip(&site, 100), self.peer.namaddr);
                self.fail("458 Unable to queue messages").await
            }
            Status::Fail => {
                log::warning!("unable to talk to fast flush service");
                self.fail("458 Unable to queue messages").await
            }
        }
    }
}
