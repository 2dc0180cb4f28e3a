//! What the installed mail system does, one behaviour a file.

mod relay;
mod tls_client;
mod tls_files;
mod tls_kit;
mod tls_server;
