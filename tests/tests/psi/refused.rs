// SPDX-License-Identifier: GPL-2.0

//! Programs that the verifier must reject: PSI and per-CPU addresses.

use tests::object;
use tests::refused;

refused! {
    object!("psi-refused");
    helper_on_a_field: "type=ptr_ expected=percpu_ptr_";
    unchecked: "invalid mem access 'rcu_ptr_or_null_'";
    written: "only read is supported";
    without_rcu: "kernel func bpf_cgroup_psi_cpu requires RCU critical section protection";
    null_cgroup: "Possibly NULL pointer passed to trusted R1";
    scalar_as_cgroup: "R1 pointer type STRUCT cgroup must point to scalar, or struct with scalar",
        from 7.3: "R1 is scalar expected STRUCT cgroup";
    number_as_pointer: "invalid mem access 'scalar'";
}
