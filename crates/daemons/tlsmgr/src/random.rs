//! Random bytes from the kernel.

use std::fs::File;
use std::io::{self, Read};

const KERNEL: &str = "/dev/urandom";

/// An open random device.
#[derive(Debug)]
pub struct Random(File);

impl Random {
    /// Opens `tls_random_source`. Only a device can give as many bytes as are needed: in place of a file or an entropy
    /// daemon, or of one that cannot be opened, it is the kernel's.
    pub fn open(source: &str) -> io::Result<Self> {
        if let Some(path) = source.strip_prefix("dev:") {
            match File::open(path) {
                Ok(file) => return Ok(Self(file)),
                Err(error) => log::warning!("cannot open entropy device {path}: {}", sys::reason(&error)),
            }
        } else if !source.is_empty() {
            log::warning!("tls_random_source = {source} is not supported: using dev:{KERNEL}");
        }
        File::open(KERNEL).map(Self)
    }

    /// Fills a buffer.
    pub fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_a_source() {
        let directory = tempfile::tempdir().unwrap();
        let missing = format!("dev:{}", directory.path().join("none").display());
        for source in ["dev:/dev/urandom", "egd:/run/egd", "/etc/seed", "", &missing] {
            let mut random = Random::open(source).unwrap();
            let mut buffer = [0; 64];
            random.fill(&mut buffer).unwrap();
            assert_ne!(buffer, [0; 64], "{source}");
        }
    }
}
