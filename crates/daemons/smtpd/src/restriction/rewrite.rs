//! `local_header_rewrite_clients`: whose incomplete addresses are completed with this host's domain.

use super::Name;
use crate::error_class::ErrorClass;
use crate::session::Session;

impl Session {
    /// Chooses the context in which addresses in headers are rewritten; the error is a reply.
    pub(crate) async fn choose_rewrite_context(&mut self) -> Result<(), &'static str> {
        let server = self.server.clone();
        let mut cursor = server.rules.local_rewrite_clients.cursor();
        while let Some(word) = cursor.take() {
            let result = if word.text.contains(':') {
                self.is_rewrite_client(&word.text).await
            } else if word.text.eq_ignore_ascii_case("check_address_map") {
                match cursor.take() {
                    Some(table) if table.text.contains(':') => self.is_rewrite_client(&table.text).await,
                    _ => {
                        log::warning!(
                            "restriction check_address_map: bad argument \"{}\": need maptype:mapname",
                            word.text
                        );
                        Err(table::Error::config("local_header_rewrite_clients"))
                    }
                }
            } else {
                match word.name {
                    Some(Name::PermitInetInterfaces) => Ok(self.is_own_address()),
                    Some(Name::PermitMynetworks) => self.in_mynetworks().await,
                    Some(Name::PermitSaslAuthenticated) => Ok(self.login.is_some()),
                    Some(name @ (Name::PermitTlsAllClientcerts | Name::PermitTlsClientcerts)) => {
                        self.trusts_certificate(name).await
                    }
                    _ => {
                        log::warning!(
                            "parameter local_header_rewrite_clients: invalid request: {}",
                            word.text
                        );
                        Ok(false)
                    }
                }
            };
            match result {
                Ok(true) => {
                    self.rewrite_context = "local";
                    return Ok(());
                }
                Ok(false) => {}
                Err(error) => {
                    let (trouble, reply) = if error.is_config() {
                        (ErrorClass::SOFTWARE, "451 4.3.5 Server configuration error")
                    } else {
                        (ErrorClass::RESOURCE, "451 4.3.0 Temporary lookup error")
                    };
                    self.error_mask.add(trouble);
                    self.log_whatsup("reject", reply);
                    return Err(reply);
                }
            }
        }
        self.rewrite_context = "remote";
        Ok(())
    }

    async fn is_rewrite_client(&self, table: &str) -> Result<bool, table::Error> {
        match self.server.rules.tables.get(table) {
            Some(maps) => Ok(maps.find(self.peer.address.as_bytes()).await?.is_some()),
            None => Err(table::Error::config(table)),
        }
    }
}
