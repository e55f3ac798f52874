//! The flattened device tree that describes a board to the kernel.
//!
//! The nodes, their order of interrupts and their compatible strings are those of QEMU's `virt`,
//! as far as the devices exist here. Only what a hart really has stands in its ISA string.

use crate::board::{BoardConfig, map};
use crate::random::Random;
use dcsim_hart::IsaProfile;
use vm_fdt::FdtWriter;

/// What writing a tree gives: it fails only if the configuration cannot be put into one.
pub type Result<T> = std::result::Result<T, vm_fdt::Error>;

/// Numbers of the interrupts that a hart's own controller takes: `scause` codes.
mod hart_interrupt {
    pub const MACHINE_SOFTWARE: u32 = 3;
    pub const MACHINE_TIMER: u32 = 7;
    pub const SUPERVISOR_EXTERNAL: u32 = 9;
    pub const MACHINE_EXTERNAL: u32 = 11;
}

const PHANDLE_PLIC: u32 = 1;
const PHANDLE_FINISHER: u32 = 2;
/// Harts' interrupt controllers are numbered from here.
const PHANDLE_HART: u32 = 3;

const POWER_OFF: u32 = 0x5555;
const REBOOT: u32 = 0x7777;
const RNG_SEED_BYTES: usize = 32;

/// The tree of a board, as bytes that the kernel is given the address of.
pub fn device_tree(config: &BoardConfig) -> Result<Vec<u8>> {
    let mut tree = FdtWriter::new()?;
    let root = tree.begin_node("")?;
    tree.property_string("compatible", "riscv-virtio")?;
    tree.property_string("model", "riscv-virtio,dcsim")?;
    address_cells(&mut tree, 2, 2)?;
    chosen(&mut tree, config)?;
    memory(&mut tree, config)?;
    harts(&mut tree, config)?;
    power(&mut tree, "poweroff", "syscon-poweroff", POWER_OFF)?;
    power(&mut tree, "reboot", "syscon-reboot", REBOOT)?;
    soc(&mut tree, config)?;
    tree.end_node(root)?;
    tree.finish()
}

/// The `riscv,isa` string of a profile.
pub fn isa_string(profile: IsaProfile) -> &'static str {
    match profile {
        IsaProfile::Rv64gch => "rv64imafdch_zicsr_zifencei_zicntr_zba_zbb_zbs_sstc",
        IsaProfile::Rv64gc | IsaProfile::Rv64gcLegacySilent | IsaProfile::Rv64gcLegacy => {
            "rv64imafdc_zicsr_zifencei_zicntr_zba_zbb_zbs_sstc"
        }
    }
}

fn chosen(tree: &mut FdtWriter, config: &BoardConfig) -> Result<()> {
    let node = tree.begin_node("chosen")?;
    tree.property_string("bootargs", &config.bootargs.replace('\0', " "))?;
    tree.property_string("stdout-path", &format!("/soc/serial@{:x}", map::UART.base))?;
    if let Some(initrd) = &config.initrd {
        tree.property_u64("linux,initrd-start", initrd.start)?;
        tree.property_u64("linux,initrd-end", initrd.end)?;
    }
    let mut seed = [0; RNG_SEED_BYTES];
    // Another stream than that of the entropy device.
    Random::new(!config.entropy_seed).fill(&mut seed);
    tree.property("rng-seed", &seed)?;
    tree.end_node(node)
}

fn memory(tree: &mut FdtWriter, config: &BoardConfig) -> Result<()> {
    let node = tree.begin_node(&format!("memory@{:x}", map::MEMORY_BASE))?;
    tree.property_string("device_type", "memory")?;
    tree.property_array_u64("reg", &[map::MEMORY_BASE, config.ram_bytes])?;
    tree.end_node(node)
}

fn harts(tree: &mut FdtWriter, config: &BoardConfig) -> Result<()> {
    let node = tree.begin_node("cpus")?;
    address_cells(tree, 1, 0)?;
    // The property is one cell; a faster timebase than 4 GHz does not exist.
    let timebase_hz = u32::try_from(config.timebase_hz).unwrap_or(u32::MAX);
    tree.property_u32("timebase-frequency", timebase_hz)?;
    for hart in 0..config.harts {
        hart_node(tree, config, hart as u32)?;
    }
    tree.end_node(node)
}

fn hart_node(tree: &mut FdtWriter, config: &BoardConfig, hart: u32) -> Result<()> {
    let node = tree.begin_node(&format!("cpu@{hart:x}"))?;
    tree.property_string("device_type", "cpu")?;
    tree.property_u32("reg", hart)?;
    tree.property_string("status", "okay")?;
    tree.property_string("compatible", "riscv")?;
    tree.property_string("riscv,isa", isa_string(config.isa))?;
    tree.property_string("mmu-type", "riscv,sv39")?;
    let controller = tree.begin_node("interrupt-controller")?;
    tree.property_u32("#interrupt-cells", 1)?;
    tree.property_u32("#address-cells", 0)?;
    tree.property_null("interrupt-controller")?;
    tree.property_string("compatible", "riscv,cpu-intc")?;
    tree.property_phandle(PHANDLE_HART + hart)?;
    tree.end_node(controller)?;
    tree.end_node(node)
}

fn power(tree: &mut FdtWriter, name: &str, compatible: &str, value: u32) -> Result<()> {
    let node = tree.begin_node(name)?;
    tree.property_string("compatible", compatible)?;
    tree.property_u32("regmap", PHANDLE_FINISHER)?;
    tree.property_u32("offset", 0)?;
    tree.property_u32("value", value)?;
    tree.end_node(node)
}

fn soc(tree: &mut FdtWriter, config: &BoardConfig) -> Result<()> {
    let node = tree.begin_node("soc")?;
    address_cells(tree, 2, 2)?;
    tree.property_string("compatible", "simple-bus")?;
    tree.property_null("ranges")?;
    finisher(tree)?;
    interruptor(tree, config)?;
    interrupt_controller(tree, config)?;
    serial(tree)?;
    for slot in 0..map::VIRTIO_SLOTS {
        virtio(tree, slot)?;
    }
    tree.end_node(node)
}

fn finisher(tree: &mut FdtWriter) -> Result<()> {
    let node = tree.begin_node(&format!("test@{:x}", map::FINISHER.base))?;
    string_list(tree, "compatible", &["sifive,test1", "sifive,test0", "syscon"])?;
    region(tree, map::FINISHER)?;
    tree.property_phandle(PHANDLE_FINISHER)?;
    tree.end_node(node)
}

fn interruptor(tree: &mut FdtWriter, config: &BoardConfig) -> Result<()> {
    let node = tree.begin_node(&format!("clint@{:x}", map::ACLINT.base))?;
    string_list(tree, "compatible", &["sifive,clint0", "riscv,clint0"])?;
    region(tree, map::ACLINT)?;
    let lines = [hart_interrupt::MACHINE_SOFTWARE, hart_interrupt::MACHINE_TIMER];
    tree.property_array_u32("interrupts-extended", &to_all_harts(config, lines))?;
    tree.end_node(node)
}

fn interrupt_controller(tree: &mut FdtWriter, config: &BoardConfig) -> Result<()> {
    let node = tree.begin_node(&format!("plic@{:x}", map::PLIC.base))?;
    string_list(tree, "compatible", &["sifive,plic-1.0.0", "riscv,plic0"])?;
    region(tree, map::PLIC)?;
    tree.property_u32("#interrupt-cells", 1)?;
    tree.property_u32("#address-cells", 0)?;
    tree.property_null("interrupt-controller")?;
    tree.property_u32("riscv,ndev", crate::devices::plic::SOURCES as u32)?;
    let lines = [hart_interrupt::MACHINE_EXTERNAL, hart_interrupt::SUPERVISOR_EXTERNAL];
    tree.property_array_u32("interrupts-extended", &to_all_harts(config, lines))?;
    tree.property_phandle(PHANDLE_PLIC)?;
    tree.end_node(node)
}

fn serial(tree: &mut FdtWriter) -> Result<()> {
    let node = tree.begin_node(&format!("serial@{:x}", map::UART.base))?;
    tree.property_string("compatible", "ns16550a")?;
    region(tree, map::UART)?;
    tree.property_u32("clock-frequency", map::UART_HZ)?;
    interrupt(tree, map::UART_INTERRUPT)?;
    tree.end_node(node)
}

fn virtio(tree: &mut FdtWriter, slot: usize) -> Result<()> {
    let registers = map::virtio_slot(slot);
    let node = tree.begin_node(&format!("virtio_mmio@{:x}", registers.base))?;
    tree.property_string("compatible", "virtio,mmio")?;
    region(tree, registers)?;
    interrupt(tree, map::virtio_interrupt(slot))?;
    tree.end_node(node)
}

fn address_cells(tree: &mut FdtWriter, address: u32, size: u32) -> Result<()> {
    tree.property_u32("#address-cells", address)?;
    tree.property_u32("#size-cells", size)
}

fn region(tree: &mut FdtWriter, region: map::Region) -> Result<()> {
    tree.property_array_u64("reg", &[region.base, region.bytes])
}

fn interrupt(tree: &mut FdtWriter, number: usize) -> Result<()> {
    tree.property_u32("interrupt-parent", PHANDLE_PLIC)?;
    tree.property_u32("interrupts", number as u32)
}

fn string_list(tree: &mut FdtWriter, name: &str, values: &[&str]) -> Result<()> {
    tree.property_string_list(name, values.iter().map(ToString::to_string).collect())
}

/// Both lines to every hart, in the order of the contexts.
fn to_all_harts(config: &BoardConfig, lines: [u32; 2]) -> Vec<u32> {
    let of_hart = |hart: usize| lines.map(|line| [PHANDLE_HART + hart as u32, line]);
    (0..config.harts).flat_map(|hart| of_hart(hart).into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_utils::{TreeNode, parse_device_tree};

    fn tree(config: &BoardConfig) -> TreeNode {
        parse_device_tree(&device_tree(config).unwrap())
    }

    #[test]
    fn the_header_is_valid_and_the_tree_parses_back() {
        let bytes = device_tree(&BoardConfig::default()).unwrap();
        assert_eq!(bytes[..4], [0xd0, 0x0d, 0xfe, 0xed]);
        assert_eq!(u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize, bytes.len());
        let root = parse_device_tree(&bytes);
        assert_eq!(root.text("compatible"), "riscv-virtio");
        assert_eq!(root.cells("#address-cells"), [2]);
    }

    #[test]
    fn memory_and_command_line_are_those_of_the_configuration() {
        let config = BoardConfig {
            ram_bytes: 0x1_2340_0000,
            bootargs: "console=ttyS0 init=/server".to_string(),
            ..BoardConfig::default()
        };
        let root = tree(&config);
        assert_eq!(root.at("memory@80000000").cells("reg"), [0, 0x8000_0000, 1, 0x2340_0000]);
        let chosen = root.at("chosen");
        assert_eq!(chosen.text("bootargs"), "console=ttyS0 init=/server");
        assert_eq!(chosen.text("stdout-path"), "/soc/serial@10000000");
        assert_eq!(chosen.cells("rng-seed").len(), 8);
        assert_eq!(tree(&config).at("chosen").cells("rng-seed"), chosen.cells("rng-seed"));
    }

    #[test]
    fn an_initial_ram_disk_is_named_by_its_ends() {
        let initrd = Some(0x8100_0000..0x8123_4567);
        let root = tree(&BoardConfig { initrd, ..BoardConfig::default() });
        let chosen = root.at("chosen");
        assert_eq!(chosen.cells("linux,initrd-start"), [0, 0x8100_0000]);
        assert_eq!(chosen.cells("linux,initrd-end"), [0, 0x8123_4567]);
    }

    #[test]
    fn every_hart_has_its_interrupts_in_context_order() {
        let root = tree(&BoardConfig { harts: 2, ..BoardConfig::default() });
        let cpus = root.at("cpus");
        assert_eq!(cpus.cells("timebase-frequency"), [10_000_000]);
        assert_eq!(cpus.at("cpu@1").cells("reg"), [1]);
        assert_eq!(
            cpus.at("cpu@1").text("riscv,isa"),
            "rv64imafdc_zicsr_zifencei_zicntr_zba_zbb_zbs_sstc"
        );
        let first = cpus.at("cpu@0").at("interrupt-controller").cells("phandle")[0];
        let second = cpus.at("cpu@1").at("interrupt-controller").cells("phandle")[0];
        let soc = root.at("soc");
        assert_eq!(
            soc.at("plic@c000000").cells("interrupts-extended"),
            [first, 11, first, 9, second, 11, second, 9]
        );
        assert_eq!(
            soc.at("clint@2000000").cells("interrupts-extended"),
            [first, 3, first, 7, second, 3, second, 7]
        );
    }

    #[test]
    fn devices_stand_at_the_addresses_of_the_map() {
        let root = tree(&BoardConfig::default());
        let soc = root.at("soc");
        let plic = soc.at("plic@c000000").cells("phandle");
        let serial = soc.at("serial@10000000");
        assert_eq!(serial.cells("interrupts"), [10]);
        assert_eq!(serial.cells("interrupt-parent"), plic);
        for slot in 0..8 {
            let node = soc.at(&format!("virtio_mmio@{:x}", 0x1000_1000 + slot * 0x1000));
            assert_eq!(node.cells("reg"), [0, 0x1000_1000 + slot * 0x1000, 0, 0x1000]);
            assert_eq!(node.cells("interrupts"), [slot + 1]);
        }
        let test = soc.at("test@100000").cells("phandle");
        assert_eq!(root.at("poweroff").cells("regmap"), test);
        assert_eq!(root.at("poweroff").cells("value"), [0x5555]);
        assert_eq!(root.at("reboot").cells("value"), [0x7777]);
    }

    #[test]
    fn a_zero_in_the_command_line_does_not_end_it() {
        let config = BoardConfig { bootargs: "a\0b".to_string(), ..BoardConfig::default() };
        assert_eq!(tree(&config).at("chosen").text("bootargs"), "a b");
    }
}
