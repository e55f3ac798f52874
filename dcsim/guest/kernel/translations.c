// Translations of harts.
#include "translations.h"

#include "hart.h"
#include "process.h"
#include "riscv.h"
#include "sbi.h"

// By address-space identifier: sets of harts.
static struct {
    uint8_t kept;      // may keep translations
    uint8_t outdated;  // may keep some that are no longer true
} identifiers[PROCESS_LIMIT + 1];

void translations_changed(uint64_t asid) {
    identifiers[asid].outdated |= identifiers[asid].kept & (uint8_t)~this_hart->bit;
}

void translations_catch_up(uint64_t asid) {
    uint8_t bit = this_hart->bit;
    if (identifiers[asid].outdated & bit)
        fence_space(asid);
    identifiers[asid].outdated &= (uint8_t)~bit;
    identifiers[asid].kept |= bit;
    if (this_hart->code_outdated)
        flush_instructions();
    this_hart->code_outdated = false;
}

static uint64_t other_users(const struct address_space *space) {
    uint64_t ids = 0;
    for (int i = 0; i < hart_count; i++)
        ids |= &harts[i] != this_hart && harts[i].in_use == space ? 1ul << harts[i].id : 0;
    return ids;
}

void translations_flush_everywhere(const struct address_space *space, uint64_t address) {
    flush_page(address, space->asid);
    uint64_t others = several_harts && !hypervisor_present ? other_users(space) : 0;
    if (others)
        sbi_remote_fence(others, page_down(address), PAGE_BYTES, space->asid);
}

void code_changed(void) {
    flush_instructions();
    for (int i = 0; i < hart_count; i++)
        harts[i].code_outdated = &harts[i] != this_hart;
}
