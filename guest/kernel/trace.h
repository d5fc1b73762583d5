/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracepoints: calls to empty functions. The emulator stops at the symbol and reads the argument registers
 * (RDI, RSI, RDX, RCX, R8, R9); on any other machine nothing happens.
 */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include "frame.h"

void trace_boot_done(void);
void trace_frame_owner(uint64_t frame_number, enum frame_owner owner, int pid);
void trace_process_start(int pid, uint64_t root, const char *name);
/* Before the teardown: the address space is still loaded and whole. vector is -1 unless an exception killed it. */
void trace_process_exit(int pid, int status, int vector);
void trace_switch(int previous_pid, int next_pid);
/* One call for each run of frames: a window of several pages need not be one run. */
void trace_ukshm_map(int pid, uint64_t linear, uint64_t frame_number, uint64_t page_count);
void trace_ukshm_unmap(int pid, uint64_t linear, uint64_t frame_number, uint64_t page_count);
/* A reverse syscall: the handler is entered next; it answers (0, or the error it gets); the call is over. */
void trace_upcall(int pid, uint64_t id, int role, uint32_t operation, uint64_t linear, uint64_t length);
void trace_ack(int pid, uint64_t id, uint64_t length, uint64_t verdict, int64_t result);
void trace_call_end(uint64_t id, int end);      /* enum call_end */
/* Why a page came: never touched before, a file's, written to while shared, read back from the swap area. */
void trace_demand_zero(uint64_t frame_number, int pid, uint64_t linear);
void trace_file_page(uint64_t frame_number, int pid, uint64_t linear, uint64_t index);
void trace_copy_on_write(uint64_t from_frame, uint64_t to_frame, int pid, uint64_t linear);
void trace_swap_in(uint64_t frame_number, uint64_t slot, int pid, uint64_t linear);
/* A page is taken; written: 0 if the slot (0: none is needed) has its bytes already. linear of an object's page is
 * its number there. */
void trace_swap_out(uint64_t frame_number, uint64_t slot, int pid, uint64_t linear, int written);
/* Reclaim would have taken it, but the frame is marked swap-exempt. */
void trace_reclaim_skip(uint64_t frame_number, int pid, uint64_t linear);
void trace_oom_kill(int pid, uint64_t page_count);
/* A transfer between the disk and memory is asked for, and is done; error is 0 or negative. */
void trace_disk_request(bool write, uint64_t sector, uint64_t frame_number);
void trace_disk_done(bool write, uint64_t sector, uint64_t frame_number, int error);
/* Memory for sharing was asked for, but not through its one hook. */
void trace_ukshm_refused(uint64_t caller, int gfp, int pid);
/* A driver is asked about a file of the network (enum netfs_operation), and its answer. */
void trace_netfs_call(int pid, uint32_t operation, uint64_t handle, uint64_t offset, uint64_t length);
void trace_netfs_done(uint32_t operation, uint64_t handle, int64_t result, uint64_t length, uint64_t frame_number);
/* A process slept where it must not: between atomic_enter and atomic_leave. */
void trace_slept_in_atomic(int pid);
/* Free frames before the first process and after the last: the same, or something leaked. */
void trace_balance(uint64_t free_at_start, uint64_t free_at_end);
/* A packet exists (interface 0: made here), is judged, and is no more. Each begins and ends once. */
void trace_packet_in(uint64_t id, int interface, uint64_t length, uint64_t time);
void trace_verdict(uint64_t id, int hook, uint64_t verdict);
void trace_packet_end(uint64_t id, int reason);     /* enum packet_fate; from 2 on minus 2 an enum drop_reason */
/* The kernel path of the firewall has got new rules. */
void trace_firewall_rules(int pid, unsigned chains, unsigned rules);
/* The status of the program that init was told to run. */
void trace_program_exit(int status);

#endif
