// SPDX-License-Identifier: GPL-2.0

//! The Markdown of made-up boots.

use super::super::input::Input;
use super::super::made_up;
use super::super::values::Mitigations;
use super::*;

/// The table of one group.
fn table(input: &Input, name: &str) -> String {
    let report = Report::new(input, Vec::new());
    let group = report.groups.iter().find(|group| group.name == name);
    group.map(super::group).expect("a group")
}

#[test]
fn numbers_are_short() {
    let numbers = [0.04, 5.0, 17.25, 999.94, 999.96, 12345.6].map(number);
    assert_eq!(numbers, ["0.0", "5.0", "17.2", "999.9", "1000", "12346"]);
}

#[test]
fn a_table_has_all_kernels() {
    let mut input = made_up::input("stock", "7.2.12");
    let off = made_up::column("stock", Mitigations::Off, Clock::Icount);
    let bench = made_up::column("bench", Mitigations::Auto, Clock::Icount);
    for number in [1, 2] {
        input.runs.push(made_up::whole(&bench, "7.3.0", 1, number));
        input.runs.push(made_up::whole(&off, "7.2.12", 1, number));
    }
    made_up::set(&mut input, &off, ["exchange", "xchg", "handle"], 1234.56);
    let text = table(&input, "exchange");
    assert_eq!(
        text.lines().skip(6).take(8).collect::<Vec<_>>(),
        [
            "| case       | way                                  | whose      | exact |     stock | stock off | bench | ratio |",
            "| ---------- | ------------------------------------ | ---------- | ----- | --------: | --------: | ----: | ----: |",
            "| add_return | `PERCPU_ARRAY`, `__sync_*`           | peer       | yes   |     500.0 |     500.0 | 500.0 |  1.00 |",
            "|            | `SEC(\".percpu\")`, `__sync_*`         | peer       | yes   |         - |         - | 400.0 |     - |",
            "|            | lowered `SEC(\".percpu\")`, `__sync_*` | bpf_percpu | yes   |     300.0 |     300.0 | 300.0 |  0.60 |",
            "|            | a handle                             | bpf_percpu | yes   |     200.0 |     200.0 | 200.0 |  0.40 |",
            "|            | a view                               | bpf_percpu | yes   | **100.0** |     100.0 | 100.0 |  0.20 |",
            "| xchg       | `PERCPU_ARRAY`, `__sync_*`           | peer       | yes   |     500.0 |     500.0 | 500.0 |  1.00 |",
        ]
    );
    assert!(text.starts_with(
        "## Read-modify-write with a result\n\nIn guest instructions per operation.\n\nThe cost of "
    ));
    assert!(text.contains("|      1235 |"), "{text}");
    assert!(text.ends_with("\n`-`: not there before 7.3.\n"), "{text}");
}

#[test]
fn a_peer_that_wins_is_bold() {
    let mut input = made_up::input("stock", "7.2.12");
    made_up::set(
        &mut input,
        &made_up::stock(),
        ["getters", "online CPUs", "scx"],
        50.0,
    );
    let text = table(&input, "getters");
    assert_eq!(text.matches("**").count(), 6, "{text}");
    let bold = |way: &str| {
        let rows = text.lines().filter(|line| line.contains(way));
        rows.map(|row| row.contains("**")).collect::<Vec<_>>()
    };
    assert_eq!(bold("| peer "), [false, true, false]);
    assert_eq!(bold("| bpf_percpu "), [true, false, true]);
    let row = text.lines().find(|line| line.contains("**50.0**"));
    let row = row.expect("a row");
    assert!(row.starts_with("| online CPUs    | `scx_bpf_*`"), "{row}");
    // Two ways that show the same are both the cheapest.
    made_up::set(
        &mut input,
        &made_up::stock(),
        ["getters", "online CPUs", "get"],
        50.01,
    );
    assert_eq!(table(&input, "getters").matches("**50.0**").count(), 2);
}

#[test]
fn what_no_kernel_has_is_no_row() {
    let text = table(&made_up::input("stock", "7.2.12"), "increment");
    assert!(!text.contains("| `SEC("));
    assert!(text.ends_with(
        "\nNot there before 7.3: `SEC(\".percpu\")`, `v += 1`; \
         `SEC(\".percpu\")`, `__sync_fetch_and_add`.\n"
    ));
}

#[test]
fn what_is_missing_is_a_row() {
    let mut input = made_up::input("stock", "7.2.12");
    for run in &mut input.runs {
        run.costs.retain(|cost| cost.way != "this_cpu");
    }
    let text = table(&input, "find");
    let row = text.lines().find(|line| line.contains("_this_cpu`"));
    assert!(
        row.is_some_and(|row| row.ends_with("|       - |     - |")),
        "{text}"
    );
}

#[test]
fn what_need_not_repeat_tells_its_spread() {
    let time = made_up::column("stock", Mitigations::Auto, Clock::Time);
    let mut input = made_up::input("stock", "7.2.12");
    for number in [1, 2] {
        let mut run = made_up::whole(&time, "7.2.12", 1, number);
        for cost in run.costs.iter_mut().filter(|cost| cost.way == "scx") {
            cost.value = if number == 1 { 80.0 } else { 100.0 };
        }
        input.runs.push(run);
    }
    let text = table(&input, "getters");
    assert!(text.contains("\nIn guest instructions per call, and ns per call.\n"));
    assert!(text.contains("|     stock | stock, ns | ratio |"));
    assert!(text.contains("|     200.0 |      90.0 |  1.00 |"), "{text}");
    assert!(text.contains("\nstock, ns: two runs are up to 20.0 % apart ("));
    let text = table(&input, "boot");
    assert!(text.contains("\nIn s, by the host's clock.\n"));
    assert!(text.contains("stock: two runs are up to 20.0 % apart ("));
}

#[test]
fn it_tells_what_was_measured() {
    let mut input = made_up::input("stock", "7.2.12");
    let off = made_up::column("stock", Mitigations::Off, Clock::Icount);
    input
        .runs
        .extend([1, 2].map(|number| made_up::whole(&off, "7.2.12", 1, number)));
    let text = report(&Report::new(&input, Vec::new()));
    let rows: Vec<&str> = text.lines().skip(2).take(4).collect();
    assert_eq!(
        rows,
        [
            "| column    | release | possible CPUs | online | clock              | clock source | command line                |",
            "| --------- | ------- | ------------- | ------ | ------------------ | ------------ | --------------------------- |",
            "| stock     | 7.2.12  | 1, 4, 16, 64  | CPU 0  | guest instructions | tsc          | `maxcpus=1`                 |",
            "| stock off | 7.2.12  | 1             | CPU 0  | guest instructions | tsc          | `maxcpus=1 mitigations=off` |",
        ]
    );
    assert!(!text.contains("no `first-event.jsonl`"));
    input.first_event = None;
    let text = report(&Report::new(&input, Vec::new()));
    assert!(text.contains("not measured: there is no `first-event.jsonl`.\n"));
}

#[test]
fn goals_that_are_not_met_are_bold() {
    let mut input = made_up::input("stock", "7.2.12");
    let names = ["increment", "u64", "id_add"];
    made_up::set(&mut input, &made_up::stock(), names, 18.2);
    let text = report(&Report::new(&input, Vec::new()));
    let not_met: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("NOT MET"))
        .collect();
    let [row] = not_met[..] else {
        panic!("{text}");
    };
    assert!(row.starts_with("| increment, u64: an id, `bpf_percpu_id_add_u64` <= 18.1 "));
    let cells: Vec<&str> = row.split('|').map(str::trim).skip(2).take(4).collect();
    assert_eq!(cells, ["stock", "<= 18.10", "18.20", "**NOT MET**"]);
}
