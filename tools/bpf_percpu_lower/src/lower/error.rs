// SPDX-License-Identifier: GPL-2.0

//! Why an object cannot be lowered.

use thiserror::Error;

use crate::btf;
use crate::lower::MAX_SECTIONS;
use crate::lower::MAX_SIZE;
use crate::lower::STACK;

/// One line that names the function, the section and the reason, as far as there are.
#[allow(missing_docs, reason = "the texts say it")]
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    #[error(
        "the object cannot be read: {why}: it is to be one that clang -target bpf -g has made"
    )]
    Elf { why: String },
    #[error("the object cannot be read: {0}: it is to be one that clang -target bpf -g has made")]
    Btf(#[from] btf::Error),
    #[error("the object has no section .percpu or .percpu.NAME: there is nothing to lower")]
    NothingToDo,
    #[error(
        "the object has a {what} '{name}': it is lowered already, or must name its own otherwise"
    )]
    Taken { what: &'static str, name: String },
    #[error("section {section}: the object has no BTF of it: compile it with clang -g")]
    NoBtf { section: String },
    #[error(
        "section {section} has {size} bytes: a CPU's variables of one section have 1 to {MAX_SIZE}; \
         put some into another section"
    )]
    Size { section: String, size: u64 },
    #[error(
        "section {section}: its name is longer than {} characters: take a shorter one",
        crate::lower::NAME_LEN - 1
    )]
    LongName { section: String },
    #[error("the object has {count} .percpu sections: an object has up to {MAX_SECTIONS}")]
    TooMany { count: usize },
    #[error(
        "section {section}: variable {variable} holds a {field}, which the kernel finds in maps \
         only: put it into one"
    )]
    SpecialField {
        section: String,
        variable: String,
        field: String,
    },
    #[error(
        "section {from}: a pointer at {offset} is initialised with the address of a variable of \
         {section}, which is another on each CPU: set it in a program"
    )]
    Pointer {
        from: String,
        offset: u64,
        section: String,
    },
    #[error(
        "section {section}: a pointer in it, at {offset}, is initialised with an address: set it in \
         a program"
    )]
    PointerIn { section: String, offset: u64 },
    #[error(
        "function {function} needs {bytes} bytes of stack for its own variables and the address of \
         section {section}: there are {STACK}; make its local variables smaller"
    )]
    Stack {
        function: String,
        section: String,
        bytes: u32,
    },
    #[error(
        "function {function} passes data of section {section} to {callee}() as its argument \
         {argument}, which must be {wanted}: put that into an ordinary variable"
    )]
    Argument {
        function: String,
        section: String,
        callee: String,
        argument: u8,
        wanted: &'static str,
    },
    #[error("function {function}: {why} (instruction {insn}, section {section})")]
    Code {
        function: String,
        section: String,
        insn: usize,
        why: String,
    },
    #[error(
        "the object's license is '{license}': the kernel gives kfuncs to GPL-compatible programs \
         only"
    )]
    License { license: String },
}

/// A result with why an object cannot be lowered.
pub type Result<T> = std::result::Result<T, Error>;
