//! Rewrites the generated parts of the manual pages: `cargo run -p ferrofix-pages`.

fn main() -> std::process::ExitCode {
    let root = ferrofix_pages::root();
    let result = ferrofix_pages::stale(&root).and_then(|stale| {
        for (path, text) in stale {
            std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
            println!("{}", path.display());
        }
        Ok(())
    });
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}
