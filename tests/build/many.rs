// SPDX-License-Identifier: GPL-2.0

//! Compiles many programs in parallel.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

/// A source to compile to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compilation {
    /// The file's name.
    pub source: String,
    /// Its content.
    pub text: String,
    /// The object's name.
    pub object: String,
    /// More arguments for clang.
    pub args: Vec<String>,
}

/// Writes and compiles the sources in `dir`, in parallel on all CPUs. Keeps an object if source,
/// arguments and clang have not changed.
///
/// # Errors
///
/// Returns clang's first errors.
pub fn compile_all(dir: &Path, all: &[Compilation]) -> Result<(), Box<dyn Error>> {
    let version = Command::new("clang").arg("--version").output()?.stdout;
    let version = String::from_utf8_lossy(&version).into_owned();
    for compilation in all {
        let path = dir.join(&compilation.source);
        if fs::read_to_string(&path).ok().as_ref() != Some(&compilation.text) {
            fs::write(path, &compilation.text)?;
        }
    }
    for_each(all, |compilation| {
        compile(dir, compilation, &version)
            .map_err(|e| format!("{}: {e}", compilation.object).into())
    })
}

/// Calls `work` for each of `all`, in parallel on all CPUs.
///
/// # Errors
///
/// Returns the first error of one of the threads.
pub fn for_each<T: Sync>(
    all: &[T],
    work: impl Fn(&T) -> Result<(), Box<dyn Error>> + Sync,
) -> Result<(), Box<dyn Error>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), String> {
        while let Some(each) = all.get(next.fetch_add(1, Relaxed)) {
            work(each).map_err(|e| e.to_string())?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let count = thread::available_parallelism().map_or(1, |count| count.get());
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })
}

fn compile(dir: &Path, compilation: &Compilation, version: &str) -> Result<(), Box<dyn Error>> {
    let object = dir.join(&compilation.object);
    let key_file = object.with_extension("key");
    let key = format!("{version}{:?}\n{}", compilation.args, compilation.text);
    if object.is_file() && fs::read_to_string(&key_file).is_ok_and(|old| old == key) {
        return Ok(());
    }
    let output = Command::new("clang")
        .current_dir(dir)
        .args([
            "-target",
            "bpf",
            "-O2",
            "-g",
            "-Werror",
            "-Wno-constant-conversion",
        ])
        .args(&compilation.args)
        .args(["-c", &compilation.source, "-o", &compilation.object])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    fs::write(key_file, key)?;
    Ok(())
}
