// SPDX-License-Identifier: GPL-2.0

//! Per-CPU stores of bpf_percpu.ko, for loaders of BPF programs.
//!
//! [`store`] provides stores, and [`libbpf`] explains libbpf's errors. Feature `variables` adds
//! [`variables`], for objects with `SEC(".percpu")` variables. Feature `serde`
//! implements `Serialize` for the information about stores and CPUs.
//!
//! A loader creates the stores that its object declares before it loads the object:
//!
//! ```no_run
//! use bpf_percpu::libbpf::explain;
//! use bpf_percpu::libbpf::keep_warnings;
//! use bpf_percpu::store::bind;
//! use libbpf_rs::ObjectBuilder;
//!
//! keep_warnings();
//! let mut open = ObjectBuilder::default().open_file("packets.bpf.o").map_err(explain)?;
//! let stores = bind(&mut open)?;
//! let object = open.load().map_err(explain)?;
//! println!("{} packets", stores["packet_counts"].sum_u64(0)?);
//! # anyhow::Ok(())
//! ```

pub mod cpu_list;
pub mod cpus;
pub mod libbpf;
pub mod store;
pub mod uapi;
#[cfg(feature = "variables")]
pub mod variables;

/// For modules of [`bpf_percpu_lower::skel`], which depend on no other crate.
#[cfg(feature = "variables")]
pub use anyhow;
/// For modules of [`bpf_percpu_lower::skel`], which depend on no other crate.
#[cfg(feature = "variables")]
pub use libbpf_rs;
