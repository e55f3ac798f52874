//! Conformance of the floating-point operations with files of test vectors, where there are any:
//! the environment variable `FP_VECTORS` names their folder.

#[path = "float_support/vectors.rs"]
mod vectors;

use std::path::Path;

#[test]
fn every_vector_of_the_folder_holds() {
    let Some(folder) = std::env::var_os("FP_VECTORS") else {
        println!("FP_VECTORS is not set: nothing to check");
        return;
    };
    let reports = vectors::run_folder(Path::new(&folder)).unwrap();
    for report in &reports {
        println!("{report}");
    }
    println!("total {} vectors", reports.iter().map(|report| report.vectors).sum::<u64>());
    assert!(!reports.is_empty());
    assert_eq!(reports.iter().map(|report| report.mismatches).sum::<u64>(), 0);
}
