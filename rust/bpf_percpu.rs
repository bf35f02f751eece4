// SPDX-License-Identifier: GPL-2.0

//! Per-CPU data and CPU masks for BPF programs.

mod bindings;
mod bpf;
mod cpumask;
mod dev;
#[cfg(CONFIG_KUNIT = "y")]
mod fixtures;
mod kfuncs;
mod parameter;
mod percpu;
mod psi;
mod rqspinlock;
mod store;
mod tracepoint;

use dev::{
    ControlFile,
    Device, //
};
use kernel::prelude::*;

module! {
    type: BpfPercpu,
    name: "bpf_percpu",
    authors: ["The bpf_percpu authors"],
    description: "Per-CPU data and CPU masks for BPF programs",
    license: "GPL",
    params: {
        max_stores: u32 {
            default: 1024,
            description: "Stores that may exist at a time, up to 1048576",
        },
        max_bytes: u32 {
            default: 33554432,
            description: "Bytes per CPU of all stores together, up to 2147483648",
        },
    },
}

/// What the module owns while it is loaded. The fields are made from the last to the first, and
/// dropped from the first to the last.
#[pin_data]
struct BpfPercpu {
    /// How user space reaches the stores.
    #[pin]
    _device: Device,
    /// How BPF programs reach them.
    _kfuncs: bpf::kfunc::Registration,
    /// What programs get instead of a store that is gone.
    _fallback: kfuncs::FallbackGuard,
    /// The stores.
    _stores: store::Registry,
}

impl kernel::InPlaceModule for BpfPercpu {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        cpumask::init();
        try_pin_init!(Self {
            // SAFETY: `init()` runs once, and nothing else of the module runs before this. The field is
            // dropped last, when no program and no file holds the module any more.
            _stores: unsafe {
                store::Registry::new(store::Limits {
                    stores: parameter::copied(module_parameters::max_stores.value()),
                    bytes: parameter::copied(module_parameters::max_bytes.value()),
                })
            }?,
            // SAFETY: `init()` runs once, and registers the kfuncs after this. The value is dropped when no
            // program holds the module any more.
            _fallback: unsafe { kfuncs::FallbackGuard::new() }?,
            _kfuncs: {
                psi::init();
                kfuncs::BPF_PERCPU_DTORS.register(module)?;
                kfuncs::BPF_PERCPU_KFUNCS.register(module)?
            },
            _device <- Device::new::<ControlFile>(c"bpf_percpu", module),
        }? Error)
    }
}
