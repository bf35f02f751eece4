// SPDX-License-Identifier: GPL-2.0

//! What the compiler has made of the kfuncs, read from the module with `objdump`: how often they touch
//! memory to count, and what they can end up in. Runs in the root.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;
use std::process::Command;

const HEADER: &str = include_str!("../include/bpf_percpu_kfuncs.h");

/// The functions of a disassembly, by name.
struct Code(BTreeMap<String, Function>);

/// A function: its instructions, and what they refer to in other places.
#[derive(Default)]
struct Function {
    instructions: Vec<String>,
    /// Symbols of relocations, without what is added to them.
    symbols: BTreeSet<String>,
}

impl Code {
    /// Of what `objdump -dr --no-show-raw-insn` prints.
    fn parse(listing: &str) -> Self {
        let mut functions = BTreeMap::new();
        let mut name = None;
        // By address, for what is local: relocations say `.text+0x123`.
        let mut starts = BTreeMap::new();
        for line in listing.lines() {
            if let Some((address, rest)) = line.split_once(" <") {
                if let Some(function) = rest.strip_suffix(">:") {
                    if let Ok(address) = u64::from_str_radix(address, 16) {
                        starts.insert(address, function.to_string());
                        functions.insert(function.to_string(), Function::default());
                        name = Some(function.to_string());
                        continue;
                    }
                }
            }
            let Some(function) = name.as_ref().and_then(|name| functions.get_mut(name)) else {
                continue;
            };
            if let Some((_, symbol)) = line.split_once("R_X86_64_") {
                let symbol = symbol.split_whitespace().nth(1).unwrap_or_default();
                function.symbols.insert(symbol.to_string());
            } else if let Some((_, instruction)) = line.split_once(":\t") {
                function.instructions.push(instruction.trim().to_string());
            }
        }
        let mut code = Self(functions);
        code.resolve(&starts);
        code
    }

    /// Names what relocations and direct jumps lead to.
    fn resolve(&mut self, starts: &BTreeMap<u64, String>) {
        let containing = |address: u64| {
            starts
                .range(..=address)
                .next_back()
                .map(|(_, name)| name.clone())
        };
        for function in self.0.values_mut() {
            let symbols = std::mem::take(&mut function.symbols);
            for symbol in symbols {
                let (base, offset) = split_offset(&symbol);
                // What is added counts from the end of the instruction's last four bytes.
                let target = match base {
                    ".text" => containing(offset.wrapping_add(4)),
                    _ => Some(base.to_string()),
                };
                function.symbols.extend(target);
            }
            for instruction in &function.instructions {
                let direct = instruction.starts_with("call") || instruction.starts_with('j');
                let target = instruction.split(['<', '>', '+']).nth(1);
                function
                    .symbols
                    .extend(target.filter(|_| direct).map(str::to_string));
            }
        }
    }

    fn function(&self, name: &str) -> &Function {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("the module has no function {name}"))
    }

    /// What runs when `name` is called, as far as it is in the module, and what it calls besides.
    fn reachable(&self, name: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut todo = vec![name.to_string()];
        while let Some(name) = todo.pop() {
            if let Some(function) = self.0.get(&name) {
                todo.extend(
                    function
                        .symbols
                        .iter()
                        .filter(|s| !seen.contains(*s))
                        .cloned(),
                );
            }
            seen.insert(name);
        }
        seen
    }
}

/// `symbol+0x12` and `symbol-0x4`, in two.
fn split_offset(symbol: &str) -> (&str, u64) {
    for (sign, negative) in [("+0x", false), ("-0x", true)] {
        if let Some((base, offset)) = symbol.rsplit_once(sign) {
            if let Ok(offset) = u64::from_str_radix(offset, 16) {
                return (
                    base,
                    if negative {
                        offset.wrapping_neg()
                    } else {
                        offset
                    },
                );
            }
        }
    }
    (symbol, 0)
}

/// Where an instruction finds what it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// This CPU's copy of a per-CPU address.
    PerCpu,
    /// An address.
    Plain,
}

/// Instructions that read memory, change it and write it back: with two operands, the last is it.
const CHANGING: [&str; 16] = [
    "add", "sub", "adc", "sbb", "and", "or", "xor", "inc", "dec", "neg", "not", "xadd", "xchg",
    "cmpxchg", "btc", "bts",
];

/// What a read-modify-write instruction changes; `None` for another instruction.
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

/// The last of `a,b(c,d)`: a comma in parentheses separates nothing.
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

/// How often a kfunc of the `add` kind may change memory of which kind: once.
fn check_add(name: &str, function: &Function) -> Result<(), String> {
    let changed: Vec<_> = function
        .instructions
        .iter()
        .filter_map(|i| changes(i))
        .collect();
    let expected = if name.contains("_view_") {
        Memory::Plain
    } else {
        Memory::PerCpu
    };
    if changed != [expected] {
        return Err(format!("{name} changes {changed:?}, not {expected:?} once"));
    }
    let calls = function
        .instructions
        .iter()
        .filter(|i| i.starts_with("call"));
    if let Some(call) = calls.into_iter().next() {
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
    match function.instructions.iter().find(|i| is_lock(i)) {
        Some(instruction) => Err(format!("{name} locks: {instruction}")),
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
fn module() -> Code {
    let dir = env::var("BPF_PERCPU_VMLINUX").map_or(PathBuf::from("../build/stock"), PathBuf::from);
    let module = dir.join("bpf_percpu.ko");
    let output = Command::new("objdump")
        .args(["-dr", "--no-show-raw-insn", "--section=.text"])
        .arg(&module)
        .output()
        .expect("objdump is in the root");
    assert!(output.status.success(), "{}: {output:?}", module.display());
    Code::parse(&String::from_utf8_lossy(&output.stdout))
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
    let code = module();
    for name in adds() {
        check_add(&name, code.function(&name)).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn nothing_locks() {
    let code = module();
    for name in kfuncs() {
        // These count references, which other CPUs count too.
        let counts = ["lookup", "acquire", "release", "_data"]
            .iter()
            .any(|end| name.ends_with(end));
        if name.starts_with("bpf_percpu_") && !counts {
            check_lock(&name, code.function(&name)).unwrap_or_else(|e| panic!("{e}"));
        }
    }
}

#[test]
fn nothing_panics() {
    let code = module();
    for name in kfuncs() {
        check_panic(&name, &code).unwrap_or_else(|e| panic!("{e}"));
    }
    check_panic("bpf_percpu_store_dtor", &code).unwrap_or_else(|e| panic!("{e}"));
    // The control: what the kernel crate's vectors can end in is found, where the module starts.
    let any = code.0.keys().any(|name| check_panic(name, &code).is_err());
    assert!(
        any,
        "no function of the module panics: is the listing whole?"
    );
}

// The controls: what must be found in a listing.

fn listing(body: &str) -> Code {
    Code::parse(&format!(
        "0000000000000010 <bpf_percpu_add_u64>:\n{body}\n\n\
         0000000000000100 <local>:\n     100:\tud2\n\t\t\t101: R_X86_64_PLT32\tcore_panicking-0x4\n"
    ))
}

fn add_of(body: &str) -> Result<(), String> {
    let code = listing(body);
    let name = "bpf_percpu_add_u64";
    let function = code.function(name);
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
