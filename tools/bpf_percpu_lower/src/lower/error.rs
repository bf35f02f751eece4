// SPDX-License-Identifier: GPL-2.0

//! Errors of lowering.

use thiserror::Error;

use crate::lower::MAX_SECTIONS;
use crate::lower::MAX_SIZE;
use crate::lower::NAME_LEN;
use crate::lower::STACK;
use crate::object;

/// Why an object cannot be lowered. The text is one line that names the function and the section, as
/// far as they are known, and says what to do.
#[allow(missing_docs, reason = "the texts say it")]
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Object(#[from] object::Error),
    #[error("the object has no section .percpu or .percpu.NAME: there is nothing to lower")]
    NothingToDo,
    #[error(
        "the object has a {what} '{name}': it is lowered already, or uses a name that lowering \
         needs: rename that"
    )]
    Taken { what: &'static str, name: String },
    #[error("section {section}: it has no BTF: compile the object with clang -g")]
    NoBtf { section: String },
    #[error(
        "section {section} has {size} bytes, and 1 to {MAX_SIZE} are possible: move variables to \
         another section"
    )]
    Size { section: String, size: u64 },
    #[error(
        "section {section}: its name is longer than {} characters: choose a shorter one",
        NAME_LEN - 1
    )]
    LongName { section: String },
    #[error(
        "the object has {count} .percpu sections, and up to {MAX_SECTIONS} are possible: merge \
         some"
    )]
    TooMany { count: usize },
    #[error(
        "section {section}: variable {variable} contains a {field}, which the kernel supports in \
         maps only: move it to a map"
    )]
    SpecialField {
        section: String,
        variable: String,
        field: String,
    },
    #[error(
        "section {from}: a pointer at {offset} is initialised with the address of a variable of \
         {section}, which differs on each CPU: set the pointer in a program"
    )]
    Pointer {
        from: String,
        offset: u64,
        section: String,
    },
    #[error(
        "section {section}: a pointer in it, at {offset}, is initialised with an address: set the \
         pointer in a program"
    )]
    PointerIn { section: String, offset: u64 },
    #[error(
        "function {function} needs {bytes} bytes of stack for its own variables and the address of \
         section {section}, and has {STACK}: make its local variables smaller"
    )]
    Stack {
        function: String,
        section: String,
        bytes: u32,
    },
    #[error(
        "function {function} passes data of section {section} to {callee}() as its argument \
         {argument}, which must be {wanted}: use an ordinary variable for it"
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
        "the object's license is '{license}', and the kernel offers kfuncs to GPL-compatible \
         programs only: change the license"
    )]
    License { license: String },
}

/// The result of lowering.
pub type Result<T> = std::result::Result<T, Error>;

/// The error for a file that no compiler writes.
pub(super) fn damaged(why: impl ToString) -> Error {
    Error::Object(object::damaged(why))
}

/// The error for an object that has a section or symbol with a name that lowering needs.
pub(super) fn taken(what: &'static str, name: &str) -> Error {
    let name = object::shown(name.as_bytes());
    Error::Taken { what, name }
}
