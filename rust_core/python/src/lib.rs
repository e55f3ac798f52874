//! The `PyO3` binding, `dcsim._core`.
