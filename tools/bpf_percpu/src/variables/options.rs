// SPDX-License-Identifier: GPL-2.0

//! What to load, and how.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use libbpf_rs::ObjectBuilder;

use crate::libbpf::explain;
use crate::variables::form::Input;
use crate::variables::native;
use crate::variables::Choice;
use crate::variables::Form;
use crate::variables::Open;
use bpf_percpu_lower::lower;

/// What to load, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    form: Option<Form>,
    /// The names of stores, by section.
    pub(super) shared: BTreeMap<String, String>,
}

impl Options {
    /// The default: native variables if the kernel supports them, otherwise stores that only this
    /// object uses.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses this form, even if the kernel supports native variables.
    pub fn form(mut self, form: Form) -> Self {
        self.form = Some(form);
        self
    }

    /// Puts section `section` (`.percpu`, `.percpu.NAME`) into the store of this name, which other
    /// objects may share. Implies [`Form::Lowered`]. The store has the initial values of the object
    /// that is loaded first.
    pub fn share(mut self, section: &str, store: &str) -> Self {
        self.shared.insert(section.to_string(), store.to_string());
        self
    }

    /// Opens an object that clang has compiled. An object that is already lowered or renamed, or
    /// that has no such variables, is opened unchanged.
    ///
    /// `name` becomes part of the stores' names.
    pub fn open(&self, name: &str, object: &[u8]) -> Result<Open> {
        let input = Input::of(object).with_context(|| format!("object {name}"))?;
        let choice = self.choose(name, input)?;
        let bytes = match (input, choice.form) {
            (Input::Compiled, Form::Lowered) => Cow::from(lower::lower(object)?),
            (Input::Compiled, Form::Native) => Cow::from(lower::native(object)?),
            _ => Cow::from(object),
        };
        let object = ObjectBuilder::default()
            .name(name)
            .and_then(|builder| builder.open_memory(&bytes))
            .map_err(explain)?;
        Ok(Open {
            name: name.to_string(),
            object,
            choice,
            options: self.clone(),
        })
    }

    /// Chooses the form.
    fn choose(&self, name: &str, input: Input) -> Result<Choice> {
        if self.form == Some(Form::Native) {
            self.check_native()?;
        }
        Ok(match (input, self.form) {
            (Input::Has(has), Some(form)) if form != has => bail!(
                "object {name} is {has} already, and was asked for as {form}: give the one that \
                 clang has made"
            ),
            (Input::Has(form), _) => Choice::new(form, format!("the object is {form} already")),
            (Input::Without, form) => Choice::new(
                form.unwrap_or(Form::Native),
                "the object has no SEC(\".percpu\") variables",
            ),
            (Input::Compiled, Some(form)) => Choice::new(form, "it was asked for"),
            (Input::Compiled, None) if !self.shared.is_empty() => {
                Choice::new(Form::Lowered, "a store is shared")
            }
            (Input::Compiled, None) => super::choose(&native::probe()),
        })
    }

    fn check_native(&self) -> Result<()> {
        if let Some((section, store)) = self.shared.first_key_value() {
            bail!(
                "section {section} cannot be in store {store} when the kernel itself has the \
                 variables: lower the object"
            );
        }
        Ok(())
    }

    /// Checks the options against the object.
    pub(super) fn check(&self, form: Form, sections: &[String]) -> Result<()> {
        if let Some(section) = self.shared.keys().find(|name| !sections.contains(name)) {
            let there = match sections {
                [] => "none".to_string(),
                all => all.join(", "),
            };
            bail!("the object has no section {section} of per-CPU variables: it has {there}");
        }
        match form {
            Form::Native => self.check_native(),
            Form::Lowered => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form() {
        let chosen = |options: &Options, input| {
            let choice = options.choose("x", input);
            choice.map(|choice| choice.form).map_err(|e| e.to_string())
        };
        let (none, shared) = (Options::new(), Options::new().share(".percpu", "s"));
        let native = Options::new().form(Form::Native);
        let lowered = Options::new().form(Form::Lowered);
        assert_eq!(chosen(&native, Input::Compiled), Ok(Form::Native));
        assert_eq!(chosen(&lowered, Input::Compiled), Ok(Form::Lowered));
        assert_eq!(chosen(&shared, Input::Compiled), Ok(Form::Lowered));
        for form in [Form::Native, Form::Lowered] {
            assert_eq!(chosen(&none, Input::Has(form)), Ok(form));
        }
        assert_eq!(chosen(&none, Input::Without), Ok(Form::Native));
        let error = chosen(&native, Input::Has(Form::Lowered)).unwrap_err();
        assert!(error.contains("is lowered already"), "{error}");
        let error = chosen(&shared.form(Form::Native), Input::Compiled).unwrap_err();
        assert!(error.contains(".percpu cannot be in store s"), "{error}");
    }

    #[test]
    fn what_is_shared_is_there() {
        let options = Options::new().share(".percpu.y", "s");
        let sections = [".percpu".to_string(), ".percpu.x".to_string()];
        let error = options.check(Form::Lowered, &sections).unwrap_err();
        assert!(error.to_string().contains("no section .percpu.y"));
        assert!(error.to_string().ends_with("it has .percpu, .percpu.x"));
        let error = options.check(Form::Lowered, &[]).unwrap_err();
        assert!(error.to_string().ends_with("it has none"), "{error}");
        let sections = [".percpu.y".to_string()];
        assert!(options.check(Form::Lowered, &sections).is_ok());
        assert!(options.check(Form::Native, &sections).is_err());
    }

    #[test]
    fn no_object() {
        let error = format!("{:#}", Options::new().open("x", b"text").unwrap_err());
        assert!(error.starts_with("object x: the object cannot be read"));
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
