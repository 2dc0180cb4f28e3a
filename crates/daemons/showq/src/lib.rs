//! showq(8): lists the mail queue for mailq, postqueue and exporters.
//!
//! Whoever connects gets a listing, without asking: `protocol` = `mail_queue_list_protocol`, then a list of attributes
//! per message with its sender, followed by the recipients that are not done and why, and an empty list at the end. The
//! form is Postfix's to the byte, since other software reads it ([`listing`]).
//!
//! It trusts nothing in a queue file: `maildrop` is written by users. It takes no request, changes nothing, and holds
//! one message's envelope in memory at a time, so a queue of any size can be listed. Files that come and go meanwhile
//! may be missed or seen twice. A damaged file is listed as far as it goes, with a warning in the log. A reader that
//! goes away ends its listing; one that sleeps is waited for as long as `ipc_timeout`, by a thread of its own.

pub mod listing;

use std::rc::Rc;

use daemon::{Clients, Connection, Fatal, Service, Startup};
use queue::{Layout, Spool};

use crate::listing::Listing;

conf::param_set! {
    /// What showq(8) reads.
    pub struct ShowqParams { duplicate_filter_limit, empty_address_recipient, smtputf8_enable, ipc_timeout }
}

/// The service.
#[derive(Debug)]
pub struct Showq {
    params: ShowqParams,
    spool: Spool,
}

impl Service for Showq {
    const PROGRAM: &'static str = "showq";
    const CLIENTS: Clients = Clients::Many;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        if let Some(argument) = startup.options.arguments.first() {
            return Err(Fatal::new(format!("unexpected command-line argument: {argument}")));
        }
        let params = ShowqParams::load(&startup.main)?;
        let spool = Spool::new(&Layout::load(&startup.main)?);
        Ok(Self { params, spool })
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let Connection::Unix(socket) = connection else { return };
        let timeout = Some(self.params.ipc_timeout);
        if let Err(why) = socket.set_nonblocking(false).and_then(|()| socket.set_write_timeout(timeout)) {
            log::warning!("client socket: {}", queue::reason(&why));
            return;
        }
        let listing = Listing {
            spool: self.spool.clone(),
            null_address: self.params.empty_address_recipient.clone().into_bytes(),
            duplicate_limit: usize::try_from(self.params.duplicate_filter_limit).unwrap_or(0),
            text: if self.params.smtputf8_enable { listing::Text::Utf8 } else { listing::Text::Ascii },
        };
        let written = tokio::task::spawn_blocking(move || listing.write(socket)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(listing::Fault::Client(why))) => log::debug!("client: {}", queue::reason(&why)),
            Ok(Err(fault)) => log::fatal!("{fault}"),
            // The panic is logged already.
            Err(_) => {}
        }
    }
}
