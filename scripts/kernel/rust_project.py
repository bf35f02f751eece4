#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Adds this tree's modules to the rust-project.json that the kernel's build has written, and has
its paths name the files where the machine, outside of the root, sees them.

Runs in the root. The kernel's script takes a file for a crate's only if the Makefile beside it names
it, so it finds none of ours.

usage: rust_project.py PROJECT BUILD CLONE ROOT

BUILD has the module's bindings. CLONE and ROOT are where the machine has /src and /.
"""

import json
import os
import sys
from pathlib import Path

SRC = Path("/src")


def on_machine(value, clone, root):
    """`value`, of JSON, with the machine's paths. Links are followed here, for the machine would follow
    absolute ones elsewhere."""
    if isinstance(value, dict):
        return {key: on_machine(each, clone, root) for key, each in value.items()}
    if isinstance(value, list):
        return [on_machine(each, clone, root) for each in value]
    if not isinstance(value, str) or not value.startswith("/"):
        return value
    real = Path(os.path.realpath(value))
    if real.is_relative_to(SRC):
        return str(clone / real.relative_to(SRC))
    return str(root / real.relative_to("/"))


def main():
    project, build, clone, root = map(Path, sys.argv[1:])
    data = json.loads(project.read_text())
    crates = data["crates"]
    # For an editor, the kernel is a library.
    for crate in crates:
        crate["is_workspace_member"] = False
    numbers = {crate["display_name"]: number for number, crate in enumerate(crates)}
    kernel = crates[numbers["kernel"]]
    bindings = build / "rust/bindings/bindings_generated.rs"
    for module in [SRC / "rust/bpf_percpu.rs", *sorted(SRC.glob("*/kmod/*.rs"))]:
        crates.append(
            {
                "display_name": module.stem,
                "root_module": str(module),
                "is_workspace_member": True,
                "edition": kernel["edition"],
                # rustc's options from the kernel's build: rust_common_cmd in scripts/Makefile.build.
                "deps": [
                    {"crate": numbers[name], "name": name}
                    for name in ("core", "kernel", "pin_init", "zerocopy", "zerocopy_derive")
                ],
                "cfg": [*kernel["cfg"], "MODULE"],
                "env": {"RUST_MODFILE": module.stem, "BPF_PERCPU_BINDINGS": str(bindings)},
                "source": {
                    "include_dirs": [str(each) for each in (SRC / "rust", module.parent, bindings.parent)],
                    "exclude_dirs": [],
                },
            }
        )
    json.dump(on_machine(data, clone, root), sys.stdout, indent=1)


main()
