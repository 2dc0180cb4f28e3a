//! bounce(8) - keeps delivery status and reports it to senders.
//!
//! One program is three services, by name: `bounce` for failures, `defer` for delays, `trace` for deliveries that somebody
//! asked to hear of. Each keeps one log file a message, in the queue directory of its name. Delivery agents append to the
//! logs; the queue manager asks for a report when a message is done or late. Reports follow RFC 3464; their texts come
//! from `bounce_template_file` where that has them. Reports about messages without a sender go to the postmaster or
//! nowhere, reports about those in turn nowhere, so that no mail goes around in circles.
//!
//! It trusts its clients, which are the mail system's own programs, to name messages, and cleans every text they send.
//! The contents of logs and messages are hostile.
//!
//! Promises: an entry is on disk before the client hears so, and a log goes away only when the report made from it is in
//! the queue. A report can be sent twice after a crash, never not at all. A missing message or log makes the report
//! shorter. A failure that keeps a report from being sent is logged and answered with a failure status; after one that
//! no request could survive, such as a full disk, the client gets no answer, and will ask again.
//!
//! | Module | What |
//! |---|---|
//! | [`template`] | texts of reports |
//! | `original` | the message that a report is about |
//! | `entries` | the log that a report is made from |
//! | [`report`] | a report's lines |
//! | `notice` | posting one |
//! | `service` | the requests |

mod entries;
mod notice;
mod original;
pub mod report;
mod service;
mod site;
pub mod template;

use std::cell::Cell;
use std::io::Write as _;
use std::rc::Rc;

use daemon::{Clients, Connection, Control, Fatal, Service, Startup};

pub use entries::Entries;
pub use original::Original;
pub use site::{BounceParams, Site};

/// One of the three services.
pub struct Bounce {
    site: Site,
    show: Cell<Show>,
}

/// postconf(1) runs this program under a special service name to show the templates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Nothing,
    Templates,
    ExpandedTemplates,
}

impl Service for Bounce {
    const PROGRAM: &'static str = "bounce";
    const CLIENTS: Clients = Clients::Many;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        if let Some(argument) = startup.options.arguments.first() {
            return Err(Fatal::new(format!("unexpected command-line argument: {argument}")));
        }
        let (show, service) = match startup.options.service.as_str() {
            "dump_templates" => (Show::Templates, "bounce"),
            "expand_templates" => (Show::ExpandedTemplates, "bounce"),
            other => (Show::Nothing, other),
        };
        let site = Site::load(&startup.main, service, startup.spool()?)?;
        Ok(Self { site, show: Cell::new(show) })
    }

    async fn begin(self: &Rc<Self>, _control: &Control) -> Result<(), Fatal> {
        let text = match self.show.get() {
            Show::Nothing => return Ok(()),
            Show::Templates => self.site.templates.dump(self.site.header_from),
            Show::ExpandedTemplates => self.site.templates.expand(&self.site.names())?,
        };
        let mut out = std::io::stdout().lock();
        out.write_all(&text).and_then(|()| out.flush()).map_err(Fatal::from)
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        // Who wanted to see the templates has seen them.
        if self.show.get() != Show::Nothing {
            return;
        }
        let Some(mut stream) = connection.into_stream() else { return };
        if let Err(error) = service::converse(&self.site, &mut stream).await {
            log::debug!("client: {error}");
        }
    }
}
