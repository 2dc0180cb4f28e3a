//! The outside of a server that a user started, as `sendmail -bs` does: nothing but postdrop(1).

use super::{Answer, Outside, Resolved, Space};
use crate::outgoing::{Outgoing, Postdrop};
use conf::MainCf;
use ipc::anvil::{Counts, Event};
use ipc::verify::AddressStatus;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use tokio::process::Command;

/// Parameters about access and recipients: a user's server checks neither, and may not read their tables.
const IRRELEVANT: [&str; 31] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
    "smtpd_etrn_restrictions",
    "smtpd_restriction_classes",
    "local_header_rewrite_clients",
    "local_recipient_maps",
    "relay_recipient_maps",
    "virtual_alias_maps",
    "virtual_mailbox_maps",
    "canonical_maps",
    "sender_canonical_maps",
    "recipient_canonical_maps",
    "rbl_reply_maps",
    "relay_clientcerts",
    "permit_mx_backup_networks",
    "smtpd_discard_ehlo_keyword_address_maps",
    "smtpd_milters",
    "smtpd_milter_maps",
    "smtpd_proxy_filter",
    "smtpd_upstream_proxy_protocol",
    "smtpd_dns_reply_filter",
    "smtpd_authorized_xclient_hosts",
    "smtpd_authorized_xforward_hosts",
    "smtpd_client_event_limit_exceptions",
    "smtpd_forbid_bare_newline_exclusions",
    "mynetworks",
];

/// Takes out of the configuration what does not concern a user's server.
pub fn simplify(main: &mut MainCf) {
    for name in IRRELEVANT {
        main.set(name, "");
    }
    for name in ["smtpd_tls_security_level", "smtpd_tls_wrappermode", "smtpd_use_tls", "smtpd_enforce_tls"] {
        main.set(name, if name == "smtpd_tls_security_level" { "none" } else { "no" });
    }
    main.set("smtpd_sasl_auth_enable", "no");
}

/// The outside of a user's server.
#[derive(Debug)]
pub struct ByHand {
    postdrop: String,
}

impl ByHand {
    /// With the programs in `command_directory`.
    #[must_use]
    pub fn new(command_directory: &str) -> ByHand {
        ByHand { postdrop: format!("{command_directory}/postdrop") }
    }

    async fn start(&self) -> ipc::Result<Outgoing> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let output = OwnedFd::from(theirs.try_clone()?);
        let child = Command::new(&self.postdrop)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(output))
            .spawn()?;
        let stream = ipc::Stream::new(tokio::net::UnixStream::from_std(ours)?)?;
        Ok(Outgoing::Postdrop(Postdrop::greeted(stream, child).await?))
    }
}

impl Outside for ByHand {
    fn resolve<'a>(&'a self, _sender: Option<&'a [u8]>, address: &'a [u8]) -> Answer<'a, Resolved> {
        Box::pin(async move { Resolved { recipient: address.to_vec(), ..Resolved::default() } })
    }

    fn rewrite<'a>(&'a self, address: &'a [u8]) -> Answer<'a, Vec<u8>> {
        Box::pin(async move { address.to_vec() })
    }

    fn event<'a>(&'a self, _: Event, _: &'a str, _: &'a str) -> Answer<'a, Option<Counts>> {
        Box::pin(async { None })
    }

    fn flush_site<'a>(&'a self, _: &'a str) -> Answer<'a, ipc::flush::Status> {
        Box::pin(async { ipc::flush::Status::Fail })
    }

    fn open_mail(&self, _flags: u32) -> Answer<'_, ipc::Result<Outgoing>> {
        Box::pin(self.start())
    }

    fn verify<'a>(&'a self, _: &'a [u8]) -> Answer<'a, Option<(AddressStatus, Vec<u8>)>> {
        Box::pin(async { None })
    }

    fn free_space(&self) -> Result<Space, std::io::Error> {
        Ok(Space { block_size: 1, free_blocks: u64::MAX })
    }
}
