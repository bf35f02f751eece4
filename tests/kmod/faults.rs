// SPDX-License-Identifier: GPL-2.0

//! A module with one fault, which the debug kernel's checks have to see: the control of the tests
//! that find none.

#[path = "../../rust/parameter.rs"]
mod parameter;

use core::mem::forget;
use kernel::{
    bindings,
    prelude::*,
    sync::{
        new_mutex,
        new_spinlock,
        rcu,
        Mutex,
        SpinLock, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};

module! {
    type: Faults,
    name: "bpf_percpu_faults",
    authors: ["The bpf_percpu authors"],
    description: "Faults that the kernel's checks have to see",
    license: "GPL",
    params: {
        fault: u8 {
            default: 0,
            description: "0: none, 1: sleep in atomic context, 2: leak of per-CPU memory, 3: leak of a slab object, 4: lock taken twice, 5: use after free, 6: wait for RCU readers as one",
        },
    },
}

struct Faults;

impl kernel::Module for Faults {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        match parameter::copied(module_parameters::fault.value()) {
            0 => (),
            1 => sleep_in_atomic_context()?,
            2 => leak_per_cpu_memory()?,
            3 => leak_objects()?,
            4 => lock_twice()?,
            5 => use_after_free()?,
            6 => wait_for_oneself(),
            _ => return Err(EINVAL),
        }
        Ok(Self)
    }
}

fn sleep_in_atomic_context() -> Result {
    let lock = KBox::pin_init(new_spinlock!(0u32), GFP_KERNEL)?;
    let _guard = SpinLock::lock(&lock);
    // May sleep.
    KBox::new(0u8, GFP_KERNEL)?;
    Ok(())
}

/// Of how many objects the only pointer is lost: any of them may be left in a stale word that
/// kmemleak takes for a pointer, but not all.
const LEAKS: usize = 32;

fn leak_per_cpu_memory() -> Result {
    for _ in 0..LEAKS {
        // SAFETY: Size and alignment are what the allocator takes.
        let base = unsafe { bindings::pcpu_alloc_noprof(64, 8, false, bindings::GFP_KERNEL) };
        if base.is_null() {
            return Err(ENOMEM);
        }
    }
    Ok(())
}

fn leak_objects() -> Result {
    for _ in 0..LEAKS {
        forget(KBox::new([0u64; 8], GFP_KERNEL)?);
    }
    Ok(())
}

/// Does not return.
fn lock_twice() -> Result {
    let lock = KBox::pin_init(new_mutex!(0u32), GFP_KERNEL)?;
    let _first = Mutex::lock(&lock);
    let _second = Mutex::lock(&lock);
    Ok(())
}

/// Until one of the objects is among those that KFENCE watches.
fn use_after_free() -> Result {
    for _ in 0..200 {
        let object = KBox::into_raw(KBox::new([0u64; 8], GFP_KERNEL)?);
        // SAFETY: The pointer was a box until just now.
        drop(unsafe { KBox::from_raw(object) });
        // SAFETY: Not safe: the object is gone. This is the fault, in a guest that is for it.
        unsafe { object.cast::<u64>().read_volatile() };
        fsleep(Delta::from_millis(5));
    }
    Ok(())
}

fn wait_for_oneself() {
    let _rcu = rcu::read_lock();
    // SAFETY: Not safe in an RCU section, where it may wait for ever. This is the fault.
    unsafe { bindings::synchronize_rcu() };
}
