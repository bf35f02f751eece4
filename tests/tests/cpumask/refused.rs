// SPDX-License-Identifier: GPL-2.0

//! Programs that the verifier must reject: masks and iterators.

use tests::object;
use tests::refused;

const OBJECT: &[u8] = object!("cpumask-refused");

refused! {
    OBJECT;
    no_destroy: "Unreleased reference";
    next_before_new: "expected an initialized iter_cpumask as R1";
    destroy_before_new: "expected an initialized iter_cpumask as R1";
    next_after_destroy: "expected an initialized iter_cpumask as R1";
    destroy_twice: "expected an initialized iter_cpumask as R1";
    pointer_after_destroy: "invalid mem access 'scalar'";
    unchecked_pointer: "invalid mem access 'scalar'";
    store_through_pointer: "cannot write into rdonly_mem";
    null_mask: "Possibly NULL pointer passed to trusted R2";
    null_mask_next: "Possibly NULL pointer passed to trusted R2";
    unchecked_mask: "Possibly NULL pointer passed to trusted R2";
    untrusted_mask: "R2 must be a rcu pointer";
    untrusted_mask_next: "R2 must be a rcu pointer";
    scalar_mask: "R2 type=scalar expected=fp";
    change_of_global_mask: "expected pointer to STRUCT bpf_cpumask";
    small_memory: "invalid access to map value, value_size=512 off=0 size=1024";
    next_after_unlock: "expected an RCU CS when using bpf_iter_cpumask_next";
    destroy_after_unlock: "expected an RCU CS when using bpf_iter_cpumask_destroy";
    no_rcu_section: "requires RCU critical section protection";
}
