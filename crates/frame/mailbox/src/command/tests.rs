use super::*;
use crate::content::tests::{plain, queue_file};
use queue::RecordType;

fn run_with(program: Program, seconds: f64, lines: usize) -> Result<Vec<u8>, Failure> {
    let mut records = vec![(RecordType::Norm, &b"hello"[..]); lines];
    records.push((RecordType::Extracted, b""));
    let file = queue_file(&records);
    let who = Identity { uid: sys::identity::effective_uid(), gid: sys::identity::effective_gid() };
    let command = Command {
        program,
        confinement: Confinement::to(who),
        environment: crate::exported(&["A=b".to_owned()]).unwrap(),
        time_limit: Duration::from_secs_f64(seconds),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rights = Rights::of_process();
    tokio::task::LocalSet::new().block_on(&runtime, run(&rights, &command, &plain(&file)))
}

fn line(command: &str) -> Program {
    Program::Line { command: command.into(), shell: String::new() }
}

fn failure(command: &str) -> (String, String) {
    match run_with(line(command), 10.0, 1).unwrap_err() {
        Failure::Failed(failed) => {
            (failed.dsn.status.to_string(), String::from_utf8_lossy(&failed.dsn.reason).into_owned())
        }
        Failure::Corrupt => panic!("corrupt"),
    }
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[test]
fn output_and_input() {
    assert_eq!(run_with(line("tr h j; echo \"$A\""), 10.0, 2).unwrap(), b"jello jello b ");
    assert_eq!(run_with(line("cat"), 10.0, 1).unwrap(), b"hello ");
    let argv = Program::Argv(vec!["wc".into(), "-l".into()]);
    assert_eq!(run_with(argv, 10.0, 200_000).unwrap(), b"200000 ");
    let shell = Program::Line { command: b"echo $0".to_vec(), shell: "/bin/sh -c".into() };
    assert_eq!(run_with(shell, 10.0, 1).unwrap(), b"/bin/sh ");
    // One that does not listen.
    assert_eq!(run_with(line("exec true <&-"), 10.0, 200_000).unwrap(), b"");
}

#[test]
fn exit_statuses() {
    for (command, status, reason) in [
        ("exit 75", "4.3.0", "temporary failure"),
        ("echo no; exit 67", "5.1.1", "user unknown. Command output: no "),
        ("echo 4.2.2 over quota; exit 1", "4.2.2", "over quota "),
        ("exit 3", "5.3.0", "Command died with status 3: \"exit 3\""),
        ("kill -9 $$", "4.3.0", "Command died with signal 9: \"kill -9 $$\""),
    ] {
        assert_eq!(failure(command), pair(status, reason), "{command}");
    }
}

#[test]
fn programs_that_are_not_there() {
    let name = program_name();
    let reason = format!(
        "temporary failure. Command output: {name}: fatal: execvp /no/such: No such file or directory "
    );
    assert_eq!(failure("/no/such a"), pair("4.3.0", &reason));
    let (status, reason) = failure("no-such-command");
    assert_eq!(status, "5.3.0");
    assert!(
        reason.starts_with("Command died with status 127: \"no-such-command\". Command output: sh: "),
        "{reason}"
    );
}

#[test]
fn time_limits() {
    let started = std::time::Instant::now();
    for command in ["sleep 60", "echo x; sleep 60", "exec >&- 2>&-; sleep 60", "(sleep 60) & exit 0"] {
        let Err(Failure::Failed(failed)) = run_with(line(command), 0.2, 1) else { panic!("{command}") };
        assert_eq!(failed.dsn.status, Status::new("5.3.0"));
        let reason = String::from_utf8(failed.dsn.reason).unwrap();
        assert!(reason.starts_with(&format!("Command time limit exceeded: \"{command}\"")), "{reason}");
    }
    // One that does not read what does not fit into a pipe.
    let Err(Failure::Failed(failed)) = run_with(line("sleep 60"), 0.2, 200_000) else { panic!() };
    assert_eq!(failed.dsn.status, Status::new("5.3.0"));
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn directories() {
    let who = Identity { uid: 7, gid: 8 };
    let confinement = Confinement { directory: Some("/no/such".into()), ..Confinement::to(who) };
    let error = io::Error::from_raw_os_error(DIRECTORY_ERROR);
    let StartError::Confine(what, error) = confinement.explain(error) else { panic!() };
    assert_eq!(what, "cannot change directory to \"/no/such\" for uid=7 gid=8");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

const DIRECTORY_ERROR: i32 = 3 * 10_000 + libc::ENOENT;
