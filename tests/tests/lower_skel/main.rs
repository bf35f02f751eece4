// SPDX-License-Identifier: GPL-2.0

//! Modules of `percpuctl skel`, loaded in both forms: initial values, and counts on each CPU.

use std::fs;
use std::process::Command;
use std::process::Output;

use bpf_percpu::libbpf_rs::ProgramInput;
use bpf_percpu::variables::Form;
use bpf_percpu::variables::Options;
use tests::cpus::set_affinity;
use tests::cpus::sysfs;
use tests::cpus::usable;
use tests::kernel;
use tests::object;

/// What `bpf_percpu_lower::skel::generate()` has made.
mod count {
    include!(concat!(env!("OUT_DIR"), "/count.percpu.rs"));
}

use count::Objs;
use count::Open;

/// The forms that this kernel supports.
fn forms() -> Vec<Form> {
    let mut forms = vec![Form::Lowered];
    if kernel::is_since(7, 3) {
        forms.push(Form::Native);
    }
    forms
}

fn open(form: Form) -> Open {
    let open = Open::open_with(&Options::new().form(form));
    open.unwrap_or_else(|e| panic!("{form}: {e:#}"))
}

fn load(open: Open) -> Objs {
    open.load().unwrap_or_else(|e| panic!("{e:#}"))
}

/// Runs the program `times` times on a CPU, and returns its last result.
fn run_on(objs: &mut Objs, cpu: u32, times: u32) -> i32 {
    set_affinity(&[cpu].into());
    let program = objs.program_mut("count").expect("a program");
    let run = || program.test_run(ProgramInput::default()).expect("it runs");
    let last = (0..times).map(|_| run().return_value as i32).last();
    last.expect("once, at least")
}

#[test]
fn values_of_each_cpu() {
    let cpus = usable();
    for form in forms() {
        let mut open = open(form);
        assert_eq!(open.form(), form);
        assert_eq!(
            (open.percpu.data, open.percpu_stats.entries[0].sum),
            (1, 10)
        );
        open.percpu.data = -5;
        open.percpu_stats.entries[1].sum = 1000;
        open.percpu_stats.entries[1].set_high(-100);
        open.rodata.step = 2;
        open.data.factor = 10;
        let mut objs = load(open);
        assert_eq!(objs.loaded().sections().len(), 0, "they have been taken");
        assert_eq!(objs.percpu.image().data, -5);

        for cpu in &cpus {
            let times = cpu + 1;
            let data = run_on(&mut objs, *cpu, times);
            assert_eq!(data, -5 + 2 * times as i32, "{form}, CPU {cpu}");
        }
        set_affinity(&cpus);
        for (cpu, value) in objs.percpu.all().expect("possible CPUs") {
            let times = if cpus.contains(&cpu) { cpu + 1 } else { 0 };
            assert_eq!(value.data, -5 + 2 * times as i32, "{form}, CPU {cpu}");
            assert_eq!(objs.percpu.get(cpu).expect("a CPU"), value);
            let entry = objs.percpu_stats.get(cpu).expect("a CPU").entries[1];
            let sum: i32 = (1..=times as i32).map(|n| (-5 + 2 * n) * 10).sum();
            assert_eq!(entry.sum, 1000 + i64::from(sum), "{form}, CPU {cpu}");
            assert_eq!(entry.high(), -100 - 3 * times as i32);
            if times > 0 {
                assert_eq!((u32::from(entry.cpu), entry.low()), (cpu, 5));
                assert_eq!(entry.kind, count::KIND_COUNT);
            }
        }
        let runs: u32 = cpus.iter().map(|cpu| cpu + 1).sum();
        assert_eq!(objs.bss.get().expect("a section").runs, u64::from(runs));
        assert_eq!(objs.rodata.step, 2);
    }
}

#[test]
fn values_are_written() {
    let all = sysfs("possible");
    let cpu = *usable().first().expect("a CPU");
    for form in forms() {
        let mut objs = load(open(form));
        let mut stats = objs.percpu_stats.image();
        assert_eq!(stats.entries[0].sum, 10);
        stats.entries[1].sum = 7;
        objs.percpu_stats.set_all(&stats).expect("all CPUs");
        for (_, value) in objs.percpu_stats.all().expect("possible CPUs") {
            assert_eq!(value, stats, "{form}");
        }
        let mut value = objs.percpu.get(cpu).expect("a CPU");
        value.data = 41;
        objs.percpu.set(cpu, &value).expect("a CPU");
        let mut data = objs.data.get().expect("a section");
        data.factor = 0;
        objs.data.set(&data).expect("a section");
        assert_eq!(run_on(&mut objs, cpu, 1), 42, "{form}");
        set_affinity(&usable());
        let entry = objs.percpu_stats.get(cpu).expect("a CPU").entries[1];
        assert_eq!(entry.sum, 7, "{form}: the factor is 0");
        for (other, value) in objs.percpu.all().expect("possible CPUs") {
            let expected = if other == cpu { 42 } else { 1 };
            assert_eq!(value.data, expected, "{form}, CPU {other}");
        }
        let strange = all.last().expect("a CPU") + 1;
        let error = objs.percpu.get(strange).expect_err("no such CPU");
        assert!(format!("{error:#}").contains(&strange.to_string()));
        assert!(objs.percpu.set(strange, &value).is_err());
        let program = objs.program_mut("other").map(|_| ());
        assert!(program.expect_err("none").to_string().contains("other"));
    }
}

#[test]
fn the_form_is_chosen() {
    let open = Open::new().expect("an object");
    let expected = match kernel::is_since(7, 3) {
        true => Form::Native,
        false => Form::Lowered,
    };
    assert_eq!(open.form(), expected);
    let mut objs = load(open);
    let cpu = *usable().first().expect("a CPU");
    assert_eq!(run_on(&mut objs, cpu, 1), 2);
    set_affinity(&usable());
    assert_eq!(objs.percpu.get(cpu).expect("a CPU").data, 2);
    let store = objs.percpu.section().store();
    assert_eq!(store.is_some(), expected == Form::Lowered);
}

#[test]
fn stores_are_shared() {
    let shared = || {
        let options = Options::new().share(".percpu", "skel_shared");
        Open::open_with(&options).expect("an object")
    };
    let (mut one, other) = (load(shared()), load(shared()));
    let cpu = *usable().first().expect("a CPU");
    run_on(&mut one, cpu, 3);
    set_affinity(&usable());
    let values = [&one, &other].map(|objs| objs.percpu.get(cpu).expect("a CPU").data);
    assert_eq!(values, [4, 4]);
    let section = other.percpu.section();
    assert_eq!(section.store().expect("a store").0, "skel_shared");
}

fn percpuctl(args: &[&str]) -> Output {
    let mut command = Command::new("percpuctl");
    command.args(args).output().expect("percpuctl is on PATH")
}

/// Runs percpuctl, which must fail, and returns its message.
fn fails(args: &[&str]) -> String {
    let output = percpuctl(args);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{args:?}: {text}");
    assert!(output.stdout.is_empty(), "{args:?}");
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn the_command_writes_modules() {
    let (object, module) = ("/tmp/count.bpf.o", "/tmp/count.rs");
    fs::write(object, object!("lower_skel-count")).expect("room in /tmp");
    let output = percpuctl(&["skel", object]);
    assert!(output.status.success(), "{output:?}");
    let expected = include_str!(concat!(env!("OUT_DIR"), "/count.percpu.rs"));
    assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), expected);

    let output = percpuctl(&["skel", object, "--output", module, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&json["name"], &json["output"]),
        (&"count".into(), &module.into())
    );
    assert_eq!(fs::read_to_string(module).expect("a file"), expected);
    let output = percpuctl(&["skel", object, "--name", "other"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("NAME: &str = \"other\""));
    assert_eq!(
        percpuctl(&["skel", object, "--json"]).status.code(),
        Some(2)
    );

    // On an error the existing file stays.
    fs::write("/tmp/ordinary.o", object!("lower_skel-ordinary")).expect("room in /tmp");
    let error = fails(&["skel", "/tmp/ordinary.o", "--output", module]);
    assert!(error.contains("/tmp/ordinary.o: the object has no section .percpu"));
    assert_eq!(fs::read_to_string(module).expect("a file"), expected);
    let error = fails(&["skel", module]);
    assert!(
        error.contains("/tmp/count.rs: the object cannot be read"),
        "{error}"
    );
    assert!(fails(&["skel", "/nothing"]).contains("/nothing"));
    assert!(fails(&["skel", object, "--output", "/nothing/x"]).contains("/nothing/x"));
}
