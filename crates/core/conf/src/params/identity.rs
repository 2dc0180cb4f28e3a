//! Who this system is: names, networks, and the mail it is responsible for.

use crate::{Error, MainCf};

params! {
    /// Network interface addresses on which mail is received, as names or addresses; `all` and `loopback-only`
    /// are understood.
    inet_interfaces: Str = "all";

    /// Internet protocols to use when making or accepting connections: `ipv4`, `ipv6`, or `all`.
    inet_protocols: Str = "all";

    /// The name of the mail system as it appears in Received: headers, greetings and bounces.
    mail_name: Str = "Postfix", min 1;

    /// Release date of this version, as YYYYMMDD.
    mail_release_date: Str = "20260809", min 1;

    /// Version of the mail system.
    mail_version: Str = "3.11.6", min 1;

    /// Domains whose mail is delivered by `local_transport`: names, file names, or tables. Virtual domains do not
    /// belong here.
    mydestination: Str = "$myhostname, localhost.$mydomain, localhost";

    /// The domain of this system: by default `myhostname` without its first label.
    mydomain: Str = "", computed crate::computed::domain, min 1;

    /// The fully qualified name of this mail system, from which many other defaults follow.
    myhostname: Str = "", computed crate::computed::hostname, min 1;

    /// Networks of trusted clients, as address/length patterns, files, or tables. Clients in them may relay under
    /// `permit_mynetworks`.
    mynetworks: Str = "", computed crate::computed::networks;

    /// How the default of `mynetworks` is made from the interface addresses: `host`, `subnet`, or `class`.
    mynetworks_style: Str = "${{$compatibility_level} <level {2} ? {subnet} : {host}}", min 1;

    /// Domain that completes an address without one in mail that originates here. A value with a leading slash
    /// names a file whose first line is used.
    myorigin: Str = "$myhostname", min 1;

    /// Process id of the program that evaluates the configuration. Cannot be set.
    process_id: Int = "0", computed own_process_id;

    /// Name of the program that evaluates the configuration. Cannot be set.
    process_name: Str = "", computed own_process_name;

    /// Addresses of a proxy or address translator in front of this system; mail for them is mail for this host.
    proxy_interfaces: Str = "";

    /// Characters that may separate a user name from its extension (`user+tag`). The first one found in the
    /// address counts.
    recipient_delimiter: Str = "";

    /// The master.cf service that the program runs as. Cannot be set.
    service_name: Str = "amnesiac";
}

/// The process id of whoever asks.
fn own_process_id(_: &MainCf) -> Result<String, Error> {
    Ok(std::process::id().to_string())
}

/// The base name under which the program was started.
fn own_process_name(_: &MainCf) -> Result<String, Error> {
    let path = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&path).file_name().unwrap_or_default();
    Ok(name.to_string_lossy().into_owned())
}
