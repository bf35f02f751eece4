// SPDX-License-Identifier: GPL-2.0

//! Suites, and the guests they run in.

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

    /// The same guest without kmemleak on the debug kernel. On other kernels it is identical.
    pub const fn without_kmemleak(self, name: &'static str) -> Self {
        Self {
            name,
            kmemleak: false,
            ..self
        }
    }

    /// Its name and the options of `scripts/vm` on `kernel`. Suites with the same options share a guest.
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
    /// A script that gets the kernel as an argument and prints KTAP.
    Script {
        /// Whether it runs once, with the first kernel, and not once per kernel.
        once: bool,
    },
}

/// A suite of tests.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Its name in `SUITES` and in the results.
    pub name: String,
    pub kind: Kind,
    /// The test target, or the script's path.
    pub target: String,
    /// Arguments for the test target that select cases.
    pub filter: &'static str,
    /// The only kernel that it runs on, or the only one that it does not run on.
    only: Option<&'static str>,
    except: Option<&'static str>,
    /// Why its cases are skipped on other kernels. If empty, the results do not mention them.
    pub reason: &'static str,
    /// Its duration in seconds without the boot: on the host or the stock kernel, and on the debug kernel.
    seconds: [u32; 2],
    /// Whether it needs the samples and all tools.
    pub programs: bool,
    /// Whether it needs only percpuctl.
    pub percpuctl: bool,
    /// The kernel module of `tests/kmod` that it needs, if any: `KMOD_TEST`.
    pub module: Option<&'static str>,
    /// Whether `make soak` runs it, for a longer time.
    pub soak: bool,
}

/// A suite that runs cases of a test target in a guest.
pub fn guest(name: &str, target: &str, boot: Boot) -> Suite {
    Suite::new(name, target, Kind::Guest(boot))
}

/// A suite that runs cases of a test target in the root.
pub fn host(name: &str, target: &str) -> Suite {
    Suite::new(name, target, Kind::Host)
}

/// A script that runs once per kernel and boots its own guests.
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

    /// Runs only some of the target's cases, which these arguments of libtest select.
    pub fn filter(mut self, filter: &'static str) -> Self {
        self.filter = filter;
        self
    }

    /// Runs it only on this kernel.
    pub fn only(mut self, kernel: &'static str, reason: &'static str) -> Self {
        self.only = Some(kernel);
        self.reason = reason;
        self
    }

    /// Does not run it on this kernel.
    pub fn except(mut self, kernel: &'static str, reason: &'static str) -> Self {
        self.except = Some(kernel);
        self.reason = reason;
        self
    }

    /// Sets how many seconds it takes on the host or the stock kernel, and on the debug kernel.
    pub fn seconds(mut self, stock: u32, debug: u32) -> Self {
        self.seconds = [stock, debug];
        self
    }

    /// Provides the samples and tools.
    pub fn programs(mut self) -> Self {
        self.programs = true;
        self
    }

    /// Provides percpuctl.
    pub fn percpuctl(mut self) -> Self {
        self.percpuctl = true;
        self
    }

    /// Provides `bpf_percpu_NAME.ko`.
    pub fn module(mut self, name: &'static str) -> Self {
        self.module = Some(name);
        self
    }

    /// Makes `make soak` run it, for a longer time.
    pub fn soak(mut self) -> Self {
        self.soak = true;
        self
    }

    /// Whether it runs on `kernel`.
    pub fn is_for(&self, kernel: &str) -> bool {
        self.only.is_none_or(|only| only == kernel) && self.except != Some(kernel)
    }

    /// Whether it runs once per kernel.
    pub fn is_of_kernel(&self) -> bool {
        matches!(self.kind, Kind::Guest(_) | Kind::Script { once: false })
    }

    /// Its expected duration in seconds.
    pub fn expected(&self, kernel: &str) -> u32 {
        self.seconds[usize::from(kernel == "debug" && self.is_of_kernel())]
    }

    /// The test target, if it is not a script.
    pub fn test_target(&self) -> Option<&str> {
        match self.kind {
            Kind::Script { .. } => None,
            Kind::Guest(_) | Kind::Host => Some(&self.target),
        }
    }
}
