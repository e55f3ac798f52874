// The system calls: the contract between the kernel and the programs.
//
// A program puts the number in a7, arguments in a0..a3, executes `ecall` and finds the result in
// a0; a negative result is an error. No call ever returns a clock value: what a program stores
// must not depend on how fast the machine is. Not even the stopwatch: the kernel prints its times.
#pragma once

enum system_call {
    CALL_EXIT,            // exit(status): never returns
    CALL_WRITE,           // write(bytes, size): to the console; returns size
    CALL_READ,            // read(bytes, size): from the console; waits for at least one byte
    CALL_FORK,            // fork(): 0 in the child; n in the parent, for its n-th child
    CALL_EXEC,            // exec(program, argv): on success the caller starts anew as `program`
    CALL_SPAWN,           // spawn(program, argv): a new child running `program`; returns its id
    CALL_WAIT,            // wait(id or 0 for any child): its exit status, or an error
    CALL_PROCESS_ID,      // process_id(): n when the caller is its parent's n-th child
    CALL_SLEEP,           // sleep(milliseconds)
    CALL_YIELD,           // yield(): lets other ready processes run first
    CALL_GROW,            // grow(bytes): extends the heap; returns its old end
    CALL_MAP,             // map(bytes): new zero-filled memory; returns its address
    CALL_UNMAP,           // unmap(address): gives back all of one mapping
    CALL_DISK_SECTORS,    // disk_sectors(): 512-byte sectors programs may use; 0 without a disk
    CALL_DISK_READ,       // disk_read(sector, bytes, size): size is a multiple of 512
    CALL_DISK_WRITE,      // disk_write(sector, bytes, size)
    CALL_PACKET_ADDRESS,  // packet_address(bytes): the network card's 6-byte address
    CALL_PACKET_RECEIVE,  // packet_receive(bytes, size): waits for a frame; returns its length
    CALL_PACKET_SEND,     // packet_send(bytes, size): one whole Ethernet frame
    CALL_MAP_LARGE,       // map_large(bytes): the same as map, of pages of 2 MiB
    CALL_SKIP_ILLEGAL,    // skip_illegal(): from now on illegal instructions of this process do
                          // nothing; returns how many did so since the last call
    CALL_STOPWATCH,       // stopwatch(action, rounds, name): see below
    CALL_NANO_LOOP,       // nano_loop(which, rounds, address): rounds of something in the kernel
    CALL_DISK_FLUSH,      // disk_flush(): what was written before is on the medium
    CALL_MISBEHAVE,       // misbehave(how, rounds, seed): what no kernel should do
    CALL_COUNT,
};

// There is one stopwatch. Until it is stopped, or its owner ends, no time slice does, so that the
// timer is still; and no digest is made of the owner or a child of its that ends, because that would
// be measured too.
enum stopwatch_action {
    STOPWATCH_START,
    STOPWATCH_STOP_EMPTY,  // the time was that of the loop alone: it is kept
    STOPWATCH_STOP,        // prints the time of so many rounds, beside that of the loop alone
};

// What the kernel does for nano_loop, each as often as asked for.
enum nano_loop {
    NANO_EMPTY,             // nothing
    NANO_IO,                // reads a register of the serial port
    NANO_PRIVILEGED_WRITE,  // writes a privileged register, with the value it has
    NANO_CALL,              // calls a function that returns at once
    NANO_CALL_POINTER,      // the same through a pointer
    NANO_PAGE_TABLE,        // changes the page-table entry of `address`, and makes it known
    NANO_HYPERCALL,         // calls the firmware, which has nothing to do
    NANO_CONTROLLER,        // reads a register of the interrupt controller
    NANO_COMPLETION,        // tells the interrupt controller that an interrupt has been served
    NANO_INTERPROCESSOR,    // interrupts another hart, and waits until that has served it
    NANO_LOOPS,
};

// How the kernel misbehaves when it is asked to.
enum misbehaviour {
    MISBEHAVE_PANIC,    // gives up
    MISBEHAVE_SPIN,     // does nothing for ever, and takes no interrupt
    MISBEHAVE_DEVICES,  // stores random numbers in the registers of its devices
};

enum error {
    ERROR_ARGUMENT = -1,   // a bad number, pointer or size
    ERROR_NO_MEMORY = -2,  // no page, no process slot, no address range left
    ERROR_NO_ENTRY = -3,   // no such program or child
    ERROR_NO_DEVICE = -4,  // the machine has no such device
    ERROR_DEVICE = -5,     // the device reported a failure
};
