/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The empty functions. A file of their own keeps the compiler from looking inside and dropping the calls. */
#include "trace.h"

#define TRACEPOINT(name, ...) \
    OBSERVABLE void trace_##name(__VA_ARGS__) { __asm__ volatile("" : : : "memory"); }

#pragma clang diagnostic ignored "-Wunused-parameter"

TRACEPOINT(boot_done, void)
TRACEPOINT(frame_owner, uint64_t frame_number, enum frame_owner owner, int pid)
TRACEPOINT(process_start, int pid, uint64_t root, const char *name)
TRACEPOINT(process_exit, int pid, int status, int vector)
TRACEPOINT(switch, int previous_pid, int next_pid)
TRACEPOINT(ukshm_map, int pid, uint64_t linear, uint64_t frame_number, uint64_t page_count)
TRACEPOINT(ukshm_unmap, int pid, uint64_t linear, uint64_t frame_number, uint64_t page_count)
TRACEPOINT(upcall, int pid, uint64_t id, int role, uint32_t operation, uint64_t linear, uint64_t length)
TRACEPOINT(ack, int pid, uint64_t id, uint64_t length, uint64_t verdict, int64_t result)
TRACEPOINT(call_end, uint64_t id, int end)
TRACEPOINT(demand_zero, uint64_t frame_number, int pid, uint64_t linear)
TRACEPOINT(file_page, uint64_t frame_number, int pid, uint64_t linear, uint64_t index)
TRACEPOINT(copy_on_write, uint64_t from_frame, uint64_t to_frame, int pid, uint64_t linear)
TRACEPOINT(swap_out, uint64_t frame_number, uint64_t slot, int pid, uint64_t linear, int written)
TRACEPOINT(swap_in, uint64_t frame_number, uint64_t slot, int pid, uint64_t linear)
TRACEPOINT(reclaim_skip, uint64_t frame_number, int pid, uint64_t linear)
TRACEPOINT(oom_kill, int pid, uint64_t page_count)
TRACEPOINT(disk_request, bool write, uint64_t sector, uint64_t frame_number)
TRACEPOINT(disk_done, bool write, uint64_t sector, uint64_t frame_number, int error)
TRACEPOINT(ukshm_refused, uint64_t caller, int gfp, int pid)
TRACEPOINT(netfs_call, int pid, uint32_t operation, uint64_t handle, uint64_t offset, uint64_t length)
TRACEPOINT(netfs_done, uint32_t operation, uint64_t handle, int64_t result, uint64_t length, uint64_t frame_number)
TRACEPOINT(slept_in_atomic, int pid)
TRACEPOINT(balance, uint64_t free_at_start, uint64_t free_at_end)
TRACEPOINT(packet_in, uint64_t id, int interface, uint64_t length, uint64_t time)
TRACEPOINT(verdict, uint64_t id, int hook, uint64_t verdict)
TRACEPOINT(packet_end, uint64_t id, int reason)
TRACEPOINT(firewall_rules, int pid, unsigned chains, unsigned rules)
TRACEPOINT(program_exit, int status)
