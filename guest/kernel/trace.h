/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracepoints: calls to empty functions. The emulator stops at the symbol and reads the argument registers
 * (RDI, RSI, RDX, RCX); on any other machine nothing happens.
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
/* A transfer between the disk and memory is asked for, and is done; error is 0 or negative. */
void trace_disk_request(bool write, uint64_t sector, uint64_t frame_number);
void trace_disk_done(bool write, uint64_t sector, uint64_t frame_number, int error);
/* The status of the program that init was told to run. */
void trace_program_exit(int status);

#endif
