// SPDX-License-Identifier: GPL-2.0

//! What a module in Rust needs to offer kfuncs to BPF programs. Knows nothing of this module's.

pub(crate) mod btf_id;
pub(crate) mod iter;
pub(crate) mod kfunc;
pub(crate) mod kptr;
pub(crate) mod per_cpu_var;
