// SPDX-License-Identifier: GPL-2.0

//! The kfuncs that programs call most must not be longer than in `Documentation/kfunc_code.txt`,
//! the listing of the stock kernel's module.

use bench::listing::compiler;
use bench::listing::counts;
use bench::listing::counts_of;
use bench::listing::listing;
use bench::listing::HOT;

use super::code;
use super::function;
use super::module;
use super::Code;

const LISTING: &str = include_str!("../../../Documentation/kfunc_code.txt");

/// The functions that have more instructions than in the listing, or are not in it.
fn grown(code: &Code, listing: &str) -> Vec<String> {
    let listed = counts_of(listing);
    let mut grown = Vec::new();
    for name in HOT {
        let now = counts(name, function(code, name)).unwrap_or_else(|e| panic!("{e}"));
        match listed.get(name) {
            Some(then) if now.all <= then.all && now.straight <= then.straight => (),
            then => grown.push(format!("{name}: {now:?}, in the listing {then:?}")),
        }
    }
    grown
}

#[test]
fn no_count_grows() {
    let grown = grown(&code(), LISTING);
    let compiler = compiler(&module()).unwrap_or_else(|e| panic!("{e:#}"));
    let listed = LISTING.lines().find(|line| line.starts_with("rustc "));
    assert!(
        grown.is_empty(),
        "{grown:#?}\n\
         The module is of {compiler},\n\
         the listing of {listed:?}.\n\
         If it has to be so, renew the listing: make bench LISTING=1"
    );
}

#[test]
fn the_listing_has_each_once() {
    let names: Vec<_> = LISTING
        .lines()
        .filter_map(|line| line.strip_suffix(" straight")?.split_once(": "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, HOT);
    assert_eq!(counts_of(LISTING).len(), HOT.len());
}

/// The control: a listing that lacks an instruction, of either kind, or a kfunc.
#[test]
fn growth_is_found() {
    let code = code();
    let made = listing(&code, "rustc").unwrap_or_else(|e| panic!("{e:#}"));
    assert_eq!(grown(&code, &made), Vec::<String>::new());
    for name in HOT {
        let count = counts_of(&made)[name];
        let line = |all, straight| format!("\n{name}: {all} instructions, {straight} straight\n");
        let now = line(count.all, count.straight);
        for less in [
            line(count.all - 1, count.straight),
            line(count.all, count.straight - 1),
            "\n".to_string(),
        ] {
            let other = made.replace(&now, &less);
            assert_ne!(other, made, "{now}");
            let found = grown(&code, &other);
            assert!(
                matches!(&found[..], [one] if one.starts_with(name)),
                "{found:?}"
            );
        }
        let more = made.replace(&now, &line(count.all + 1, count.straight + 1));
        assert_eq!(grown(&code, &more), Vec::<String>::new());
    }
}
