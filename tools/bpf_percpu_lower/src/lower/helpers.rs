// SPDX-License-Identifier: GPL-2.0

//! The arguments of the kernel's helpers and kfuncs. The set of helpers is final: the kernel adds
//! kfuncs instead.

use crate::lower::function::Callee;
use crate::lower::insn::bit;

/// The number of arguments of each helper, by its id; those with `...` have five. From
/// `bpf_helper_defs.h` of libbpf 1.7.
const ARGS: &[u8; 212] = b"\
02423050055533002131442215435333231032322103231125434424352242243254544444434141\
02425513224431111115543334442155333321044511305312432222111114443423354142124202\
0315453413231111341454332101144533231442255333220442";

/// The helper with this id.
pub fn helper(id: i32) -> Option<Callee> {
    const SNPRINTF: i32 = 165;
    const STRNCMP: i32 = 182;
    const DYNPTR_FROM_MEM: i32 = 197;
    const TRACE_PRINTK: i32 = 6;
    let most = ARGS.get(usize::try_from(id).ok()?)? - b'0';
    let callee = |name: &str, excluded: u16, wanted| Callee {
        name: name.to_string(),
        // The format determines how many are read.
        args: if id == TRACE_PRINTK { 2 } else { most },
        most,
        excluded,
        wanted,
    };
    Some(match id {
        SNPRINTF => callee("bpf_snprintf", bit(3), "a constant string"),
        STRNCMP => callee("bpf_strncmp", bit(3), "a constant string"),
        DYNPTR_FROM_MEM => callee("bpf_dynptr_from_mem", bit(1), "a map's value"),
        _ => callee("", 0, ""),
    })
}

/// The argument of a kfunc that must be a constant string: `__str` in the kernel's source. The BTF
/// of an object does not contain the kernel's names of parameters.
pub fn constant_string(kfunc: &str) -> Option<u8> {
    Some(match kfunc {
        "bpf_percpu_store_lookup" => 1,
        "bpf_cgroup_read_xattr"
        | "bpf_get_dentry_xattr"
        | "bpf_get_file_xattr"
        | "bpf_remove_dentry_xattr"
        | "bpf_set_dentry_xattr"
        | "bpf_sock_read_xattr"
        | "bpf_stream_vprintk" => 2,
        _ => return None,
    })
}
