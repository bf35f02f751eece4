// SPDX-License-Identifier: GPL-2.0

//! `SEC(".percpu")` variables of BPF objects, on kernels that support them and on those that do
//! not.
//!
//! ```no_run
//! use bpf_percpu::variables::Options;
//!
//! let mut open = Options::new().open("count", &std::fs::read("count.bpf.o")?)?;
//! if let Some(image) = open.image_mut(".percpu") {
//!     image[..8].copy_from_slice(&100u64.to_ne_bytes());
//! }
//! let loaded = open.load()?;
//! let variables = loaded.section(".percpu").expect("a section .percpu");
//! println!("{:?} on CPU 0", variables.read(0)?);
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! A loader that opens and loads the object itself, for example with a skeleton, calls
//! [`prepare()`] after opening it and [`Prepared::hold`] after loading it.

mod array;
mod form;
mod lowered;
mod native;
mod object;
mod options;
mod pod;
mod prepare;
mod section;
pub mod typed;

pub use form::choose;
pub use form::Choice;
pub use form::Form;
pub use native::probe;
pub use native::Answer;
pub use object::Loaded;
pub use object::Open;
pub use options::Options;
pub use prepare::prepare;
pub use prepare::Prepared;
pub use prepare::Variables;
pub use section::Section;

const _: () = assert!(bpf_percpu_lower::lower::MAX_SIZE == crate::uapi::MAX_SIZE);

/// The program that takes the references to an object's stores.
pub use bpf_percpu_lower::lower::HOLD_PROGRAM;
