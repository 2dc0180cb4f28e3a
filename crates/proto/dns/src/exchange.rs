//! One question to the name servers, with retries as in resolv.conf(5).

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{DnsRequest, DnsRequestOptions, Message, Query, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{Name, Record, RecordType};
use hickory_resolver::config::{NameServerConfig, ResolverOpts, ServerOrderingStrategy};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};

use crate::config::ResolvConf;

const EDNS_SIZE: u16 = 4096;

/// What the servers said, in the words of the C library's `h_errno`.
pub(crate) enum Said {
    Reply(Box<Message>),
    /// No such name, or no such record (`nxdomain` false).
    Nothing {
        nxdomain: bool,
        authority: Option<Box<Record<SOA>>>,
    },
    TryAgain {
        rcode: u16,
    },
    Refused {
        rcode: u16,
    },
}

/// Whether DNSSEC status is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dnssec {
    #[default]
    Ignore,
    Request,
}

/// The servers, each with its own pool, so that each gets its own time.
pub(crate) struct Servers {
    pools: Vec<NameServerPool<TokioRuntimeProvider>>,
    attempts: u32,
    rotate: bool,
    edns: bool,
    next: Cell<usize>,
}

impl Servers {
    pub(crate) fn new(conf: &ResolvConf) -> Self {
        Self {
            pools: conf.servers.iter().filter_map(|&ip| pool(ip, conf.port, conf.timeout)).collect(),
            attempts: conf.attempts,
            rotate: conf.rotate,
            edns: conf.edns,
            next: Cell::new(0),
        }
    }

    pub(crate) async fn ask(&self, name: &Name, kind: RecordType, dnssec: Dnssec) -> Said {
        let edns = self.edns || dnssec == Dnssec::Request;
        match self.rounds(name, kind, dnssec, edns).await {
            // A server that knows nothing of EDNS gets the question again in its own language.
            Said::Refused { rcode } if edns && rcode == u16::from(ResponseCode::FormErr) => {
                self.rounds(name, kind, dnssec, false).await
            }
            said => said,
        }
    }

    async fn rounds(&self, name: &Name, kind: RecordType, dnssec: Dnssec, edns: bool) -> Said {
        let start = self.next.get();
        if self.rotate {
            self.next.set(start.wrapping_add(1));
        }
        let mut rcode = u16::from(ResponseCode::ServFail);
        for _ in 0..self.attempts {
            for at in 0..self.pools.len() {
                let pool = &self.pools[start.wrapping_add(at) % self.pools.len()];
                match pool.send(request(name, kind, dnssec, edns)).first_answer().await {
                    Ok(reply) if reply.metadata.response_code == ResponseCode::NoError => {
                        return Said::Reply(Box::new(reply.into_message()));
                    }
                    // A name that does not exist but has an alias: the alias is the answer.
                    Ok(reply) if reply.metadata.response_code == ResponseCode::NXDomain => {
                        return Said::Nothing {
                            nxdomain: true,
                            authority: reply.soa().map(|soa| Box::new(soa.to_owned())),
                        };
                    }
                    Ok(reply) => return Said::Refused { rcode: u16::from(reply.metadata.response_code) },
                    Err(NetError::Dns(DnsError::NoRecordsFound(NoRecords {
                        soa, response_code, ..
                    }))) => {
                        return Said::Nothing {
                            nxdomain: response_code == ResponseCode::NXDomain,
                            authority: soa,
                        };
                    }
                    Err(NetError::Dns(DnsError::ResponseCode(code))) => match code {
                        ResponseCode::ServFail | ResponseCode::NotImp | ResponseCode::Refused => {
                            rcode = u16::from(code)
                        }
                        other => return Said::Refused { rcode: u16::from(other) },
                    },
                    Err(error) => log::debug!("dns: {name} ({kind}): {error}"),
                }
            }
        }
        Said::TryAgain { rcode }
    }
}

fn pool(ip: IpAddr, port: u16, timeout: Duration) -> Option<NameServerPool<TokioRuntimeProvider>> {
    let mut server = NameServerConfig::udp_and_tcp(ip);
    for connection in &mut server.connections {
        connection.port = port;
    }
    let mut options = ResolverOpts::default();
    options.timeout = timeout;
    options.attempts = 1;
    options.cache_size = 0;
    options.num_concurrent_reqs = 1;
    options.max_active_requests = 1024;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    let tls = TlsConfig::new().ok()?;
    Some(NameServerPool::from_config(
        [server],
        Arc::new(PoolContext::new(options, tls)),
        TokioRuntimeProvider::default(),
    ))
}

fn request(name: &Name, kind: RecordType, dnssec: Dnssec, edns: bool) -> DnsRequest {
    let mut options = DnsRequestOptions::default();
    options.use_edns = edns;
    options.edns_payload_len = EDNS_SIZE;
    options.edns_set_dnssec_ok = edns && dnssec == Dnssec::Request;
    let mut request = DnsRequest::from_query(Query::query(name.clone(), kind), options);
    request.metadata.authentic_data = dnssec == Dnssec::Request;
    request
}
