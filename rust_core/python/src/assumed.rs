//! The constants that the machine world assumes, for the ledger of results.

use dcsim_machine::{Primitive, assumed as firmware};
use dcsim_monitor::assumed as monitor;
use pyo3::prelude::*;

/// Name, value, unit and reason of every assumed constant.
#[pyfunction]
pub fn assumptions() -> Vec<(String, u64, &'static str, &'static str)> {
    let declared = firmware::ALL
        .iter()
        .chain(monitor::ALL)
        .map(|each| (each.name.to_owned(), each.value, each.unit, each.reason));
    declared.chain(Primitive::ALL.into_iter().flat_map(instructions)).collect()
}

/// The instructions of a primitive, one entry for each class.
fn instructions(
    (primitive, name): (Primitive, &'static str),
) -> impl Iterator<Item = (String, u64, &'static str, &'static str)> {
    primitive.instructions().iter().map(move |(class, count)| {
        let name = format!("primitive.{name}.{}", class.name());
        (name, *count, "instructions", primitive.meaning())
    })
}
