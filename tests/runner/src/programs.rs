// SPDX-License-Identifier: GPL-2.0

//! Builds what suites need: modules, tools and test targets.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use serde::Deserialize;

use crate::results::listed;

/// The directory for results and test targets.
pub const OUT: &str = "build/tests";

/// A command on the host, without the environment variables that make sets for its own children.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS"] {
        command.env_remove(name);
    }
    command
}

/// Runs a command and returns its standard output. If it fails, the error has all of its output.
fn quietly(title: &str, command: &mut Command) -> Result<String> {
    eprintln!("{title}");
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        bail!("{title}: {}\n{}{}", output.status, texts[0], texts[1]);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What to build.
#[derive(Debug, Default)]
pub struct Needs {
    /// The kernels. The first one is used for the tools and for the suites on the host.
    pub kernels: Vec<String>,
    /// Modules for tests, each with its kernel.
    pub modules: Vec<(&'static str, String)>,
    /// The target of make that builds the samples and tools that are needed.
    pub programs: Option<&'static str>,
    /// The test targets; `None` for all in the workspace.
    pub targets: Option<Vec<String>>,
}

/// cargo's message about a file that it has built.
#[derive(Debug, Deserialize)]
struct Artifact {
    reason: String,
    target: Option<Target>,
    executable: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    src_path: String,
}

/// Builds everything. Returns the name of each test target, and whether it has a crate's own tests: unit
/// tests, or those in the crate's folder `tests`. The target of a library is called NAME-lib.
pub fn build(needs: &Needs) -> Result<BTreeMap<String, bool>> {
    let first = &needs.kernels[0];
    module(first)?;
    thread::scope(|scope| {
        let modules = scope.spawn(|| {
            needs.kernels[1..]
                .iter()
                .try_for_each(|kernel| module(kernel))?;
            let mut modules = needs.modules.iter();
            modules.try_for_each(|(name, kernel)| test_module(name, kernel))
        });
        if let Some(target) = needs.programs {
            let mut make = command("make");
            let kernel = format!("KERNEL={first}");
            quietly(
                &format!("Building {target}"),
                make.args(["-s", target, &kernel]),
            )?;
        }
        let targets = tests(first, needs.targets.as_deref());
        modules.join().expect("no panic")?;
        targets
    })
}

fn module(kernel: &str) -> Result<()> {
    let title = format!("Building the module for {kernel}");
    quietly(&title, command("scripts/module").arg(kernel)).map(|_| ())
}

fn test_module(name: &str, kernel: &str) -> Result<()> {
    let title = format!("Building bpf_percpu_{name}.ko for {kernel}");
    let mut kmake = command("scripts/in-root");
    kmake.args([
        "scripts/kernel/kmake",
        &format!("/kernel/{kernel}/obj"),
        "M=/src",
    ]);
    kmake.args([
        &format!("MO=/src/build/{name}-{kernel}"),
        &format!("KMOD_TEST={name}"),
        "modules",
    ]);
    quietly(&title, &mut kmake).map(|_| ())
}

fn tests(kernel: &str, targets: Option<&[String]>) -> Result<BTreeMap<String, bool>> {
    let mut cargo = command("scripts/cargo");
    cargo.env("BPF_PERCPU_VMLINUX", format!("/src/build/{kernel}"));
    cargo.args([
        "test",
        "--release",
        "--workspace",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    for target in targets.unwrap_or_default() {
        cargo.args(["--test", target]);
    }
    if targets.is_some_and(<[String]>::is_empty) {
        return Ok(BTreeMap::new());
    }
    let text = quietly("Building the tests", &mut cargo)?;
    let artifacts = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    let mut names = BTreeMap::new();
    for artifact in artifacts.filter(|artifact| artifact.reason == "compiler-artifact") {
        let (Some(target), Some(file)) = (artifact.target, artifact.executable) else {
            continue;
        };
        let Some(file) = file
            .strip_prefix("/src/")
            .filter(|file| file.contains("/deps/"))
        else {
            continue;
        };
        let is = |kind: &str| target.kind.iter().any(|each| each == kind);
        let is_own = !target.src_path.starts_with("/src/tests/tests/");
        let name = if is("lib") {
            target.name + "-lib"
        } else {
            target.name
        };
        fs::copy(file, Path::new(OUT).join(&name)).with_context(|| file.to_string())?;
        names.insert(name, is_own);
    }
    Ok(names)
}

/// Lists the cases of each target that its filter selects.
pub fn cases(lists: &[(String, String)]) -> Result<Vec<Vec<String>>> {
    let end = "end of list";
    let mut script = String::new();
    for (target, filter) in lists {
        script +=
            &format!("{OUT}/{target} -Z unstable-options --list --format json {filter} || exit\n");
        script += &format!("echo '{end}'\n");
    }
    let mut list = command("scripts/in-root");
    list.args(["env", "RUSTC_BOOTSTRAP=1", "sh", "-c", &script]);
    let text = quietly("Listing the cases", &mut list)?;
    Ok(text.split(end).take(lists.len()).map(listed).collect())
}

/// Lists the KUnit cases in the source: functions below `#[test]`.
pub fn kunit_cases() -> Result<Vec<String>> {
    let git = quietly(
        "Listing the KUnit cases",
        command("git").args(["grep", "-h", "-A", "1", "#\\[test\\]", "rust"]),
    )?;
    let names = git
        .lines()
        .filter_map(|line| line.trim().strip_prefix("fn ")?.split('(').next());
    Ok(names.map(str::to_string).collect())
}

/// The value of the environment variable `name`, unless it is empty.
pub fn asked(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}
