//! Memory of processes.

use std::fs;
use std::io;

/// Kilobytes of a group of processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Their own pages, and of shared ones their share.
    pub(crate) proportional: u64,
    /// What they have written to and nobody shares.
    pub(crate) private: u64,
}

/// The sum over these processes; those that have ended meanwhile count nothing.
pub(crate) fn of(processes: &[u32]) -> io::Result<Memory> {
    let mut sum = Memory::default();
    for pid in processes {
        match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
            Ok(text) => add(&mut sum, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

/// How many of these processes run the program of this name.
pub(crate) fn named(processes: &[u32], name: &str) -> usize {
    let is = |pid: &&u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name)
    };
    processes.iter().filter(is).count()
}

fn add(sum: &mut Memory, rollup: &str) {
    for line in rollup.lines() {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let size: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        match name {
            "Pss:" => sum.proportional += size,
            "Private_Dirty:" | "Private_Hugetlb:" => sum.private += size,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_a_rollup() {
        let text = "55d0-7ffc ---p 00000000 00:00 0 [rollup]\nRss: 1000 kB\nPss: 300 kB\nPss_Dirty: 90 kB\n\
                    Private_Clean: 20 kB\nPrivate_Dirty: 80 kB\nPrivate_Hugetlb: 0 kB\n";
        let mut sum = Memory { proportional: 1, private: 1 };
        add(&mut sum, text);
        assert_eq!(sum, Memory { proportional: 301, private: 81 });
    }

    #[test]
    fn measures_this_process() {
        assert!(of(&[std::process::id()]).unwrap().proportional > 0);
    }
}
