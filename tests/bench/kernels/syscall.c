// Round trips from U-mode to a handler in S-mode that only returns.

#include "harness.h"

u64 kernel(u64 repeat) {
    run_in_user_mode(repeat * 65536);
    return repeat;
}
