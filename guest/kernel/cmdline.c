/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Switches make the counter-examples. The emulator reads the table from the image and refuses unknown words. */
#include "cmdline.h"
#include "arguments.h"

const struct kernel_switch kernel_switches[SWITCH_COUNT] = {
    [SWITCH_UKSHM_MAP] = {"ukshm.map", {"window", "kernel_range"},
                          "a window of frames of its own, or the naive design: a range of kernel memory"},
    [SWITCH_UKSHM_GUARD] = {"ukshm.guard", {"on", "off"}, "keep an unmapped page behind each shared window"},
    [SWITCH_UKSHM_INVALIDATE] = {"ukshm.invalidate", {"all", "local", "none"},
                                 "whose TLB entries go with a shared page: every CPU's, this one's, nobody's"},
    [SWITCH_UKSHM_PAGE_EXCLUSIVE] = {"ukshm.page_exclusive", {"on", "off"},
                                     "a shared page holds nothing else, or ordinary slab objects too"},
    [SWITCH_UKSHM_ZERO] = {"ukshm.zero", {"on", "off"}, "clear a page before it is shared"},
    [SWITCH_UKSHM_SWAP_EXEMPT] = {"ukshm.swap_exempt", {"on", "off"}, "reclaim passes shared pages by"},
    [SWITCH_UKSHM_LIMIT] = {"ukshm.limit", {"64", "#"}, "how many pages may be shared at once, by all programs"},
    [SWITCH_ALLOC_GFP] = {"alloc.gfp", {"honour", "ignore"},
                          "the allocators heed GFP flags: ATOMIC does not sleep, DMA stays below 16 MiB"},
    [SWITCH_UKSHM_PRIVILEGED] = {"ukshm.privileged", {"on", "off"}, "only root may register for shared pages"},
    [SWITCH_UKSHM_ORDER] = {"ukshm.order", {"unmap_first", "free_first"},
                            "a shared page is unmapped before it is used again, or at the next tick"},
    [SWITCH_UKSHM_CHECK] = {"ukshm.check", {"after_unmap", "before_unmap"},
                            "look at what a program answered when it cannot change it any more, or while it can"},
    [SWITCH_UKSHM_ACK_CHECK] = {"ukshm.ack_check", {"on", "off"}, "only who was asked may answer"},
    [SWITCH_UKSHM_DEADLINE] = {"ukshm.deadline", {"100", "#", "off"}, "ticks a program has for an answer"},
    [SWITCH_FIREWALL_PATH] = {"firewall.path", {"kernel", "copy", "ukshm", "ring"}, "who judges packets, and how"},
    [SWITCH_FIREWALL_DEAD] = {"firewall.dead", {"deny", "allow"}, "what passes when the firewall's program is dead"},
    [SWITCH_CPU_SMEP] = {"cpu.smep", {"on", "off"}, "the kernel may not execute user pages"},
    [SWITCH_CPU_SMAP] = {"cpu.smap", {"on", "off"}, "the kernel may not read or write user pages by accident"},
    [SWITCH_CPU_NX] = {"cpu.nx", {"on", "off"}, "pages of data are not executable (XD)"},
    [SWITCH_CPU_WP] = {"cpu.wp", {"on", "off"}, "the kernel too obeys read-only pages"},
    [SWITCH_CPU_PCID] = {"cpu.pcid", {"on", "off"}, "TLB entries name their process, and outlive MOV CR3"},
};

static uint8_t chosen[SWITCH_COUNT];
static uint64_t numbers[SWITCH_COUNT];      /* of those whose chosen value is "#" */

int switch_value(enum switch_number number)
{
    return chosen[number];
}

/* Decimal digits and nothing else; what does not fit is the largest number there is. */
static bool to_number(const char *word, size_t length, uint64_t *number)
{
    static const uint64_t LARGEST = ~0ull;
    *number = 0;
    for (size_t i = 0; i < length; i++) {
        uint64_t digit = (uint64_t)(word[i] - '0');
        if (digit > 9)
            return false;
        *number = *number > (LARGEST - digit) / 10 ? LARGEST : *number * 10 + digit;
    }
    return length;
}

uint64_t switch_number_value(enum switch_number number)
{
    const char *value = kernel_switches[number].values[chosen[number]];
    uint64_t result = numbers[number];
    if (*value != '#')
        to_number(value, strlen(value), &result);
    return result;
}

static bool word_is(const char *word, size_t length, const char *text)
{
    return strlen(text) == length && !strncmp(word, text, length);
}

static void set_switch(const char *name, size_t name_length, const char *value, size_t value_length)
{
    for (int s = 0; s < SWITCH_COUNT; s++) {
        if (!word_is(name, name_length, kernel_switches[s].name))
            continue;
        for (uint8_t v = 0; v < SWITCH_VALUES_MAX && kernel_switches[s].values[v]; v++)
            if (word_is(value, value_length, kernel_switches[s].values[v])
                || (*kernel_switches[s].values[v] == '#' && to_number(value, value_length, &numbers[s]))) {
                chosen[s] = v;
                break;
            }
    }
}

void cmdline_parse(const char *line, struct arguments *init)
{
    const char *program = 0;
    size_t program_length = 0;
    arguments_add(init, "init", 4);
    for (const char *at = line; *at;) {
        while (*at == ' ')
            at++;
        const char *word = at;
        while (*at && *at != ' ' && *at != '=')
            at++;
        size_t name_length = (size_t)(at - word);
        const char *value = *at == '=' ? ++at : at;
        while (*at && *at != ' ')
            at++;
        size_t value_length = (size_t)(at - value);
        if (word_is(word, name_length, "program") && !program) {
            program = value;
            program_length = value_length;
            arguments_add(init, program, program_length);
        } else if (word_is(word, name_length, "arg")) {
            if (arguments_add(init, value, value_length))
                printk("0: too many or too long arguments: the rest is left out\n");
        } else {
            set_switch(word, name_length, value, value_length);
        }
    }
}
