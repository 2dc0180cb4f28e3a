//! Configuration: main.cf, master.cf, `$name` expansion and the parameter registry.
//!
//! Three steps, each with its own error. [`MainCf`] is *text*: what the administrator wrote, with the
//! command line's `-o name=value` on top. A [`param_set!`] is *typed*: the parameters one program reads, each
//! checked against its kind and bounds and with `$name` expanded. What is made of them (open tables, resolved
//! names) is *live*, and belongs to other crates.
//!
//! There is no public get-by-name: a program reads what it declares, and what it declares is what `postconf`
//! knows. The few names that cannot be known in advance (`TRANSPORT_destination_...`) have typed doors:
//! [`transport_int`], [`transport_time`], [`transport_str`].
//!
//! Trust: the files belong to root. A set-gid program must refuse a configuration directory that the
//! default main.cf does not list; see [`authorize_directory`].
//!
//! Failure: every problem is an [`Error`] whose text is Postfix's own, for the caller to log as `fatal:`.

#[macro_use]
mod macros;

pub mod common;
pub mod compat;
pub mod computed;
mod declaration;
pub mod environment;
mod error;
pub mod expand;
pub mod interfaces;
pub mod lines;
mod main_cf;
pub mod master;
pub mod params;
pub mod restriction;
#[cfg(test)]
mod testing;
mod transport;
mod values;

pub use compat::{CompatLevel, compat_level};
pub use declaration::{
    Compute, Declaration, Kind, KindType, Mirror, Param, Spec, ValueOf, kinds, load, load_mirrored,
};
pub use error::{Error, reason};
pub use main_cf::{DEFAULT_DIRECTORY, MainCf, authorize_directory, config_directory};
pub use transport::{named_text, transport_int, transport_int_within, transport_str, transport_time};
pub use values::{flag, number, parse_time, within};

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    param_set! {
        /// What flush(8) reads.
        pub struct FlushParams { fast_flush_domains, fast_flush_refresh_time }
    }

    param_set! {
        mirrored pub struct Mirrored { fast_flush_purge_time }
    }

    param_set! {
        mirrored pub struct Client { smtp_connect_timeout, smtp_tcp_port, mail_name }
    }

    #[test]
    fn mirrored_sets_load() {
        let mut main = MainCf::empty(std::path::Path::new("/etc/postfix"));
        main.set("smtp_connect_timeout", "5s");
        main.set("lmtp_connect_timeout", "7s");
        main.set("smtp_tcp_port", "26");
        let smtp = Client::load_as(&main, Mirror::Smtp).unwrap();
        let lmtp = Client::load_as(&main, Mirror::Lmtp).unwrap();
        assert_eq!((smtp.smtp_connect_timeout.as_secs(), smtp.smtp_tcp_port.as_str()), (5, "26"));
        assert_eq!((lmtp.smtp_connect_timeout.as_secs(), lmtp.smtp_tcp_port.as_str()), (7, "24"));
        main.set("lmtp_connect_timeout", "x");
        let error = Client::load_as(&main, Mirror::Lmtp).unwrap_err().to_string();
        assert_eq!(error, "parameter lmtp_connect_timeout: bad time value or unit: x");
    }

    #[test]
    fn sets_load() {
        let mut main = MainCf::default();
        main.set("fast_flush_refresh_time", "2d");
        let params = FlushParams::load(&main).unwrap();
        assert_eq!(params.fast_flush_refresh_time, Duration::from_secs(2 * 86_400));
        assert_eq!(FlushParams::NAMES, ["fast_flush_domains", "fast_flush_refresh_time"]);
        let params = Mirrored::load_as(&main, Mirror::Lmtp).unwrap();
        assert_eq!(params.fast_flush_purge_time, Duration::from_secs(7 * 86_400));
    }
}
