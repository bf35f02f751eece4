// SPDX-License-Identifier: GPL-2.0

//! The form in which the variables of an object are loaded, and why.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use object::Object;
use object::ObjectSection;

use crate::variables::array;
use crate::variables::Answer;
use bpf_percpu_lower::lower::is_percpu;
use bpf_percpu_lower::lower::LOWERED_SECTION;

/// The form in which the variables of an object are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Form {
    /// Native, from 7.3 on: each section is a per-CPU array.
    Native,
    /// In stores of the module.
    Lowered,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Lowered => "lowered",
        })
    }
}

impl FromStr for Form {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "native" => Ok(Self::Native),
            "lowered" => Ok(Self::Lowered),
            _ => bail!("'{name}' is not native or lowered"),
        }
    }
}

/// A form, and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Choice {
    /// The form.
    pub form: Form,
    /// The reason: part of a line.
    pub why: String,
}

impl Choice {
    pub(super) fn new(form: Form, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { form, why }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.form, self.why)
    }
}

/// Chooses the form for a kernel, depending on whether it supports native variables.
pub fn choose(native: &Answer) -> Choice {
    if native.yes == Some(true) {
        return Choice::new(Form::Native, "the kernel has SEC(\".percpu\") variables");
    }
    let why = native.why.as_deref().unwrap_or("it is not known");
    let has = match native.yes {
        Some(_) => "the kernel has no SEC(\".percpu\") variables",
        None => "whether the kernel has SEC(\".percpu\") variables cannot be known",
    };
    Choice::new(Form::Lowered, format!("{has}: {why}"))
}

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Compiled by clang, with `.percpu` sections.
    Compiled,
    /// Already lowered or renamed.
    Has(Form),
    /// Without such variables.
    Without,
}

impl Input {
    /// Determines the kind of `object`.
    pub fn of(object: &[u8]) -> Result<Self> {
        let file = object::File::parse(object).context("the object cannot be read")?;
        let names = file.sections().filter_map(|section| section.name().ok());
        Ok(Self::of_sections(&names.collect::<Vec<_>>()))
    }

    fn of_sections(names: &[&str]) -> Self {
        if names.iter().any(|name| is_percpu(name)) {
            Self::Compiled
        } else if names.contains(&LOWERED_SECTION) {
            Self::Has(Form::Lowered)
        } else if names.iter().any(|name| array::section(name).is_some()) {
            Self::Has(Form::Native)
        } else {
            Self::Without
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for form in [Form::Native, Form::Lowered] {
            assert_eq!(form.to_string().parse::<Form>().unwrap(), form);
        }
        assert!("other".parse::<Form>().is_err());
    }

    #[test]
    fn objects() {
        for (names, input) in [
            (&[".text", ".percpu.x"][..], Input::Compiled),
            (
                &[".rodata.percpu", ".rodata.bpf_percpu.lowered"],
                Input::Has(Form::Lowered),
            ),
            (&[".data.native.percpu.x"], Input::Has(Form::Native)),
            (
                &[".data.percpu", ".rodata.percpu", ".rel.percpu"],
                Input::Without,
            ),
        ] {
            assert_eq!(Input::of_sections(names), input, "{names:?}");
        }
        let error = format!("{:#}", Input::of(b"no object").unwrap_err());
        assert!(error.starts_with("the object cannot be read: "), "{error}");
    }

    #[test]
    fn the_kernel_decides() {
        let answer = |yes, why: Option<&str>| Answer {
            yes,
            why: why.map(str::to_string),
        };
        assert_eq!(choose(&answer(Some(true), None)).form, Form::Native);
        let choice = choose(&answer(Some(false), Some("too old")));
        assert_eq!(choice.form, Form::Lowered);
        assert!(choice.to_string().starts_with("lowered: "), "{choice}");
        assert!(choice.why.ends_with(": too old"), "{choice}");
        let choice = choose(&answer(None, Some("no rights")));
        assert_eq!(choice.form, Form::Lowered);
        assert!(choice.why.contains("cannot be known: no rights"));
    }
}
