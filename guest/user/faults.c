/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything ring 3 may not do, one process each. The kernel must say why it ended every one, and live on.
 * Where QEMU differs from the manual, the case stands in strict.c.
 */
#include "ulib.h"

volatile unsigned char data_byte = 0xc3;    /* RET: runs well, were it executable */
volatile int zero;
const volatile int constant = 1;

int main(int argc, const char *argv[]);

static void read_at(unsigned long linear) { (void)*(volatile unsigned char *)linear; }
static void write_at(unsigned long linear) { *(volatile unsigned char *)linear = 1; }
static void jump_to(unsigned long linear) { ((void (*)(void))linear)(); }

static void null_read(void) { read_at(0); }
static void null_write(void) { write_at(8); }
static void unmapped_read(void) { read_at(0x700000000000); }
static void text_write(void) { write_at((unsigned long)main); }
static void rodata_write(void) { write_at((unsigned long)&constant); }
static void data_execute(void) { jump_to((unsigned long)&data_byte); }
static void unmapped_jump(void) { jump_to(0x600000); }
static void kernel_read(void) { read_at(0xffffffff80100000); }
static void kernel_write(void) { write_at(0xffffffff80100000); }
static void kernel_jump(void) { jump_to(0xffffffff80100020); }
static void direct_map_read(void) { read_at(0xffff888000100000); }
static void noncanonical_read(void) { read_at(0x0000800000000000); }
static void divide(void) { __asm__ volatile("divl %0" : : "r"(zero), "a"(1), "d"(0)); }
static void invalid_opcode(void) { __asm__ volatile("ud2"); }
static void breakpoint(void) { __asm__ volatile("int3"); }
static void halt(void) { __asm__ volatile("hlt"); }
static void interrupts_off(void) { __asm__ volatile("cli"); }
static void port_in(void) { __asm__ volatile("inb $0x21, %%al" : : : "al"); }
static void port_out(void) { __asm__ volatile("outb %%al, $0xf4" : : : "memory"); }
static void read_cr3(void) { __asm__ volatile("movq %%cr3, %%rax" : : : "rax"); }
static void write_cr0(void) { __asm__ volatile("movq %%rax, %%cr0" : : : "memory"); }
static void invalidate(void) { __asm__ volatile("invlpg (%0)" : : "r"(&zero)); }
static void read_msr(void) { __asm__ volatile("rdmsr" : : "c"(0xc0000080) : "eax", "edx"); }
static void floating_point(void) { __asm__ volatile("fninit"); }

static __attribute__((noinline)) int recurse(volatile int *depth)
{
    volatile int here[64];
    here[0] = *depth + 1;
    return here[0] < 0 ? 0 : recurse(here) + here[0];
}

static void stack_overflow(void)
{
    volatile int depth = 0;
    recurse(&depth);
}

static const struct { const char *name; void (*run)(void); int status; } refusals[] = {
    {"null-read", null_read, 142},
    {"null-write", null_write, 142},
    {"unmapped-read", unmapped_read, 142},
    {"text-write", text_write, 142},
    {"rodata-write", rodata_write, 142},
    {"data-execute", data_execute, 142},
    {"unmapped-jump", unmapped_jump, 142},
    {"kernel-read", kernel_read, 142},
    {"kernel-write", kernel_write, 142},
    {"kernel-jump", kernel_jump, 142},
    {"direct-map-read", direct_map_read, 142},
    {"stack-overflow", stack_overflow, 142},
    {"non-canonical-read", noncanonical_read, 141},
    {"divide-by-zero", divide, 128},
    {"invalid-opcode", invalid_opcode, 134},
    {"breakpoint", breakpoint, 131},
    {"hlt", halt, 141},
    {"cli", interrupts_off, 141},
    {"port-in", port_in, 141},
    {"port-out", port_out, 141},
    {"read-cr3", read_cr3, 141},
    {"write-cr0", write_cr0, 141},
    {"invlpg", invalidate, 141},
    {"rdmsr", read_msr, 141},
    {"floating-point", floating_point, 135},
};

enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

static int run_one(const char *name)
{
    for (int i = 0; i < REFUSALS; i++)
        if (!strcmp(refusals[i].name, name)) {
            refusals[i].run();
            fail("%s: nothing refused it", name);
        }
    fail("faults: no such case: %s", name);
}

int main(int argc, const char *argv[])
{
    int wrong = 0;
    if (argc > 1)
        return run_one(argv[1]);
    for (int i = 0; i < REFUSALS; i++) {
        int status = -1;
        int pid = spawn("faults", (const char *const[]){"faults", refusals[i].name, 0});
        if (pid < 0 || wait(pid, &status) != pid)
            fail("could not run the case %s", refusals[i].name);
        say("%s: status %d, %s", refusals[i].name, status, status == refusals[i].status ? "as it must be" : "WRONG");
        wrong += status != refusals[i].status;
    }
    say("%d refusals, %d wrong", REFUSALS, wrong);
    return wrong != 0;
}
