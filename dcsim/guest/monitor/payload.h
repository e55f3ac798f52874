// What the guest boots.
#pragma once

// Puts the guest's kernel into its memory, at IMAGE_START in its addresses: a kernel that was built into
// this image, or a copy of this monitor when there are to be more.
void payload_load(void);
