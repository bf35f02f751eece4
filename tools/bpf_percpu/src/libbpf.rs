// SPDX-License-Identifier: GPL-2.0

//! libbpf's errors, for loaders of BPF programs. libbpf returns only an errno; its warnings have
//! the reason.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use anyhow::anyhow;
use libbpf_rs::set_print;
use libbpf_rs::ErrorKind;
use libbpf_rs::PrintLevel;

static WARNINGS: Mutex<String> = Mutex::new(String::new());

fn warnings() -> MutexGuard<'static, String> {
    WARNINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on, keeps libbpf's warnings for [`explain`] instead of printing them.
pub fn keep_warnings() {
    set_print(Some((PrintLevel::Warn, |_, text| {
        warnings().push_str(&text);
    })));
}

/// Explains why BPF programs could not be opened, loaded or attached, using the warnings that were
/// kept since [`keep_warnings`].
#[must_use]
pub fn explain(error: libbpf_rs::Error) -> anyhow::Error {
    explain_with(error, &warnings())
}

fn explain_with(error: libbpf_rs::Error, warnings: &str) -> anyhow::Error {
    if let Some(kfunc) = missing_kfunc(warnings) {
        return anyhow!(
            "the kernel has no kfunc {kfunc}: load the bpf_percpu module first: modprobe bpf_percpu"
        );
    }
    let what = match error.kind() {
        // A verifier error has the same kind, but also a log.
        ErrorKind::PermissionDenied if !warnings.contains("PROG LOAD LOG") => {
            "the kernel does not let this user load BPF programs: run it as root".to_string()
        }
        _ => format!("the BPF program cannot be loaded and run. libbpf says:\n{warnings}"),
    };
    anyhow::Error::new(error).context(what)
}

/// Returns the function that libbpf could not find.
fn missing_kfunc(warnings: &str) -> Option<&str> {
    let (before, _) = warnings.split_once("': not found in kernel or module BTFs")?;
    let (_, name) = before.rsplit_once("extern (func ksym) '")?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_FOUND: &str = "libbpf: extern (func ksym) 'bpf_get_possible_cpumask': not found in \
        kernel or module BTFs\nlibbpf: failed to load object 'cpumask_walk'\n";

    fn error(errno: i32) -> libbpf_rs::Error {
        libbpf_rs::Error::from_raw_os_error(errno)
    }

    #[test]
    fn a_missing_kfunc_is_named() {
        let text = format!("{:#}", explain_with(error(3), NOT_FOUND));
        assert!(text.contains("no kfunc bpf_get_possible_cpumask"), "{text}");
        assert!(text.contains("modprobe bpf_percpu"), "{text}");
    }

    #[test]
    fn a_lack_of_rights_is_told() {
        let text = format!("{:#}", explain_with(error(1), "libbpf: something\n"));
        assert!(text.contains("run it as root"), "{text}");
    }

    #[test]
    fn what_the_verifier_says_is_told() {
        let log = "libbpf: prog 'count': -- BEGIN PROG LOAD LOG --\ninvalid mem access 'scalar'\n";
        let text = format!("{:#}", explain_with(error(13), log));
        assert!(text.contains("invalid mem access"), "{text}");
        assert!(!text.contains("run it as root"), "{text}");
    }

    #[test]
    fn other_errors_come_with_warnings_and_cause() {
        let text = format!("{:#}", explain_with(error(22), "libbpf: something\n"));
        assert!(text.contains("libbpf: something"), "{text}");
        assert!(text.contains("Invalid argument"), "{text}");
    }
}
