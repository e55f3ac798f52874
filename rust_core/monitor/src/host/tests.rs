//! Whole guests on a host.

mod support;

use crate::config::TechniqueKind::{BareMetal, TrapAndEmulate};
use support::{World, config, kernel};
use dcsim_machine::DiskImage;

fn compare(bootargs: &str, disk: bool) {
    let mut reports = Vec::new();
    for technique in [BareMetal, TrapAndEmulate] {
        let mut world = World::new(1, 64 << 20);
        let disk = disk.then(|| DiskImage::new(4 << 20));
        let vm = world.boot_image(config(technique, 16 << 20, bootargs), &kernel(), disk, 0);
        let start = std::time::Instant::now();
        let report = world.run_to_power_off(vm);
        println!("{bootargs}: {technique:?} {:?} {}", start.elapsed(), report.console);
        println!("{:?}", world.host.ledger(vm).unwrap().causes());
        println!("{:?}", world.host.counters(vm).unwrap());
        reports.push(report);
    }
    assert_eq!(reports[0].console, reports[1].console);
    assert_eq!(reports[0].code, reports[1].code);
}

#[test] fn p_integer() { compare("init=integer iterations=10", false); }
#[test] fn p_float() { compare("init=float steps=100", false); }
#[test] fn p_chase() { compare("init=chase steps=10000", false); }
#[test] fn p_syscalls() { compare("init=syscalls n=300", false); }
#[test] fn p_faults() { compare("init=faults n=4 pages=32", false); }
#[test] fn p_fork() { compare("init=forkwait n=3", false); }
#[test] fn p_files() { compare("init=files", true); }
#[test] fn p_server() { compare("init=server fixed=1+20 disk=64", true); }
#[test] fn p_suite() { compare("init=suite", true); }
#[test] fn p_idle() { compare("init=idle seconds=1 period=100", false); }
#[test] fn p_swapper() { compare("kernel.swap_pages=512 init=swapper size=1048576 passes=1", true); }
#[test] fn p_trespass() { compare("init=trespass", false); }
