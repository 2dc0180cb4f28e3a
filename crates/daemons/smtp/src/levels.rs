//! Which TLS level and which strictness of REQUIRETLS hold for a server.

use smtp::client::RequireTls;

use crate::addresses::dsn as simple;
use crate::delivery::Delivery;
use crate::envelope::{REQUIRETLS_ESMTP, REQUIRETLS_HEADER};
use crate::tls_policy;

impl Delivery<'_> {
    pub(crate) async fn requiretls_level(&mut self, nexthop: &str) -> bool {
        self.requiretls = RequireTls::No;
        let settings = &self.client.settings;
        if !settings.common.requiretls_enable || self.job.request.sendopts & REQUIRETLS_ESMTP == 0 {
            return true;
        }
        let Some(policy) = &self.client.requiretls else { return true };
        match policy.level(nexthop).await {
            Ok(level) => {
                self.requiretls = level;
                true
            }
            Err(_) => {
                let text =
                    format!("REQUIRETLS policy configuration error. The last attempted server was {nexthop}");
                self.why = Some(simple("4.7.10", text));
                false
            }
        }
    }

    /// Finds the TLS policy for a server; false if it must be left out.
    pub(crate) async fn tls_level(&mut self, nexthop: &str, host: &str) -> bool {
        self.status.reset();
        let common = &self.client.settings.common;
        let sendopts = self.job.request.sendopts;
        let requested = common.requiretls_enable && sendopts & REQUIRETLS_ESMTP != 0;
        let relaxed = common.tls_required_enable && !requested && sendopts & REQUIRETLS_HEADER != 0;
        match tls_policy::find(self.client, nexthop, relaxed).await {
            Ok(policy) => {
                self.status.want_level(policy.level.name());
                let level = policy.level;
                self.policy = Some(policy);
                self.suits_requiretls(level, host)
            }
            Err(why) => {
                self.status.want_level("unknown");
                log::warning!("TLS policy lookup for {nexthop}/{host}: {}", bytes::show(&why.reason));
                self.why = Some(*why);
                false
            }
        }
    }

    fn suits_requiretls(&mut self, level: tls::Level, host: &str) -> bool {
        use crate::feature_status::Verdict::Violation;
        if self.requiretls > RequireTls::No {
            self.status.want_requiretls();
        }
        let problem = match self.requiretls {
            RequireTls::Enforce if !level.must_match() => ("nocertmatch", "certificate matching"),
            RequireTls::OpportunisticTls if level == tls::Level::None => ("noencryption", "encryption"),
            _ => return true,
        };
        self.status.decide_requiretls(problem.0, Violation);
        let text = format!(
            "Sender requested REQUIRETLS, but my configured TLS security level '{level}' disables {}. \
             The last attempted server was {host}",
            problem.1
        );
        self.why = Some(simple("5.7.10", text));
        false
    }
}
