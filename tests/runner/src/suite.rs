// SPDX-License-Identifier: GPL-2.0

//! What a suite is.

/// A kind of guest.
#[derive(Debug, Clone, Copy)]
pub struct Boot {
    name: &'static str,
    options: &'static [&'static str],
    kmemleak: bool,
}

impl Boot {
    /// A guest with these options of `scripts/vm`.
    pub const fn new(name: &'static str, options: &'static [&'static str]) -> Self {
        Self {
            name,
            options,
            kmemleak: true,
        }
    }

    /// The same guest, which does not look for leaks on the debug kernel. On others it is the same.
    pub const fn without_kmemleak(self, name: &'static str) -> Self {
        Self {
            name,
            kmemleak: false,
            ..self
        }
    }

    /// Its name on `kernel`, and the options of `scripts/vm`. Boots with the same options are one guest.
    pub fn on(self, kernel: &str) -> (&'static str, Vec<&'static str>) {
        let mut options = self.options.to_vec();
        if kernel == "debug" && !self.kmemleak {
            options.extend(["--append", "kmemleak=off"]);
        }
        (self.name, options)
    }
}

/// Where a suite's cases come from.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A test target, in a guest.
    Guest(Boot),
    /// A test target, in the root.
    Host,
    /// A script that prints KTAP, and is told the kernel.
    Script {
        /// Once, with the first kernel, and not for each one.
        once: bool,
    },
}

/// A suite of tests.
#[derive(Debug, Clone)]
pub struct Suite {
    /// What `SUITES` and the results call it.
    pub name: String,
    pub kind: Kind,
    /// The test target, or the script's path.
    pub target: String,
    /// Arguments of the test target: which of its cases.
    pub filter: &'static str,
    /// The only kernel that it is for, or the only one that it is not for.
    only: Option<&'static str>,
    except: Option<&'static str>,
    /// Why its cases are skipped elsewhere. If none is said, they are not mentioned.
    pub reason: &'static str,
    /// How long it takes, without the boot: on the host or the stock kernel, and on the debug kernel.
    seconds: [u32; 2],
    /// Whether it wants the samples and all tools beside it.
    pub programs: bool,
    /// Whether it wants percpuctl only.
    pub percpuctl: bool,
    /// The kernel module for tests that it wants, `KMOD_TEST`.
    pub module: Option<&'static str>,
    /// Whether `make soak` runs it, for longer.
    pub soak: bool,
}

/// A suite of the cases of a test target that run in a guest.
pub fn guest(name: &str, target: &str, boot: Boot) -> Suite {
    Suite::new(name, target, Kind::Guest(boot))
}

/// A suite of the cases of a test target that run in the root.
pub fn host(name: &str, target: &str) -> Suite {
    Suite::new(name, target, Kind::Host)
}

/// A script that boots guests of its own, for each kernel.
pub fn script(name: &str, path: &str) -> Suite {
    Suite::new(name, path, Kind::Script { once: false })
}

/// A script that runs once, with the first kernel.
pub fn host_script(name: &str, path: &str) -> Suite {
    Suite::new(name, path, Kind::Script { once: true })
}

impl Suite {
    fn new(name: &str, target: &str, kind: Kind) -> Self {
        Self {
            name: name.to_string(),
            kind,
            target: target.to_string(),
            filter: "",
            only: None,
            except: None,
            reason: "",
            seconds: [1, 1],
            programs: false,
            percpuctl: false,
            module: None,
            soak: false,
        }
    }

    /// Some of the target's cases: libtest's arguments.
    pub fn filter(mut self, filter: &'static str) -> Self {
        self.filter = filter;
        self
    }

    /// For one kernel only.
    pub fn only(mut self, kernel: &'static str, reason: &'static str) -> Self {
        self.only = Some(kernel);
        self.reason = reason;
        self
    }

    /// Not for this kernel.
    pub fn except(mut self, kernel: &'static str, reason: &'static str) -> Self {
        self.except = Some(kernel);
        self.reason = reason;
        self
    }

    /// How long it takes on the host or the stock kernel, and on the debug kernel.
    pub fn seconds(mut self, stock: u32, debug: u32) -> Self {
        self.seconds = [stock, debug];
        self
    }

    /// It runs the samples and tools.
    pub fn programs(mut self) -> Self {
        self.programs = true;
        self
    }

    /// It runs percpuctl.
    pub fn percpuctl(mut self) -> Self {
        self.percpuctl = true;
        self
    }

    /// It loads `bpf_percpu_NAME.ko`.
    pub fn module(mut self, name: &'static str) -> Self {
        self.module = Some(name);
        self
    }

    /// `make soak` runs it for longer.
    pub fn soak(mut self) -> Self {
        self.soak = true;
        self
    }

    /// Whether it is for `kernel`.
    pub fn is_for(&self, kernel: &str) -> bool {
        self.only.is_none_or(|only| only == kernel) && self.except != Some(kernel)
    }

    /// Whether it runs for each kernel.
    pub fn is_of_kernel(&self) -> bool {
        matches!(self.kind, Kind::Guest(_) | Kind::Script { once: false })
    }

    /// How long it takes.
    pub fn expected(&self, kernel: &str) -> u32 {
        self.seconds[usize::from(kernel == "debug" && self.is_of_kernel())]
    }

    /// The test target, if it is one.
    pub fn test_target(&self) -> Option<&str> {
        match self.kind {
            Kind::Script { .. } => None,
            Kind::Guest(_) | Kind::Host => Some(&self.target),
        }
    }
}
