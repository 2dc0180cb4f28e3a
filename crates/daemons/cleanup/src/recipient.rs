//! Envelope recipients on their way into the queue file: virtual aliases and the duplicate filter.

use address::eq_fold;
use dsn::{Dsn, Status as DsnStatus, notify};
use ipc::cleanup::{Status, flags};
use queue::RecordType;
use table::Maps;

use crate::duplicates::Duplicates;
use crate::envelope::TRACE_VERIFY;
use crate::state::Message;

/// A recipient with what was said about it.
#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    pub(crate) dsn_orcpt: Vec<u8>,
    pub(crate) dsn_notify: u32,
    pub(crate) original: Vec<u8>,
    pub(crate) address: Vec<u8>,
}

impl Recipient {
    /// As it travels.
    pub(crate) fn to_ipc(&self, offset: i64) -> ipc::Recipient {
        ipc::Recipient {
            address: self.address.clone(),
            original: self.original.clone(),
            offset,
            dsn_original: self.dsn_orcpt.clone(),
            dsn_notify: self.dsn_notify,
        }
    }
}

impl Message {
    /// Writes a recipient, or those that virtual_alias_maps make of it.
    ///
    /// When one becomes many, RFC 3461 leaves a choice. We pass on what the sender asked for without SUCCESS, and report
    /// the expansion instead.
    pub(crate) async fn out_recipient(&mut self, mut recipient: Recipient) {
        let cx = std::rc::Rc::clone(&self.cx);
        let maps = cx.tables.virtual_alias.as_ref().filter(|_| self.has(flags::MAP_OK));
        let Some(maps) = maps else { return self.put_recipient(&recipient) };
        let expansion = self.map_to_many(maps, &recipient.address).await;
        if expansion.len() > 1 && self.trace_flags & TRACE_VERIFY != 0 {
            // Probes of every member would overwrite each other's result.
            let dsn =
                Dsn::new(DsnStatus::new("2.0.0"), "aliased to multiple recipients").action("deliverable");
            return self.report_deliverable(&recipient, dsn).await;
        }
        let is_expanded = expansion.len() > 1 || expansion.first() != Some(&recipient.address);
        if recipient.dsn_notify & notify::SUCCESS != 0 && is_expanded {
            let dsn = Dsn::new(DsnStatus::new("2.0.0"), "alias expanded").action("expanded");
            self.report_expanded(&recipient, dsn).await;
            recipient.dsn_notify = match recipient.dsn_notify & !notify::SUCCESS {
                0 => notify::NEVER,
                rest => rest,
            };
        }
        for address in expansion {
            recipient.address = address;
            self.put_recipient(&recipient);
        }
    }

    /// Writes a recipient unless it is a duplicate. With enable_original_recipient, recipients that differ in their
    /// original address are not duplicates, since the receiver may tell them apart.
    fn put_recipient(&mut self, recipient: &Recipient) {
        let Recipient { dsn_orcpt, dsn_notify, original, address } = recipient;
        let notify_text = dsn_notify.to_string();
        let is_duplicate = if self.cx.config.params.enable_original_recipient {
            let parts: [&[u8]; 4] = [dsn_orcpt, notify_text.as_bytes(), original, address];
            self.duplicates.insert(&parts.join(&b'\n'))
        } else {
            self.duplicates.insert(address)
        };
        if is_duplicate {
            return;
        }
        if *dsn_notify != 0 {
            self.out_attribute("notify_flags", notify_text.as_bytes());
        }
        if !dsn_orcpt.is_empty() {
            self.out_attribute("dsn_orig_rcpt", dsn_orcpt);
        }
        self.out(RecordType::OriginalRecipient, original);
        self.out(RecordType::Recipient, address);
        self.recipient_count += 1;
    }

    /// The addresses that an alias map makes of one address, in internal form. After an error, the address itself.
    async fn map_to_many(&mut self, maps: &Maps, address: &[u8]) -> Vec<Vec<u8>> {
        match self.expand(maps, address).await {
            Ok(expansion) => expansion,
            Err(status) => {
                self.errors |= status;
                self.reason = Some(b"4.6.0 Alias expansion error".to_vec());
                vec![address.to_vec()]
            }
        }
    }

    async fn expand(&self, maps: &Maps, address: &[u8]) -> Result<Vec<Vec<u8>>, Status> {
        let cx = &self.cx;
        let params = &cx.config.params;
        let [most, deepest, longest] = [
            params.virtual_alias_expansion_limit,
            params.virtual_alias_recursion_limit,
            params.virtual_alias_address_length_limit,
        ]
        .map(crate::config::count);
        let (queue_id, title, shown) = (&self.queue_id, maps.title(), bytes::show(address));
        let mut expansion = vec![address.to_vec()];
        // Addresses that are members of their own expansion are not expanded again.
        let mut selves = Duplicates::new(0);
        let mut next = 0;
        while let Some(member) = expansion.get(next) {
            if expansion.len() > most {
                log::warning!(
                    "{queue_id}: unreasonable {title} map expansion size for {shown} -- message not accepted, \
                     try again later"
                );
                return Err(Status::DEFER);
            }
            let mut current = member.clone();
            let mut depth = 0;
            while !selves.contains(&current) {
                if depth >= deepest {
                    log::warning!(
                        "{queue_id}: unreasonable {title} map nesting for {shown} -- message not accepted, \
                         try again later"
                    );
                    return Err(Status::DEFER);
                }
                let found = match cx.map_internal(maps, &current, cx.config.propagate_virtual).await {
                    Ok(Some(found)) => found,
                    Ok(None) => break,
                    Err(_) => {
                        log::warning!(
                            "{queue_id}: {title} map lookup problem for {shown} -- message not accepted, \
                             try again later"
                        );
                        return Err(Status::WRITE);
                    }
                };
                if let Some(long) = found.iter().find(|result| result.len() > longest) {
                    log::warning!(
                        "{queue_id}: unreasonable {title} result {}... -- message not accepted, try again later",
                        bytes::show_limited(long, 300)
                    );
                    return Err(Status::DEFER);
                }
                if found.iter().any(|result| eq_fold(result, &current)) {
                    selves.insert(&current);
                }
                let mut found = found.into_iter();
                if let Some(first) = found.next() {
                    current = first;
                }
                expansion.extend(found);
                depth += 1;
            }
            if let Some(member) = expansion.get_mut(next) {
                *member = current;
            }
            next += 1;
        }
        Ok(expansion)
    }
}
