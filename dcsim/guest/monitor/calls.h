// The guest's calls to its firmware (RISC-V Supervisor Binary Interface 2.0).
#pragma once

// Serves the call in the guest's registers.
void calls_serve(void);
