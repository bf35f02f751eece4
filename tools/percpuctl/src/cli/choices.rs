// SPDX-License-Identifier: GPL-2.0

//! Options that take one of a few names that the libraries define.

use std::str::FromStr;

use bpf_percpu::store::KeyKind;
use bpf_percpu::variables::Form;
use clap::builder::PossibleValue;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use percpu_live::value::Word;

/// The names of [`Word`].
pub fn words() -> impl TypedValueParser<Value = Word> {
    names([("u32", "4 bytes"), ("u64", "8 bytes")])
}

/// The names of [`KeyKind`].
pub fn key_kinds() -> impl TypedValueParser<Value = KeyKind> {
    names([
        (
            "task",
            "Tasks, by thread id; an entry is removed with its task",
        ),
        (
            "cgroup",
            "Control groups, by id; an entry is removed with its cgroup",
        ),
        ("u64", "Numbers; an entry stays until it is deleted"),
    ])
}

/// The names of [`Form`].
pub fn forms() -> impl TypedValueParser<Value = Form> {
    names([
        (
            "native",
            "In the kernel's own form, from 7.3 on: each section is a per-CPU array",
        ),
        ("lowered", "In stores of the module"),
    ])
}

/// The names, each with its line of help.
fn names<T, const N: usize>(
    names: [(&'static str, &'static str); N],
) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = anyhow::Error> + Clone + Send + Sync + 'static,
{
    let values = names.map(|(name, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(values).try_map(|name| name.parse())
}
