//! Small guests with several harts, in machine code.

use dcsim_hart::isa::Register as R;
use dcsim_machine::test_utils::Program;

const BASE: u64 = 0x8020_0000;
/// What a guest leaves for its test.
pub const NOTES: u64 = 0x8030_0000;
/// What harts share on the way.
const SHARED: u64 = 0x8031_0000;
const ROOT: u64 = 0x8032_0000;
const MIDDLE: u64 = 0x8032_1000;
const LEAVES: u64 = 0x8032_2000;
const OTHER_LEAVES: u64 = 0x8032_3000;
const PAGES: [u64; 2] = [0x8033_0000, 0x8033_1000];
/// What the harts' tables map to one of the two pages.
const WINDOW: u64 = 0x5000;
/// The same through the other table of leaves.
const OTHER_WINDOW: u64 = 0x20_5000;

const IPI: u64 = 0x73_5049;
const RFENCE: u64 = 0x5246_4e43;
const HSM: u64 = 0x48_534d;
const LOCKS: u64 = 0x0a44_4354;

const SIE: u16 = 0x104;
const SIP: u16 = 0x144;
const SATP: u16 = 0x180;
const SOFTWARE: u64 = 2;
const ALL: u64 = u64::MAX;

const POINTER: u64 = 1;
const LEAF: u64 = 0xcf;

fn program() -> Program {
    Program::new(BASE)
}

fn number(register: R) -> u32 {
    register as u32
}

/// `rd` = eight bytes at `rs1`, reserved.
fn load_reserved(code: &mut Program, rd: R, rs1: R) {
    code.word(0x1000_302f | number(rd) << 7 | number(rs1) << 15);
}

/// Stores `rs2` at `rs1` if the reservation holds; `rd` is 0 then.
fn store_conditional(code: &mut Program, rd: R, rs2: R, rs1: R) {
    code.word(0x1800_302f | number(rd) << 7 | number(rs1) << 15 | number(rs2) << 20);
}

fn sfence(code: &mut Program) {
    code.word(0x1200_0073);
}

/// The place of an instruction that is told later where others are.
fn start_others(code: &mut Program, count: u64, address: u64) {
    for hart in 1..count {
        code.call(HSM, 0, &[hart, address, 100 + hart]);
    }
}

/// A guest whose harts all come to what `work` appends, hart 0 having started the others.
fn on_all(harts: u64, work: impl FnOnce(&mut Program)) -> Program {
    let length = |address| {
        let mut code = program();
        start_others(&mut code, harts, address);
        code.here()
    };
    let mut code = program();
    start_others(&mut code, harts, length(0));
    assert_eq!(code.here(), length(0));
    work(&mut code);
    code
}

/// What only hart 0 does: the others stop. Hart numbers are in `x8`.
fn leave_others(code: &mut Program) {
    let others = code.bne_forward(R::R8, R::R0);
    // Hart 0 goes on behind what the others do.
    let mut rest = Program::new(code.here() + 4);
    rest.call(HSM, 1, &[]).spin();
    let first = code.here();
    let skip = 4 + rest.bytes().len() as u64;
    jump(code, skip);
    assert_eq!(code.here(), first + 4);
    code.land(others);
    code.call(HSM, 1, &[]).spin();
    assert_eq!(code.here(), first + skip);
}

/// A jump forward.
fn jump(code: &mut Program, distance: u64) {
    let bits = distance as u32;
    let word = (bits >> 1 & 0x3ff) << 21 | (bits >> 11 & 1) << 20 | (bits >> 12 & 0xff) << 12;
    code.word(0x6f | word);
}

/// Keeps the number of the hart in `x8`: `a0` is another one's argument at the first instruction of
/// hart 0, and after calls.
fn keep_number(code: &mut Program) {
    // Only a hart that was started has an argument of at least 100.
    code.li(R::R5, 128).li(R::R8, 0);
    code.addi(R::R6, R::R11, -100);
    // x7 = 1 if x6 is less than 8 without sign.
    code.word(0x0083_3393);
    let first = code.bne_forward(R::R7, R::R0);
    let skip = 8;
    jump(code, skip);
    code.land(first);
    code.addi(R::R8, R::R6, 0);
}

/// Waits until eight bytes at `address` are `value`.
fn await_value(code: &mut Program, address: u64, value: u64) {
    code.li(R::R5, address).li(R::R6, value);
    let again = code.label();
    code.ld(R::R7, R::R5, 0).bne(R::R7, R::R6, again);
}

fn add(code: &mut Program, address: u64, value: u64) {
    code.li(R::R5, address).li(R::R6, value).amoadd(R::R0, R::R6, R::R5);
}

/// Adds one by a loop that has to hold a reservation.
fn add_reserved(code: &mut Program, address: u64) {
    code.li(R::R5, address);
    let again = code.label();
    load_reserved(code, R::R6, R::R5);
    code.addi(R::R6, R::R6, 1);
    store_conditional(code, R::R7, R::R6, R::R5);
    code.bne(R::R7, R::R0, again);
}

fn repeat(code: &mut Program, count: u64, body: impl FnOnce(&mut Program)) {
    code.li(R::R18, count);
    let again = code.label();
    body(code);
    code.addi(R::R18, R::R18, -1).bne(R::R18, R::R0, again);
}

/// Every hart adds one to both notes so often.
pub fn counting(harts: u64, count: u64) -> Program {
    on_all(harts, |code| {
        keep_number(code);
        repeat(code, count, |code| {
            add(code, NOTES, 1);
            add_reserved(code, NOTES + 8);
        });
        add(code, SHARED, 1);
        leave_others(code);
        await_value(code, SHARED, harts);
        code.power_off();
    })
}

/// Every hart comes to a barrier so often; note 1 counts those that find another ahead.
pub fn barrier(harts: u64, rounds: u64) -> Program {
    on_all(harts, |code| {
        keep_number(code);
        code.li(R::R20, 0).li(R::R21, harts);
        repeat(code, rounds, |code| {
            // x20: how many have come when all have.
            code.add(R::R20, R::R20, R::R21);
            add(code, NOTES, 1);
            code.li(R::R5, NOTES);
            let again = code.label();
            code.ld(R::R7, R::R5, 0);
            // x28 = 1 while x7 < x20.
            code.word(0x0143_be33);
            code.bne(R::R28, R::R0, again);
        });
        add(code, SHARED, 1);
        leave_others(code);
        await_value(code, SHARED, harts);
        code.power_off();
    })
}

/// Waits until the software interrupt is pending, and clears it.
fn await_interrupt(code: &mut Program) {
    let again = code.label();
    code.wfi().csrr(R::R5, SIP);
    // x5 = x5 & 2
    code.word(0x0022_f293);
    code.beq(R::R5, R::R0, again);
    // csrc sip, 2
    code.word(0x1441_7073);
}

/// Two harts interrupt each other in turn; each counts.
pub fn ping_pong(rounds: u64) -> Program {
    on_all(2, |code| {
        keep_number(code);
        code.li(R::R5, SOFTWARE).csrs(SIE, R::R5);
        add(code, SHARED, 1);
        await_value(code, SHARED, 2);
        let second = code.bne_forward(R::R8, R::R0);
        repeat(code, rounds, |code| {
            code.call(IPI, 0, &[1 << 1, 0]);
            await_interrupt(code);
            add(code, NOTES, 1);
        });
        code.power_off();
        code.land(second);
        repeat(code, rounds, |code| {
            await_interrupt(code);
            add(code, NOTES + 8, 1);
            code.call(IPI, 0, &[1, 0]);
        });
        code.call(HSM, 1, &[]).spin();
    })
}

fn entry(address: u64, flags: u64) -> u64 {
    address >> 12 << 10 | flags
}

fn store(code: &mut Program, address: u64, value: u64) {
    code.li(R::R5, address).li(R::R6, value).sd(R::R6, R::R5, 0);
}

/// Hart 0 maps the window to the other page, fences hart 1, and says so; hart 1 reads the window.
/// Note 0 counts rounds, note 1 what was read through the old translation.
pub fn fencing(rounds: u64) -> Program {
    on_all(2, |code| {
        keep_number(code);
        let second = code.bne_forward(R::R8, R::R0);
        store(code, ROOT, entry(MIDDLE, POINTER));
        store(code, ROOT + 16, entry(0x8000_0000, LEAF));
        store(code, MIDDLE, entry(LEAVES, POINTER));
        store(code, LEAVES + 8 * (WINDOW >> 12), entry(PAGES[0], LEAF));
        // Each page says which it is.
        store(code, PAGES[0], 0);
        store(code, PAGES[1], 1);
        add(code, SHARED, 1);
        code.li(R::R19, 0);
        repeat(code, rounds, |code| {
            code.addi(R::R19, R::R19, 1);
            // Hart 1 has read what was there before.
            code.li(R::R5, SHARED + 8);
            let again = code.label();
            code.ld(R::R7, R::R5, 0).bne(R::R7, R::R19, again);
            // x6 = the entry of page x19 & 1: the pages follow each other.
            code.word(0x0019_f313);
            code.word(0x00a3_1313);
            code.li(R::R28, entry(PAGES[0], LEAF)).add(R::R6, R::R6, R::R28);
            code.li(R::R5, LEAVES + 8 * (WINDOW >> 12)).sd(R::R6, R::R5, 0);
            code.call(RFENCE, 1, &[1 << 1, 0, WINDOW, 4096]);
            code.li(R::R5, SHARED + 16).sd(R::R19, R::R5, 0);
        });
        await_value(code, SHARED + 24, 1);
        code.power_off();
        code.land(second);
        await_value(code, SHARED, 1);
        code.li(R::R5, 8 << 60 | ROOT >> 12);
        sfence(code);
        code.csrw(SATP, R::R5);
        code.li(R::R19, 0);
        repeat(code, rounds, |code| {
            code.li(R::R5, WINDOW).ld(R::R7, R::R5, 0);
            code.addi(R::R19, R::R19, 1);
            code.li(R::R5, SHARED + 8).sd(R::R19, R::R5, 0);
            code.li(R::R5, SHARED + 16);
            let again = code.label();
            // Reading on keeps the old translation in use.
            code.li(R::R28, WINDOW).ld(R::R29, R::R28, 0);
            code.ld(R::R7, R::R5, 0).bne(R::R7, R::R19, again);
            code.ld(R::R29, R::R28, 0);
            // x7 = x19 & 1; what differs from that is stale.
            code.word(0x0019_f393);
            code.word(0x01d3_c3b3);
            code.li(R::R5, NOTES + 8).amoadd(R::R0, R::R7, R::R5);
            add(code, NOTES, 1);
        });
        add(code, SHARED + 24, 1);
        code.call(HSM, 1, &[]).spin();
    })
}

/// Waits until eight bytes at `address` are what is in `x19`.
fn await_phase(code: &mut Program, address: u64) {
    code.li(R::R5, address);
    let again = code.label();
    code.ld(R::R7, R::R5, 0).bne(R::R7, R::R19, again);
}

/// The next phase begins, and whoever waits at `address` is told.
fn tell_phase(code: &mut Program, address: u64) {
    code.li(R::R5, address).sd(R::R19, R::R5, 0);
}

/// Stores the entry of page `x6`, 0 or 1, behind the other window.
fn map_other_window(code: &mut Program) {
    // x6 <<= 10: the pages follow each other.
    code.word(0x00a3_1313);
    code.li(R::R28, entry(PAGES[0], LEAF)).add(R::R6, R::R6, R::R28);
    code.li(R::R5, OTHER_LEAVES + 8 * (WINDOW >> 12)).sd(R::R6, R::R5, 0);
}

/// Hart 1 writes to a page, which hart 0 then makes a table and reads through; hart 1 changes an
/// entry in it, through what its TLB may still hold, and fences hart 0, which reads again. Note 0
/// counts rounds, note 1 what was read through the old translation.
pub fn turning_a_page_into_a_table(rounds: u64) -> Program {
    on_all(2, |code| {
        keep_number(code);
        let second = code.bne_forward(R::R8, R::R0);
        store(code, ROOT, entry(MIDDLE, POINTER));
        store(code, ROOT + 16, entry(0x8000_0000, LEAF));
        store(code, PAGES[0], 0);
        store(code, PAGES[1], 1);
        add(code, SHARED, 1);
        code.li(R::R5, 8 << 60 | ROOT >> 12);
        sfence(code);
        code.csrw(SATP, R::R5);
        code.li(R::R19, 0);
        repeat(code, rounds, |code| {
            code.addi(R::R19, R::R19, 1);
            await_phase(code, SHARED + 16);
            store(code, MIDDLE + 8, entry(OTHER_LEAVES, POINTER));
            sfence(code);
            code.li(R::R28, OTHER_WINDOW).ld(R::R29, R::R28, 0);
            // x7 = x18 & 1; what differs from that is wrong.
            code.word(0x0019_7393);
            code.word(0x01d3_c3b3);
            code.li(R::R5, NOTES + 8).amoadd(R::R0, R::R7, R::R5);
            tell_phase(code, SHARED + 8);
            code.addi(R::R19, R::R19, 1);
            await_phase(code, SHARED + 16);
            code.li(R::R28, OTHER_WINDOW).ld(R::R29, R::R28, 0);
            code.addi(R::R29, R::R29, 1);
            // x29 = (x29 + 1) & 1, x7 = x18 & 1
            code.word(0x001e_fe93);
            code.word(0x0019_7393);
            code.word(0x01d3_c3b3);
            code.li(R::R5, NOTES + 8).amoadd(R::R0, R::R7, R::R5);
            store(code, MIDDLE + 8, 0);
            sfence(code);
            add(code, NOTES, 1);
            code.addi(R::R19, R::R19, 1);
            tell_phase(code, SHARED + 8);
        });
        code.csrw(SATP, R::R0);
        code.power_off();
        code.land(second);
        await_value(code, SHARED, 1);
        code.li(R::R5, 8 << 60 | ROOT >> 12);
        sfence(code);
        code.csrw(SATP, R::R5);
        code.li(R::R19, 0);
        repeat(code, rounds, |code| {
            code.addi(R::R19, R::R19, 1);
            // x6 = x18 & 1
            code.word(0x0019_7313);
            map_other_window(code);
            tell_phase(code, SHARED + 16);
            await_phase(code, SHARED + 8);
            code.addi(R::R19, R::R19, 1);
            code.addi(R::R6, R::R18, 1);
            // x6 &= 1
            code.word(0x0013_7313);
            map_other_window(code);
            code.call(RFENCE, 1, &[1, 0, OTHER_WINDOW, 4096]);
            tell_phase(code, SHARED + 16);
            code.addi(R::R19, R::R19, 1);
            await_phase(code, SHARED + 8);
        });
        code.call(HSM, 1, &[]).spin();
    })
}

/// Hart 0 starts hart 1 so often; that counts, and stops. Note 1: what HSM says of it in the end.
pub fn restarting(rounds: u64) -> Program {
    let mut code = program();
    let length = |second: u64| {
        let mut code = program();
        first_of_restarting(&mut code, rounds, second);
        code.here()
    };
    let second = length(0);
    first_of_restarting(&mut code, rounds, second);
    assert_eq!(code.here(), second);
    add(&mut code, NOTES, 1);
    code.call(HSM, 1, &[]).spin();
    code
}

fn first_of_restarting(code: &mut Program, rounds: u64, second: u64) {
    repeat(code, rounds, |code| {
        code.call(HSM, 0, &[1, second, 0]);
        let again = code.label();
        code.call(HSM, 2, &[1]).addi(R::R11, R::R11, -1).bne(R::R11, R::R0, again);
    });
    code.call(HSM, 2, &[1]).li(R::R5, NOTES + 8).sd(R::R11, R::R5, 0);
    code.power_off();
}

/// Hart 1 waits for kicks of hart 0, so often, while an interrupt is pending that it has enabled and
/// does not take.
pub fn kicking(rounds: u64) -> Program {
    on_all(2, |code| {
        keep_number(code);
        code.li(R::R19, 0);
        let second = code.bne_forward(R::R8, R::R0);
        repeat(code, rounds, |code| {
            code.addi(R::R19, R::R19, 1);
            // The lock is given up, and who waits for it is told.
            code.li(R::R5, SHARED).sd(R::R19, R::R5, 0);
            code.call(LOCKS, 1, &[1]);
            code.li(R::R5, NOTES);
            let again = code.label();
            code.ld(R::R7, R::R5, 0).bne(R::R7, R::R19, again);
        });
        code.power_off();
        code.land(second);
        code.li(R::R5, SOFTWARE).csrs(SIE, R::R5).csrs(SIP, R::R5);
        repeat(code, rounds, |code| {
            code.addi(R::R19, R::R19, 1);
            let again = code.label();
            code.call(LOCKS, 0, &[ALL]);
            code.li(R::R5, SHARED).ld(R::R7, R::R5, 0).bne(R::R7, R::R19, again);
            add(code, NOTES, 1);
        });
        code.call(HSM, 1, &[]).spin();
    })
}
