// SPDX-License-Identifier: GPL-2.0

//! The text of the structs that open the object and load it: each field is a section.

use crate::skel::input::Class;
use crate::skel::lines::Lines;
use crate::skel::model::Section;

/// The struct of the object that is open.
pub fn open(out: &mut Lines, sections: &[Section]) {
    out.add(
        "/// The object, open: its initial values can be changed, its programs chosen.
        ///
        /// Each field is a section. What is in it when the object is loaded is what programs find.
        #[derive(Debug)]
        pub struct Open {",
    );
    for section in sections {
        let whose = match section.class {
            Class::PerCpu => "The initial values of every CPU, in",
            Class::Shared => "The initial values in",
            Class::Constant => "The values in",
        };
        out.add(format!(
            "/// {whose} section `{}`.
            pub {}: ::std::boxed::Box<{}>,",
            section.name.escape_debug(),
            section.field,
            section.layout.name
        ));
    }
    out.add(
        "object: variables::Open,
        }

        impl Open {
        /// Opens the object, for what this kernel can have.
        ///
        /// # Errors
        ///
        /// Those of [`Self::open_with`].
        pub fn new() -> anyhow::Result<Self> {
        Self::open_with(&variables::Options::new())
        }

        /// Opens the object.
        ///
        /// # Errors
        ///
        /// The kernel cannot have its variables as the options ask for.
        pub fn open_with(options: &variables::Options) -> anyhow::Result<Self> {
        let mut object = options.open(NAME, OBJECT)?;
        anyhow::Ok(Self {",
    );
    for section in sections {
        out.add(format!("{}: typed::initial(&mut object)?,", section.field));
    }
    out.add(
        "object,
        })
        }

        /// Where the per-CPU variables are going to be.
        pub fn form(&self) -> variables::Form {
        self.object.form()
        }

        /// The object of libbpf.
        pub fn object_mut(&mut self) -> &mut libbpf_rs::OpenObject {
        self.object.object_mut()
        }

        /// A program, by the name of its function.
        ///
        /// # Errors
        ///
        /// There is none.
        pub fn program_mut(&mut self, name: &str) -> anyhow::Result<libbpf_rs::OpenProgramMut<'_>> {
        typed::open_program(&mut self.object, name)
        }

        /// Loads the object, with the values of the fields.
        ///
        /// # Errors
        ///
        /// The kernel does not take it.
        pub fn load(mut self) -> anyhow::Result<Objs> {",
    );
    for Section { field, .. } in sections {
        out.add(format!(
            "typed::set_initial(&mut self.object, &*self.{field})?;"
        ));
    }
    let is_percpu = |section: &Section| section.class == Class::PerCpu;
    let mut_ = match sections.iter().any(is_percpu) {
        true => "mut ",
        false => "",
    };
    out.add(format!(
        "let {mut_}object = self.object.load()?;
        anyhow::Ok(Objs {{"
    ));
    for Section { field, class, .. } in sections {
        out.add(match class {
            Class::PerCpu => format!("{field}: typed::PerCpu::take(&mut object)?,"),
            Class::Shared => format!("{field}: typed::Shared::find(&object)?,"),
            Class::Constant => format!("{field}: self.{field},"),
        });
    }
    out.add("object,\n})\n}\n}");
}

/// The struct of the object that is loaded.
pub fn loaded(out: &mut Lines, sections: &[Section]) {
    out.add(
        "/// The object, loaded. Each field is a section.
        #[derive(Debug)]
        pub struct Objs {",
    );
    for section in sections {
        let name = section.name.escape_debug();
        let field = &section.field;
        let of = &section.layout.name;
        out.add(match section.class {
            Class::PerCpu => {
                format!("/// Section `{name}`, of each CPU.\npub {field}: typed::PerCpu<{of}>,")
            }
            Class::Shared => format!("/// Section `{name}`.\npub {field}: typed::Shared<{of}>,"),
            Class::Constant => format!(
                "/// Section `{name}`, which nobody changes any more.
                pub {field}: ::std::boxed::Box<{of}>,"
            ),
        });
    }
    out.add(
        "object: variables::Loaded,
        }

        impl Objs {
        /// The object, with what is not typed: the stores that it declares, for instance.
        pub fn loaded(&self) -> &variables::Loaded {
        &self.object
        }

        /// The object of libbpf.
        pub fn object(&self) -> &libbpf_rs::Object {
        self.object.object()
        }

        /// The object of libbpf, to attach its programs.
        pub fn object_mut(&mut self) -> &mut libbpf_rs::Object {
        self.object.object_mut()
        }

        /// A program, by the name of its function.
        ///
        /// # Errors
        ///
        /// There is none.
        pub fn program_mut(&mut self, name: &str) -> anyhow::Result<libbpf_rs::ProgramMut<'_>> {
        typed::program(&mut self.object, name)
        }
        }",
    );
}
