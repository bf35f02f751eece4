// SPDX-License-Identifier: GPL-2.0

//! Finds out what this kernel and the module support.

mod btf;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;

use bpf_percpu::store;
use bpf_percpu::store::Error;
use bpf_percpu::variables;
use bpf_percpu::variables::Answer;
use bpf_percpu::variables::Choice;
use percpu_live::table::Align;
use percpu_live::table::Table;
use serde::Serialize;

/// The kfuncs of this version.
const HEADER: &str = include_str!("../../../../include/bpf_percpu_kfuncs.h");

const MODULE: &str = "bpf_percpu";

/// The result.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The release of the kernel.
    pub kernel: String,
    /// Whether the module is loaded.
    pub module: bool,
    /// Whether this process can use the control file.
    pub device: Answer,
    /// The kfuncs in the module's BTF.
    pub kfuncs: Kfuncs,
    /// Whether the kernel supports `SEC(".percpu")` variables.
    pub native_percpu: Answer,
    /// The form in which `percpuctl load` would load such variables.
    pub load: Choice,
    /// Whether programs can use the whole module.
    pub usable: bool,
}

/// The kfuncs of `include/bpf_percpu_kfuncs.h`.
#[derive(Debug, Serialize)]
pub struct Kfuncs {
    /// Kfuncs that programs can call.
    pub found: Vec<String>,
    /// Kfuncs that they cannot call.
    pub missing: Vec<String>,
    /// The error if BTF cannot be read.
    pub error: Option<String>,
}

/// Probes the kernel and the module.
pub fn probe() -> Report {
    let module = fs::metadata(format!("/sys/module/{MODULE}")).is_ok();
    let device = match store::list() {
        Ok(_) => Answer::yes(),
        Err(error @ Error::Kernel { .. }) => Answer::unknown(error),
        Err(error) => Answer::no(error),
    };
    let kfuncs = kfuncs(module);
    let native_percpu = variables::probe();
    Report {
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_or("unknown".to_string(), |release| release.trim().to_string()),
        module,
        usable: module && device.yes == Some(true) && kfuncs.missing.is_empty(),
        device,
        kfuncs,
        load: variables::choose(&native_percpu),
        native_percpu,
    }
}

fn kfuncs(module: bool) -> Kfuncs {
    let (there, error) = match module.then(|| btf::kfuncs(MODULE)) {
        None => (BTreeSet::new(), None),
        Some(Ok(there)) => (there, None),
        Some(Err(error)) => (BTreeSet::new(), Some(error)),
    };
    let expected = expected(HEADER).into_iter();
    let (found, missing) = expected.partition(|name| there.contains(name));
    Kfuncs {
        found,
        missing,
        error,
    }
}

/// The names in lines like `KFUNC(int, name, (int arg))`.
fn expected(header: &str) -> Vec<String> {
    let name = |line: &str| {
        let (before, _) = line.strip_prefix("KFUNC(")?.split_once(", (")?;
        Some(before.rsplit_once(", ")?.1.to_string())
    };
    header.lines().filter_map(name).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loaded = match self.module {
            true => Answer::yes(),
            false => Answer::no("load it: modprobe bpf_percpu"),
        };
        let (found, missing) = (&self.kfuncs.found, &self.kfuncs.missing);
        let mut kfuncs = format!("{} of {}", found.len(), found.len() + missing.len());
        if let Some(error) = &self.kfuncs.error {
            kfuncs += &format!(": {error}");
        }
        let mut table = Table::new(&[("what", Align::Left), ("found", Align::Left)]);
        let mut row = |what: &str, found: String| table.row([what.to_string(), found]);
        row("kernel", self.kernel.clone());
        row("module bpf_percpu", loaded.to_string());
        row("/dev/bpf_percpu", self.device.to_string());
        row("SEC(\".percpu\") in kernel", self.native_percpu.to_string());
        row("percpuctl load", self.load.to_string());
        row("kfuncs", kfuncs);
        write!(f, "{table}")?;
        for name in found {
            writeln!(f, "  {name}")?;
        }
        for name in missing {
            writeln!(f, "  {name} MISSING")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_the_kfuncs() {
        let names = expected(HEADER);
        for name in [
            "bpf_get_possible_cpumask",
            "bpf_cpumask_next",
            "bpf_percpu_store_lookup",
            "bpf_percpu_sum_u32",
        ] {
            assert!(names.iter().any(|other| other == name), "{name}: {names:?}");
        }
        // Only the kernel calls it, never a program.
        assert!(
            !names.iter().any(|name| name.ends_with("_dtor")),
            "{names:?}"
        );
        let lines = HEADER.lines().filter(|line| line.starts_with("KFUNC("));
        assert_eq!(names.len(), lines.count());
        assert!(
            names.iter().all(|name| name.starts_with("bpf_")),
            "{names:?}"
        );
    }

    #[test]
    fn what_is_missing_shows() {
        let report = Report {
            kernel: "7.2".to_string(),
            module: true,
            device: Answer::yes(),
            kfuncs: Kfuncs {
                found: vec!["bpf_a".to_string()],
                missing: vec!["bpf_b".to_string()],
                error: None,
            },
            native_percpu: Answer::no("a reason"),
            load: variables::choose(&Answer::no("a reason")),
            usable: false,
        };
        let text = report.to_string();
        assert!(
            text.contains("1 of 2\n  bpf_a\n  bpf_b MISSING\n"),
            "{text}"
        );
        assert!(text.contains("no: a reason"), "{text}");
        assert!(
            text.contains("percpuctl load            lowered: "),
            "{text}"
        );
    }
}
