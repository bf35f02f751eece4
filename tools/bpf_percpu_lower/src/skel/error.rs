// SPDX-License-Identifier: GPL-2.0

//! Why there is no module for an object.

use thiserror::Error;

use crate::btf;
use crate::lower;

/// One line that names the section and the variable, as far as there are.
#[allow(missing_docs, reason = "the texts say it")]
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    #[error("the object cannot be read: {why}: compile it again with clang -target bpf -g")]
    Elf { why: String },
    #[error("the object cannot be read: {0}: compile it again with clang -target bpf -g")]
    Btf(#[from] btf::Error),
    #[error(transparent)]
    Object(#[from] lower::Error),
    #[error(
        "the object has no section .percpu or .percpu.NAME: give one that has, as clang has made it"
    )]
    NoSection,
    #[error("section {section}: the object has no BTF of it: compile it with clang -g")]
    NoBtf { section: String },
    #[error("{place}: {why}")]
    Layout { place: String, why: String },
}

impl Error {
    pub(super) fn elf(why: impl ToString) -> Self {
        Self::Elf {
            why: why.to_string(),
        }
    }
}

/// A result with why there is no module.
pub type Result<T> = std::result::Result<T, Error>;
