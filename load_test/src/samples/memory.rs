//! The memory of processes, as Linux tells it under `/proc`.

use std::fs;
use std::path::Path;

/// A process of this machine.
pub(crate) struct Process {
    id: u32,
    /// Its name and id.
    label: String,
}

/// The processes that are asked for by id or name, and what there is none for.
pub(crate) fn find(asked: &[String]) -> (Vec<Process>, Vec<String>) {
    let all: Vec<(u32, String)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((id, name(id)?)))
        .collect();
    let mut found: Vec<Process> = Vec::new();
    let mut missing = Vec::new();
    for asked in asked {
        let is_asked = |(id, name): &&(u32, String)| name == asked || id.to_string() == *asked;
        let matching: Vec<_> = all.iter().filter(is_asked).collect();
        if matching.is_empty() {
            missing.push(format!("memory of {asked}: there is no such process"));
        }
        for (id, name) in matching {
            if found.iter().all(|it| it.id != *id) {
                found.push(Process {
                    id: *id,
                    label: format!("{name} ({id})"),
                });
            }
        }
    }
    (found, missing)
}

/// The name of the program that a process runs.
fn name(id: u32) -> Option<String> {
    let line = fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let program = line.split(|byte| *byte == 0).next()?;
    let program = Path::new(str::from_utf8(program).ok()?);
    Some(program.file_name()?.to_str()?.to_owned())
}

impl Process {
    /// Its label, and the bytes that it has in memory; `None` once it has ended.
    pub(crate) fn measured(&self) -> Option<(String, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).ok()?;
        Some((self.label.clone(), resident(&status)?))
    }
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_status() {
        let status = "Name:\tlonghaul\nVmPeak:\t  900 kB\nVmRSS:\t   21044 kB\nThreads:\t5\n";
        assert_eq!(resident(status), Some(21_044 * 1024));
        assert_eq!(resident("Name:\tkthreadd\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_found_by_its_id_and_by_its_name_and_once() {
        let own = std::process::id();
        let name = name(own).unwrap();
        let asked = [own.to_string(), name.clone(), "no such name".to_owned()];
        let (found, missing) = find(&asked);
        assert_eq!(found[0].label, format!("{name} ({own})"));
        assert_eq!(found.iter().filter(|it| it.id == own).count(), 1);
        assert!(found[0].measured().unwrap().1 > 100_000);
        assert_eq!(
            missing,
            ["memory of no such name: there is no such process"]
        );
    }
}
