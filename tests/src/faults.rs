// SPDX-License-Identifier: GPL-2.0

//! The kernel's fault injection: `Documentation/fault-injection/fault-injection.rst`. Only on kernels
//! that are built with it.

use std::fs;
use std::ops::Range;

/// What can be made to fail, of what the module does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Allocation of an object.
    Slab,
    /// Allocation of pages, which is also what per-CPU memory is made of.
    Pages,
    /// Copies from and to user space.
    UserCopy,
}

impl Capability {
    const ALL: [Self; 3] = [Self::Slab, Self::Pages, Self::UserCopy];

    fn dir(self) -> &'static str {
        match self {
            Self::Slab => "/sys/kernel/debug/failslab",
            Self::Pages => "/sys/kernel/debug/fail_page_alloc",
            Self::UserCopy => "/sys/kernel/debug/fail_usercopy",
        }
    }

    fn set(self, attribute: &str, value: &str) {
        let path = format!("{}/{attribute}", self.dir());
        fs::write(&path, value).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// Fails in calls from code at `code` only.
    fn only_below(self, code: &Range<u64>) {
        self.set("stacktrace-depth", "32");
        self.set("require-start", &format!("{:#x}", code.start));
        self.set("require-end", &format!("{:#x}", code.end));
        // Where it looks closely at masks, the kernel itself makes a defect of one that it cannot have:
        // a line and a trace in the log.
        let masks = function_code("alloc_cpumask_var_node");
        self.set("reject-start", &format!("{:#x}", masks.start));
        self.set("reject-end", &format!("{:#x}", masks.end));
        // Nothing in the log, where it would look like a defect.
        self.set("verbose", "0");
        if self != Self::UserCopy {
            // Also where the kernel could wait for memory.
            self.set("ignore-gfp-wait", "0");
        }
        if self == Self::Pages {
            self.set("min-order", "0");
            self.set("ignore-gfp-highmem", "0");
        }
    }
}

/// How many uses of what can fail are left until one does; 0 when it has.
const FAIL_NTH: &str = "/proc/thread-self/fail-nth";

/// No code is there.
const NOWHERE: Range<u64> = 1..2;

/// The code of the module, as long as it stays loaded.
pub fn module_code() -> Range<u64> {
    let text = fs::read_to_string("/sys/module/bpf_percpu/sections/.text").expect("its address");
    let hex = text.trim().trim_start_matches("0x");
    let start = u64::from_str_radix(hex, 16).expect("a hexadecimal number");
    // Modules are pages of their own.
    start..start + (1 << 20)
}

/// The code of function `name` of the kernel.
pub fn function_code(name: &str) -> Range<u64> {
    let symbols = fs::read_to_string("/proc/kallsyms").expect("/proc/kallsyms");
    let mut code: Vec<(u64, &str)> = symbols
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let addr = u64::from_str_radix(words.next()?, 16).ok()?;
            Some((addr, words.nth(1)?))
        })
        .collect();
    code.sort_by_key(|(addr, _)| *addr);
    let start = code
        .iter()
        .find(|(_, symbol)| *symbol == name)
        .unwrap_or_else(|| panic!("the kernel has no {name}"))
        .0;
    let end = code.iter().find(|(addr, _)| *addr > start).expect("more").0;
    start..end
}

/// How often something failed, and how it ended.
#[derive(Debug, Default, Clone, Copy)]
pub struct Failures {
    /// Calls that failed.
    pub failed: u32,
    /// Calls that got along.
    pub survived: u32,
}

/// Calls `work` with the first use of `capability` below `code` failing, then with the second, until
/// there are no more; and `check` with what it returned, each time that one failed.
///
/// The last call, in which nothing fails, returns what this returns.
pub fn in_turn<T>(
    capability: Capability,
    code: Range<u64>,
    mut work: impl FnMut() -> Result<T, i32>,
    mut check: impl FnMut(&Result<T, i32>),
) -> (Failures, Result<T, i32>) {
    for other in Capability::ALL {
        let chosen = other == capability;
        other.only_below(if chosen { &code } else { &NOWHERE });
    }
    let mut failures = Failures::default();
    for n in 1.. {
        fs::write(FAIL_NTH, n.to_string()).expect("fail-nth takes a number");
        let result = work();
        let left = fs::read_to_string(FAIL_NTH).expect("fail-nth");
        if left.trim() != "0" {
            fs::write(FAIL_NTH, "0").expect("fail-nth takes a number");
            return (failures, result);
        }
        match result {
            Ok(_) => failures.survived += 1,
            Err(_) => failures.failed += 1,
        }
        check(&result);
    }
    unreachable!("it ends before the numbers do");
}
