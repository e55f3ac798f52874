// Harts.
#include "hart.h"

extern uint8_t boot_stack_top[];  // in boot.S

struct hart boot_hart = {.stack_top = boot_stack_top};
