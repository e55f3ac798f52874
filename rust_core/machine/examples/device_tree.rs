//! Writes the device tree of a board to standard output: `device_tree [harts] | dtc -I dtb`.

use dcsim_machine::board::BoardConfig;
use dcsim_machine::device_tree::device_tree;
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let harts = std::env::args().nth(1).map_or(Ok(1), |text| text.parse())?;
    let config = BoardConfig { harts, network: true, console: true, ..BoardConfig::default() };
    std::io::stdout().write_all(&device_tree(&config)?)?;
    Ok(())
}
