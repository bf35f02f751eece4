// SPDX-License-Identifier: GPL-2.0

//! CPU masks in the kernel's files.

use anyhow::{Context, Result};
use bpf_percpu::cpu_list::CpuList;
use std::{fmt, fs};

/// A file in which the kernel shows the CPUs of a mask.
pub struct Source {
    path: String,
    field: Option<&'static str>,
}

impl Source {
    /// Creates the source for a file of `/sys/devices/system/cpu`.
    pub fn cpus(name: &str) -> Self {
        Self {
            path: format!("/sys/devices/system/cpu/{name}"),
            field: None,
        }
    }

    /// Creates the source for the CPUs that this task may run on.
    pub fn allowed() -> Self {
        Self {
            path: "/proc/self/status".to_string(),
            field: Some("Cpus_allowed_list"),
        }
    }

    /// Reads the file.
    pub fn read(&self) -> Result<CpuList> {
        let text = fs::read_to_string(&self.path)
            .with_context(|| format!("{} cannot be read", self.path))?;
        self.parse(&text)
    }

    fn parse(&self, text: &str) -> Result<CpuList> {
        let list = match self.field {
            Some(field) => text
                .lines()
                .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
                .with_context(|| format!("{} has no line '{field}:'", self.path))?,
            None => text,
        }
        .trim();
        list.parse()
            .with_context(|| format!("{self} is not a list of CPUs: '{list}'"))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        match self.field {
            Some(field) => write!(f, " {field}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_list() {
        let list = Source::cpus("online").parse("0-3,5\n").unwrap();
        assert_eq!(list.to_string(), "0-3,5");
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "Cpus_allowed:\tf\nCpus_allowed_list:\t0-3\nMems_allowed_list:\t0\n";
        let list = Source::allowed().parse(status).unwrap();
        assert_eq!(list.to_string(), "0-3");
    }

    #[test]
    fn errors_name_the_file_and_the_value() {
        let error = Source::allowed().parse("Name:\tx\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "/proc/self/status has no line 'Cpus_allowed_list:'"
        );
        let error = Source::cpus("online").parse("0-x\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "/sys/devices/system/cpu/online is not a list of CPUs: '0-x'"
        );
    }
}
