// SPDX-License-Identifier: GPL-2.0

//! The machine code of the kfuncs, disassembled by `objdump`: an add is one instruction, nothing
//! has a `lock` prefix, nothing can panic, and no kfunc has grown. Runs on the host, in the root.

use std::env;
use std::path::PathBuf;

use bench::code::Code;
use bench::code::Function;

mod listing;

const HEADER: &str = include_str!("../../../include/bpf_percpu_kfuncs.h");

/// The memory that an instruction changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// This CPU's copy of a per-CPU address (`%gs`).
    PerCpu,
    /// A plain address.
    Plain,
}

/// Read-modify-write instructions. Of two operands the last is the memory.
const CHANGING: [&str; 16] = [
    "add", "sub", "adc", "sbb", "and", "or", "xor", "inc", "dec", "neg", "not", "xadd", "xchg",
    "cmpxchg", "btc", "bts",
];

/// The memory that a read-modify-write instruction changes; `None` for another instruction.
fn changes(instruction: &str) -> Option<Memory> {
    let instruction = instruction.split(['#', '<']).next()?.trim();
    let (name, operands) = instruction.split_once(char::is_whitespace)?;
    let name = name.trim_end_matches(['b', 'w', 'l', 'q']);
    let changing = CHANGING.contains(&name) || ["sub", "sbb", "btc", "xchg"].contains(&name);
    let target = last_operand(operands);
    if !changing || !target.contains('(') {
        return None;
    }
    Some(if target.contains("%gs:") {
        Memory::PerCpu
    } else {
        Memory::Plain
    })
}

/// The last operand of `a,b(c,d)`: a comma in parentheses does not separate.
fn last_operand(operands: &str) -> &str {
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in operands.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => start = at + 1,
            _ => (),
        }
    }
    operands[start..].trim()
}

fn is_lock(instruction: &str) -> bool {
    instruction.split_whitespace().any(|word| word == "lock")
        || (instruction.starts_with("xchg") && instruction.contains('('))
}

fn kfuncs() -> Vec<String> {
    let lines = HEADER.lines().filter(|line| line.starts_with("KFUNC("));
    let names = lines.filter_map(|line| line.split(", ").nth(1));
    let names: Vec<_> = names.map(str::to_string).collect();
    assert!(names.len() > 30, "the header lists the kfuncs: {names:?}");
    names
}

/// Checks a kfunc that adds: it changes memory once, of the right kind, and calls nothing.
fn check_add(name: &str, function: &Function) -> Result<(), String> {
    let changed: Vec<_> = function
        .instructions
        .iter()
        .filter_map(|i| changes(&i.text))
        .collect();
    let expected = if name.contains("_view_") {
        Memory::Plain
    } else {
        Memory::PerCpu
    };
    if changed != [expected] {
        return Err(format!("{name} changes {changed:?}, not {expected:?} once"));
    }
    let mut texts = function.instructions.iter().map(|i| &i.text);
    if let Some(call) = texts.find(|text| text.starts_with("call")) {
        return Err(format!("{name} calls a function: {call}"));
    }
    let others = function
        .symbols
        .iter()
        .filter(|s| s.contains("rust_helper"));
    others
        .map(|s| Err(format!("{name} goes to {s}")))
        .next()
        .unwrap_or(Ok(()))
}

fn check_lock(name: &str, function: &Function) -> Result<(), String> {
    match function.instructions.iter().find(|i| is_lock(&i.text)) {
        Some(instruction) => Err(format!("{name} locks: {}", instruction.text)),
        None => Ok(()),
    }
}

fn check_panic(name: &str, code: &Code) -> Result<(), String> {
    let panics = |symbol: &&String| symbol.contains("panic") || symbol.contains("BUG");
    match code.reachable(name).iter().find(panics) {
        Some(symbol) => Err(format!("{name} can end in {symbol}")),
        None => Ok(()),
    }
}

/// The module that was built.
fn module() -> PathBuf {
    let dir = env::var("BPF_PERCPU_VMLINUX").map_or(PathBuf::from("../build/stock"), PathBuf::from);
    dir.join("bpf_percpu.ko")
}

fn code() -> Code {
    Code::read(&module()).unwrap_or_else(|e| panic!("{e:#}"))
}

fn function<'a>(code: &'a Code, name: &str) -> &'a Function {
    code.function(name).unwrap_or_else(|e| panic!("{e}"))
}

fn adds() -> Vec<String> {
    let adds = |name: &String| {
        let name = name
            .trim_start_matches("bpf_percpu_")
            .trim_start_matches("id_");
        name.trim_start_matches("view_").starts_with("add_")
    };
    let adds: Vec<_> = kfuncs().into_iter().filter(adds).collect();
    assert_eq!(adds.len(), 10, "{adds:?}");
    adds
}

#[test]
fn an_add_is_one_instruction() {
    let code = code();
    for name in adds() {
        check_add(&name, function(&code, &name)).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn nothing_locks() {
    let code = code();
    for name in kfuncs() {
        // These change reference counts, which CPUs share.
        let counts = ["lookup", "acquire", "release", "_data"]
            .iter()
            .any(|end| name.ends_with(end));
        if name.starts_with("bpf_percpu_") && !counts {
            check_lock(&name, function(&code, &name)).unwrap_or_else(|e| panic!("{e}"));
        }
    }
}

#[test]
fn nothing_panics() {
    let code = code();
    for name in kfuncs() {
        check_panic(&name, &code).unwrap_or_else(|e| panic!("{e}"));
    }
    check_panic("bpf_percpu_store_dtor", &code).unwrap_or_else(|e| panic!("{e}"));
    // The control: the module's initialization uses vectors of the kernel crate, which can panic.
    let any = code.names().any(|name| check_panic(name, &code).is_err());
    assert!(
        any,
        "no function of the module panics: is the listing whole?"
    );
}

// The controls: mistakes that must be found in a listing.

fn listing(body: &str) -> Code {
    Code::parse(&format!(
        "0000000000000010 <bpf_percpu_add_u64>:\n{body}\n\n\
         0000000000000100 <local>:\n     100:\tud2\n\t\t\t101: R_X86_64_PLT32\tcore_panicking-0x4\n"
    ))
}

fn add_of(body: &str) -> Result<(), String> {
    let code = listing(body);
    let name = "bpf_percpu_add_u64";
    let function = function(&code, name);
    check_add(name, function)?;
    check_lock(name, function)?;
    check_panic(name, &code)
}

const ADD: &str =
    "      10:\tendbr64\n      14:\tadd    (%rdi),%rax\n      18:\tadd    %rdx,%gs:(%rax)\n";

#[test]
fn a_good_listing_passes() {
    assert_eq!(add_of(ADD), Ok(()));
    let indexed = "      18:\taddq   $0x1,%gs:0x8(%rax,%rcx,8)\n";
    assert_eq!(add_of(indexed), Ok(()));
}

#[test]
fn bad_listings_are_found() {
    for (added, expected) in [
        ("      20:\tadd    %rdx,%gs:(%rax)\n", "PerCpu, PerCpu"),
        ("      20:\tincq   0x10(%rdi)\n", "PerCpu, Plain"),
        ("      20:\txadd   %rdx,(%rax)\n", "PerCpu, Plain"),
        ("      20:\tcall   100 <local>\n", "calls a function"),
        ("      20:\tlock nop\n", "locks"),
        (
            "      20:\tjmp    100 <local>\n",
            "can end in core_panicking",
        ),
        (
            "      20:\tjmp    25 <x>\n\t\t\t21: R_X86_64_PLT32\t.text+0xfc\n",
            "can end in core_panicking",
        ),
    ] {
        let error = add_of(&format!("{ADD}{added}")).expect_err(added);
        assert!(error.contains(expected), "{added}: {error}");
    }
    let plain = ADD.replace("%gs:", "");
    assert!(add_of(&plain).is_err_and(|e| e.contains("[Plain]")));
    let locked = ADD.replace("add    %rdx", "lock add %rdx");
    assert!(add_of(&locked).is_err());
    assert!(add_of("      10:\tendbr64\n").is_err(), "no add at all");
}
