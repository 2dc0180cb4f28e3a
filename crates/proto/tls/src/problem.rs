//! Failed handshakes in the words of OpenSSL, which logs are searched for.

use rustls::{AlertDescription, InvalidMessage, PeerIncompatible};

/// One line: `error:CODE:SSL routines::REASON:FILE:LINE:DATA:`. What OpenSSL has no word for keeps the library's own.
pub(crate) fn describe(error: &rustls::Error) -> String {
    let (code, reason, data) = match error {
        rustls::Error::AlertReceived(alert) => {
            let number = u32::from(u8::from(*alert));
            (1000 + number, alert_reason(*alert), format!("SSL alert number {number}:"))
        }
        rustls::Error::PeerIncompatible(why) => match incompatible(why) {
            Some((code, reason)) => (code, reason.to_owned(), String::new()),
            None => (0, error.to_string(), String::new()),
        },
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => (267, "wrong version number".to_owned(), String::new()),
        rustls::Error::InvalidMessage(InvalidMessage::MessageTooLarge) => {
            (198, "packet length too long".to_owned(), String::new())
        }
        rustls::Error::DecryptError => (281, "decryption failed or bad record mac".to_owned(), String::new()),
        rustls::Error::InappropriateMessage { .. } | rustls::Error::InappropriateHandshakeMessage { .. } => {
            (244, "unexpected message".to_owned(), String::new())
        }
        other => (0, other.to_string(), String::new()),
    };
    format!("error:{:08X}:SSL routines::{reason}:rustls:0:{data}", 0x0A00_0000 | code)
}

fn incompatible(why: &PeerIncompatible) -> Option<(u32, &'static str)> {
    use PeerIncompatible as P;
    Some(match why {
        P::NoCipherSuitesInCommon => (193, "no shared cipher"),
        P::NoKxGroupsInCommon | P::NamedGroupsExtensionRequired | P::KeyShareExtensionRequired => {
            (101, "no suitable key share")
        }
        P::NoSignatureSchemesInCommon | P::SignatureAlgorithmsExtensionRequired => {
            (118, "no suitable signature algorithm")
        }
        P::ServerDoesNotSupportTls12Or13
        | P::ServerTlsVersionIsDisabledByOurConfig
        | P::SupportedVersionsExtensionRequired
        | P::Tls12NotOffered
        | P::Tls12NotOfferedOrEnabled
        | P::Tls13RequiredForQuic => (258, "unsupported protocol"),
        _ => return None,
    })
}

fn alert_reason(alert: AlertDescription) -> String {
    use AlertDescription as A;
    let known = match alert {
        A::UnexpectedMessage => "sslv3 alert unexpected message",
        A::BadRecordMac => "sslv3 alert bad record mac",
        A::HandshakeFailure => "sslv3 alert handshake failure",
        A::BadCertificate => "sslv3 alert bad certificate",
        A::UnsupportedCertificate => "sslv3 alert unsupported certificate",
        A::CertificateRevoked => "sslv3 alert certificate revoked",
        A::CertificateExpired => "sslv3 alert certificate expired",
        A::CertificateUnknown => "sslv3 alert certificate unknown",
        A::IllegalParameter => "sslv3 alert illegal parameter",
        A::UnknownCA => "tlsv1 alert unknown ca",
        A::AccessDenied => "tlsv1 alert access denied",
        A::DecodeError => "tlsv1 alert decode error",
        A::DecryptError => "tlsv1 alert decrypt error",
        A::ProtocolVersion => "tlsv1 alert protocol version",
        A::InsufficientSecurity => "tlsv1 alert insufficient security",
        A::InternalError => "tlsv1 alert internal error",
        A::InappropriateFallback => "tlsv1 alert inappropriate fallback",
        A::UserCanceled => "tlsv1 alert user cancelled",
        A::NoRenegotiation => "tlsv1 alert no renegotiation",
        A::MissingExtension => "tlsv13 alert missing extension",
        A::UnsupportedExtension => "tlsv1 unsupported extension",
        A::UnrecognisedName => "tlsv1 unrecognized name",
        A::CertificateRequired => "tlsv13 alert certificate required",
        other => return format!("alert {}", u8::from(other)),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(
            describe(&rustls::Error::AlertReceived(AlertDescription::UnknownCA)),
            "error:0A000418:SSL routines::tlsv1 alert unknown ca:rustls:0:SSL alert number 48:"
        );
        assert_eq!(
            describe(&rustls::Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon)),
            "error:0A0000C1:SSL routines::no shared cipher:rustls:0:"
        );
        assert_eq!(
            describe(&rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)),
            "error:0A00010B:SSL routines::wrong version number:rustls:0:"
        );
    }
}
