// SPDX-License-Identifier: GPL-2.0

//! What manual pages say beside what clap knows.

/// What a page has in the sections after the options.
pub struct Page {
    /// When the status is 0.
    pub success: &'static str,
    /// When it is 1.
    pub failure: &'static str,
    /// Paths, and what they are.
    pub files: Vec<(&'static str, &'static str)>,
    /// What is done, and what does it.
    pub examples: &'static [Example],
    /// Other pages, with their sections.
    pub see: Vec<String>,
}

/// What is done, and the lines that do it.
type Example = (&'static str, &'static [&'static str]);

const DEVICE: (&str, &str) = (
    "/dev/bpf_percpu",
    "The control file of bpf_percpu.ko. To open it takes CAP_BPF or CAP_SYS_ADMIN.",
);
const NO_DEVICE: (&str, &str) = (
    "/dev/bpf_percpu",
    "The control file of bpf_percpu.ko. This command needs neither it nor the module.",
);
const CGROUPS: (&str, &str) = (
    "/sys/fs/cgroup",
    "Where cgroups are mounted on most machines: their paths begin there.",
);
const BPFFS: (&str, &str) = (
    "/sys/fs/bpf",
    "Where the BPF file system is mounted on most machines.",
);

const DONE: &str = "Success.";
const FAILED: &str =
    "An error. Standard error has one line that says what is wrong and what to do.";

/// What the page of a command has. `all` are the names of those that there are.
pub fn of(command: &str, all: &[String]) -> Page {
    let (success, failure) = match command {
        "probe" => (
            "The module can be used with all of its kfuncs.",
            "It cannot. The output says what is missing.",
        ),
        "export" | "watch" => (
            "Success, also when a signal asked percpuctl to end.",
            FAILED,
        ),
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
                "A store of 32 bytes for each CPU, until it is removed:",
                &["percpuctl create packets --size 32"],
            ),
            (
                "Counters of 8 bytes for each of up to 1024 cgroups:",
                &["percpuctl create syscalls --size 8 --key cgroup --entries 1024"],
            ),
            (
                "A store whose bytes begin as those of a file:",
                &["percpuctl create limits --size 4K --image limits.bin"],
            ),
        ],
        "list" => &[
            ("All stores, as a table:", &["percpuctl list"]),
            (
                "Their names, for a script:",
                &["percpuctl list --json | jq -r .[].name"],
            ),
        ],
        "show" => &[
            (
                "A store, and who has entries in it if it is keyed:",
                &["percpuctl show syscalls"],
            ),
            (
                "A store whose name was given free:",
                &["percpuctl show --id 3"],
            ),
        ],
        "dump" => &[
            (
                "All counters, a column for each CPU:",
                &["percpuctl dump packets"],
            ),
            (
                "The bytes that CPU 2 has:",
                &["percpuctl dump packets --cpu 2 --type hex"],
            ),
            (
                "The counters of a cgroup:",
                &["percpuctl dump syscalls --key /web"],
            ),
        ],
        "set" => &[
            (
                "A counter becomes zero on all CPUs:",
                &["percpuctl set packets --offset 8 --value 0 --all"],
            ),
            (
                "Four bytes, as they are, on CPU 1:",
                &["percpuctl set packets --offset 16 --value 0a0b0c0d --type hex --cpu 1"],
            ),
        ],
        "sum" => &[
            (
                "A counter, over all CPUs:",
                &["percpuctl sum packets --offset 8"],
            ),
            (
                "The counter of each cgroup, the largest first:",
                &["percpuctl sum syscalls --offset 0"],
            ),
        ],
        "rm" => &[
            ("A store:", &["percpuctl rm packets"]),
            (
                "The entry of a cgroup:",
                &["percpuctl rm syscalls --key /batch"],
            ),
        ],
        "watch" => &[
            (
                "Twice a second, until Ctrl-C:",
                &["percpuctl watch packets --interval 0.5"],
            ),
            (
                "How much was counted in a minute, for a script:",
                &["percpuctl watch packets --interval 60 --iterations 2 --json"],
            ),
        ],
        "export" => &[
            ("All stores, for this machine:", &["percpuctl export"]),
            (
                "Two counters of a store, with names, added up over the CPUs:",
                &["percpuctl export --total --counter packets:0=xdp_packets --counter packets:8=xdp_bytes"],
            ),
            (
                "For others, too, at any port that is free:",
                &["percpuctl export packets --listen [::]:0 --json"],
            ),
            (
                "For the textfile collector of node_exporter, from a timer:",
                &["percpuctl export --once --output /var/lib/prometheus/node-exporter/percpu.prom"],
            ),
        ],
        "load" => &[
            (
                "A program that stays until /sys/fs/bpf/count is removed:",
                &["percpuctl load count.bpf.o --attach --pin /sys/fs/bpf/count"],
            ),
            (
                "A program whose section .percpu is a store that others share:",
                &["percpuctl load count.bpf.o --attach --share .percpu=packets"],
            ),
        ],
        "lower" => &[
            (
                "For a kernel before 7.3:",
                &["percpuctl lower count.bpf.o count.lowered.o"],
            ),
            (
                "For a later one, with a libbpf before 1.8:",
                &["percpuctl lower count.bpf.o count.native.o --native"],
            ),
        ],
        "skel" => &[(
            "The module of an object:",
            &["percpuctl skel count.bpf.o --output count.percpu.rs"],
        )],
        "probe" => &[(
            "What there is, and whether all of it can be used:",
            &["percpuctl probe"],
        )],
        "completions" => &[(
            "For bash, of all users:",
            &["percpuctl completions bash > /usr/share/bash-completion/completions/percpuctl"],
        )],
        _ => &[
            (
                "A store, a value in it, and its sum over all CPUs:",
                &[
                    "percpuctl create packets --size 32",
                    "percpuctl set packets --offset 8 --value 1 --all",
                    "percpuctl sum packets --offset 8",
                ],
            ),
            (
                "What this kernel and the module offer:",
                &["percpuctl probe"],
            ),
        ],
    }
}
