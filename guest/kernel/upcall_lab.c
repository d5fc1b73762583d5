/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The laboratory of reverse syscalls: see upcall_lab.h. Its calls outlive the program that ordered them. */
#include "upcall_lab.h"
#include "frame.h"
#include "proc.h"
#include "upcall.h"
#include "user_memory.h"
#include "vm.h"

enum { LAB_CALLS = 48, WORDS = 3, LINE = 128, VERDICT_LIMIT = 1 << 20 };
enum lab_state { LAB_FREE, LAB_ASKED, LAB_ENDED };

struct lab_call {
    struct call call;
    enum lab_state state;
    enum call_end end;
    uint64_t order;         /* the first to end is told first */
    uint64_t length, verdict, sum;
};

static struct lab_call lab_calls[LAB_CALLS];
static uint64_t last_order;

static uint64_t sum_of(const uint8_t *bytes, uint64_t length)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < length; i++)
        sum += bytes[i];
    return sum;
}

static void lab_done(struct call *call, enum call_end end, uint64_t length, uint64_t verdict)
{
    struct lab_call *lab = (struct lab_call *)call;
    uint64_t bytes = end == CALL_ANSWERED ? length : call->length;
    lab->state = LAB_ENDED;
    lab->end = end;
    lab->order = ++last_order;
    lab->length = length;
    lab->verdict = verdict;
    if (call->physical) {
        lab->sum = sum_of((uint8_t *)direct_map(call->physical) + call->offset, bytes);
        frame_free(call->physical);
    }
    wake_up(lab_calls);
}

static int lab_check(struct call *call, uint64_t length, uint64_t verdict)
{
    (void)call, (void)length;
    return verdict < VERDICT_LIMIT ? 0 : -EINVAL;
}

static int ask(enum ukshm_role role, bool with_page, uint64_t length, const uint64_t word[])
{
    struct lab_call *lab = lab_calls;
    while (lab < lab_calls + LAB_CALLS && lab->state != LAB_FREE)
        lab++;
    if (lab == lab_calls + LAB_CALLS || length > PAGE_SIZE)
        return -EINVAL;
    uint64_t physical = with_page ? frame_alloc(FRAME_KERNEL, 0, GFP_ATOMIC) : 0;
    if (with_page && !physical)
        return -ENOMEM;
    uint8_t *bytes = direct_map(physical);
    for (uint64_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(word[0] + i);
    *lab = (struct lab_call){.state = LAB_ASKED, .call = {
        .role = role, .physical = physical, .length = (uint32_t)length, .argument = {word[0]}, .ticks = word[1],
        .done = lab_done, .check = lab_check,
    }};
    int error = upcall_submit(&lab->call);
    if (!error)
        return (int)lab->call.id;
    if (physical)
        frame_free(physical);
    lab->state = LAB_FREE;
    return error;
}

/* ---- words ---- */

static bool take_word(const char **text, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*text, word, length) || ((*text)[length] && (*text)[length] != ' '))
        return false;
    *text += length + ((*text)[length] == ' ');
    return true;
}

/* Decimal numbers with spaces between; what is not said is 0. false: something else is there. */
static bool take_numbers(const char *text, uint64_t number[WORDS])
{
    for (int i = 0; i < WORDS && *text; i++) {
        if (*text < '0' || *text > '9')
            return false;
        while (*text >= '0' && *text <= '9')
            number[i] = number[i] * 10 + (uint64_t)(*text++ - '0');
        if (*text == ' ')
            text++;
    }
    return !*text;
}

OBSERVABLE int64_t upcall_lab(const char *command)
{
    uint64_t number[WORDS] = {0};
    bool with_page = take_word(&command, "call");
    if (!with_page && !take_word(&command, "ask"))
        return -EINVAL;
    bool is_firewall = take_word(&command, "firewall");
    if ((!is_firewall && !take_word(&command, "netfs")) || !take_numbers(command, number))
        return -EINVAL;
    return ask(is_firewall ? ROLE_FIREWALL : ROLE_NETFS, with_page, with_page ? number[0] : 0, number + with_page);
}

/* ---- what came back ---- */

static struct lab_call *next_ended(void)
{
    struct lab_call *found = 0;
    for (struct lab_call *lab = lab_calls; lab < lab_calls + LAB_CALLS; lab++)
        if (lab->state == LAB_ENDED && (!found || lab->order < found->order))
            found = lab;
    return found;
}

static bool any_asked(void)
{
    for (const struct lab_call *lab = lab_calls; lab < lab_calls + LAB_CALLS; lab++)
        if (lab->state == LAB_ASKED)
            return true;
    return false;
}

int64_t upcall_lab_read(uint64_t to, uint64_t length)
{
    static const char *const ends[] = {"answered", "timed out", "abandoned"};
    char line[LINE];
    struct lab_call *lab;
    while (!(lab = next_ended())) {
        if (!any_asked())
            return 0;
        if (!sleep_on_interruptible(lab_calls))
            return -EINTR;
    }
    size_t count = scnprintf(line, sizeof line, "call %lu %s: length %lu, verdict %lu, sum %lu\n", lab->call.id,
                             ends[lab->end], lab->length, lab->verdict, lab->sum);
    if (count > length)
        count = length;
    lab->state = LAB_FREE;          /* before the copy, which may sleep: nobody else shall tell of it too */
    return copy_to_user(to, line, count) ? -EFAULT : (int64_t)count;
}
