// SPDX-License-Identifier: GPL-2.0

//! A Rust module for a BPF object that has `SEC(".percpu")` variables: each section is a struct,
//! laid out as clang has laid it out, and the module opens and loads the object.
//!
//! [`generate`] is for build scripts; `percpuctl skel` does the same. What the module needs to run
//! is in [`bpf_percpu::variables::typed`].
//!
//! ```no_run
//! let object = std::fs::read("count.bpf.o")?;
//! std::fs::write("count.rs", bpf_percpu_lower::skel::generate("count", &object)?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! C is translated like this:
//!
//! | C | Rust |
//! | --- | --- |
//! | numbers, `__int128`, `float`, `double` | the number of the same size; `bool` is `u8`, for any byte is one |
//! | pointers | `u64` |
//! | enums | an integer, with a constant for each value |
//! | structs | structs; packed ones are `#[repr(C, packed)]` |
//! | unions | their bytes, and a method to read and one to write each member |
//! | bitfields | bytes, and a method to read and one to write each of them |
//! | arrays | arrays; those without length are left out |
//! | padding | fields `_pad0`, `_pad1`, … |
//!
//! Sections `.data`, `.bss` and `.rodata`, and those whose names begin so, are structs, too: what
//! all CPUs share is in [`Shared`](bpf_percpu::variables::typed::Shared). Maps are libbpf-rs's.
//!
//! Structs without a name are called by where they are: `struct { int a; } x` of section `.percpu`
//! is a `PercpuX`, and a member without a name a field `anon0`. What Rust cannot take as a name has
//! an underscore at its end, and a name that is taken a number. Structs of Rust may be aligned to
//! less than those of C; sizes and offsets are the same.

mod declare;
mod error;
mod fields;
#[cfg(test)]
mod hostile;
mod input;
mod layout;
mod lines;
mod model;
mod names;
mod objects;
mod scalar;
mod write;

use crate::lower;

pub use error::Error;
pub use error::Result;

/// The text of the module for `object`, which clang has compiled with `-g`. `name` is the object's
/// from then on, in the kernel and in the names of its stores.
///
/// The module can be a file of its own, or be in one by `include!`. It needs crate `bpf_percpu`
/// alone.
///
/// # Errors
///
/// The file is no BPF object, or has no such variables; BTF that cannot be.
pub fn generate(name: &str, object: &[u8]) -> Result<String> {
    let (sections, btf) = input::read(object)?;
    let model = layout::lay_out(&btf, &sections)?;
    Ok(write::module(name, &lower::strip(object)?, &model))
}
