// SPDX-License-Identifier: GPL-2.0

//! What suites need: modules, tools, and the test targets.

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

/// Where results and test targets go.
pub const OUT: &str = "build/tests";

/// A command of the host, without what make has left for its own.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS"] {
        command.env_remove(name);
    }
    command
}

/// Runs a command, shows what it says when it fails only, and returns what it prints.
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

/// What is to be built.
#[derive(Debug, Default)]
pub struct Needs {
    /// The kernels, that of the tools and the host's suites first.
    pub kernels: Vec<String>,
    /// Modules for tests, and for which kernel.
    pub modules: Vec<(&'static str, String)>,
    /// What of the samples and tools is needed, as a target of make.
    pub programs: Option<&'static str>,
    /// The test targets; none for all that the workspace has.
    pub targets: Option<Vec<String>>,
}

/// What cargo says of a file that it has built.
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
}

/// Builds everything. Returns the test targets: that of a library is called NAME-lib, and whether it is
/// one of unit tests.
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
        modules.join().expect("it does not panic")?;
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
        let name = if is("lib") {
            target.name + "-lib"
        } else {
            target.name
        };
        fs::copy(file, Path::new(OUT).join(&name)).with_context(|| file.to_string())?;
        names.insert(name, !target.kind.iter().any(|each| each == "test"));
    }
    Ok(names)
}

/// The cases of each target with its filter.
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

/// The KUnit cases that the tree declares: `#[test]`, and a function below it.
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

/// What `name` says, if it says anything.
pub fn asked(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}
