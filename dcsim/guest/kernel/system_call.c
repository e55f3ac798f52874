// System calls: one short function each, and a table.
//
// A call that may wait never holds a user_pointer across the wait: it moves data through memory of
// the kernel.
#include "system_call.h"

#include "console.h"
#include "device_calls.h"
#include "illegal.h"
#include "large_pages.h"
#include "layout.h"
#include "misbehave.h"
#include "nano_loops.h"
#include "program.h"
#include "riscv.h"
#include "schedule.h"
#include "stopwatch.h"
#include "system_calls.h"
#include "timer.h"
#include "user_memory.h"

#define CHUNK_BYTES 256ul
#define SLEEP_LIMIT_MS 1000000000ul

static struct address_space *space(void) {
    return &current()->space;
}

static int64_t call_exit(const uint64_t *arguments) {
    process_exit(arguments[0] & 0xff);
}

static int64_t call_write(const uint64_t *arguments) {
    uint64_t from = arguments[0], size = arguments[1];
    char chunk[CHUNK_BYTES];
    for (uint64_t done = 0, part; done < size; done += part) {
        part = size - done < CHUNK_BYTES ? size - done : CHUNK_BYTES;
        if (!copy_from_user(space(), chunk, from + done, part))
            return ERROR_ARGUMENT;
        console_write(chunk, part);
    }
    return (int64_t)size;
}

static int64_t call_read(const uint64_t *arguments) {
    char chunk[CHUNK_BYTES];
    uint64_t size = arguments[1] < CHUNK_BYTES ? arguments[1] : CHUNK_BYTES;
    size_t count = console_read(chunk, size);
    if (!copy_to_user(space(), arguments[0], chunk, count))
        return ERROR_ARGUMENT;
    return (int64_t)count;
}

static int64_t call_fork(const uint64_t *arguments) {
    return process_fork();
}

// Reads a program's name and its argv, an array of pointers ended by NULL. Returns 0 or an error.
// There is one `list` for all: nothing waits between its filling and its use.
static int64_t read_program(const uint64_t *arguments, const struct program **program,
                            struct arguments *list) {
    char word[CHUNK_BYTES];
    if (!copy_text_from_user(space(), word, arguments[0], sizeof word))
        return ERROR_ARGUMENT;
    *program = program_find(word);
    if (!*program)
        return ERROR_NO_ENTRY;
    *list = (struct arguments){0};
    for (uint64_t pointer, at = arguments[1];; at += sizeof pointer) {
        if (!copy_from_user(space(), &pointer, at, sizeof pointer))
            return ERROR_ARGUMENT;
        if (pointer == 0)
            return 0;
        if (!copy_text_from_user(space(), word, pointer, sizeof word) || !arguments_add(list, word))
            return ERROR_ARGUMENT;
    }
}

static struct arguments new_arguments;

static int64_t call_exec(const uint64_t *arguments) {
    const struct program *program;
    int64_t error = read_program(arguments, &program, &new_arguments);
    return error ? error : process_exec(program, &new_arguments);
}

static int64_t call_spawn(const uint64_t *arguments) {
    const struct program *program;
    int64_t error = read_program(arguments, &program, &new_arguments);
    return error ? error : process_spawn(program, &new_arguments);
}

static int64_t call_wait(const uint64_t *arguments) {
    return process_wait((int)arguments[0]);
}

static int64_t call_process_id(const uint64_t *arguments) {
    return current()->id;
}

static int64_t call_sleep(const uint64_t *arguments) {
    if (arguments[0] > SLEEP_LIMIT_MS)
        return ERROR_ARGUMENT;
    uint64_t end = time_now() + timer_ticks(arguments[0]);
    while (time_now() < end)
        wait_until(end);
    return 0;
}

static int64_t call_yield(const uint64_t *arguments) {
    yield();
    return 0;
}

static int64_t call_grow(const uint64_t *arguments) {
    struct area *heap = &space()->areas[space()->heap];
    uint64_t old_end = heap->end;
    if (arguments[0] > USER_MAPPINGS - old_end)
        return ERROR_NO_MEMORY;
    heap->end += page_up(arguments[0]);
    return (int64_t)old_end;
}

static int64_t call_map(const uint64_t *arguments) {
    uint64_t address = address_space_map(space(), arguments[0]);
    return address ? (int64_t)address : ERROR_NO_MEMORY;
}

static int64_t call_map_large(const uint64_t *arguments) {
    uint64_t address = large_pages_map(space(), arguments[0]);
    return address ? (int64_t)address : ERROR_NO_MEMORY;
}

static int64_t call_unmap(const uint64_t *arguments) {
    return address_space_unmap(space(), arguments[0]) ? 0 : ERROR_ARGUMENT;
}

static int64_t (*const calls[CALL_COUNT])(const uint64_t *arguments) = {
    [CALL_EXIT] = call_exit,
    [CALL_WRITE] = call_write,
    [CALL_READ] = call_read,
    [CALL_FORK] = call_fork,
    [CALL_EXEC] = call_exec,
    [CALL_SPAWN] = call_spawn,
    [CALL_WAIT] = call_wait,
    [CALL_PROCESS_ID] = call_process_id,
    [CALL_SLEEP] = call_sleep,
    [CALL_YIELD] = call_yield,
    [CALL_GROW] = call_grow,
    [CALL_MAP] = call_map,
    [CALL_UNMAP] = call_unmap,
    [CALL_DISK_SECTORS] = call_disk_sectors,
    [CALL_DISK_READ] = call_disk_read,
    [CALL_DISK_WRITE] = call_disk_write,
    [CALL_PACKET_ADDRESS] = call_packet_address,
    [CALL_PACKET_RECEIVE] = call_packet_receive,
    [CALL_PACKET_SEND] = call_packet_send,
    [CALL_MAP_LARGE] = call_map_large,
    [CALL_SKIP_ILLEGAL] = call_skip_illegal,
    [CALL_STOPWATCH] = call_stopwatch,
    [CALL_NANO_LOOP] = call_nano_loop,
    [CALL_DISK_FLUSH] = call_disk_flush,
    [CALL_MISBEHAVE] = call_misbehave,
};

// The arguments are copied because exec replaces the frame while they are in use.
void system_call_serve(struct trap_frame *frame) {
    uint64_t number = ARGUMENT(frame, 7);
    uint64_t arguments[3] = {ARGUMENT(frame, 0), ARGUMENT(frame, 1), ARGUMENT(frame, 2)};
    frame->program_counter += 4;
    int64_t result = number < CALL_COUNT ? calls[number](arguments) : ERROR_ARGUMENT;
    ARGUMENT(frame, 0) = (uint64_t)result;
}
