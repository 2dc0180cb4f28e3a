//! A recipient and a delivery status as they travel between queue manager, delivery agents and bounce service.

use dsn::{Dsn, Status};

use crate::{Attrs, Error, Result};

/// An envelope recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// The address to deliver to.
    pub address: Vec<u8>,
    /// The address before alias expansion; empty when `enable_original_recipient` is off.
    pub original: Vec<u8>,
    /// Where its record stands in the queue file; 0 when it has none.
    pub offset: i64,
    /// The sender's own name for it (RFC 3461 ORCPT, `type;xtext`), or empty.
    pub dsn_original: Vec<u8>,
    /// Requested notices, see [`dsn::notify`]; 0 when the sender said nothing.
    pub dsn_notify: u32,
}

impl Recipient {
    /// Adds the recipient to a list.
    pub fn write(&self, attrs: &mut Attrs) {
        attrs.push("original_recipient", &self.original);
        attrs.push("recipient", &self.address);
        attrs.push_number("offset", self.offset);
        attrs.push("dsn_orig_rcpt", &self.dsn_original);
        attrs.push_number("notify_flags", self.dsn_notify.into());
    }

    /// Takes a recipient from a list.
    pub fn read(attrs: &Attrs) -> Result<Self> {
        Ok(Self {
            original: attrs.text("original_recipient")?.to_vec(),
            address: attrs.text("recipient")?.to_vec(),
            offset: attrs.number("offset")?,
            dsn_original: attrs.text("dsn_orig_rcpt")?.to_vec(),
            dsn_notify: attrs.flags("notify_flags")?,
        })
    }
}

/// Adds a delivery status to a list.
pub fn write_dsn(dsn: &Dsn, attrs: &mut Attrs) {
    attrs.push("status", dsn.status.as_str().as_bytes());
    attrs.push("diag_type", dsn.dtype.as_bytes());
    attrs.push("diag_text", &dsn.dtext);
    attrs.push("mta_type", dsn.mtype.as_bytes());
    attrs.push("mta_mname", &dsn.mname);
    attrs.push("action", dsn.action.as_bytes());
    attrs.push("reason", &dsn.reason);
}

/// Takes a delivery status from a list; an empty status code is the default one.
pub fn read_dsn(attrs: &Attrs) -> Result<Dsn> {
    let status = match attrs.text("status")? {
        b"" => Status::default(),
        text => Status::parse(text).ok_or(Error::Malformed("status"))?,
    };
    Ok(Dsn {
        status,
        dtype: word(attrs, "diag_type")?,
        dtext: attrs.text("diag_text")?.to_vec(),
        mtype: word(attrs, "mta_type")?,
        mname: attrs.text("mta_mname")?.to_vec(),
        action: word(attrs, "action")?,
        reason: attrs.text("reason")?.to_vec(),
    })
}

fn word(attrs: &Attrs, name: &'static str) -> Result<String> {
    String::from_utf8(attrs.text(name)?.to_vec()).map_err(|_| Error::Malformed(name))
}
