//! The RV64GC hart.
