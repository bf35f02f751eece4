// SPDX-License-Identifier: GPL-2.0

//! The benchmarks: groups of cases, and the ways to do each.

/// Who offers a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// bpf_percpu.
    Ours,
    /// The kernel, or a tool of others.
    Peer,
}

/// Whether a way loses counts when something interrupts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exact {
    /// It loses none.
    Yes,
    /// It may lose some.
    No,
    /// It counts nothing.
    NotAsked,
}

/// A way of doing something.
#[derive(Debug)]
pub struct Way {
    /// As in [`Cost::way`](crate::record::Cost::way).
    pub name: &'static str,
    /// The name in tables. Code is in backquotes.
    pub label: &'static str,
    /// Who offers it.
    pub whose: Whose,
    /// Whether it is exact.
    pub exact: Exact,
    /// Whether kernels before 7.3 lack it.
    pub since_7_3: bool,
}

impl Way {
    const fn new(name: &'static str, label: &'static str, whose: Whose, exact: Exact) -> Self {
        Self {
            name,
            label,
            whose,
            exact,
            since_7_3: false,
        }
    }

    const fn since_7_3(mut self) -> Self {
        self.since_7_3 = true;
        self
    }
}

/// Cases that can be done in the same ways. The other ways are compared with the first.
#[derive(Debug)]
pub struct Group {
    /// As in [`Cost::group`](crate::record::Cost::group).
    pub name: &'static str,
    /// The title.
    pub title: &'static str,
    /// What one value is the cost of. In the group `boot`, which the host measures, it is the unit.
    pub per: &'static str,
    /// Sentences that readers of the values need to know, if any.
    pub note: &'static str,
    /// The cases, as in [`Cost::case`](crate::record::Cost::case). A case that names a number of
    /// CPUs is measured in a guest with that number of possible CPUs.
    pub cases: &'static [&'static str],
    /// The ways.
    pub ways: &'static [Way],
}

impl Group {
    /// Returns the way with this name.
    pub fn way(&self, name: &str) -> Option<&'static Way> {
        self.ways.iter().find(|way| way.name == name)
    }
}

/// Returns the group with this name.
pub fn group(name: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.name == name)
}

const ARRAY: Way = Way::new("array", "`PERCPU_ARRAY`, `*v += 1`", Whose::Peer, Exact::No);
const ARRAY_LOCK: Way = Way::new(
    "array_lock",
    "`PERCPU_ARRAY`, `__sync_fetch_and_add`",
    Whose::Peer,
    Exact::Yes,
);
const VARIABLE: Way = Way::new(
    "variable",
    "`SEC(\".percpu\")`, `v += 1`",
    Whose::Peer,
    Exact::No,
)
.since_7_3();
const VARIABLE_LOCK: Way = Way::new(
    "variable_lock",
    "`SEC(\".percpu\")`, `__sync_fetch_and_add`",
    Whose::Peer,
    Exact::Yes,
)
.since_7_3();

const LOWERED: Way = Way::new(
    "lowered",
    "lowered `SEC(\".percpu\")`, `v += 1`",
    Whose::Ours,
    Exact::No,
);
const LOWERED_LOCK: Way = Way::new(
    "lowered_lock",
    "lowered `SEC(\".percpu\")`, `__sync_fetch_and_add`",
    Whose::Ours,
    Exact::Yes,
);

/// The note of groups that measure in a loop.
const LOOP_NOTE: &str =
    "The cost of a loop with one instruction in its body is subtracted, because the compiler \
    generates an empty loop differently. A single instruction shows as 0.";

/// The masks to walk.
pub const WALKS: &[&str] = &[
    "4 CPUs, all",
    "4 CPUs, sparse",
    "16 CPUs, all",
    "16 CPUs, sparse",
    "64 CPUs, all",
    "64 CPUs, sparse",
];

/// All groups.
pub const GROUPS: &[Group] = &[
    Group {
        name: "increment",
        title: "An increment, one of many in a run",
        per: "increment",
        note: LOOP_NOTE,
        cases: &["u64"],
        ways: &[
            ARRAY,
            ARRAY_LOCK,
            VARIABLE,
            VARIABLE_LOCK,
            LOWERED,
            LOWERED_LOCK,
            Way::new("view", "a view, `*v += 1`", Whose::Ours, Exact::No),
            Way::new(
                "view_add",
                "a view, `bpf_percpu_view_add_u64`",
                Whose::Ours,
                Exact::Yes,
            ),
            Way::new(
                "handle_add",
                "a handle, `bpf_percpu_add_u64`",
                Whose::Ours,
                Exact::Yes,
            ),
            Way::new(
                "this_cpu_view_add",
                "a handle, a new view each time",
                Whose::Ours,
                Exact::Yes,
            ),
            Way::new(
                "id_add",
                "an id, `bpf_percpu_id_add_u64`",
                Whose::Ours,
                Exact::Yes,
            ),
            Way::new(
                "get_handle_add",
                "an id, `bpf_percpu_store_get` and the handle's add",
                Whose::Ours,
                Exact::Yes,
            ),
        ],
    },
    Group {
        name: "find",
        title: "Finding the counters",
        per: "call",
        note: LOOP_NOTE,
        cases: &["u64"],
        ways: &[
            Way::new(
                "lookup",
                "`bpf_map_lookup_elem` on a `PERCPU_ARRAY`",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new(
                "get",
                "`bpf_percpu_store_get`",
                Whose::Ours,
                Exact::NotAsked,
            ),
            Way::new(
                "this_cpu",
                "`bpf_percpu_store_this_cpu`",
                Whose::Ours,
                Exact::NotAsked,
            ),
            Way::new(
                "per_cpu",
                "`bpf_percpu_store_per_cpu`",
                Whose::Ours,
                Exact::NotAsked,
            ),
            Way::new("data", "`bpf_percpu_data`", Whose::Ours, Exact::NotAsked),
        ],
    },
    Group {
        name: "program",
        title: "The total cost of counters that a program adds to once",
        per: "run",
        note:
            "The kernel's own measurement of a program's time, less that of a program without counters.",
        cases: &["1 counter", "4 counters", "16 counters"],
        ways: &[
            ARRAY,
            ARRAY_LOCK,
            Way::new(
                "array_keys",
                "`PERCPU_ARRAY`, a lookup for each, `*v += 1`",
                Whose::Peer,
                Exact::No,
            ),
            VARIABLE,
            VARIABLE_LOCK,
            LOWERED,
            LOWERED_LOCK,
            Way::new("id_add", "an id for each", Whose::Ours, Exact::Yes),
            Way::new(
                "get_handle_add",
                "`bpf_percpu_store_get`, the handle for each",
                Whose::Ours,
                Exact::Yes,
            ),
            Way::new(
                "data_add",
                "`bpf_percpu_data`, `bpf_percpu_view_add_u64` for each",
                Whose::Ours,
                Exact::Yes,
            ),
            Way::new(
                "data",
                "`bpf_percpu_data`, `*v += 1` for each",
                Whose::Ours,
                Exact::No,
            ),
        ],
    },
    Group {
        name: "exchange",
        title: "Read-modify-write with a result",
        per: "operation",
        note: LOOP_NOTE,
        cases: &["add_return", "xchg", "cmpxchg"],
        ways: &[
            Way::new(
                "array_lock",
                "`PERCPU_ARRAY`, `__sync_*`",
                Whose::Peer,
                Exact::Yes,
            ),
            Way::new(
                "variable_lock",
                "`SEC(\".percpu\")`, `__sync_*`",
                Whose::Peer,
                Exact::Yes,
            )
            .since_7_3(),
            Way::new(
                "lowered_lock",
                "lowered `SEC(\".percpu\")`, `__sync_*`",
                Whose::Ours,
                Exact::Yes,
            ),
            Way::new("handle", "a handle", Whose::Ours, Exact::Yes),
            Way::new("view", "a view", Whose::Ours, Exact::Yes),
        ],
    },
    Group {
        name: "owner",
        title: "Finding the entry of a task, a cgroup or a number",
        per: "call",
        note: LOOP_NOTE,
        cases: &["task", "cgroup", "u64"],
        ways: &[
            Way::new(
                "storage",
                "`bpf_task_storage_get`, `bpf_cgrp_storage_get`, a `PERCPU_HASH`",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new(
                "entry",
                "`bpf_percpu_{task,cgroup,key}_store`",
                Whose::Ours,
                Exact::NotAsked,
            ),
        ],
    },
    Group {
        name: "creation",
        title: "Creating an entry for a task, a socket or a number",
        per: "creation",
        note:
            "For a batch of consecutive creations, less the cost of finding the next owner. At one \
            instruction per nanosecond, a second has a billion.",
        cases: &["batch of 16", "batch of 32", "batch of 64"],
        ways: &[
            Way::new(
                "task_storage",
                "`bpf_task_storage_get`, which is not per-CPU",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new(
                "sk_storage",
                "`bpf_sk_storage_get`, which is not per-CPU",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new(
                "task_entry",
                "`bpf_percpu_task_store`",
                Whose::Ours,
                Exact::NotAsked,
            ),
            Way::new(
                "key_entry",
                "`bpf_percpu_key_store`",
                Whose::Ours,
                Exact::NotAsked,
            ),
        ],
    },
    Group {
        name: "sum",
        title: "The sum over the possible CPUs",
        per: "sum",
        note: "",
        cases: &["4 CPUs", "16 CPUs", "64 CPUs"],
        ways: &[
            Way::new(
                "lookup",
                "`bpf_map_lookup_percpu_elem` for each CPU, in BPF",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new(
                "user_map",
                "lookup in user space, and the sum of what it returns",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new(
                "user_store",
                "`bpf_percpu::store::Store::sum_u64` in user space",
                Whose::Ours,
                Exact::NotAsked,
            ),
            Way::new("sum", "`bpf_percpu_sum_u64`", Whose::Ours, Exact::NotAsked),
        ],
    },
    Group {
        name: "walk",
        title: "A walk of a CPU mask, with its set-up",
        per: "walk",
        note: "The walk reads each CPU number, and does nothing with it.",
        cases: WALKS,
        ways: &[
            Way::new("iter_bits", "`bpf_iter_bits`", Whose::Peer, Exact::NotAsked),
            Way::new(
                "for_test_cpu",
                "`bpf_for` and `bpf_cpumask_test_cpu`",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new(
                "iter_cpumask",
                "`bpf_iter_cpumask`",
                Whose::Ours,
                Exact::NotAsked,
            ),
            Way::new(
                "cpumask_next",
                "`bpf_cpumask_next`",
                Whose::Ours,
                Exact::NotAsked,
            ),
        ],
    },
    Group {
        name: "bits",
        title: "A walk of a bitmap in the kernel, without BPF",
        per: "walk",
        note: "",
        cases: &[
            "512 bits, all",
            "512 bits, sparse",
            "8192 bits, all",
            "8192 bits, sparse",
        ],
        ways: &[
            Way::new(
                "for_each_set_bit",
                "C, `for_each_set_bit()`",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new(
                "next_bit",
                "Rust, `kernel::bitmap::Bitmap::next_bit`",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new(
                "set_bits",
                "Rust, `SetBits::next` of `rust/cpumask/`",
                Whose::Ours,
                Exact::NotAsked,
            ),
            Way::new(
                "fold",
                "Rust, `SetBits::fold` of `rust/cpumask/`",
                Whose::Ours,
                Exact::NotAsked,
            ),
        ],
    },
    Group {
        name: "getters",
        title: "Getters",
        per: "call",
        note: LOOP_NOTE,
        cases: &["possible CPUs", "online CPUs", "number of CPUs"],
        ways: &[
            Way::new(
                "scx",
                "`scx_bpf_*`, and `scx_bpf_put_cpumask` of a mask",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new("get", "`bpf_get_*`", Whose::Ours, Exact::NotAsked),
        ],
    },
    Group {
        name: "stores",
        title: "Stores and maps, from user space",
        per: "call",
        note: "The thread's own run time; other threads free what is closed.",
        cases: &[
            "create, 8 bytes",
            "create, 32 KiB",
            "close, 8 bytes",
            "close, 32 KiB",
        ],
        ways: &[
            Way::new(
                "array",
                "`PERCPU_ARRAY` of one value",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new("store", "store", Whose::Ours, Exact::NotAsked),
        ],
    },
    Group {
        name: "dump",
        title: "A dump of 64 u64 of one CPU, by a process",
        per: "process",
        note: "The process's own time, from its start to its end.",
        cases: &["512 bytes"],
        ways: &[
            Way::new(
                "bpftool",
                "`bpftool map dump`",
                Whose::Peer,
                Exact::NotAsked,
            ),
            Way::new(
                "percpuctl",
                "`percpuctl dump`",
                Whose::Ours,
                Exact::NotAsked,
            ),
        ],
    },
    Group {
        name: "module",
        title: "The module",
        per: "call",
        note: "The thread's own run time, without the time that it waited.",
        cases: &["insmod", "rmmod"],
        ways: &[Way::new(
            "module",
            "`bpf_percpu.ko`",
            Whose::Ours,
            Exact::NotAsked,
        )],
    },
    Group {
        name: "boot",
        title: "From boot to the first event of a sample",
        per: "s",
        note: "",
        cases: &["make run"],
        ways: &[Way::new(
            "first_event",
            "`make run`, to the first line of the sample",
            Whose::Ours,
            Exact::NotAsked,
        )],
    },
];
