// SPDX-License-Identifier: GPL-2.0

//! The parts of manual pages that clap does not know.

/// The sections of a page after the options.
pub struct Page {
    /// When the exit status is 0.
    pub success: &'static str,
    /// When the exit status is 1.
    pub failure: &'static str,
    /// Paths with descriptions.
    pub files: Vec<(&'static str, &'static str)>,
    /// Examples.
    pub examples: &'static [Example],
    /// Other pages, with their sections.
    pub see: Vec<String>,
}

/// A description, and the lines of the example.
type Example = (&'static str, &'static [&'static str]);

const DEVICE: (&str, &str) = (
    "/dev/bpf_percpu",
    "The control file of bpf_percpu.ko. Opening it requires CAP_BPF or CAP_SYS_ADMIN.",
);
const NO_DEVICE: (&str, &str) = (
    "/dev/bpf_percpu",
    "The control file of bpf_percpu.ko. This command needs neither it nor the module.",
);
const CGROUPS: (&str, &str) = (
    "/sys/fs/cgroup",
    "The cgroup mount on most machines. Paths of cgroups start there.",
);
const BPFFS: (&str, &str) = (
    "/sys/fs/bpf",
    "The BPF file system's mount on most machines.",
);

const DONE: &str = "Success.";
const FAILED: &str =
    "An error. Standard error has one line that says what is wrong and what to do.";

/// The additions for a command. `all` has the names of all commands.
pub fn of(command: &str, all: &[String]) -> Page {
    let (success, failure) = match command {
        "probe" => (
            "The module can be used with all of its kfuncs.",
            "It cannot. The output says what is missing.",
        ),
        "export" | "watch" => ("Success, also if a signal ended percpuctl.", FAILED),
        _ => (DONE, FAILED),
    };
    let files = match command {
        "lower" | "skel" | "completions" => vec![NO_DEVICE],
        "load" => vec![DEVICE, BPFFS],
        "dump" | "export" | "rm" | "set" | "show" | "sum" | "watch" => vec![DEVICE, CGROUPS],
        _ => vec![DEVICE],
    };
    Page {
        success,
        failure,
        files,
        examples: examples(command),
        see: see(command, all),
    }
}

fn see(command: &str, all: &[String]) -> Vec<String> {
    let related: &[&str] = match command {
        "create" => &["list", "rm", "show"],
        "list" => &["show"],
        "show" => &["list", "sum"],
        "dump" => &["sum", "watch"],
        "set" => &["dump"],
        "sum" => &["dump", "watch"],
        "rm" => &["create"],
        "watch" => &["dump", "sum"],
        "export" => &["sum", "watch"],
        "load" => &["lower", "probe"],
        "lower" => &["load", "skel"],
        "skel" => &["lower"],
        "probe" => &["load"],
        "completions" => &[],
        _ => {
            let all = all.iter().filter(|name| *name != "percpuctl");
            let all = all.map(|name| format!("{name}(1)"));
            return all.chain(["bpftool(8)".to_string()]).collect();
        }
    };
    let related = related.iter().map(|name| format!("percpuctl-{name}(1)"));
    let mut see = vec!["percpuctl(1)".to_string()];
    see.extend(related);
    if command == "load" {
        see.push("bpftool(8)".to_string());
    }
    see
}

fn examples(command: &str) -> &'static [Example] {
    match command {
        "create" => &[
            (
                "Create a store of 32 bytes for each CPU, which stays until it is removed:",
                &["percpuctl create packets --size 32"],
            ),
            (
                "Create counters of 8 bytes for each of up to 1024 cgroups:",
                &["percpuctl create syscalls --size 8 --key cgroup --entries 1024"],
            ),
            (
                "Create a store with the initial value from a file:",
                &["percpuctl create limits --size 4K --image limits.bin"],
            ),
        ],
        "list" => &[
            ("List all stores as a table:", &["percpuctl list"]),
            (
                "List their names for a script:",
                &["percpuctl list --json | jq -r .[].name"],
            ),
        ],
        "show" => &[
            (
                "Show a store and, if it is keyed, the owners of entries:",
                &["percpuctl show syscalls"],
            ),
            (
                "Show a store whose name has been freed:",
                &["percpuctl show --id 3"],
            ),
        ],
        "dump" => &[
            (
                "Show all counters, with a column for each CPU:",
                &["percpuctl dump packets"],
            ),
            (
                "Show the bytes of CPU 2:",
                &["percpuctl dump packets --cpu 2 --type hex"],
            ),
            (
                "Show the counters of a cgroup:",
                &["percpuctl dump syscalls --key /web"],
            ),
        ],
        "set" => &[
            (
                "Reset a counter to zero on all CPUs:",
                &["percpuctl set packets --offset 8 --value 0 --all"],
            ),
            (
                "Write four bytes on CPU 1:",
                &["percpuctl set packets --offset 16 --value 0a0b0c0d --type hex --cpu 1"],
            ),
        ],
        "sum" => &[
            (
                "Add up a counter over all CPUs:",
                &["percpuctl sum packets --offset 8"],
            ),
            (
                "Show the counter of each cgroup, the largest first:",
                &["percpuctl sum syscalls --offset 0"],
            ),
        ],
        "rm" => &[
            ("Remove a store:", &["percpuctl rm packets"]),
            (
                "Remove the entry of a cgroup:",
                &["percpuctl rm syscalls --key /batch"],
            ),
        ],
        "watch" => &[
            (
                "Show counters twice a second, until Ctrl-C:",
                &["percpuctl watch packets --interval 0.5"],
            ),
            (
                "Show the growth in one minute, for a script:",
                &["percpuctl watch packets --interval 60 --iterations 2 --json"],
            ),
        ],
        "export" => &[
            ("Export all stores to this machine:", &["percpuctl export"]),
            (
                "Export two counters of a store with names, added up over the CPUs:",
                &["percpuctl export --total --counter packets:0=xdp_packets --counter packets:8=xdp_bytes"],
            ),
            (
                "Export a store to other machines, too, at any free port:",
                &["percpuctl export packets --listen [::]:0 --json"],
            ),
            (
                "Write a file for node_exporter's textfile collector, from a timer:",
                &["percpuctl export --once --output /var/lib/prometheus/node-exporter/percpu.prom"],
            ),
        ],
        "load" => &[
            (
                "Load a program that stays until /sys/fs/bpf/count is removed:",
                &["percpuctl load count.bpf.o --attach --pin /sys/fs/bpf/count"],
            ),
            (
                "Load a program whose section .percpu is a store that others share:",
                &["percpuctl load count.bpf.o --attach --share .percpu=packets"],
            ),
        ],
        "lower" => &[
            (
                "Lower an object for a kernel before 7.3:",
                &["percpuctl lower count.bpf.o count.lowered.o"],
            ),
            (
                "Rename sections for a later kernel and a libbpf before 1.8:",
                &["percpuctl lower count.bpf.o count.native.o --native"],
            ),
        ],
        "skel" => &[(
            "Write the module of an object:",
            &["percpuctl skel count.bpf.o --output count.percpu.rs"],
        )],
        "probe" => &[(
            "Show what is supported, and whether all of it can be used:",
            &["percpuctl probe"],
        )],
        "completions" => &[(
            "Install completions for bash, for all users:",
            &["percpuctl completions bash > /usr/share/bash-completion/completions/percpuctl"],
        )],
        _ => &[
            (
                "Create a store, write a value, and add it up over all CPUs:",
                &[
                    "percpuctl create packets --size 32",
                    "percpuctl set packets --offset 8 --value 1 --all",
                    "percpuctl sum packets --offset 8",
                ],
            ),
            (
                "Show what this kernel and the module support:",
                &["percpuctl probe"],
            ),
        ],
    }
}
