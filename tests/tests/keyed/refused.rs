// SPDX-License-Identifier: GPL-2.0

//! Programs that the verifier must reject: entries and walks.

use tests::object;
use tests::refused;

refused! {
    object!("keyed-refused");
    task_store_without_rcu: "bpf_percpu_task_store requires RCU critical section protection";
    cgroup_store_without_rcu: "bpf_percpu_cgroup_store requires RCU critical section protection";
    key_store_without_rcu: "bpf_percpu_key_store requires RCU critical section protection";
    task_delete_without_rcu: "bpf_percpu_task_delete requires RCU critical section protection";
    cgroup_delete_without_rcu: "bpf_percpu_cgroup_delete requires RCU critical section protection";
    key_delete_without_rcu: "bpf_percpu_key_delete requires RCU critical section protection";
    entry_after_unlock: "R1 must be a rcu pointer";
    acquire_after_unlock: "R1 must be a rcu pointer";
    release_of_entry: "expects referenced PTR_TO_BTF_ID passed to R1";
    no_release: "would lead to reference leak";
    write_through_entry: "cannot write into ptr_bpf_percpu_store";
    unchecked_task_store: "Possibly NULL pointer passed to trusted R1";
    unchecked_cgroup_store: "Possibly NULL pointer passed to trusted R1";
    unchecked_key_store: "Possibly NULL pointer passed to trusted R1";
    null_store: "Possibly NULL pointer passed to trusted R1";
    null_owner: "Possibly NULL pointer passed to trusted R2";
    untrusted_task: "R2 must be a rcu pointer";
    untrusted_task_of_delete: "R2 must be a rcu pointer";
    untrusted_cgroup: "R2 must be a rcu pointer";
    cgroup_as_task: "R2 expected pointer to STRUCT task_struct but R2 has a pointer to STRUCT cgroup";
    scalar_as_task: "R2";
    iterator_without_rcu: "requires RCU critical section protection";
    next_after_unlock: "expected an RCU CS when using";
    no_destroy: "reference leak";
    next_after_destroy: "expected an initialized iter_percpu_entry";
    next_without_new: "expected an initialized iter_percpu_entry";
    unchecked_next: "Possibly NULL pointer passed to trusted R1";
    entry_after_walk: "R1 must be a rcu pointer";
}
