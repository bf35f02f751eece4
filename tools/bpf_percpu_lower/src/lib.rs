// SPDX-License-Identifier: GPL-2.0

//! BPF objects with `SEC(".percpu")` variables: [`lower`] rewrites them for kernels without such
//! variables, [`skel`] writes Rust modules for them, [`btf`] reads their types. All of it is
//! functions of an object's bytes; nothing here asks the kernel.
//!
//! ```no_run
//! let object = std::fs::read("count.bpf.o")?;
//! std::fs::write("count.lowered.o", bpf_percpu_lower::lower::lower(&object)?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod btf;
pub mod lower;
pub mod skel;
