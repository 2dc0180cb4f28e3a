//! The stages of a session, with the words for them.

/// What the client has sent last, or waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The server's greeting.
    Greeting,
    /// EHLO.
    Ehlo,
    /// HELO.
    Helo,
    /// LHLO.
    Lhlo,
    /// STARTTLS.
    StartTls,
    /// XFORWARD with name, address and port.
    XforwardName,
    /// XFORWARD with protocol, HELO name and identity.
    XforwardProto,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// The message itself.
    Body,
    /// The end of the message.
    Dot,
    /// RSET at the end of a transaction without delivery.
    Abort,
    /// RSET to find out whether a connection is still alive.
    Rset,
    /// QUIT.
    Quit,
}

impl Stage {
    /// What goes after "lost connection with ... while" and "timed out while".
    pub fn activity(self) -> &'static str {
        match self {
            Self::Greeting => "receiving the initial server greeting",
            Self::Ehlo => "performing the EHLO handshake",
            Self::Helo => "performing the HELO handshake",
            Self::Lhlo => "performing the LHLO handshake",
            Self::StartTls => "receiving the STARTTLS response",
            Self::XforwardName => "sending XFORWARD name/address",
            Self::XforwardProto => "sending XFORWARD protocol/helo_name",
            Self::Mail => "sending MAIL FROM",
            Self::Rcpt => "sending RCPT TO",
            Self::Data => "sending DATA command",
            Self::Body => "sending message body",
            Self::Dot => "sending end of data -- message may be sent more than once",
            Self::Abort => "sending final RSET",
            Self::Rset => "sending RSET probe",
            Self::Quit => "sending QUIT",
        }
    }

    /// What goes after "in reply to".
    pub fn command(self) -> &'static str {
        match self {
            Self::Greeting => "initial server greeting",
            Self::Ehlo => "EHLO command",
            Self::Helo => "HELO command",
            Self::Lhlo => "LHLO command",
            Self::StartTls => "STARTTLS command",
            Self::XforwardName => "XFORWARD name/address command",
            Self::XforwardProto => "XFORWARD helo/protocol command",
            Self::Mail => "MAIL FROM command",
            Self::Rcpt => "RCPT TO command",
            Self::Data => "DATA command",
            Self::Body | Self::Dot => "end of DATA command",
            Self::Abort => "final RSET command",
            Self::Rset => "RSET probe",
            Self::Quit => "QUIT command",
        }
    }
}
