// SPDX-License-Identifier: GPL-2.0

//! Runs a session in a shell of the guest, in a folder with the objects of the examples.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::process::Stdio;

use tests::cpus::soon;
use tests::module;

use crate::session::parse;
use crate::session::same;
use crate::session::text;
use crate::session::varies;
use crate::session::Step;

/// The folder of the objects.
pub const DIR: &str = "/tmp/examples";
const SCRIPT: &str = "/tmp/session.sh";
const OUT: &str = "/tmp/session.out";
const MARK: &str = "@@ end of a command";

/// Writes the objects, and makes their folder the current one.
pub fn enter() {
    fs::create_dir_all(DIR).expect("a folder");
    for (name, object) in examples::OBJECTS {
        fs::write(format!("{DIR}/{name}.bpf.o"), object).expect("room in /tmp");
    }
    env::set_current_dir(DIR).expect("a folder");
}

/// Removes what sessions have pinned, and reloads the module, so that the ids of stores start from
/// 1.
pub fn renew() {
    for entry in fs::read_dir("/sys/fs/bpf").expect("bpffs").flatten() {
        let path = entry.path();
        let removed = match path.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        removed.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    module::remove_soon();
    module::insert(module::FILE).expect("the module loads");
}

/// The script of a session: its commands, with a mark after each.
fn script(steps: &[Step]) -> String {
    let mut script = format!("exec </dev/null >{OUT} 2>&1\n");
    for (i, step) in steps.iter().enumerate() {
        script += &format!("{}\n", step.command);
        let lines = step.output.lines().count();
        if step.command.ends_with('&') && lines > 0 {
            let before = steps[..i]
                .iter()
                .map(|step| step.output.lines().count() + 1);
            let lines = before.sum::<usize>() + lines;
            script += &format!("until [ $(wc -l <{OUT}) -ge {lines} ]; do sleep 0.1; done\n");
        }
        script += &format!("echo '{MARK}'\n");
    }
    script
}

/// The output of each command.
fn run(steps: &[Step]) -> Vec<Step> {
    fs::write(SCRIPT, script(steps)).expect("room in /tmp");
    fs::write(OUT, "").expect("room in /tmp");
    let mut shell = Command::new("sh");
    shell.arg(SCRIPT).current_dir(DIR).process_group(0);
    let mut child = shell.stdin(Stdio::null()).spawn().expect("a shell");
    let group = -(child.id() as i32);
    let ended = soon(|| child.try_wait().expect("a child").is_some());
    // SAFETY: The call has no preconditions. The group is that of the shell and what it has
    // started.
    unsafe { libc::kill(group, libc::SIGKILL) };
    child.wait().expect("a child");
    let out = fs::read_to_string(OUT).expect("the output is text");
    assert!(ended, "the session does not end: {out}");
    let mut outputs = out
        .split(MARK)
        .map(|output| output.trim_start_matches('\n'));
    let steps = steps.iter().map(|step| Step {
        command: step.command.clone(),
        output: outputs.next().unwrap_or_default().to_string(),
    });
    steps.collect()
}

/// Checks that each command of a session prints what the session shows.
pub fn check(file: &str, shown: &str) {
    enter();
    renew();
    let steps = parse(shown);
    let printed = run(&steps);
    for (step, ran) in steps.iter().zip(&printed) {
        let command = &step.command;
        assert!(
            same(&step.output, &ran.output, varies(file)),
            "{file}: '{command}' printed something else; all of it:\n{}",
            text(&printed)
        );
    }
}
