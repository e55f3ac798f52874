// System calls on the disk and the network card: see common/system_calls.h.
#pragma once

#include <stdint.h>

int64_t call_disk_sectors(const uint64_t *arguments);
int64_t call_disk_read(const uint64_t *arguments);
int64_t call_disk_write(const uint64_t *arguments);
int64_t call_disk_flush(const uint64_t *arguments);
int64_t call_packet_address(const uint64_t *arguments);
int64_t call_packet_receive(const uint64_t *arguments);
int64_t call_packet_send(const uint64_t *arguments);
