//! Whole guests on whole hosts.

#![allow(missing_docs, clippy::unwrap_used, clippy::missing_panics_doc)]

mod assembly;
mod balloon;
mod broken_balloon;
mod broken_driver;
mod cuts;
mod fidelity;
mod four_rings;
mod frames;
mod generated;
mod hardware_assisted;
mod moved_code;
mod moves;
mod network;
mod noise;
mod overcommit;
mod paravirtual;
mod privileged;
mod processors;
mod several;
mod sharing;
mod steal_time;
mod support;
mod traced;
mod translated_users;
mod translation;
