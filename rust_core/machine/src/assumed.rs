//! What the cost of the firmware rests on beside what its meter counts.

crate::assumptions! {
    DISPATCH: "firmware.dispatch" = 8 instructions,
        "Compare a trap's cause with those that the firmware knows, jump to the handler.";
    MEMORY_BOUNDS: "handler.memory_bounds" = 2 instructions,
        "Compare an address with both ends of a machine's memory.";
    FENCED_PAGES: "firmware.fenced_pages" = 64 pages,
        "The most pages that a fence of a range ends one by one; a longer one ends everything.";
}
