// Lines about the run, printed on request when it ends: kernel.lock_statistics, kernel.hart_statistics.
#pragma once

void statistics_print(void);
