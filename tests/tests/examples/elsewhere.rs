// SPDX-License-Identifier: GPL-2.0

//! What other suites run of the documentation, and what nobody can.

/// Documents whose sessions another suite runs.
const RUN_ELSEWHERE: &[(&str, &str)] = &[
    ("Documentation/adding.rst", "family"),
    ("Documentation/install.rst", "install"),
    ("Documentation/quickstart.rst", "quickstart"),
    ("samples/*/README.md", "sample"),
];

/// What begins a command that builds, installs, or runs tests: not in a guest that one of them has
/// started.
const ON_THE_HOST: [&str; 10] = [
    "SUITES=", "apt", "cd ", "dkms", "dpkg", "git ", "make", "mokutil", "scripts/", "tests/",
];

/// The suite that runs a document's sessions.
pub fn suite_of(document: &str) -> Option<&'static str> {
    let is_one = |pattern: &str| match pattern.split_once('*') {
        Some((before, after)) => document.starts_with(before) && document.ends_with(after),
        None => document == pattern,
    };
    let found = RUN_ELSEWHERE.iter().find(|(pattern, _)| is_one(pattern));
    found.map(|(_, suite)| *suite)
}

/// Whether a suite of the list has this name.
pub fn is_suite(name: &str) -> bool {
    RUN_ELSEWHERE.iter().any(|(_, suite)| *suite == name)
}

/// Whether all commands of a session are the host's.
pub fn is_on_the_host(session: &str) -> bool {
    let commands = session.lines();
    let commands = commands.filter_map(|line| line.strip_prefix("# ").or(line.strip_prefix("$ ")));
    let commands: Vec<&str> = commands.collect();
    let is_one = |command: &&str| {
        let command = command.strip_prefix("sudo ").unwrap_or(command);
        ON_THE_HOST.iter().any(|start| command.starts_with(start))
    };
    !commands.is_empty() && commands.iter().all(is_one)
}

#[test]
fn documents_have_suites() {
    assert_eq!(suite_of("Documentation/install.rst"), Some("install"));
    assert_eq!(suite_of("samples/psi_top/README.md"), Some("sample"));
    for other in [
        "README.md",
        "Documentation/guide/count.rst",
        "Documentation/install.rst.rst",
    ] {
        assert_eq!(suite_of(other), None, "{other}");
    }
}

#[test]
fn commands_of_the_host() {
    assert!(is_on_the_host("# make install\nx\n$ sudo make test\n"));
    for other in [
        "",
        "x\n",
        "# percpuctl list\n",
        "# make\n# percpuctl list\n",
    ] {
        assert!(!is_on_the_host(other), "{other}");
    }
}
