//! postcat(1): shows the contents of queue files, record by record.
//!
//! It trusts nothing in a file: lengths, offsets and pointers are checked by the record reader, and text is printed as
//! it is, since the reader wants to see it. What is already found is printed before a fault is reported. A file that is
//! no queue file is a warning; one that breaks off is fatal.

mod show;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;

use command::{Fatal, Getopt, Invocation, Log, Name, Program, Startup, fatal};
use queue::{Access, QueueId, QueueName, Spool, reason};

pub use show::{Options, show};

/// What the tool is.
pub const PROGRAM: Program = Program { name: Name::Called, log: Log::Terminal, failure: 1 };

/// Where `-q` looks, in this order.
const SEARCHED: [QueueName; 6] = [
    QueueName::Maildrop,
    QueueName::Incoming,
    QueueName::Active,
    QueueName::Deferred,
    QueueName::Hold,
    QueueName::Saved,
];

/// Runs the tool.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    let mut options = Options::default();
    let mut search = false;
    let mut getopt = Getopt::new(invocation, "bc:defhoqrs:v");
    for choice in getopt.by_ref() {
        let choice = choice.map_err(|_| usage(invocation))?;
        match choice.letter {
            'b' => options.body = true,
            'c' => command::use_config_directory(&choice.value),
            'd' => options.decimal_types = true,
            'e' => options.envelope = true,
            'f' => options.file_names = true,
            'h' => options.header = true,
            'o' => options.offsets = true,
            'q' => search = true,
            'r' => options.file_order = true,
            's' => options.start = start_offset(&choice.text())?,
            _ => log::set_verbose(log::verbose().saturating_add(1)),
        }
    }
    if !(options.body || options.envelope || options.header) {
        (options.body, options.envelope, options.header) = (true, true, true);
    }
    options.every_record = log::verbose() > 0;

    let startup = Startup::read(invocation)?;
    startup.update_environment()?;
    let mut out = io::stdout().lock();
    let names = getopt.rest();
    if names.is_empty() {
        // Pointers lead back and forth, so standard input is read to its end first.
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map_err(|why| fatal!("read stdin: {}", reason(&why)))?;
        if options.start > bytes.len() as u64 {
            return Err(fatal!("stdin: skip {} bytes failed after {}", options.start, bytes.len()));
        }
        show(&bytes, "stdin", &options, &mut out)?;
        return Ok(command::exit::OK);
    }
    if search {
        startup.enter_queue_directory()?;
        let spool = startup.spool()?;
        for name in names {
            let shown = name.to_string_lossy();
            let id = QueueId::parse(name.as_bytes()).ok_or_else(|| fatal!("bad mail queue ID: {shown}"))?;
            let (file, path) = find(&spool, &id)?;
            show(file, &path, &options, &mut out)?;
        }
    } else {
        for name in names {
            let path = name.to_string_lossy();
            let file = File::open(name).map_err(|why| fatal!("open {path}: {}", reason(&why)))?;
            show(file, &path, &options, &mut out)?;
        }
    }
    Ok(command::exit::OK)
}

/// Looks twice, since the message may move from a queue not yet searched to one already searched.
fn find(spool: &Spool, id: &QueueId) -> Result<(File, String), Fatal> {
    let mut fault = None;
    for _ in 0..2 {
        for queue in SEARCHED {
            match spool.open(queue, id, Access::Read) {
                Ok(file) => return Ok((file, spool.name(queue, id))),
                Err(why) => fault = Some(why),
            }
        }
    }
    let why = fault.as_ref().map(reason).unwrap_or_default();
    Err(fatal!("open queue file {id}: {why}"))
}

fn start_offset(text: &str) -> Result<u64, Fatal> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let offset = text.parse().ok().filter(|&offset: &u64| i64::try_from(offset).is_ok());
    offset.filter(|_| digits).ok_or_else(|| fatal!("bad offset: {text}"))
}

fn usage(invocation: &Invocation) -> Fatal {
    fatal!(
        "usage: {} [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)] \
         [-h (header text)] [-q (access queue)] [-v] [file(s)...]",
        invocation.name
    )
}
