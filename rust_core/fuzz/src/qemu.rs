//! QEMU as an oracle: the same bytes on `qemu-system-riscv64 -M virt`, without firmware.

use crate::core::TakenTrap;
use crate::layout::{BASE, MEMORY_BYTES};
use dcsim_hart::IsaProfile;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PROGRAM: &str = "qemu-system-riscv64";

/// The extensions of the core and no others, so that what is illegal here is illegal there.
const CPU: &str = "rv64i,m=true,a=true,f=true,d=true,c=true,zicsr=true,zifencei=true,\
                   zba=true,zbb=true,zbs=true,s=true,u=true,sv39=true,sv48=true,mmu=true,pmp=true,\
                   zicntr=true,zihpm=true,sstc=true,svadu=true";

/// What has QEMU's processor be of an instruction set.
fn processor(isa: IsaProfile) -> String {
    let guests = if isa == IsaProfile::Rv64gch { ",h=true" } else { "" };
    format!("{CPU}{guests}")
}

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

/// Whether QEMU is here and of this version or a later one, or why not.
pub fn at_least(least: u32) -> Result<(), String> {
    match version()? {
        version if version < least => Err(format!("QEMU {version} is older than {least}")),
        _ => Ok(()),
    }
}

/// How long a run may take, much more than any needs. What hangs there has left the harness.
const PATIENCE: Duration = Duration::from_secs(100);

/// Runs the image and returns what it printed; `folder` takes the files that QEMU reads and
/// writes.
pub fn run(isa: IsaProfile, image: &[u8], folder: &Path) -> io::Result<Vec<u8>> {
    run_with(isa, image, folder, &[])?;
    fs::read(folder.join("printed.bin"))
}

/// Runs the image and returns the traps that it took.
pub fn traps(image: &[u8], folder: &Path) -> io::Result<Vec<TakenTrap>> {
    let list = folder.join("traps.txt");
    let isa = IsaProfile::Rv64gc;
    run_with(isa, image, folder, &["-d", "int", "-D", &list.display().to_string()])?;
    Ok(fs::read_to_string(list)?.lines().filter_map(taken_trap).collect())
}

/// A line of the log: `riscv_cpu_do_interrupt: hart:0, async:0, cause:0002, epc:0x80, tval:0x13, ...`.
fn taken_trap(line: &str) -> Option<TakenTrap> {
    let number = |key: &str| {
        let digits = line.split(key).nth(1)?.split(',').next()?.trim_start_matches("0x");
        u64::from_str_radix(digits, 16).ok()
    };
    let cause = number("async:")? << 63 | number("cause:")?;
    Some([cause, number("epc:")?, number("tval:")?])
}

fn run_with(isa: IsaProfile, image: &[u8], folder: &Path, arguments: &[&str]) -> io::Result<()> {
    let file = |name: &str| folder.join(name).display().to_string();
    fs::write(folder.join("image.bin"), image)?;
    let mut child = Command::new(PROGRAM)
        .args(["-M", "virt", "-cpu", &processor(isa), "-bios", "none", "-m"])
        .arg(format!("{}M", MEMORY_BYTES >> 20))
        .args(["-display", "none", "-monitor", "none", "-icount", "shift=0,sleep=off"])
        .args(["-serial", &format!("file:{}", file("printed.bin"))])
        .args(["-device", &format!("loader,file={},addr={BASE:#x},cpu-num=0", file("image.bin"))])
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let status = wait(&mut child)?;
    let text = child.stderr.take().map(io::read_to_string).transpose()?.unwrap_or_default();
    // Somebody's signal is a success for QEMU.
    if status.success() && !text.contains("terminating on signal") {
        return Ok(());
    }
    Err(io::Error::other(format!("{PROGRAM} ended with {status}: {text}")))
}

fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Err(io::Error::other(format!("{PROGRAM} did not come to an end")))
}
