// SPDX-License-Identifier: GPL-2.0

//! The suites: what each one runs, in which guest or on the host, and how long it takes.
//!
//! Suites that need the same guest share one. The module is reloaded before each suite.

use crate::suite::guest;
use crate::suite::host;
use crate::suite::host_script;
use crate::suite::script;
use crate::suite::Boot;
use crate::suite::Suite;

/// A guest with everything that suites may need: NMIs, and QEMU's monitor.
const USUAL: Boot = Boot::new("usual", &["--nmi", "--monitor"]);

/// For suites that kmemleak slows down too much, and those whose allocations it checks in other suites.
const NO_KMEMLEAK: Boot = USUAL.without_kmemleak("fast");

/// Only some of the CPUs online, one of them isolated, and no PSI.
const PARTIAL: Boot =
    Boot::new("partial", &["--append", "maxcpus=2 isolcpus=1 psi=0"]).without_kmemleak("partial");

/// More CPUs than a word has bits. Only a few in each word are online: the debug kernel takes a second to
/// bring one up. kmemleak would take a minute to scan the memory of all.
const MANY_CPUS: Boot = Boot::new(
    "many",
    &[
        "--cpus",
        "66",
        "--append",
        "maxcpus=4 bpf_percpu.online=64,65",
    ],
)
.without_kmemleak("many");

/// For tests that advance one instruction at a time. Only two CPUs and no KFENCE timer, so that
/// nothing else takes time.
const ONE_INSN: Boot = Boot::new(
    "one-insn",
    &[
        "--nmi",
        "--monitor",
        "--cpus",
        "2",
        "--append",
        "kfence.sample_interval=0",
    ],
);

/// A guest whose clock counts instructions.
const ICOUNT: Boot = Boot::new("icount", &["--cpus", "1", "--icount"]);

/// All suites except the crates' own tests: those are suites named after the target. `seconds()` is
/// the duration on two CPUs without the boot: on the host or the stock kernel, and on the debug kernel.
#[rustfmt::skip]
pub fn suites(soak: bool) -> Vec<Suite> {
    // On the debug kernel, exact-interrupted takes 220 s of CPU time.
    let too_long = if soak { "" } else { "debug" };
    vec![
        guest("exact", "exact", USUAL).filter("stress::").seconds(16, 25).soak(),
        guest("exact-interrupted", "exact", ONE_INSN).filter("one_insn::").seconds(36, 180).soak()
            .except(too_long, "takes minutes on this kernel: make soak runs it"),
        guest("cost", "cost", ICOUNT).except("debug", "what watches costs, too").seconds(15, 0),
        guest("faults", "faults", USUAL).only("debug", "this kernel is built without fault injection").seconds(0, 90),
        guest("module", "module", USUAL).soak().seconds(25, 25),
        guest("store", "store", USUAL).filter("--skip slots::partial_boot").seconds(8, 45),
        guest("store-partial", "store", PARTIAL).filter("slots:: errors:: sums::").seconds(4, 25),
        guest("cpumask", "cpumask", NO_KMEMLEAK).filter("--skip boots::").seconds(6, 25),
        guest("cpumask-many", "cpumask", MANY_CPUS).filter("masks:: iterator:: boots::many").seconds(8, 25),
        guest("cpumask-partial", "cpumask", PARTIAL).filter("masks:: iterator:: boots::partial").seconds(4, 12),
        guest("percpu", "percpu", NO_KMEMLEAK).module("selftest").seconds(8, 18),
        guest("control", "control", USUAL).soak().seconds(10, 60),
        guest("lifetime", "lifetime", USUAL).soak().seconds(7, 20),
        guest("keyed", "keyed", USUAL).seconds(30, 95),
        guest("keyed_stress", "keyed_stress", USUAL).seconds(35, 90).soak(),
        guest("lower_native", "lower_native", NO_KMEMLEAK).seconds(1, 5),
        guest("lower_run", "lower_run", NO_KMEMLEAK).seconds(20, 25),
        guest("lower_load", "lower_load", NO_KMEMLEAK).percpuctl().seconds(7, 22),
        guest("lower_skel", "lower_skel", NO_KMEMLEAK).percpuctl().seconds(1, 4),
        guest("reference", "reference", USUAL).filter("examples::").seconds(3, 13),
        guest("examples", "examples", NO_KMEMLEAK).filter("guest::").programs().seconds(20, 70),
        guest("ctl", "ctl", NO_KMEMLEAK).percpuctl().seconds(45, 95),
        guest("lower_random", "lower_random", NO_KMEMLEAK).filter("--skip diversity::").seconds(25, 35).soak(),
        guest("sample", "sample", NO_KMEMLEAK).programs().seconds(120, 200),
        guest("psi", "psi", NO_KMEMLEAK).filter("--skip boots::").soak().seconds(10, 25),
        guest("psi-off", "psi", PARTIAL).filter("boots::").programs().seconds(1, 5),
        script("kunit", "tests/kunit.sh").only("debug", "this kernel is built without KUnit").seconds(0, 50),
        script("watchers", "tests/watchers.sh").only("debug", "").module("faults").seconds(0, 136),
        host_script("scripts", "tests/scripts.sh").programs().seconds(294, 0),
        host_script("quickstart", "tests/quickstart.sh").only("stock", "").programs().seconds(56, 0),
        host_script("install", "tests/install.sh").only("stock", "").programs().seconds(129, 0),
        host_script("family", "tests/family.sh").programs().seconds(159, 0),
        host("breakage", "breakage").seconds(90, 0),
        host("lower_random", "lower_random").filter("diversity::"),
        host("lower_fuzz", "lower_fuzz").percpuctl().soak().seconds(10, 0),
        host("bits", "bits"),
        host("examples", "examples").filter("--skip guest::"),
        host("lower_errors", "lower_errors"),
        host("lower_layouts", "lower_layouts").seconds(3, 0),
        host("reference", "reference").filter("--skip examples::"),
        host("kfunc_code", "kfunc_code").filter("--skip listing::"),
        host("kfunc_code-listing", "kfunc_code").filter("listing::").only("stock", "the listing is of the stock kernel's module"),
    ]
}
