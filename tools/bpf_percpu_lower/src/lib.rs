// SPDX-License-Identifier: GPL-2.0

//! Functions on BPF objects with `SEC(".percpu")` variables, for build scripts and tools:
//!
//! - [`lower`](mod@lower) rewrites an object for kernels that do not have such variables, so that they
//!   are in stores of bpf_percpu.ko;
//! - [`skel`] generates a Rust module for an object, with a struct for each section of variables;
//! - [`btf`] reads and changes the types of an object.
//!
//! The functions take and return bytes. They do not access the kernel, and accept untrusted objects:
//! a damaged object is an error.
//!
//! ```no_run
//! use bpf_percpu_lower::lower;
//! use bpf_percpu_lower::skel;
//!
//! let object = std::fs::read("count.bpf.o")?;
//! std::fs::write("count.lowered.o", lower::lower(&object)?)?;
//! std::fs::write("count.rs", skel::generate("count", &object)?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod btf;
pub mod lower;
mod object;
pub mod skel;

pub use object::Error as ObjectError;
