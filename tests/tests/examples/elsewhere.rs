// SPDX-License-Identifier: GPL-2.0

//! Sessions that the target `examples` does not run: other suites run them, or they are commands of
//! the host.

/// Documents whose sessions are run by another suite.
const RUN_ELSEWHERE: &[(&str, &str)] = &[
    ("Documentation/adding.rst", "family"),
    ("Documentation/install.rst", "install"),
    ("Documentation/quickstart.rst", "quickstart"),
    ("samples/*/README.md", "sample"),
];

/// The beginnings of commands that build, install or run tests. Those cannot run in a guest.
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

/// Whether the list has a suite with this name.
pub fn is_suite(name: &str) -> bool {
    RUN_ELSEWHERE.iter().any(|(_, suite)| *suite == name)
}

/// Whether all commands of a session are commands of the host.
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
