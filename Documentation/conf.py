# SPDX-License-Identifier: GPL-2.0
"""Sphinx configuration, for `make doc`."""

import tomllib
from pathlib import Path

project = "bpf_percpu"
version = release = tomllib.loads(Path("../Cargo.toml").read_text())["workspace"]["package"]["version"]
author = "the bpf_percpu maintainers"
copyright = author

extensions = ["myst_parser", "sphinx.ext.graphviz"]
# Pages include these tables, which `make bench` prints. They are not pages of their own.
exclude_patterns = ["benchmarks/*.md", "examples/**"]
source_suffix = {".rst": "restructuredtext"}

primary_domain = "c"
highlight_language = "none"
# The included tables start with a second-level title.
suppress_warnings = ["myst.header"]

html_theme = "alabaster"
html_theme_options = {
    "description": "per-CPU data for BPF programs",
    "fixed_sidebar": True,
    "page_width": "70em",
}
html_show_sourcelink = False
graphviz_output_format = "svg"
