// SPDX-License-Identifier: GPL-2.0

//! Rewrites BPF objects with `SEC(".percpu")` variables for kernels that do not have such variables:
//! the lowered object keeps them in stores.
//!
//! For `data += 1` clang emits the address of the variable (`r1 = data ll`, two instructions), a
//! load, an add and a store. In the lowered object the address is that of this CPU's copy. A
//! prologue of each function calls `bpf_percpu_data()` for each section that the function uses, and
//! saves the returned address on the stack. `r1 = data ll` becomes `r1 = *(u64 *)(r10 - N)` and `r1
//! += offset`: two instructions again, so that offsets within the function do not change. A program
//! stays on its CPU while it runs, so the addresses are valid until it ends.
//!
//! The lowered object has
//!
//! - section `.rodata.percpu.NAME` ([`IMAGE_PREFIX`]) in place of `.percpu.NAME`: the initial values.
//!   libbpf turns it into a map that is frozen when the object is loaded;
//! - section [`LOWERED_SECTION`], an array with a [`LoweredSection`] for each of these sections: the
//!   loader writes the ids of the stores into it before it loads the object;
//! - section [`HELD_SECTION`], with a kptr for each of these sections, in the same order. All functions
//!   that use the variables refer to it, so the stores live as long as the programs;
//! - program [`HOLD_PROGRAM`], which stores references to the stores there. The loader runs it once.
//!
//! Crate `bpf_percpu` has such a loader.

mod code;
mod error;
mod function;
mod hold;
mod insn;
mod sections;
mod types;

use ::object::elf;

pub use error::Error;
pub use error::Result;
pub use hold::HOLD_PROGRAM;
pub use sections::LoweredSection;
pub use sections::HELD_SECTION;
pub use sections::LOWERED_SECTION;

use crate::object;
use crate::object::Object;

/// Bytes of stack of a function (`MAX_BPF_STACK`).
const STACK: u32 = 512;

/// Bytes of an address on the stack.
const POINTER_SIZE: u32 = 8;

/// The size of a section's name in a [`LoweredSection`], including NUL.
pub const NAME_LEN: usize = 120;

/// The largest size of a section, in bytes: that of a store.
pub const MAX_SIZE: u32 = 32768;

/// Prefix of the names of the sections in a lowered object.
pub const IMAGE_PREFIX: &str = ".rodata";

/// Prefix of the names of the sections after [`native`]. `.data` would not do: an object may have an
/// ordinary section `.data.percpu`.
pub const NATIVE_PREFIX: &str = ".data.native";

/// The number of kptrs that the kernel accepts in a map (`BTF_FIELDS_MAX`).
const MAX_SECTIONS: usize = 11;

/// Whether a section with this name contains per-CPU variables: `.percpu` or `.percpu.NAME`.
#[must_use]
pub fn is_percpu(section: &str) -> bool {
    section == ".percpu" || section.starts_with(".percpu.")
}

/// Removes the sections for debuggers and linkers from `object`. BTF stays.
///
/// # Errors
///
/// The file is not a BPF object.
pub fn strip(object: &[u8]) -> Result<Vec<u8>> {
    let copy = object::copy(object)?;
    Ok(Object::read(&copy)?.write()?)
}

/// Rewrites `object`, which clang must have compiled with `-g`, so that each `.percpu` section is in
/// a store.
///
/// ```no_run
/// use std::fs;
///
/// let object = fs::read("count.bpf.o")?;
/// fs::write("count.lowered.o", bpf_percpu_lower::lower::lower(&object)?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The file is not such an object, has no per-CPU variables, or uses them in a way that stores do
/// not support. The error says what to change.
///
/// ```
/// let error = bpf_percpu_lower::lower::lower(b"text").unwrap_err();
/// assert!(error.to_string().starts_with("the object cannot be read: "));
/// ```
pub fn lower(object: &[u8]) -> Result<Vec<u8>> {
    lower_with_warnings(object, |_| {})
}

/// As [`lower`], and calls `warn` with the error of each program that the verifier will refuse, but
/// that is loaded on demand only (`SEC("?…")`): such a program does not make lowering fail.
///
/// # Errors
///
/// Those of [`lower`].
pub fn lower_with_warnings(object: &[u8], warn: impl FnMut(Error)) -> Result<Vec<u8>> {
    let copy = object::copy(object)?;
    let mut object = Object::read(&copy)?;
    let sections = sections::check(&object)?;
    sections::rename(&mut object, IMAGE_PREFIX, elf::SHF_ALLOC)?;
    let added = types::add(&mut object, &sections)?;
    code::rewrite(&mut object, &sections, &added, warn)?;
    hold::add(&mut object, sections.len(), &added)?;
    Ok(object.write()?)
}

/// Prepares `object` for kernels that have per-CPU variables: prefixes the names of the sections with
/// [`NATIVE_PREFIX`], so that a libbpf that does not know them turns them into maps, whose type a
/// loader sets.
///
/// # Errors
///
/// The file is not a BPF object, or has no per-CPU variables.
pub fn native(object: &[u8]) -> Result<Vec<u8>> {
    let copy = object::copy(object)?;
    let mut object = Object::read(&copy)?;
    let found = sections::find(&object);
    if found.is_empty() {
        return Err(Error::NothingToDo);
    }
    for (id, name) in &found {
        sections::size(&object, *id, name)?;
    }
    sections::rename(&mut object, NATIVE_PREFIX, elf::SHF_ALLOC | elf::SHF_WRITE)?;
    Ok(object.write()?)
}
