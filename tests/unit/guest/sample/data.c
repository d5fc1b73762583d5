/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample.h"

struct frame frames[8] = {{OWNER_KERNEL, 1, 2}, {OWNER_FREE, 0, 0}, {0, 0, 0}, {OWNER_SHARED, 0x40, 3}};
struct process procs[4] = {
    {.pid = 1, .name = "init", .root = 0x1000},
    {.pid = 2, .name = "overrun", .root = 0x2000, .parent = &procs[0], .range = {3, 4}, .any = {.word = 0x0807060504030201}, .left = -1},
};
struct process *current = &procs[1];
static long private_count = 99;
struct late { int lateness; };
struct late late_one = {12};
int bss[100];

__attribute__((noinline)) void trace_frame_owner(uint64_t frame, enum owner owner, const char *why, int pid,
                                                 struct process *process, uint8_t small, long seventh)
{
    __asm__ volatile("" : : "r"(frame), "r"(owner), "r"(why), "r"(pid), "r"(process), "r"(small), "r"(seventh));
}

__attribute__((noinline)) void trace_nothing(void)
{
    __asm__ volatile("" : : "r"(&private_count));
}
