// SPDX-License-Identifier: GPL-2.0

//! Damaged and hostile objects: lowering one ends with an error, or with an object that can be
//! read. Runs on the host, in the root.

mod command;
mod corrupted;
mod fields;
mod hostile;
mod limits;
mod mutate;

use tests::object;
use tests::random_programs::PROGRAMS;

/// The intact objects, which the cases damage.
pub fn objects() -> Vec<&'static [u8]> {
    let programs = PROGRAMS.iter().step_by(20);
    let programs = programs.map(|program| program.percpu);
    let written: [&[u8]; 3] = [
        object!("lower_native-percpu"),
        object!("lower_errors-largest"),
        object!("lower_errors-fits"),
    ];
    programs.chain(written).collect()
}
