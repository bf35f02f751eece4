// SPDX-License-Identifier: GPL-2.0

//! Per-CPU data and CPU masks for BPF programs.

mod bindings;
mod bpf;
mod cpumask;
mod kfuncs;

use kernel::prelude::*;

module! {
    type: BpfPercpu,
    name: "bpf_percpu",
    authors: ["The bpf_percpu authors"],
    description: "Per-CPU data and CPU masks for BPF programs",
    license: "GPL",
}

/// What the module owns while it is loaded.
struct BpfPercpu {
    _kfuncs: bpf::kfunc::Registration,
}

impl kernel::Module for BpfPercpu {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let kfuncs = kfuncs::BPF_PERCPU_KFUNCS.register(module)?;
        Ok(Self { _kfuncs: kfuncs })
    }
}
