/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample.h"

const struct kernel_switch kernel_switches[] = {
    {"ukshm.map", {"window", "kernel_range"}, "what is mapped"},
    {"ukshm.limit", {"64", "#"}},
    {"cpu.pcid", {"on", "off"}},
};

struct late;
extern struct late late_one;
struct late *late = &late_one;
char *window = (char *)0x700000001000;
int matrix[2][3] = {{1, 2, 3}, {4, 5, -6}};
volatile signed char negative = -5;
_Bool truth = 1;
const char *message = "hello, kernel";
static int private_count = 17;
enum syscall_number last_call = SYS_write;
void *anything = frames;

__attribute__((noinline)) static int twice(int n)
{
    int doubled = n + n;
    private_count += doubled;
    return doubled;
}

__attribute__((noinline)) void kernel_main(uint64_t start_info)
{
    trace_frame_owner(start_info, OWNER_SHARED, message, twice(3), current, 1, 2);
    trace_nothing();
    for (;;)
        __asm__ volatile("hlt");
}
