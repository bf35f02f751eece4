// SPDX-License-Identifier: GPL-2.0

//! Generates a Rust module for a BPF object with `SEC(".percpu")` variables. Each section is a struct
//! with the layout that it has in C. The module opens and loads the object, and reads and writes the
//! variables.
//!
//! [`generate`] is for build scripts; `percpuctl skel` does the same. The module uses
//! `bpf_percpu::variables::typed`.
//!
//! ```no_run
//! let object = std::fs::read("count.bpf.o")?;
//! std::fs::write("count.rs", bpf_percpu_lower::skel::generate("count", &object)?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! C is translated as follows:
//!
//! | C | Rust |
//! | --- | --- |
//! | numbers, `__int128`, `float`, `double` | the number of the same size; `bool` is `u8`, which any byte is valid for |
//! | pointers | `u64` |
//! | enums | an integer, with a constant for each value |
//! | structs | structs; packed ones are `#[repr(C, packed)]` |
//! | unions | their bytes, with methods to read and write each member |
//! | bitfields | bytes, with methods to read and write each of them |
//! | arrays | arrays; arrays without length are left out |
//! | padding | fields `_pad0`, `_pad1`, … |
//!
//! Sections `.data`, `.bss` and `.rodata`, and those whose names begin so, are structs, too; those
//! that all CPUs share are `bpf_percpu::variables::typed::Shared`. Maps are accessed by libbpf-rs.
//!
//! Structs without a name are named by their place: `struct { int a; } x` in section `.percpu` is
//! `PercpuX`, and a member without a name is field `anon0`. Names that are not valid in Rust get an
//! underscore at the end, and names that are taken a number. Structs in Rust may have a smaller
//! alignment than in C; sizes and offsets are the same.
//!
//! # Why not libbpf-cargo's skeleton
//!
//! libbpf-cargo 0.27.2 was tried on a lowered object and on one of [`native`](crate::lower::native):
//!
//! - libbpf refuses the compiled object itself (`bad map relo`), so a skeleton is for one of the two
//!   forms. Modules of this generator choose the form when they run.
//! - Its structs of `.rodata.percpu` and `.data.native.percpu` are of the image: there is nothing to
//!   read or write a CPU's copy with.
//! - `static` variables are left out: a section of them is an empty struct. Bitfields are left out,
//!   too.
//! - Padding is computed as if Rust aligned structs as C does. `char far
//!   __attribute__((aligned(128)))` was read at offset 255 instead of 256, and gave 0 instead of 11; a
//!   struct of 32 bytes with a packed union had 39. Nothing checks offsets or sizes.
//! - Variables and types with names like `type` and `box`, and sections like `.percpu.same-name`, give
//!   code that does not compile.
//! - `bool` variables are `bool`, though a program can store any byte; pointers are `*mut T`, so that
//!   structs are not `Send`; structs have no `PartialEq`; unions need `unsafe`.
//! - All types of the object's BTF are generated: 5,718 lines for an object whose module has 2,186.
//!
//! Its generator of types is not public.

mod declare;
mod fields;
#[cfg(test)]
mod hostile;
mod input;
mod layout;
mod model;
mod names;
mod write;

use thiserror::Error;

use crate::object;
use crate::object::Object;

/// Why no module can be generated. The text is one line that names the section and the variable, as
/// far as they are known, and says what to do.
#[allow(missing_docs, reason = "the texts say it")]
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Object(#[from] object::Error),
    #[error(
        "the object has no section .percpu or .percpu.NAME: give one that has, as clang has made it"
    )]
    NoSection,
    #[error("section {section}: it has no BTF: compile the object with clang -g")]
    NoBtf { section: String },
    #[error("{place}: {why}")]
    Layout { place: String, why: String },
}

/// The result of generating a module.
pub type Result<T> = std::result::Result<T, Error>;

/// Generates the module for `object`, which clang must have compiled with `-g`. `name` becomes the
/// name of the object in the kernel and in the names of its stores.
///
/// The module can be a file of its own, or be included with `include!`. It needs crate `bpf_percpu`
/// only.
///
/// # Errors
///
/// The file is not a BPF object, has no per-CPU variables, or has invalid BTF.
pub fn generate(name: &str, object: &[u8]) -> Result<String> {
    let copy = object::copy(object)?;
    let object = Object::read(&copy)?;
    let model = layout::lay_out(&object.btf, &input::sections(&object)?)?;
    Ok(write::module(name, &object.write()?, &model))
}
