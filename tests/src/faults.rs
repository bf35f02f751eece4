// SPDX-License-Identifier: GPL-2.0

//! Fault injection, on kernels that are built with it: see
//! `Documentation/fault-injection/fault-injection.rst` of the kernel.

use std::fs;
use std::ops::Range;
use std::sync::OnceLock;

/// What the kernel can make fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Allocation of slab objects.
    Slab,
    /// Allocation of pages, which also backs per-CPU memory.
    Pages,
    /// Copies to and from user space.
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

    /// Restricts failures to calls from `code`.
    fn only_below(self, code: &Range<u64>) {
        self.set("stacktrace-depth", "32");
        self.set("require-start", &format!("{:#x}", code.start));
        self.set("require-end", &format!("{:#x}", code.end));
        // With CONFIG_DEBUG_PER_CPU_MAPS the kernel prints a stack trace when a mask cannot be
        // allocated, which the check of the log would take for a bug.
        static MASKS: OnceLock<Range<u64>> = OnceLock::new();
        let masks = MASKS.get_or_init(|| function_code("alloc_cpumask_var_node"));
        self.set("reject-start", &format!("{:#x}", masks.start));
        self.set("reject-end", &format!("{:#x}", masks.end));
        // Nothing in the log: the check of the log would take it for a bug.
        self.set("verbose", "0");
        if self != Self::UserCopy {
            // Allocations that may sleep fail, too.
            self.set("ignore-gfp-wait", "0");
        }
        if self == Self::Pages {
            self.set("min-order", "0");
            self.set("ignore-gfp-highmem", "0");
        }
    }
}

/// How many uses are left until one fails; 0 once it has failed.
const FAIL_NTH: &str = "/proc/thread-self/fail-nth";

/// A range without code.
const NOWHERE: Range<u64> = 1..2;

/// The address range of the module's code. Valid until the module is unloaded.
pub fn module_code() -> Range<u64> {
    let text = fs::read_to_string("/sys/module/bpf_percpu/sections/.text").expect("its address");
    let hex = text.trim().trim_start_matches("0x");
    let start = u64::from_str_radix(hex, 16).expect("a hexadecimal number");
    // A module's code has whole pages.
    start..start + (1 << 20)
}

/// The address range of the kernel's function `name`.
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

/// The results of the calls in which something failed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Failures {
    /// Calls that returned an error.
    pub failed: u32,
    /// Calls that succeeded all the same.
    pub survived: u32,
}

/// Calls `work` with the first use of `capability` in `code` failing, then with the second, and so
/// on until none is left to fail. Passes each result of a call with a failure to `check`.
///
/// Returns the result of the last call, in which nothing failed.
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
