//! proxymap(8) - tables that are open for all, as `proxy:type:name`.
//!
//! Daemons in a chroot, or many of them, use a table here instead of opening it themselves: one connection to a database
//! serves all. As `proxymap` it reads, as `proxywrite` it reads and writes.
//!
//! A client may name only tables that `proxy_read_maps` or `proxy_write_maps` lists with `proxy:` in front; a request for
//! another is denied and logged, since whoever can connect could otherwise read any file this process can. A table that
//! cannot answer makes the request a temporary error. A client that waits for a slow server does not hold up the others.
//!
//! [`approval`] finds the approved tables in the lists. `proxymap -SVn export-all-proxymap` shows those that
//! `proxy_read_maps` refers to with or without `proxy:`, `export-proxy-proxymap` those with; the same goes for `proxywrite`.

pub mod approval;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::rc::Rc;

use conf::MainCf;
use daemon::{Clients, Connection, Control, Fatal, OnReload, Service, Startup};
use ipc::Attrs;
use table::{Env, Error, Flags, Mode, Seek, Table, Update};

use crate::approval::{Approved, Which};

conf::param_set! {
    /// What proxymap(8) reads.
    pub struct ProxymapParams {
        proxy_read_maps, proxy_write_maps, proxymap_service_name, proxywrite_service_name, smtpd_restriction_classes,
    }
}

const PROTOCOL: &str = "proxymap_protocol";

/// How a request ended, as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok = 0,
    NoKey = 1,
    Retry = 2,
    Bad = 3,
    Deny = 4,
    Config = 5,
}

/// The proxymap or the proxywrite service.
pub struct Proxymap {
    env: Rc<Env>,
    approved: Approved,
    access: Access,
    is_export: bool,
    open: RefCell<HashMap<(String, u32), Table>>,
    control: RefCell<Option<Control>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Service for Proxymap {
    const PROGRAM: &'static str = "proxymap";
    const CLIENTS: Clients = Clients::Many;
    // Clients keep their connections for long, and make their request again.
    const ON_RELOAD: OnReload = OnReload::EndNow;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let service = startup.options.service.as_str();
        let (which, is_export, service) = match service.strip_prefix("export-") {
            Some(export) => match export.split_once('-') {
                Some(("all", service)) => (Which::All, true, service),
                Some(("proxy", service)) => (Which::Proxied, true, service),
                _ => (Which::Proxied, false, service),
            },
            None => (Which::Proxied, false, service),
        };
        let params = match is_export {
            true => ProxymapParams::load(&without_own_tables(&startup.main))?,
            false => ProxymapParams::load(&startup.main)?,
        };
        let mut approved = Approved::new(which);
        let access = if service == "proxywrite" || service == params.proxywrite_service_name {
            approved.read(&params.proxy_write_maps, "proxy_write_maps");
            Access::Write
        } else if service == "proxymap" || service == params.proxymap_service_name {
            approved.read(&params.proxy_read_maps, "proxy_read_maps");
            for class in bytes::list::split(&params.smtpd_restriction_classes, bytes::list::SEPARATORS) {
                if startup.main.is_set(class) {
                    approved
                        .read(&startup.main.expand(&format!("${{{class}}}"))?, "smtpd_restriction_classes");
                }
            }
            Access::Read
        } else {
            return Err(Fatal::new(format!(
                "invalid service name: \"{service}\" - service name must be \"proxywrite\" or \"proxymap\""
            )));
        };
        Ok(Self {
            env: Env::load(&startup.main)?,
            approved,
            access,
            is_export,
            open: RefCell::default(),
            control: RefCell::default(),
        })
    }

    async fn begin(self: &Rc<Self>, control: &Control) -> Result<(), Fatal> {
        *self.control.borrow_mut() = Some(control.clone());
        if self.is_export {
            let mut out = std::io::stdout().lock();
            out.write_all(self.approved.lines().as_bytes()).and_then(|()| out.flush())?;
        }
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        // Who wanted to see the approved tables has seen them.
        if self.is_export {
            return;
        }
        let Some(mut stream) = connection.into_stream() else { return };
        let conversation = async {
            stream.greet(PROTOCOL).await?;
            while let Some(request) = stream.receive_or_end().await? {
                self.end_when_tables_change();
                let reply = self.answer(&request).await;
                stream.send(&reply).await?;
            }
            ipc::Result::Ok(())
        };
        if let Err(error) = conversation.await {
            log::warning!("client: {error}");
        }
    }
}

/// COMPAT: Postfix's proxymap(8) knows no default of these parameters, all of them tables that are their own contents; an
/// export has them only when they are set. Test: `cases_of_postfix`.
fn without_own_tables(main: &MainCf) -> MainCf {
    const OWN_TABLES: [&str; 7] = [
        "authorized_flush_users",
        "authorized_mailq_users",
        "authorized_submit_users",
        "local_login_sender_maps",
        "postscreen_allowlist_interfaces",
        "smtp_requiretls_policy",
        "smtpd_sasl_mechanism_filter",
    ];
    let mut main = main.clone();
    for name in OWN_TABLES {
        if !main.is_set(name) {
            main.set(name, "");
        }
    }
    main
}

impl Proxymap {
    async fn answer(&self, request: &Attrs) -> Attrs {
        let operation = match request.text("request") {
            Ok(name) => name.to_vec(),
            Err(error) => {
                log::warning!("bad request: {error}");
                return reply(Status::Bad, Flags::NONE);
            }
        };
        match operation.as_slice() {
            b"open" => match self.table(request) {
                Ok(table) => reply(Status::Ok, table.flags()),
                Err(status) => reply(status, Flags::NONE),
            },
            b"lookup" => self.look_up(request).await,
            b"sequence" => self.step(request).await,
            b"update" | b"delete" => self.change(request, &operation).await,
            other => {
                log::warning!("unrecognized request: \"{}\", ignored", bytes::show(other));
                Attrs::new().int("status", Status::Bad as i32)
            }
        }
    }

    async fn look_up(&self, request: &Attrs) -> Attrs {
        let nothing = |status, flags| reply(status, flags).str("value", "");
        let (Ok(key), Ok(_)) = (request.text("key"), request.flags("flags")) else {
            return nothing(Status::Bad, Flags::NONE);
        };
        let table = match self.table(request) {
            Ok(table) => table,
            Err(status) => return nothing(status, Flags::NONE),
        };
        match table.lookup(key).await {
            Ok(Some(value)) => reply(Status::Ok, table.flags()).str("value", value),
            Ok(None) => nothing(Status::NoKey, table.flags()),
            Err(error) => nothing(status_of(&error), table.flags()),
        }
    }

    async fn step(&self, request: &Attrs) -> Attrs {
        let nothing = |status, flags| reply(status, flags).str("key", "").str("value", "");
        let seek = match request.int32("function") {
            Ok(0) => Seek::First,
            Ok(1) => Seek::Next,
            _ => return nothing(Status::Bad, Flags::NONE),
        };
        let table = match self.table(request) {
            Ok(table) => table,
            Err(status) => return nothing(status, Flags::NONE),
        };
        match table.sequence(seek).await {
            Ok(Some((key, value))) => reply(Status::Ok, table.flags()).str("key", key).str("value", value),
            Ok(None) => nothing(Status::NoKey, table.flags()),
            Err(error) => nothing(status_of(&error), table.flags()),
        }
    }

    async fn change(&self, request: &Attrs, operation: &[u8]) -> Attrs {
        let Ok(key) = request.text("key") else { return reply(Status::Bad, Flags::NONE) };
        if self.access == Access::Read {
            let (name, operation) = (request.text("table").unwrap_or_default(), bytes::show(operation));
            log::warning!("refusing {} {operation} request on non-proxywrite service", bytes::show(name));
            return reply(Status::Deny, Flags::NONE);
        }
        let table = match self.table(request) {
            Ok(table) => table,
            Err(status) => return reply(status, Flags::NONE),
        };
        let outcome = if operation == b"delete" {
            table.delete(key).await
        } else {
            let Ok(value) = request.text("value") else { return reply(Status::Bad, Flags::NONE) };
            table.update(key, value).await.map(|update| update == Update::Stored)
        };
        match outcome {
            Ok(true) => reply(Status::Ok, table.flags()),
            Ok(false) => reply(Status::NoKey, table.flags()),
            Err(error) => reply(status_of(&error), table.flags()),
        }
    }

    /// The table that a request names, if it is approved; opened when it is used for the first time.
    fn table(&self, request: &Attrs) -> Result<Table, Status> {
        let (Ok(name), Ok(bits)) = (request.text("table"), request.flags("instance_flags")) else {
            return Err(Status::Bad);
        };
        let mut name = std::str::from_utf8(name).map_err(|_| Status::Bad)?;
        while let Some(inner) = name.strip_prefix("proxy:") {
            name = inner;
        }
        if !name.contains(':') {
            return Err(Status::Bad);
        }
        let (access, parameter) = match self.access {
            Access::Read => ("read-only", "proxy_read_maps"),
            Access::Write => ("read-write", "proxy_write_maps"),
        };
        if !self.approved.contains(name) {
            log::warning!("request for unapproved table: \"{name}\"");
            log::warning!(
                "to approve this table for {access} access, list proxy:{name} in main.cf:{parameter}"
            );
            return Err(Status::Deny);
        }
        let key = (name.to_owned(), bits);
        if let Some(table) = self.open.borrow().get(&key) {
            return Ok(table.clone());
        }
        // A table within the table is opened here, too.
        let mut flags = Flags::from_bits(bits) | Flags::NO_PROXY;
        let mode = match self.access {
            Access::Read => Mode::Read,
            Access::Write => {
                flags |= Flags::SYNC_UPDATE | Flags::DUP_REPLACE;
                // A cache comes into being when it is first used.
                Mode::Create
            }
        };
        let table = Table::open_mode(name, &self.env, mode, flags);
        self.open.borrow_mut().insert(key, table.clone());
        Ok(table)
    }

    // Master starts another process, which opens the tables as they are now.
    fn end_when_tables_change(&self) {
        if let Some(table) = self.env.changed_table()
            && let Some(control) = self.control.borrow_mut().take()
        {
            log::info!("table {table} has changed -- restarting");
            control.retire();
        }
    }
}

fn reply(status: Status, flags: Flags) -> Attrs {
    Attrs::new().int("status", status as i32).int("flags", flags.bits())
}

fn status_of(error: &Error) -> Status {
    match error {
        Error::Config { .. } => Status::Config,
        _ => Status::Retry,
    }
}
