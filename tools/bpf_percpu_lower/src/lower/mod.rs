// SPDX-License-Identifier: GPL-2.0

//! `SEC(".percpu")` variables for kernels that do not have them: rewrites a BPF object so that its
//! per-CPU variables are in stores.
//!
//! What clang makes of `data += 1` is an address (`r1 = data ll`, two instructions) and a load, an add and
//! a store. In the lowered object the address is that of this CPU's copy: each function that uses
//! such variables starts with a call of `bpf_percpu_data()` for each section that it uses, and
//! keeps what that returns on its stack; `r1 = data ll` becomes `r1 = *(u64 *)(r10 - N)` and `r1
//! += offset`, two instructions again, so that nothing else moves within the function. A program never
//! leaves its CPU while it runs, so the addresses are good until it ends.
//!
//! In the lowered object
//!
//! - `.percpu.NAME` is `.rodata.percpu.NAME` ([`IMAGE_PREFIX`]): the image, which libbpf makes a map of
//!   that nobody can change once the object is loaded;
//! - `.rodata.bpf_percpu.lowered` is an array of [`LoweredSection`], one for each of them: the loader writes
//!   the ids of the stores there, before the object is loaded;
//! - `.data.bpf_percpu.held` has a kptr for each, in the same order: all functions that use the
//!   variables refer to it, so the stores live as long as the programs do;
//! - program `bpf_percpu_hold` puts references to the stores there, once.
//!
//! Crate `bpf_percpu` does what a loader has to do.

mod code;
mod error;
mod function;
mod helpers;
mod hold;
mod insn;
mod object;
mod sections;
mod types;

use ::object::elf;

pub use error::Error;
pub use error::Result;
pub use hold::HOLD_PROGRAM;
pub use sections::LoweredSection;
pub use sections::HELD_SECTION;
pub use sections::LOWERED_SECTION;

use object::Object;

/// Bytes of stack that a function has.
const STACK: u32 = 512;

/// Bytes of an address on the stack.
const POINTER_SIZE: u32 = 8;

/// The room for a section's name in an [`LoweredSection`], NUL included.
pub const NAME_LEN: usize = 120;

/// The most bytes per CPU of a section, as of a store.
pub const MAX_SIZE: u32 = 32768;

/// What comes before the name of a section in a lowered object.
pub const IMAGE_PREFIX: &str = ".rodata";

/// What comes before the name of a section that the kernel is to have as a per-CPU array. Objects
/// may have an ordinary `.data.percpu`.
pub const NATIVE_PREFIX: &str = ".data.native";

/// How many kptrs the kernel takes in a map.
const MAX_SECTIONS: usize = 11;

/// Whether a section of this name has per-CPU variables.
#[must_use]
pub fn is_percpu(section: &str) -> bool {
    section == ".percpu" || section.starts_with(".percpu.")
}

/// `object` without what debuggers want: BTF stays.
///
/// # Errors
///
/// The file is no BPF object.
pub fn strip(object: &[u8]) -> Result<Vec<u8>> {
    let copy = object::copy(object)?;
    Object::read(&copy)?.write()
}

/// Rewrites `object`, which clang has compiled with `-g`, so that each `.percpu` section is in a
/// store.
///
/// # Errors
///
/// The file is no such object, or uses its variables in a way that stores do not have.
pub fn lower(object: &[u8]) -> Result<Vec<u8>> {
    lower_with_warnings(object, |_| {})
}

/// As [`lower`]; `warn` hears of programs that the verifier will refuse, but which are not loaded
/// unless they are asked for (`SEC("?…")`).
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
    object.write()
}

/// Renames the sections of `object`, so that a libbpf that does not know them makes maps of them:
/// [`NATIVE_PREFIX`] comes before their names. For kernels that have such variables.
///
/// # Errors
///
/// The file is no BPF object, or has no such section.
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
    object.write()
}
