// SPDX-License-Identifier: GPL-2.0

//! Writes random BPF programs in C that use per-CPU and ordinary variables. C defines all that they
//! do, so a program gives the same results whether its variables are per-CPU or not.

mod expression;
mod function;
pub mod random;
mod statement;
mod variable;

use std::fmt::Write as _;

use crate::random::Random;
use function::Function;
use variable::Struct;
use variable::Variable;

/// The number of programs.
pub const PROGRAMS: usize = 200;
/// The seed, unless the environment variable [`SEED_VARIABLE`] sets another.
pub const SEED: u64 = 0x7065_7263_7075_0007;
/// The environment variable with the seed for a build of the tests.
pub const SEED_VARIABLE: &str = "BPF_PERCPU_RANDOM_SEED";

/// A program and how to compile it.
#[derive(Debug, Clone)]
pub struct Program {
    /// The source in C. With `PLAIN` defined, all variables are ordinary.
    pub source: String,
    /// The instruction set, as clang's `-mcpu`.
    pub cpu: &'static str,
    /// The type of BPF program: its section.
    pub kind: &'static str,
}

/// Program `i` of `seed`.
pub fn program(seed: u64, i: usize) -> Program {
    Generator::new(Random::part(seed, i as u64)).program()
}

/// The program so far, from which further functions are generated.
struct Generator {
    random: Random,
    cpu: &'static str,
    kind: &'static str,
    structs: Vec<Struct>,
    variables: Vec<Variable>,
    functions: Vec<Function>,
}

const PRELUDE: &str = "\
/* SPDX-License-Identifier: GPL-2.0 */
typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef short s16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define __noinline __attribute__((noinline))
#ifdef PLAIN
#define PERCPU SEC(\".data.unnamed\")
#define PERCPU_IN(name) SEC(\".data.\" #name)
#else
#define PERCPU SEC(\".percpu\")
#define PERCPU_IN(name) SEC(\".percpu.\" #name)
#endif
/* What the compiler knows of a number must not keep it from the mask that the verifier needs. */
#define HIDE(n) asm(\"\" : \"+r\"(n))
#define INDEX(i, mask) ({ u64 index = (i); HIDE(index); index &= (mask); HIDE(index); index; })

static long (*const bpf_loop)(u32 nr, void *callback, void *ctx, u64 flags) = (void *)181;

char _license[] SEC(\"license\") = \"GPL\";

struct loop {
\tu64 sum;
\tu64 arg;
};

/* What a function returns is used. */
u64 results;
";

/// The types of program, and the context that each gets.
const CONTEXTS: [(&str, &str); 4] = [
    ("syscall", "struct context {\n\tu64 in[4];\n};\n"),
    ("raw_tp", "struct context {\n\tu64 in[4];\n};\n"),
    (
        "tc",
        "struct context {\n\tu32 len;\n\tu32 pkt_type;\n\tu32 mark;\n\tu32 other[9];\n\tu32 cb[5];\n};\n",
    ),
    ("xdp", "struct context {\n\tu32 data;\n\tu32 data_end;\n};\n"),
];

impl Generator {
    fn new(mut random: Random) -> Self {
        let cpu = random.weighted(&[(5, "v3"), (2, "v4"), (1, "v2")]);
        let kind = random.one_of(&CONTEXTS).0;
        Self {
            random,
            cpu,
            kind,
            structs: Vec::new(),
            variables: Vec::new(),
            functions: Vec::new(),
        }
    }

    fn program(mut self) -> Program {
        self.add_structs();
        self.add_variables();
        self.add_functions();
        let mut source = PRELUDE.to_string();
        for (kind, context) in CONTEXTS {
            if kind == self.kind {
                let _ = write!(source, "\n{context}");
            }
        }
        for of in &self.structs {
            let _ = write!(source, "\n{}", of.declaration());
        }
        source.push('\n');
        for variable in &self.variables {
            source.push_str(&variable.definition());
        }
        for function in &self.functions {
            let _ = write!(source, "\n{}", function.text);
        }
        Program {
            source,
            cpu: self.cpu,
            kind: self.kind,
        }
    }
}
