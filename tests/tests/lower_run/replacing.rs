// SPDX-License-Identifier: GPL-2.0

//! A program that replaces a function of another one. Each has its own variables.

use std::os::fd::AsFd;
use std::os::fd::AsRawFd;

use crate::vars::forms;
use crate::vars::lowered;
use crate::vars::Vars;

#[test]
fn freplace() {
    for form in forms() {
        for form_of_other in forms() {
            println!("{form_of_other:?} in the place of {form:?}");
            let vars = Vars::load(lowered!("replaced"), form, |_| ());
            vars.run_times("ask", 0);

            let target = vars.program("ask").as_fd().as_raw_fd();
            let other = Vars::load(lowered!("replacement"), form_of_other, |open| {
                for mut program in open.progs_mut() {
                    if program.name() == "answer_better" {
                        program
                            .set_attach_target(target, Some("answer".to_string()))
                            .expect("a function");
                    }
                }
            });
            let link = other.attach("answer_better");
            vars.run_times("ask", 0);
            other.check("replacements", u64::from);
            other.check("handed", |cpu| 5 * u64::from(cpu));
            drop(link);

            vars.run_times("ask", 0);
            other.check("replacements", u64::from);
            vars.check("runs", |cpu| 3 * u64::from(cpu));
            vars.check("own", |cpu| 2 * u64::from(cpu));
            vars.check("answers", |cpu| (5 + 500 + 5) * u64::from(cpu));
        }
    }
}
