/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe.h"
#include "console.h"
#include "cpu.h"

extern const char probes[], probe_read[], probe_write[], probe_fetch[], probe_read_stack[], probe_read_word[],
    probe_write_word[], probe_load_fs[], probe_int[], probe_mov_cr0[], probe_mov_cr3[], probe_mov_cr4[],
    probe_wrmsr[], probe_invlpg[], probe_invpcid[], probe_wrpkru[], probe_rdpkru[];

static const char *const starts[] = {
    [READ] = probe_read, [WRITE] = probe_write, [FETCH] = probe_fetch, [READ_STACK] = probe_read_stack,
    [READ_WORD] = probe_read_word, [WRITE_WORD] = probe_write_word, [LOAD_FS] = probe_load_fs, [INT] = probe_int,
    [MOV_CR0] = probe_mov_cr0, [MOV_CR3] = probe_mov_cr3, [MOV_CR4] = probe_mov_cr4, [WRMSR] = probe_wrmsr,
    [INVLPG] = probe_invlpg, [INVPCID] = probe_invpcid, [WRPKRU] = probe_wrpkru, [RDPKRU] = probe_rdpkru,
};

/* What entry.S starts from, and what its stubs push; the layout is known there. */
struct { word ip, cs, flags, sp, ss, ax, cx, dx; } probe_entry;
struct frame { word ax, vector, error, ip, cs, flags; };

void enter_probe(void);
_Noreturn void leave_probe(void);
_Noreturn void trap(const struct frame *frame);

static uint8_t ring0_stack[PAGE_SIZE] __attribute__((aligned(16)));
static bool under_way;
static struct outcome outcome;

struct outcome attempt(struct probe probe)
{
    word start = (word)starts[probe.instruction];
    if (probe.ring == 3)
        start = start - (word)probes + USER_TEXT;
    probe_entry.ip = start;
    probe_entry.cs = probe.ring == 3 ? USER_CODE : KERNEL_CODE;
    probe_entry.ss = probe.ring == 3 ? USER_DATA : KERNEL_DATA;
    probe_entry.sp = probe.ring == 3 ? USER_STACK + PAGE_SIZE : (word)ring0_stack + sizeof ring0_stack;
    probe_entry.flags = FLAGS_ALWAYS | (probe.ac ? FLAGS_AC : 0);
    probe_entry.ax = probe.ax;
    probe_entry.cx = probe.cx;
    probe_entry.dx = probe.dx;
    under_way = true;
    enter_probe();
    under_way = false;
    switch (probe.instruction) {
    case FETCH: outcome.exact = outcome.ip == probe.ax; break;
    case INT: outcome.exact = outcome.ip == start + 1; break;   /* a NOP stands before the INT */
    default: outcome.exact = outcome.ip == start;
    }
    return outcome;
}

/* Every exception of the guest comes here. */
_Noreturn void trap(const struct frame *frame)
{
    if (!under_way) {
        print("exception %d, error %lx, at %lx, CR2 %lx\n", (int)frame->vector, frame->error, frame->ip, read_cr2());
        end(EXIT_PANIC);
    }
    outcome = (struct outcome){
        .vector = (int)frame->vector, .error = frame->error, .ip = frame->ip, .cr2 = read_cr2(), .ax = frame->ax,
    };
    leave_probe();
}

const char *error_letters(word error)
{
    static const char letters[] = "PWURIK";
    static char text[sizeof letters];
    int length = 0;
    for (int bit = 0; letters[bit]; bit++)
        if (error >> bit & 1)
            text[length++] = letters[bit];
    if (!length)
        text[length++] = '0';
    text[length] = 0;
    return text;
}

void print_outcome(const struct outcome *outcome)
{
    static const char *const names[] = {
        [VECTOR_UD] = "#UD", [VECTOR_DF] = "#DF", [VECTOR_SS] = "#SS", [VECTOR_GP] = "#GP", [VECTOR_PF] = "#PF",
    };
    if (outcome->vector == VECTOR_DONE) {
        print("ok");
        return;
    }
    bool named = outcome->vector < (int)(sizeof names / sizeof *names) && names[outcome->vector];
    print("%s %02lx", named ? names[outcome->vector] : "unknown", outcome->error);
    if (outcome->vector == VECTOR_PF)
        print(" %s", error_letters(outcome->error));
    print(", IP %s", outcome->exact ? "exact" : "elsewhere");
}
