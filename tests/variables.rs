// SPDX-License-Identifier: GPL-2.0

//! `SEC(".percpu")` variables, in a guest: lowered, and as the kernel has them where it does.

#[path = "variables/c.rs"]
mod c;
#[path = "variables/command.rs"]
mod command;
#[path = "variables/errors.rs"]
mod errors;
#[path = "variables/lifetime.rs"]
mod lifetime;
#[path = "variables/load.rs"]
mod load;
#[path = "variables/sizes.rs"]
mod sizes;
#[path = "percpuctl/tool.rs"]
#[allow(dead_code, reason = "the tests of percpuctl use the rest")]
mod tool;
#[path = "variables/upstream.rs"]
mod upstream;
