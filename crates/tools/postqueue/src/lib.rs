//! postqueue(1): lists and flushes the mail queue, for everybody.
//!
//! The program is set-gid, so that any user can reach the sockets in `public/`. It therefore trusts nothing that the
//! user controls: its name in messages is fixed, the configuration directory must be an authorized one, the environment
//! is emptied but for `import_environment`, `-v` counts for root only, and no other program is run except, for root,
//! showq(8) while the mail system is down. What users may do is limited by `authorized_mailq_users` and
//! `authorized_flush_users`.
//!
//! It keeps no listing in memory: a queue of any size is shown as it arrives.
//!
//! COMPAT: every failure has exit status 69. Postfix has finer ones in mind, but its error handler replaces them all.

mod flush;
mod json;
mod list;
mod mailq;
mod user;

use command::{Fatal, Getopt, Invocation, Log, Name, Program, Startup, exit, fatal};
use queue::QueueId;

pub use list::{Format, Style};

/// What the tool is.
pub const PROGRAM: Program =
    Program { name: Name::Fixed("postqueue"), log: Log::Mail, failure: exit::UNAVAILABLE };

conf::param_set! {
    pub(crate) struct PostqueueParams {
        authorized_flush_users, authorized_mailq_users, showq_service_name, queue_service_name, pickup_service_name,
        trigger_timeout, smtputf8_enable, enable_long_queue_ids
    }
}

/// What to do.
enum Task {
    List(Style),
    FlushAll,
    FlushSite(String),
    FlushFile(String),
}

/// A configured postqueue.
pub(crate) struct Tool {
    pub(crate) startup: Startup,
    pub(crate) params: PostqueueParams,
}

/// Runs the tool.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    let mut task = None;
    let mut getopt = Getopt::new(invocation, "c:fi:jps:v");
    for choice in getopt.by_ref() {
        let choice = choice.map_err(|_| usage())?;
        let value = choice.text();
        let wanted = match choice.letter {
            'c' => {
                command::use_config_directory(&choice.value);
                continue;
            }
            'v' => {
                if sys::identity::effective_uid() == 0 {
                    log::set_verbose(log::verbose().saturating_add(1));
                }
                continue;
            }
            'f' => Task::FlushAll,
            'i' => Task::FlushFile(value),
            'j' => Task::List(Style::Json),
            'p' => Task::List(Style::Mailq),
            _ => Task::FlushSite(value),
        };
        if task.replace(wanted).is_some() {
            return Err(usage());
        }
    }
    if !getopt.rest().is_empty() {
        return Err(usage());
    }

    let startup = Startup::read(invocation)?;
    let params = PostqueueParams::load(&startup.main)?;
    startup.clean_environment()?;
    startup.enter_queue_directory()?;
    let tool = Tool { startup, params };
    match task {
        None => return Err(usage()),
        Some(Task::List(style)) => list::run(&tool, style)?,
        Some(Task::FlushAll) => flush::all(&tool)?,
        Some(Task::FlushSite(site)) => flush::site(&tool, check_site(&site)?)?,
        Some(Task::FlushFile(id)) => flush::file(&tool, &check_id(&id)?)?,
    }
    Ok(exit::OK)
}

fn check_site(site: &str) -> Result<&str, Fatal> {
    let valid = if site.starts_with('[') {
        address::valid_mailhost_literal(site.as_bytes()).is_ok()
    } else {
        address::valid_hostname(site.as_bytes()).is_ok()
    };
    if valid {
        return Ok(site);
    }
    Err(fatal!("Cannot flush mail queue - invalid destination: \"{}\"", shortened(site)))
}

fn check_id(id: &str) -> Result<QueueId, Fatal> {
    QueueId::parse(id).ok_or_else(|| fatal!("Cannot flush queue ID - invalid name: \"{}\"", shortened(id)))
}

fn shortened(text: &str) -> String {
    let more = if text.len() > 100 { "..." } else { "" };
    format!("{}{more}", bytes::show_limited(text.as_bytes(), 100))
}

fn usage() -> Fatal {
    fatal!("usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site")
}
