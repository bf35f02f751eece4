// SPDX-License-Identifier: GPL-2.0

//! Each command of a session prints what the document shows.

use super::shell::check;

/// A test for each file.
macro_rules! sessions {
    ($($name:ident: $file:literal,)*) => {
        /// The files that the tests run.
        pub const FILES: &[&str] = &[$($file),*];

        $(
            #[test]
            fn $name() {
                let shown = include_str!(concat!("../../../../Documentation/examples/", $file));
                check($file, shown);
            }
        )*
    };
}

sessions! {
    bound: "bound.varies.session",
    budget: "budget.session",
    count: "count.session",
    ethertypes: "ethertypes.session",
    execs: "execs.varies.session",
    export: "export.session",
    lifetime: "lifetime.session",
    load: "load.varies.session",
    lower: "lower.session",
    packets: "packets.session",
    percpuctl: "percpuctl.session",
    rss: "rss.varies.session",
    scratch: "scratch.session",
    skel: "skel.session",
    walk: "walk.session",
    watch: "watch.varies.session",
}
