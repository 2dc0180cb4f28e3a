//! postsuper(1): the superintendent of the mail queue.
//!
//! For the superuser only, who is left behind at once: all changes are made as the mail system's owner, so that new
//! directories belong to it, and so that an attacker who controls the queue directory can make this program damage the
//! queue directory only.
//!
//! The order is: repair (`-p`, `-s`, `-S`) over all named queues; then, if no file changed its name, the actions by
//! queue id and by wildcard in the order of the command line; then a count of what was done.
//!
//! It works on a live queue. Files may move while it looks for them, so it looks twice; a missing file is no error. Any
//! other failure to rename or remove is fatal, since it means that the queue is not what we think it is. A repair that
//! is interrupted says so, and the next one completes it: names under repair end in `#FIX`, which no program takes for
//! a message.

mod by_id;
mod counters;
mod files;
mod interrupt;
mod queues;
mod repair;
mod wildcard;

use std::cell::Cell;
use std::io::{self, BufRead};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use command::{Choice, Fatal, Getopt, Invocation, Log, Name, Program, Startup, exit, fatal};
use queue::Spool;

use crate::by_id::Change;
use crate::counters::Counters;
use crate::wildcard::{Mass, Repair};

/// What the tool is.
pub const PROGRAM: Program = Program { name: Name::Base, log: Log::MailOrFile, failure: 1 };

const OPTIONS: &str = "c:d:e:f:h:H:pr:sSv";
/// The value that means every message.
const ALL: &[u8] = b"ALL";

/// Runs the tool.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    if sys::identity::is_set_id() {
        return Err(fatal!("this postfix command must not run as a set-uid process"));
    }
    let stranger = || fatal!("use of this command is reserved for the superuser");
    // Whoever is not root gets to hear of nothing else, unless the mail system is their own.
    let is_root = sys::identity::real_uid() == 0;
    let planned = plan(invocation).and_then(|plan| Ok((plan, Startup::read(invocation)?)));
    let ((wanted, names), startup) = if is_root { planned? } else { planned.map_err(|_| stranger())? };
    if !startup.is_manager() {
        return Err(stranger());
    }
    startup.update_environment()?;
    startup.enter_queue_directory()?;
    startup.become_owner()?;

    let counters = Arc::new(Counters::default());
    interrupt::watch(Arc::clone(&counters))?;
    let tool = Tool { spool: startup.spool()?, queues: names, likely: Cell::new(0), counters };
    let done = tool.run(&wanted);
    if let Err(fatal) = done {
        log::fatal!("{fatal}");
        tool.counters.warn_if_incomplete();
        return Ok(PROGRAM.failure);
    }
    Ok(exit::OK)
}

/// What the command line asks for.
#[derive(Debug, Default)]
struct Wanted {
    repair: Option<Repair>,
    actions: Vec<Action>,
}

/// One option with a queue id.
#[derive(Debug)]
struct Action {
    change: Change,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// `ALL`
    Everything,
    /// `-`
    StandardInput,
    /// A queue id, not yet checked.
    One(Vec<u8>),
}

pub(crate) struct Tool {
    pub(crate) spool: Spool,
    /// Names from the command line, not yet checked; or the default ones.
    pub(crate) queues: Vec<String>,
    /// Where in `queues` the last message was found by its id.
    pub(crate) likely: Cell<usize>,
    pub(crate) counters: Arc<Counters>,
}

fn plan(invocation: &Invocation) -> Result<(Wanted, Vec<String>), Fatal> {
    let mut wanted = Wanted::default();
    let mut getopt = Getopt::new(invocation, OPTIONS);
    for choice in getopt.by_ref() {
        let choice = choice.map_err(|_| usage(invocation))?;
        wanted.take(&choice)?;
    }
    if wanted.repair.is_none() && wanted.actions.is_empty() {
        wanted.repair = Some(Repair { purge: true, structure: true, redundant: false });
    }
    let names: Vec<String> = getopt.rest().iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.is_empty() {
        return Ok((wanted, queues::DEFAULT.iter().map(|queue| queue.as_str().to_owned()).collect()));
    }
    Ok((wanted, names))
}

impl Wanted {
    fn take(&mut self, choice: &Choice) -> Result<(), Fatal> {
        let change = match choice.letter {
            'c' => {
                if !choice.value.as_bytes().starts_with(b"/") {
                    return Err(fatal!("-c requires absolute pathname"));
                }
                command::use_config_directory(&choice.value);
                return Ok(());
            }
            'v' => {
                log::set_verbose(log::verbose().saturating_add(1));
                return Ok(());
            }
            'p' => {
                self.repair.get_or_insert_default().purge = true;
                return Ok(());
            }
            's' => {
                self.repair.get_or_insert_default().structure = true;
                return Ok(());
            }
            'S' => {
                let repair = self.repair.get_or_insert_default();
                (repair.structure, repair.redundant) = (true, true);
                return Ok(());
            }
            'd' => Change::Delete,
            'e' => Change::Expire,
            'f' => Change::ExpireAndRelease,
            'h' => Change::Hold,
            'H' => Change::Release,
            _ => Change::Requeue,
        };
        let target = match choice.value.as_bytes() {
            ALL => Target::Everything,
            b"-" => Target::StandardInput,
            id => Target::One(id.to_vec()),
        };
        self.actions.push(Action { change, target });
        Ok(())
    }

    fn has(&self, changes: &[Change]) -> bool {
        self.actions.iter().any(|action| changes.contains(&action.change))
    }
}

impl Tool {
    fn run(&self, wanted: &Wanted) -> Result<(), Fatal> {
        let counters = &self.counters;
        if let Some(repair) = wanted.repair {
            self.walk_queues(Mass::Repair(repair))?;
            // Names under repair lose their suffix in a second pass, when no name is in another one's way.
            if counters.mismatches() > 0 {
                self.walk_queues(Mass::Repair(repair))?;
            }
        }
        let by_id = wanted.actions.iter().any(|action| !matches!(action.target, Target::Everything));
        if by_id && counters.names_changed() {
            log::error!("QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS");
            return Err(fatal!("CHECK YOUR QUEUE IDS AND RE-ISSUE THE COMMAND"));
        }
        for action in &wanted.actions {
            match &action.target {
                Target::Everything => self.walk_queues(Mass::Change(action.change))?,
                Target::One(id) => self.change_one(action.change, id)?,
                Target::StandardInput => {
                    for id in io::stdin().lock().split(b'\n').map_while(Result::ok) {
                        self.change_one(action.change, &id)?;
                    }
                }
            }
        }
        counters.report(|changes| wanted.has(changes));
        Ok(())
    }
}

fn usage(invocation: &Invocation) -> Fatal {
    fatal!(
        "usage: {} [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] \
         [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)] \
         [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)] \
         [-S (redundant structure fix)][-v (verbose)] [queue...]",
        invocation.name
    )
}

#[cfg(test)]
mod tests;
