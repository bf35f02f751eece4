// SPDX-License-Identifier: GPL-2.0

//! A task, and the CPUs that it may use.

use crate::bpf::Head;
use bpf_percpu::cpu_list::CpuList;
use percpu_live::kernel::comm;

const PF_KTHREAD: u32 = 0x0020_0000;
const PF_NO_SETAFFINITY: u32 = 0x0400_0000;

/// The machine's CPUs.
#[derive(Debug)]
pub struct Machine {
    /// The online CPUs.
    pub online: CpuList,
    /// The possible CPUs.
    pub possible: CpuList,
}

/// A task, and the CPUs that it may use.
#[derive(Clone, Debug)]
pub struct Task {
    /// The thread id.
    pub tid: i32,
    /// The process id.
    pub pid: i32,
    /// Its name.
    pub comm: String,
    /// Whether it is a kernel thread.
    pub kernel: bool,
    /// Whether the kernel fixes its CPUs, so that user space cannot change them.
    pub fixed: bool,
    /// Whether it has exited, and only waits for its parent.
    pub exited: bool,
    /// Whether it currently may not migrate, whatever it may use.
    pub migrate_disabled: bool,
    /// Its start time, in ns since boot.
    pub started: u64,
    /// The id of its control group.
    pub cgroup: u64,
    /// The CPUs that it may use.
    pub allowed: CpuList,
    /// The online CPUs among them.
    pub online: CpuList,
    /// The CPUs that `sched_setaffinity()` requested, if the kernel still has them.
    pub asked: Option<CpuList>,
}

/// Creates the task from a record.
pub fn new(head: &Head, allowed: CpuList, online: CpuList, asked: CpuList) -> Task {
    let kernel = head.flags & PF_KTHREAD != 0;
    Task {
        tid: head.pid,
        pid: head.tgid,
        comm: comm(&head.comm),
        kernel,
        fixed: kernel && head.flags & PF_NO_SETAFFINITY != 0,
        exited: head.exit_state != 0,
        migrate_disabled: head.migrate_disabled != 0,
        started: head.started,
        cgroup: head.cgroup,
        allowed,
        online,
        asked: (head.has_asked != 0).then_some(asked),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn list(text: &str) -> CpuList {
        text.parse().unwrap()
    }

    /// A task on the CPUs 0-3, of which 3 is offline.
    pub fn task(allowed: &str, asked: Option<&str>) -> Task {
        let head = Head {
            pid: 10,
            tgid: 10,
            has_asked: asked.is_some().into(),
            ..Head::default()
        };
        let online = list(allowed).both(&list("0-2"));
        new(&head, list(allowed), online, list(asked.unwrap_or("")))
    }

    #[test]
    fn only_threads_of_the_kernel_are_fixed() {
        for (flags, kernel, fixed) in [
            (0, false, false),
            (PF_NO_SETAFFINITY, false, false),
            (PF_KTHREAD, true, false),
            (PF_KTHREAD | PF_NO_SETAFFINITY, true, true),
        ] {
            let head = Head {
                flags,
                ..Head::default()
            };
            let task = new(&head, list("0"), list("0"), list(""));
            assert_eq!((task.kernel, task.fixed), (kernel, fixed), "{flags:#x}");
            assert_eq!(task.asked, None);
        }
    }
}
