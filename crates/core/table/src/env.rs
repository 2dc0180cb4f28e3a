//! What all tables of a process share: settings, and the tables that are open.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::rc::{Rc, Weak};

use crate::client::Peer;
use crate::flags::{Flags, Mode};
use crate::open::Opener;
use crate::table::Inner;
use crate::types::ProxyPool;

/// Settings of the table code, and the registry of open tables: the same table is opened once.
pub struct Env {
    /// Where main.cf was read.
    pub config_directory: PathBuf,
    /// main.cf, for the settings of database clients that are written there.
    pub main: conf::MainCf,
    /// Where the daemons' sockets are.
    pub queue_directory: PathBuf,
    /// The type of tables that are named without one, on tool command lines.
    pub default_database_type: String,
    /// Initial size limit of LMDB files, in bytes.
    pub lmdb_map_size: usize,
    /// Keys and values are UTF-8, and case is folded by Unicode rules.
    pub smtputf8_enable: bool,
    /// Socket of the service that answers `proxy:` lookups.
    pub proxymap_service: String,
    /// Socket of the service that does `proxy:` updates.
    pub proxywrite_service: String,
    /// Longest reply that is accepted from a socketmap server, in bytes.
    pub socketmap_max_reply_size: usize,
    /// Build a missing or outdated index file from its text source.
    pub rebuild: bool,
    /// The tables that are open.
    pub registry: Registry,
}

/// The tables that are open, the types that a program added, and the connections to the proxy services.
#[derive(Default)]
pub struct Registry {
    pub(crate) tables: RefCell<HashMap<(String, Mode, Flags), Weak<Inner>>>,
    pub(crate) openers: RefCell<HashMap<&'static str, Opener>>,
    pub(crate) buildable: RefCell<HashSet<&'static str>>,
    pub(crate) proxies: RefCell<HashMap<String, Rc<ProxyPool>>>,
    pub(crate) socketmaps: RefCell<HashMap<String, Weak<Peer>>>,
}

impl Default for Env {
    /// Postfix's defaults, without a configuration file.
    fn default() -> Self {
        Self {
            config_directory: PathBuf::from("/etc/postfix"),
            main: conf::MainCf::default(),
            queue_directory: PathBuf::from("/var/spool/postfix"),
            default_database_type: "hash".to_owned(),
            lmdb_map_size: 16 * 1024 * 1024,
            smtputf8_enable: true,
            proxymap_service: "proxymap".to_owned(),
            proxywrite_service: "proxywrite".to_owned(),
            socketmap_max_reply_size: 100_000,
            rebuild: true,
            registry: Registry::default(),
        }
    }
}

conf::param_set! {
    /// What the table code reads.
    pub struct TableParams {
        queue_directory,
        default_database_type,
        lmdb_map_size,
        smtputf8_enable,
        proxymap_service_name,
        proxywrite_service_name,
        socketmap_max_reply_size,
    }
}

impl Env {
    /// Settings from main.cf.
    pub fn load(main: &conf::MainCf) -> Result<Rc<Self>, conf::Error> {
        let params = TableParams::load(main)?;
        Ok(Rc::new(Self {
            config_directory: main.path().to_owned(),
            main: main.clone(),
            queue_directory: params.queue_directory.into(),
            default_database_type: params.default_database_type,
            lmdb_map_size: usize::try_from(params.lmdb_map_size).unwrap_or_default(),
            smtputf8_enable: params.smtputf8_enable,
            proxymap_service: params.proxymap_service_name,
            socketmap_max_reply_size: usize::try_from(params.socketmap_max_reply_size).unwrap_or_default(),
            proxywrite_service: params.proxywrite_service_name,
            ..Self::default()
        }))
    }

    /// Adds a table type, such as a database client that only some programs link.
    pub fn register(&self, kind: &'static str, opener: Opener) {
        self.registry.openers.borrow_mut().insert(kind, opener);
    }

    /// Adds a table type that postmap(1) can build as well.
    pub fn register_buildable(&self, kind: &'static str, opener: Opener) {
        self.register(kind, opener);
        self.registry.buildable.borrow_mut().insert(kind);
    }

    pub(crate) fn is_buildable(&self, kind: &str) -> bool {
        self.registry.buildable.borrow().contains(kind)
    }

    /// A table whose file was replaced since it was opened: the process should end, so that its successor reads the
    /// new file.
    pub fn changed_table(&self) -> Option<String> {
        let open: Vec<Rc<Inner>> = self.registry.tables.borrow().values().filter_map(Weak::upgrade).collect();
        open.iter().find(|table| table.is_replaced()).map(|table| table.title())
    }
}
