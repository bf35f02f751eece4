// SPDX-License-Identifier: GPL-2.0

//! Per-CPU stores of bpf_percpu.ko, from the shell.

fn main() {}
