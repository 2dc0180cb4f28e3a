//! The names of access restrictions, for the server that runs them and for whoever checks the lists.

macro_rules! names {
    ($($variant:ident $text:literal $(| $alias:literal)*,)*) => {
        /// A restriction that Postfix knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl Name {
            /// Every name in main.cf, also the older ones, with what it stands for.
            pub const ALL: &'static [(&'static str, Name)] =
                &[$(($text, Name::$variant), $(($alias, Name::$variant),)*)*];

            /// Its name in main.cf.
            pub fn text(self) -> &'static str {
                match self { $(Name::$variant => $text,)* }
            }
        }
    };
}

names! {
    Permit "permit",
    Reject "reject",
    Defer "defer",
    DeferIfPermit "defer_if_permit",
    DeferIfReject "defer_if_reject",
    WarnIfReject "warn_if_reject",
    Sleep "sleep",
    RejectUnauthPipelining "reject_unauth_pipelining",
    RejectPlaintextSession "reject_plaintext_session",
    CheckPolicyService "check_policy_service",

    RejectUnknownClientHostname "reject_unknown_client_hostname" | "reject_unknown_client",
    RejectUnknownReverseClientHostname "reject_unknown_reverse_client_hostname",
    PermitInetInterfaces "permit_inet_interfaces",
    PermitMynetworks "permit_mynetworks",
    CheckClientAccess "check_client_access",
    CheckReverseClientAccess "check_reverse_client_hostname_access",
    RejectMapsRbl "reject_maps_rbl",
    RejectRblClient "reject_rbl_client" | "reject_rbl",
    PermitDnswlClient "permit_dnswl_client",
    RejectRhsblClient "reject_rhsbl_client",
    PermitRhswlClient "permit_rhswl_client",
    RejectRhsblReverseClient "reject_rhsbl_reverse_client",
    CheckCcertAccess "check_ccert_access",
    CheckSaslAccess "check_sasl_access",
    CheckClientNsAccess "check_client_ns_access",
    CheckClientMxAccess "check_client_mx_access",
    CheckClientAAccess "check_client_a_access",
    CheckReverseClientNsAccess "check_reverse_client_hostname_ns_access",
    CheckReverseClientMxAccess "check_reverse_client_hostname_mx_access",
    CheckReverseClientAAccess "check_reverse_client_hostname_a_access",

    CheckHeloAccess "check_helo_access",
    RejectInvalidHeloHostname "reject_invalid_helo_hostname" | "reject_invalid_hostname",
    RejectUnknownHeloHostname "reject_unknown_helo_hostname" | "reject_unknown_hostname",
    PermitNakedIpAddress "permit_naked_ip_address",
    CheckHeloNsAccess "check_helo_ns_access",
    CheckHeloMxAccess "check_helo_mx_access",
    CheckHeloAAccess "check_helo_a_access",
    RejectNonFqdnHeloHostname "reject_non_fqdn_helo_hostname" | "reject_non_fqdn_hostname",
    RejectRhsblHelo "reject_rhsbl_helo",

    CheckSenderAccess "check_sender_access",
    RejectUnknownSenderDomain "reject_unknown_sender_domain" | "reject_unknown_address",
    RejectUnverifiedSender "reject_unverified_sender",
    RejectNonFqdnSender "reject_non_fqdn_sender",
    RejectSenderLoginMismatch "reject_sender_login_mismatch",
    RejectAuthenticatedSenderLoginMismatch "reject_authenticated_sender_login_mismatch",
    RejectKnownSenderLoginMismatch "reject_known_sender_login_mismatch",
    RejectUnauthenticatedSenderLoginMismatch "reject_unauthenticated_sender_login_mismatch",
    CheckSenderNsAccess "check_sender_ns_access",
    CheckSenderMxAccess "check_sender_mx_access",
    CheckSenderAAccess "check_sender_a_access",
    RejectRhsblSender "reject_rhsbl_sender",
    RejectUnlistedSender "reject_unlisted_sender",

    CheckRecipientAccess "check_recipient_access",
    PermitMxBackup "permit_mx_backup",
    PermitAuthDestination "permit_auth_destination",
    RejectUnauthDestination "reject_unauth_destination",
    DeferUnauthDestination "defer_unauth_destination",
    CheckRelayDomains "check_relay_domains",
    PermitSaslAuthenticated "permit_sasl_authenticated",
    PermitTlsAllClientcerts "permit_tls_all_clientcerts",
    PermitTlsClientcerts "permit_tls_clientcerts",
    RejectUnknownRecipientDomain "reject_unknown_recipient_domain",
    RejectNonFqdnRecipient "reject_non_fqdn_recipient",
    CheckRecipientNsAccess "check_recipient_ns_access",
    CheckRecipientMxAccess "check_recipient_mx_access",
    CheckRecipientAAccess "check_recipient_a_access",
    RejectRhsblRecipient "reject_rhsbl_recipient",
    RejectUnlistedRecipient "reject_unlisted_recipient" | "check_recipient_maps",
    RejectMultiRecipientBounce "reject_multi_recipient_bounce",
    RejectUnverifiedRecipient "reject_unverified_recipient",

    CheckEtrnAccess "check_etrn_access",
}

impl Name {
    /// The restriction of that name, in any case.
    pub fn parse(word: &str) -> Option<Name> {
        Self::ALL.iter().find(|(text, _)| text.eq_ignore_ascii_case(word)).map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_are_aliases() {
        assert_eq!(Name::parse("Reject_Unknown_Hostname"), Some(Name::RejectUnknownHeloHostname));
        assert_eq!(Name::parse("check_recipient_maps"), Some(Name::RejectUnlistedRecipient));
        assert_eq!(Name::parse("permit_nakid_ip_address"), None);
        assert_eq!(Name::RejectRblClient.text(), "reject_rbl_client");
    }
}
