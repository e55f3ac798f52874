//! What the monitor rests on beside what its meter counts.

dcsim_machine::assumptions! {
    DISPATCH: "monitor.dispatch" = 6 instructions,
        "Look at a trap's cause and jump to its handler.";
    DECODE_PRIVILEGED: "monitor.decode_privileged" = 12 instructions,
        "Take a privileged instruction's word apart and find its handler.";
    DECODE_ACCESS: "monitor.decode_access" = 20 instructions,
        "Take a load or store apart, with its short forms: width, sign, register.";
    DEVICE_MODEL: "monitor.device_model" = 40 instructions,
        "One access to a device's register: check offset and width, switch on the register, \
         update its state and the interrupt line. What a doorbell makes the device do is charged \
         where it is done.";
    TRANSLATE: "translation.instruction" = 40 instructions,
        "Take an instruction of the guest apart, choose its translation, compose the words. What \
         is read and written is charged where it is.";
    PATCH: "translation.patch" = 6 instructions,
        "Compose a jump's word from two addresses.";
    SLOW_ACCESSES: "translation.slow_accesses" = 4 faults,
        "An instruction that has accessed a device or a traced page so often is made a call of the \
         monitor; twice as often after each time that this was wrong.";
    FREE_LIST: "monitor.free_list" = 4 instructions,
        "Put a frame on the list of free ones.";
    COMPARE_INSTALLED: "monitor.compare_installed" = 2 instructions,
        "Compare a register's value with what the pCPU holds, branch.";
    FENCED_PAGES: "monitor.fenced_pages" = 64 pages,
        "The most pages that a fence of a range ends one by one; a longer one ends everything.";
    ADDRESS_SPACES: "monitor.address_spaces" = 16 spaces,
        "The most whose shadow tables a VM keeps; the one used longest ago gives way.";
    FLOODED_WRITES: "monitor.flooded_writes" = 3 stores,
        "The stores to a traced page without a walk after which it is opened until the next fence.";
    NODE_RECORD: "monitor.node_record" = 128 bytes,
        "What is kept about a shadow table that follows a page of the guest: key, frame, state, a \
         bit for each entry in use.";
    TABLE_RECORD: "monitor.table_record" = 32 bytes,
        "What is kept about a traced page.";
    LINK_RECORD: "monitor.link_record" = 16 bytes,
        "One element of a list of entries: those that point to a shadow table, or that let the \
         guest write to a page.";
    HASH_WORD: "sharing.hash_word" = 4 instructions,
        "Mix a doubleword into the hash of a page (XXH64): multiply, add, rotate, multiply.";
    COMPARE_WORD: "sharing.compare_word" = 2 instructions,
        "Compare two doublewords that were loaded, branch.";
    COMPRESS_BYTE: "compression.compress_byte" = 7 instructions,
        "Compress a byte (LZ4): its README measures 675 MB/s on a core of 4.9 GHz.";
    DECOMPRESS_BYTE: "compression.decompress_byte" = 1 instructions,
        "Expand to a byte (LZ4): 3850 MB/s on the same.";
    COMPRESSED_MOST: "compression.most_bytes" = 3072 bytes,
        "What a page may take compressed; a larger one is not worth it (three quarters of a page, \
         as Linux's zram has it).";
    PROCESS_SLICE: "process.slice" = 4_000_000 ns,
        "How long a thread of a process-level machine runs before another one may.";
    DECODE_MISSING: "missing.decode" = 30 instructions,
        "Take an instruction apart that the processor lacks, find who carries it out.";
    CARRY_OUT: "missing.carry_out" = 6 instructions,
        "A load, store, move, jump or operation on integers with operands at hand; what it accesses \
         is charged where it is.";
    SOFT_ADD: "missing.soft_add" = 88 instructions,
        "An addition, subtraction or comparison of floating point in integers: what the compiler's \
         library (Zig 0.17, `__adddf3`, for RV64IMAC) executed on average over sixteen pairs.";
    SOFT_MULTIPLY: "missing.soft_multiply" = 88 instructions,
        "The same of `__muldf3`.";
    SOFT_DIVIDE: "missing.soft_divide" = 121 instructions,
        "The same of `__divdf3`.";
    SOFT_SQUARE_ROOT: "missing.soft_square_root" = 188 instructions,
        "The same of `sqrt`.";
    SOFT_FUSED: "missing.soft_fused" = 176 instructions,
        "A multiplication and an addition.";
    SOFT_CONVERT: "missing.soft_convert" = 44 instructions,
        "The mean of `__fixdfdi` (26), `__floatdidf` (77), `__truncdfsf2` and `__extendsfdf2` (28).";
    PAGE_NUMBER: "migration.page_number" = 8 bytes,
        "What a page of memory takes on a link beside its content.";
}
