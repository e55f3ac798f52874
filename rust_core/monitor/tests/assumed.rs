//! Nothing is charged that is neither counted nor declared as an assumption.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What only the meter itself may say: everybody else names an assumption or a primitive's method.
const RESERVED: [&str; 2] = ["charge(Primitive::", "Assumption {"];

/// The sources of this crate and of the one below, where the firmware is.
fn sources() -> Vec<PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crates' folder");
    let mut folders = vec![crates.join("machine/src"), crates.join("monitor/src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn no_handler_charges_a_bare_number() {
    let of_the_meter = |path: &Path| path.parent().is_some_and(|folder| folder.ends_with("meter"));
    let handlers: Vec<_> = sources().into_iter().filter(|path| !of_the_meter(path)).collect();
    assert!(handlers.len() > 50, "{}", handlers.len());
    for path in handlers {
        let text = fs::read_to_string(&path).expect("a source file");
        for reserved in RESERVED {
            assert!(!text.contains(reserved), "{} has `{reserved}`", path.display());
        }
    }
}

#[test]
fn every_assumption_has_its_own_name_and_a_reason() {
    let mut names = BTreeSet::new();
    for each in dcsim_machine::assumed::ALL.iter().chain(dcsim_monitor::assumed::ALL) {
        assert!(names.insert(each.name), "{} is declared twice", each.name);
        assert!(each.value > 0 && !each.reason.is_empty(), "{}", each.name);
    }
}
