//! One mail system in place of the other: same configuration, same spool, other programs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use harness::{Package, System};

/// The other system.
pub(crate) fn other(package: Package) -> Package {
    match package {
        Package::Ours => Package::Reference,
        Package::Reference => Package::Ours,
    }
}

/// Why there is no second system to exchange the first for.
pub(crate) fn obstacle() -> Option<String> {
    let missing = [Package::Ours, Package::Reference]
        .into_iter()
        .find(|package| !package.image().join("usr/sbin/postfix").exists())?;
    Some(format!("{} is not there (scripts/test puts it there)", missing.image().display()))
}

/// Puts the package's programs where the installed ones are. Nothing else changes. The system must be stopped.
pub(crate) fn install(system: &System, package: Package) {
    let image = package.image();
    bind(system, &image.join("usr/lib/postfix"), Path::new("/usr/lib/postfix"));
    for entry in fs::read_dir(image.join("usr/sbin")).expect("the image").flatten() {
        let target = Path::new("/usr/sbin").join(entry.file_name());
        if matches!(entry.file_name().to_str(), Some("postdrop" | "postqueue")) {
            // Their group is this system's, so they are copies.
            fs::remove_file(&target).ok();
            fs::copy(entry.path(), &target).expect("copy a program");
            std::os::unix::fs::chown(&target, None, Some(5102)).expect("chgrp");
            fs::set_permissions(&target, fs::Permissions::from_mode(0o2555)).expect("chmod");
            continue;
        }
        if !target.exists() {
            fs::write(&target, "").expect("a place for a program");
        }
        bind(system, &entry.path(), &target);
    }
    system.shell(&format!("cp -Rn {}/etc/postfix/. /etc/postfix/", image.display())).well();
    if package == Package::Reference {
        libraries(&image);
        system.file(
            "/etc/postfix/dynamicmaps.cf",
            "lmdb /usr/lib/postfix/postfix-lmdb.so dict_lmdb_open mkmap_lmdb_open\n\
             pcre /usr/lib/postfix/postfix-pcre.so dict_pcre_open\n",
        );
    }
}

fn bind(system: &System, from: &Path, to: &Path) {
    let (from, to) = (from.to_string_lossy().into_owned(), to.to_string_lossy().into_owned());
    system.run(&["mount", "--bind", &from, &to]).well();
}

fn libraries(image: &Path) {
    for directory in fs::read_dir(image.join("usr/lib")).expect("the image").flatten() {
        if !directory.file_name().to_string_lossy().ends_with("-linux-gnu") {
            continue;
        }
        for library in fs::read_dir(directory.path()).into_iter().flatten().flatten() {
            let target = Path::new("/usr/lib").join(directory.file_name()).join(library.file_name());
            if !target.exists() && library.path().is_file() {
                symlink(library.path(), target).expect("link a library");
            }
        }
    }
}
