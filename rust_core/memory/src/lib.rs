//! Frames and the page store.
