//! Memory: pages with reference counts, address spaces over them, and access to a program's memory.
//!
//! * [`pool`]: the pages of the whole machine;
//! * [`region`]: a range of addresses that is mapped alike;
//! * [`space`]: the regions and pages of one program;
//! * [`spaces`]: all address spaces, shared memory, page faults;
//! * [`user`]: reading and writing a program's memory for a call.
//!
//! A page of memory is taken when it is first touched. `fork` shares pages; the first write to a
//! shared one copies it.

pub mod pool;
pub mod region;
pub mod space;
pub mod spaces;
pub mod user;

/// Bytes of a page.
pub const PAGE_BYTES: u64 = 4096;

/// The address of the page that holds an address.
pub fn page_base(address: u64) -> u64 {
    address & !(PAGE_BYTES - 1)
}

/// The same for the first address behind something: rounded up. `None` beyond the last page.
pub fn page_end(address: u64) -> Option<u64> {
    Some(page_base(address.checked_add(PAGE_BYTES - 1)?))
}
