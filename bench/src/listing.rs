// SPDX-License-Identifier: GPL-2.0

//! The machine code of the hottest kfuncs, as a text that changes only if their code does. It
//! contains no addresses of other functions or of data.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use crate::code::Code;
use crate::code::Function;
use crate::code::Instruction;

mod names;

use names::Names;

/// The kfuncs that programs call most often.
pub const HOT: [&str; 20] = [
    "bpf_percpu_view_add_u64",
    "bpf_percpu_add_u64",
    "bpf_percpu_id_add_u64",
    "bpf_percpu_store_get",
    "bpf_percpu_store_this_cpu",
    "bpf_percpu_store_per_cpu",
    "bpf_percpu_data",
    "bpf_percpu_add_return_u64",
    "bpf_percpu_xchg_u64",
    "bpf_percpu_cmpxchg_u64",
    "bpf_percpu_view_add_return_u64",
    "bpf_percpu_view_xchg_u64",
    "bpf_percpu_view_cmpxchg_u64",
    "bpf_percpu_sum_u64",
    "bpf_iter_cpumask_new",
    "bpf_iter_cpumask_next",
    "bpf_iter_cpumask_destroy",
    "bpf_cpumask_next",
    "bpf_get_possible_cpumask",
    "bpf_get_nr_cpu_ids",
];

/// The start of a listing.
const HEAD: &str = "\
The machine code of the kfuncs that programs call most, in the bpf_percpu.ko of the stock kernel.

`make bench LISTING=1` generates this file. tests/tests/kfunc_code fails if the module has more
instructions than are counted here. Straight instructions are those that run if no conditional
jump is taken and each loop runs once.

";

/// The number of instructions of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// All instructions, without the padding at the end.
    pub all: usize,
    /// The instructions that run if no conditional jump is taken, up to the return, with one
    /// iteration of each loop.
    pub straight: usize,
}

/// Prints the listing of a module.
///
/// # Errors
///
/// Fails if the module cannot be read, or lacks one of [`HOT`].
pub fn run(module: &Path) -> Result<()> {
    let code = Code::read(module)?;
    print!("{}", listing(&code, &compiler(module)?)?);
    Ok(())
}

/// Returns the name of the compiler of a module's Rust code.
///
/// # Errors
///
/// Fails if the module does not contain it.
pub fn compiler(module: &Path) -> Result<String> {
    let output = Command::new("readelf")
        .args(["-p", ".comment"])
        .arg(module)
        .output()
        .context("readelf does not start: is this the root?")?;
    let comments = String::from_utf8_lossy(&output.stdout);
    let version = comments.lines().find_map(|line| {
        line.split_once("rustc version ")
            .map(|(_, version)| version)
    });
    let version = version.with_context(|| {
        format!(
            "{}: no compiler is named in section .comment",
            module.display()
        )
    })?;
    Ok(format!("rustc {}", version.trim()))
}

/// Creates the listing of a module built by `compiler`.
///
/// # Errors
///
/// Fails if the module lacks one of [`HOT`].
pub fn listing(code: &Code, compiler: &str) -> Result<String> {
    let mut functions = Vec::new();
    for name in HOT {
        functions.push((name, code.function(name)?));
    }
    let names = Names::of(functions.iter().map(|(_, function)| *function))?;
    let mut text = format!("{HEAD}{compiler}\n");
    for (name, function) in functions {
        let Counts { all, straight } = counts(name, function)?;
        write!(text, "\n{name}: {all} instructions, {straight} straight\n")?;
        for instruction in body(function) {
            let written = names.write(name, instruction);
            writeln!(text, "  +{:#05x}  {written}", instruction.offset)?;
        }
    }
    Ok(text)
}

/// Parses the counts of a listing, by function name.
pub fn counts_of(listing: &str) -> BTreeMap<String, Counts> {
    let count = |line: &str| {
        let (name, counts) = line.split_once(": ")?;
        let (all, straight) = counts.split_once(" instructions, ")?;
        let counts = Counts {
            all: all.parse().ok()?,
            straight: straight.strip_suffix(" straight")?.parse().ok()?,
        };
        Some((name.to_string(), counts))
    };
    listing.lines().filter_map(count).collect()
}

/// A function without the padding at its end.
fn body(function: &Function) -> &[Instruction] {
    let instructions = &function.instructions;
    let end = instructions.iter().rposition(|i| !i.is_padding());
    &instructions[..end.map_or(0, |last| last + 1)]
}

/// Counts the instructions of a function.
///
/// # Errors
///
/// Fails if its straight path has no end.
pub fn counts(name: &str, function: &Function) -> Result<Counts> {
    let body = body(function);
    let index = |instruction: &Instruction| {
        let (_, offset) = instruction.target.as_ref().filter(|(to, _)| to == name)?;
        body.iter().position(|i| i.offset == *offset)
    };
    let mut way: Vec<usize> = Vec::new();
    let mut at = 0;
    loop {
        let instruction = body
            .get(at)
            .with_context(|| format!("{name} has an end that does not return"))?;
        if way.contains(&at) {
            // The path is back in a loop: take the last jump that leaves the loop.
            let leaving = way.iter().rposition(|i| {
                index(&body[*i]).is_some_and(|to| !body[*i].is_jump() && !way.contains(&to))
            });
            let Some(leaving) = leaving else {
                bail!(
                    "{name} comes back to +{:#x}, and does not return",
                    instruction.offset
                );
            };
            at = index(&body[way[leaving]]).unwrap_or(at);
            way.truncate(leaving + 1);
            continue;
        }
        way.push(at);
        at += 1;
        if !instruction.is_jump() {
            continue;
        }
        if instruction.target.as_ref().is_none_or(|(to, _)| to != name) {
            // A return, or a jump to another function, which returns to the caller.
            return Ok(Counts {
                all: body.len(),
                straight: way.len(),
            });
        }
        // A backward jump ends a loop, of which the straight path has one iteration.
        at = index(instruction)
            .filter(|to| !way.contains(to))
            .unwrap_or(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function with two paths, and one iteration of a loop.
    pub(super) const LISTING: &str = "
0000000000000010 <f>:
      10:\tendbr64
      14:\tmov    0x0(%rip),%eax        # 1a <f+0xa>
\t\t\t16: R_X86_64_PC32\tnr_cpu_ids-0x4
      1a:\tje     30 <f+0x20>
      1c:\tmovl   $0x0,0x0(%rip)        # 26 <f+0x16>
\t\t\t1e: R_X86_64_PC32\t.bss+0x124
\t\t\t22: R_X86_64_32S\ttable+0x8
      26:\tnop
      27:\tjmp    1a <f+0xa>
      29:\tjmp    2e <f+0x1e>
\t\t\t2a: R_X86_64_PLT32\t__x86_return_thunk-0x4
      2e:\tcall   33 <f+0x23>
\t\t\t2f: R_X86_64_PLT32\t.text+0x9c
      33:\tadd    0x0(,%rcx,8),%rax
\t\t\t37: R_X86_64_32S\t__per_cpu_offset
      3b:\tjmp    a4 <g+0x4>
      40:\tcs nopw 0x0(%rax,%rax,1)
      4a:\txchg   %ax,%ax

00000000000000a0 <g>:
      a0:\tendbr64
      a4:\tret
      a5:\tint3
";

    fn function<'a>(code: &'a Code, name: &str) -> &'a Function {
        code.function(name).expect("the function")
    }

    #[test]
    fn a_loop_that_is_entered_below_its_start_comes_round_once() {
        let code = Code::parse(
            "
0000000000000010 <f>:
      10:\tendbr64
      14:\tjmp    1c <f+0xc>
      16:\tadd    $0x40,%ecx
      19:\tcmp    %eax,%ecx
      1b:\tjae    24 <f+0x14>
      1c:\tand    (%rsi),%rdi
      20:\tje     16 <f+0x6>
      22:\tjmp    16 <f+0x6>
      24:\tret
",
        );
        let counts = counts("f", function(&code, "f")).expect("it returns");
        assert_eq!((counts.all, counts.straight), (9, 9));
    }

    #[test]
    fn what_is_counted() {
        let code = Code::parse(LISTING);
        let counted = |name| counts(name, function(&code, name)).expect("it returns");
        let expected = Counts {
            all: 10,
            straight: 7,
        };
        assert_eq!(counted("f"), expected);
        let expected = Counts {
            all: 2,
            straight: 2,
        };
        assert_eq!(counted("g"), expected);
    }

    #[test]
    fn a_way_that_does_not_return() {
        for (code, expected) in [
            ("10:\tud2\n", "an end that does not return"),
            (
                "10:\tjmp    14 <f+0x4>\n 12:\tjmp    10 <f>\n 14:\tjmp    10 <f>\n",
                "an end that does not return",
            ),
            (
                "10:\tjmp    14 <f+0x4>\n 12:\tcli\n 14:\tjmp    12 <f+0x2>\n",
                "comes back to +0x4",
            ),
        ] {
            let code = Code::parse(&format!("0000000000000010 <f>:\n {code}"));
            let error = counts("f", function(&code, "f")).expect_err("no return");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn counts_are_read_as_they_are_written() {
        let text = format!("{HEAD}rustc 1\n\nf: 10 instructions, 7 straight\n  +0x000  ret\n");
        let counts = counts_of(&text);
        let expected = Counts {
            all: 10,
            straight: 7,
        };
        assert_eq!(counts, BTreeMap::from([("f".to_string(), expected)]));
    }
}
