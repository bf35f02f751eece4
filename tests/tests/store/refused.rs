// SPDX-License-Identifier: GPL-2.0

//! Programs that the verifier must reject: handles and views.

use tests::object;
use tests::refused;

const HANDLES: &[u8] = object!("store-refused");
const VIEWS: &[u8] = object!("store-refused_views");

refused! {
    HANDLES;
    no_release: "would lead to reference leak";
    no_release_of_acquired: "would lead to reference leak";
    release_twice: "expects referenced PTR_TO_BTF_ID passed to R1";
    handle_after_release: "must point to scalar, or struct with scalar",
        from 7.3: "R1 is scalar expected STRUCT bpf_percpu_store";
    view_after_release: "invalid mem access 'scalar'";
    field_after_release: "invalid mem access 'scalar'";
    forged_on_stack: "must point to scalar, or struct with scalar",
        from 7.3: "R1 is fp expected STRUCT bpf_percpu_store";
    forged_in_map: "must point to scalar, or struct with scalar",
        from 7.3: "R1 is map_value expected STRUCT bpf_percpu_store";
    released_fake: "expects referenced PTR_TO_BTF_ID passed to R1";
    untrusted_handle: "R1 must be a rcu pointer";
    scalar_as_handle: "must point to scalar, or struct with scalar",
        from 7.3: "R1 is scalar expected STRUCT bpf_percpu_store";
    write_through_handle: "cannot write into ptr_bpf_percpu_store at off=8";
    write_through_pointer_of_handle: "cannot write into rdonly_untrusted_mem";
    get_without_rcu: "kernel func bpf_percpu_store_get requires RCU critical section protection";
    id_add_without_rcu: "kernel func bpf_percpu_id_add_u64 requires RCU critical section protection";
    handle_after_unlock: "R1 must be a rcu pointer";
    acquire_after_unlock: "R1 must be a rcu pointer";
    release_of_got: "expects referenced PTR_TO_BTF_ID passed to R1";
    unchecked_get: "Possibly NULL pointer passed to trusted R1";
    unchecked_lookup: "Possibly NULL pointer passed to trusted R1";
    unchecked_acquire: "Possibly NULL pointer passed to trusted R1";
    name_not_constant: "R1 does not point to a readonly map";
    name_on_stack: "R1 doesn't point to a const string";
    name_without_end: "string is not zero-terminated";
    small_result: "R4 min value is outside of the allowed memory range";
    constant_result: "write into map forbidden";
    scalar_as_mask: "R3 type=scalar expected=fp";
    null_result_of_add_return_u64: "Possibly NULL pointer passed to trusted R4";
    null_result_of_xchg_u64: "Possibly NULL pointer passed to trusted R4";
    null_result_of_cmpxchg_u64: "Possibly NULL pointer passed to trusted R5";
    null_result_of_sum_u64: "Possibly NULL pointer passed to trusted R4";
}

refused! {
    VIEWS;
    unchecked_this_cpu: "invalid mem access 'mem_or_null'";
    unchecked_per_cpu: "invalid mem access 'rdonly_mem_or_null'";
    unchecked_view_op: "Possibly NULL pointer passed to trusted R1";
    store_to_other_cpu: "cannot write into rdonly_mem";
    read_past_end: "min value is outside of the allowed memory range";
    write_past_end: "min value is outside of the allowed memory range";
    read_before_start: "min value is outside of the allowed memory range";
    read_of_other_past_end: "min value is outside of the allowed memory range";
    any_offset: "max value is outside of the allowed memory range";
    data_past_end: "min value is outside of the allowed memory range";
    size_not_constant: "R3 is not a const";
    other_size_not_constant: "R4 is not a const";
    data_size_not_constant: "R2 is not a const";
    small_view: "R1 min value is outside of the allowed memory range";
    end_of_view: "R1 min value is outside of the allowed memory range";
    end_of_view_32: "R1 min value is outside of the allowed memory range";
    scalar_as_view: "R1 type=scalar expected=fp";
    null_as_view: "Possibly NULL pointer passed to trusted R1";
    add_u64_on_other_cpu: "R1 cannot write into rdonly_mem";
    add_u32_on_other_cpu: "R1 cannot write into rdonly_mem";
    add_return_u64_on_other_cpu: "R1 cannot write into rdonly_mem";
    add_return_u32_on_other_cpu: "R1 cannot write into rdonly_mem";
    xchg_u64_on_other_cpu: "R1 cannot write into rdonly_mem";
    xchg_u32_on_other_cpu: "R1 cannot write into rdonly_mem";
    cmpxchg_u64_on_other_cpu: "R1 cannot write into rdonly_mem";
    cmpxchg_u32_on_other_cpu: "R1 cannot write into rdonly_mem";
    size_too_large: "R2 rdonly/rdwr_buf_size exceeds u32 max",
        from 7.3: "R2 allocation size exceeds u32 max";
}
