//! anvil(8) - session counts and request rates of clients.
//!
//! smtpd(8) and postscreen(8) report what each client does; anvil answers how many connections that client has open and
//! how often it did the same within `anvil_rate_time_unit`. What to do about it is for the program that asks.
//!
//! It trusts its clients, which are Ferrofix's own programs, to name the service and the address (`smtp:192.0.2.1`), and
//! nothing else: a request it does not understand is refused, and counts are kept for each program's connection so that
//! one that dies leaves none behind. Memory is bounded by the clients of the last time unit. Counts live in this process
//! alone; when it ends they begin anew, in the clients' favour.
//!
//! [`counts`] holds the arithmetic, without clock or sockets; [`peaks`] the statistics that are logged every
//! `anvil_status_update_time` and at the end.

pub mod counts;
pub mod peaks;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use daemon::{Clients, Connection, Control, Fatal, OnReload, Service, Startup};
use ipc::anvil::{Event, PROTOCOL, Request, refusal};

use crate::counts::Remotes;
use crate::peaks::Peaks;

conf::param_set! {
    /// What anvil(8) reads.
    pub struct AnvilParams { anvil_rate_time_unit, anvil_status_update_time }
}

/// The anvil service.
#[derive(Debug)]
pub struct Anvil {
    params: AnvilParams,
    remotes: RefCell<Remotes>,
    peaks: RefCell<Peaks>,
}

impl Service for Anvil {
    const PROGRAM: &'static str = "anvil";
    const CLIENTS: Clients = Clients::Many;
    // There is one such process, and the next one waits for this one's end; clients make their request again.
    const ON_RELOAD: OnReload = OnReload::EndNow;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let params = AnvilParams::load(&startup.main)?;
        let remotes = RefCell::new(Remotes::new(params.anvil_rate_time_unit));
        let peaks = RefCell::new(Peaks::new(params.anvil_rate_time_unit));
        Ok(Self { params, remotes, peaks })
    }

    async fn begin(self: &Rc<Self>, _control: &Control) -> Result<(), Fatal> {
        let anvil = Rc::clone(self);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(anvil.params.anvil_status_update_time).await;
                anvil.peaks.borrow_mut().report();
                anvil.remotes.borrow_mut().expire(sys::time::now());
            }
        });
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let Some(mut stream) = connection.into_stream() else { return };
        let mut session = Session { anvil: Rc::clone(&self), open: HashMap::new() };
        let ended = async {
            stream.greet(PROTOCOL).await?;
            while let Some(attrs) = stream.receive_or_end().await? {
                let reply = match Request::from_attrs(&attrs) {
                    Ok(request) => session.answer(&request),
                    Err(error) => {
                        log::warning!("unrecognized request {attrs:?}: {error}");
                        refusal()
                    }
                };
                stream.send(&reply).await?;
            }
            ipc::Result::Ok(())
        };
        if let Err(error) = ended.await {
            log::warning!("client: {error}");
        }
    }

    async fn end(self: &Rc<Self>) {
        self.peaks.borrow_mut().report();
    }
}

/// A program that reports events; what it leaves open is closed when it goes.
struct Session {
    anvil: Rc<Anvil>,
    open: HashMap<Vec<u8>, u32>,
}

impl Session {
    fn answer(&mut self, request: &Request) -> ipc::Attrs {
        let mut remotes = self.anvil.remotes.borrow_mut();
        let now = sys::time::now();
        match request.event {
            Event::Connect => *self.open.entry(request.ident.clone()).or_default() += 1,
            Event::Disconnect => {
                let known = self.open.get_mut(&request.ident).is_some_and(|count| {
                    *count -= 1;
                    true
                });
                if !known {
                    return ipc::anvil::Counts::default().reply(request.event);
                }
                self.open.retain(|_, count| *count > 0);
            }
            _ => {}
        }
        let counts = remotes.record(request.event, &request.ident, now);
        self.anvil.peaks.borrow_mut().note(request.event, &request.ident, &counts, remotes.len(), now);
        counts.reply(request.event)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut remotes = self.anvil.remotes.borrow_mut();
        let now = sys::time::now();
        for (ident, count) in self.open.drain() {
            for _ in 0..count {
                remotes.record(Event::Disconnect, &ident, now);
            }
        }
    }
}
