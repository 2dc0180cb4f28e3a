//! What the installed mail system does, one behaviour a file.

mod bounce;
mod broken;
mod deferred;
mod g1;
mod g5;
mod guides;
mod instances;
mod limits;
mod logging;
mod lookups;
mod master_children;
mod master_jail;
mod master_limits;
mod master_reload;
mod master_start;
mod relay;
mod reload;
mod start;
mod submission;
mod tables;
mod tls;
mod tls_client;
mod tls_files;
mod tls_kit;
mod tls_server;
mod transport;
