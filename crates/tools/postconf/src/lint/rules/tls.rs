//! TLS of the SMTP server: certificates that nobody sees, and TLS without a certificate.

use crate::lint::config::{Config, Scope};
use crate::lint::report::Report;

const CERTIFICATES: [&str; 4] =
    ["smtpd_tls_chain_files", "smtpd_tls_cert_file", "smtpd_tls_eccert_file", "smtpd_tls_dcert_file"];

/// Whether a server offers TLS.
fn is_offered(scope: &Scope<'_>) -> bool {
    let level = scope.text("smtpd_tls_security_level");
    match level.as_str() {
        "" => {
            scope.is_on("smtpd_use_tls")
                || scope.is_on("smtpd_enforce_tls")
                || scope.is_on("smtpd_tls_wrappermode")
        }
        level => level != "none",
    }
}

fn certificate(scope: &Scope<'_>) -> Option<&'static str> {
    CERTIFICATES.into_iter().find(|name| !matches!(scope.text(name).as_str(), "" | "none"))
}

/// A certificate is set, but no server offers TLS.
pub(crate) fn not_offered(config: &Config, report: &mut Report) {
    let scopes = config.smtpd_scopes();
    if scopes.iter().any(is_offered) || config.scopes_of("tlsproxy").next().is_some() {
        return;
    }
    for scope in scopes {
        if let Some(name) = certificate(&scope) {
            let what = "a certificate, but no server offers TLS".to_owned();
            let why = "STARTTLS is offered only with a security level";
            report.warning(&scope.spot(name), what, why, "smtpd_tls_security_level = may");
        }
    }
}

/// TLS is offered, but there is no certificate.
pub(crate) fn without_certificate(config: &Config, report: &mut Report) {
    for scope in config.smtpd_scopes() {
        if is_offered(&scope) && certificate(&scope).is_none() {
            let names =
                ["smtpd_tls_security_level", "smtpd_use_tls", "smtpd_tls_wrappermode", "smtpd_enforce_tls"];
            let name = names.into_iter().find(|name| scope.setting(name).is_some());
            let why = "the server logs \"No server certs available. TLS won't be enabled\" and offers none";
            let mend = "set smtpd_tls_chain_files, or smtpd_tls_cert_file and smtpd_tls_key_file";
            let spot = scope.spot(name.unwrap_or("smtpd_tls_security_level"));
            report.warning(&spot, "TLS without a certificate".to_owned(), why, mend);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::{MASTER, lines};

    #[test]
    fn certificates_without_tls() {
        let main = "smtpd_tls_cert_file = /a\nsmtpd_tls_key_file = /b\n";
        assert_eq!(
            lines("tls-not-offered", main, MASTER),
            ["warning 1 smtpd_tls_cert_file: a certificate, but no server offers TLS"]
        );
        for offer in ["smtpd_tls_security_level = may\n", "smtpd_use_tls = yes\n"] {
            assert!(lines("tls-not-offered", &format!("{main}{offer}"), MASTER).is_empty(), "{offer}");
        }
        let submission =
            "smtp inet n - n - - smtpd\n587 inet n - n - - smtpd -o smtpd_tls_security_level=encrypt\n";
        assert!(lines("tls-not-offered", main, submission).is_empty());
        assert!(lines("tls-not-offered", "", MASTER).is_empty());
    }

    #[test]
    fn tls_without_certificates() {
        let submission =
            "smtp inet n - n - - smtpd\n587 inet n - n - - smtpd\n -o smtpd_tls_security_level=encrypt\n";
        assert_eq!(
            lines("tls-without-certificate", "", submission),
            ["warning 3 587/inet/smtpd_tls_security_level: TLS without a certificate"]
        );
        assert!(lines("tls-without-certificate", "smtpd_tls_chain_files = /a\n", submission).is_empty());
    }
}
