//! QEMU as an oracle: the same bytes on `qemu-system-riscv64 -M virt`, without firmware.

use crate::image::BASE;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = "qemu-system-riscv64";

/// The extensions of the core and no others, so that what is illegal here is illegal there.
const CPU: &str = "rv64i,m=true,a=true,f=true,d=true,c=true,zicsr=true,zifencei=true,\
                   zba=true,zbb=true,zbs=true,s=true,u=true,sv39=true,sv48=true,pmp=true,\
                   zicntr=true,zihpm=true,sstc=true,svadu=true";

/// The major version of the QEMU on this machine, or why there is none.
pub fn version() -> Result<u32, String> {
    let output = Command::new(PROGRAM)
        .arg("--version")
        .output()
        .map_err(|error| format!("{PROGRAM} is not installed: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.split("version ").nth(1).and_then(|rest| rest.split('.').next());
    number
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("{PROGRAM} does not tell its version: {text}"))
}

/// Runs the image and returns what it printed; `folder` takes the files that QEMU reads and
/// writes.
pub fn run(image: &[u8], folder: &Path) -> io::Result<Vec<u8>> {
    let (input, output) = (folder.join("image.bin"), folder.join("printed.bin"));
    fs::write(&input, image)?;
    let ran = Command::new(PROGRAM)
        .args(["-M", "virt", "-m", "64M", "-cpu", CPU, "-bios", "none"])
        .args(["-display", "none", "-monitor", "none", "-icount", "shift=0,sleep=off"])
        .arg("-serial")
        .arg(format!("file:{}", output.display()))
        .arg("-device")
        .arg(format!("loader,file={},addr={BASE:#x}", input.display()))
        .stdin(Stdio::null())
        .output()?;
    check(&ran)?;
    fs::read(&output)
}

fn check(ran: &Output) -> io::Result<()> {
    if ran.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&ran.stderr);
    Err(io::Error::other(format!("{PROGRAM} ended with {}: {text}", ran.status)))
}
