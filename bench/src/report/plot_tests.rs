// SPDX-License-Identifier: GPL-2.0

//! Tests of plots of made-up boots.

use super::super::data::Report;
use super::super::made_up;
use super::*;

fn report() -> Report {
    Report::new(&made_up::input("stock", "7.3.0"), Vec::new())
}

fn colour(colour: RGBColor) -> String {
    format!("fill=\"#{:02X}{:02X}{:02X}\"", colour.0, colour.1, colour.2)
}

fn bars(svg: &str, fill: RGBColor) -> usize {
    let fill = colour(fill);
    let rects = svg.lines().filter(|line| line.starts_with("<rect "));
    rects.filter(|line| line.contains(&fill)).count()
}

#[test]
fn each_way_has_a_bar_and_a_label() {
    let report = report();
    let mut plots = Vec::new();
    for group in &report.groups {
        let Some(svg) = svg(group, "stock, 7.3.0").expect("a plot") else {
            continue;
        };
        plots.push(group.name.as_str());
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        assert_eq!(svg.matches("<svg").count(), 1);
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        let ours = group.rows.iter().filter(|row| row.is_ours()).count();
        assert_eq!(bars(&svg, OURS), ours, "{}", group.name);
        assert_eq!(bars(&svg, PEER), group.rows.len() - ours, "{}", group.name);
        for row in &group.rows {
            let label = label(row).replace('"', "&quot;").replace('\'', "&apos;");
            assert!(!label.contains('`'));
            assert!(svg.contains(&format!("\n{label}\n")), "{label}");
            assert!(svg.contains(&format!("\n{}\n", row.case)), "{}", row.case);
            let value = number(row.values[0].mean);
            assert!(svg.contains(&format!("\n{value}\n")), "{value}");
        }
        assert!(svg.contains("stock, 7.3.0; numbers are guest instructions per "));
    }
    // The groups module and boot have nothing to compare.
    let others = ["module", "boot"];
    let groups = report.groups.iter().map(|group| group.name.as_str());
    let groups: Vec<&str> = groups.filter(|name| !others.contains(name)).collect();
    assert_eq!(plots, groups);
}

#[test]
fn a_bar_is_as_long_as_its_ratio() {
    let axis = Axis::new(&[1.0, 0.5, 2.0], 100, 500);
    assert!(!axis.is_log);
    assert_eq!(
        [0.0, 0.5, 1.0, 2.0].map(|ratio| axis.x(ratio)),
        [100, 200, 300, 500]
    );
    assert_eq!(
        axis.ticks(),
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
    );
}

#[test]
fn what_is_far_apart_is_logarithmic() {
    let axis = Axis::new(&[1.0, 0.3, 1000.0], 100, 500);
    assert!(axis.is_log);
    assert_eq!(
        [0.1, 1.0, 10.0, 1000.0].map(|ratio| axis.x(ratio)),
        [100, 200, 300, 500]
    );
    assert_eq!(axis.ticks(), [0.1, 1.0, 10.0, 100.0, 1000.0]);
}
