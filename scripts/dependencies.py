#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Holds what the crates of user space depend on to deny.toml: licences, duplicate versions, wildcards
and sources. Runs in the root, with the crates that cargo has there.

cargo-deny does this and more, but Debian has no package of it, and to build it takes six minutes of CPU.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

# What this script supports. Other values in deny.toml would not be checked.
KNOWN = {
    "licenses": {"unused-allowed-license": "deny"},
    "bans": {"multiple-versions": "deny", "wildcards": "deny", "allow-wildcard-paths": True},
    "sources": {"unknown-registry": "deny", "unknown-git": "deny"},
}


def granted(expression, allowed):
    """Which of the `allowed` licences satisfy an SPDX expression; none if they do not."""
    tokens = re.findall(r"[()]|[^\s()/]+|/", expression)

    def alternatives():
        found = together()
        while tokens and tokens[0] in ("OR", "/"):
            tokens.pop(0)
            # The first allowed licence counts, so that `allow` contains only what is needed.
            other = together()
            found = found or other
        return found

    def together():
        found = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            other = one()
            found = found | other if found and other else set()
        return found

    def one():
        name = tokens.pop(0)
        if name == "(":
            found = alternatives()
            tokens.pop(0)
            return found
        if tokens and tokens[0] == "WITH":
            name = f"{name} WITH {tokens[1]}"
            del tokens[:2]
        return {name} & allowed

    return alternatives()


def packages(deny):
    """What is built of this workspace's crates and their dependencies, for the targets of deny.toml."""
    command = ["cargo", "metadata", "--format-version=1", "--locked"]
    if deny["graph"]["all-features"]:
        command.append("--all-features")
    command += [f"--filter-platform={target}" for target in deny["graph"]["targets"]]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    built = {node["id"] for node in metadata["resolve"]["nodes"]}
    return [each for each in metadata["packages"] if each["id"] in built]


def problems(deny):
    for section, values in KNOWN.items():
        for key, value in values.items():
            if deny[section][key] != value:
                yield f"deny.toml: {section}.{key} is not {value!r}, which is all that {sys.argv[0]} knows"

    allowed = set(deny["licenses"]["allow"])
    registries = {f"registry+{url}" for url in deny["sources"]["allow-registry"]}
    versions, used = defaultdict(set), set()
    for package in packages(deny):
        name = f"{package['name']} {package['version']}"
        versions[package["name"]].add(package["version"])
        found = granted(package["license"], allowed) if package["license"] else set()
        used |= found
        if not found:
            yield f"{name}: deny.toml allows no licence of '{package['license']}'"
        if package["source"] and package["source"] not in registries:
            yield f"{name}: deny.toml does not allow its source, {package['source']}"
        if not package["source"]:
            for dependency in package["dependencies"]:
                if dependency["req"] == "*" and not dependency.get("path"):
                    yield f"{name}: any version of {dependency['name']} will do: name one"
    for licence in sorted(allowed - used):
        yield f"deny.toml: no crate needs the licence '{licence}'"
    for name, several in versions.items():
        if len(several) > 1:
            yield f"{name}: in versions {' and '.join(sorted(several))}: cargo tree --invert {name}"


found = list(problems(tomllib.loads(Path("deny.toml").read_text())))
print("\n".join(found))
sys.exit(bool(found))
