/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Refusals that the manual settles and QEMU 7.2 answers differently: a non-canonical stack address is #SS (QEMU: #GP),
 * a jump to a non-canonical address faults at the jump (QEMU: at its target), and the error code of a refused INT n
 * is 8 n + 2 (QEMU: 16 n + 2).
 */
#include "ulib.h"

static void noncanonical_push(void) { __asm__ volatile("movq %0, %%rsp; pushq %%rax" : : "r"(0x0000900000000000)); }
static void noncanonical_jump(void) { __asm__ volatile("jmp *%0" : : "r"(0x0000900000000000)); }
static void no_gate(void) { __asm__ volatile("int $0x80"); }
static void kernel_gate(void) { __asm__ volatile("int $14"); }

static const struct { const char *name; void (*run)(void); int status; } refusals[] = {
    {"non-canonical-push", noncanonical_push, 140},
    {"non-canonical-jump", noncanonical_jump, 141},
    {"int-without-gate", no_gate, 141},
    {"int-kernel-gate", kernel_gate, 141},
};

enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

static int run_one(const char *name)
{
    for (int i = 0; i < REFUSALS; i++)
        if (!strcmp(refusals[i].name, name)) {
            refusals[i].run();
            fail("%s: nothing refused it", name);
        }
    fail("strict: no such case: %s", name);
}

int main(int argc, const char *argv[])
{
    int wrong = 0;
    if (argc > 1)
        return run_one(argv[1]);
    for (int i = 0; i < REFUSALS; i++) {
        int status = -1;
        int pid = spawn("strict", (const char *const[]){"strict", refusals[i].name, 0});
        if (pid < 0 || wait(pid, &status) != pid)
            fail("could not run the case %s", refusals[i].name);
        say("%s: status %d, %s", refusals[i].name, status, status == refusals[i].status ? "as it must be" : "WRONG");
        wrong += status != refusals[i].status;
    }
    say("%d refusals, %d wrong", REFUSALS, wrong);
    return wrong != 0;
}
