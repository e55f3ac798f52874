//! A physical machine: board, devices, firmware, loaders.
