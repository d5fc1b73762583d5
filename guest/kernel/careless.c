/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mistakes are real and made one at a time: each address is checked, so that no other goes wrong with it. */
#include "careless.h"
#include "proc.h"

/* careless_access.S: each is one unguarded access; -EFAULT if the CPU refused it. */
int64_t careless_load(uint64_t linear);
int64_t careless_store(uint64_t linear, uint8_t value);
int64_t careless_call(uint64_t linear);

static const uint8_t read_only[8] = "sealed";

/* Takes a word off the front of the command, if that is the one there. */
static bool take_word(const char **at, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*at, word, length) || ((*at)[length] && (*at)[length] != ' '))
        return false;
    *at += length;
    return true;
}

static bool take_number(const char **at, uint64_t *value)
{
    const char *digit = *at;
    while (*digit == ' ')
        digit++;
    if (digit[0] == '0' && digit[1] == 'x')
        digit += 2;
    const char *first = digit;
    *value = 0;
    for (; (*digit >= '0' && *digit <= '9') || (*digit >= 'a' && *digit <= 'f'); digit++) {
        if (*value >> 60)
            return false;           /* more than 64 bits */
        *value = *value << 4 | (uint64_t)(*digit <= '9' ? *digit - '0' : *digit - 'a' + 10);
    }
    *at = digit;
    return digit != first && (!*digit || *digit == ' ');
}

static int64_t told(int64_t result, const char *mistake, const char *damage)
{
    printk("%d: careless: %s: %s\n", current->pid, mistake, result == -EFAULT ? "the CPU refused it" : damage);
    return result;
}

static int64_t write_read_only(void)
{
    uint64_t linear = (uint64_t)read_only;
    uint8_t before = *(const volatile uint8_t *)linear;
    int64_t result = careless_store(linear, (uint8_t)~before);
    bool changed = *(const volatile uint8_t *)linear != before;
    if (!result && careless_store(linear, before))
        panic("read-only data was written and cannot be put back");
    return told(result, "the kernel writes its own read-only data",
                changed ? "nothing stopped it; the byte was put back" : "no fault, and no change");
}

OBSERVABLE int64_t careless_command(const char *text)
{
    uint64_t linear, value;
    if (take_word(&text, "write-rodata"))
        return *text ? -EINVAL : write_read_only();
    bool read = take_word(&text, "read"), write = !read && take_word(&text, "write");
    if (!read && !write && !take_word(&text, "jump"))
        return -EINVAL;
    if (!take_number(&text, &linear) || linear >= USER_TOP)
        return -EINVAL;
    if (write && (!take_number(&text, &value) || value > UINT8_MAX))
        return -EINVAL;
    if (*text)
        return -EINVAL;
    if (read)
        return told(careless_load(linear), "the kernel reads a page of the program without STAC",
                    "nothing stopped it; the byte came from the program");
    if (write)
        return told(careless_store(linear, (uint8_t)value), "the kernel writes a page of the program without STAC",
                    "nothing stopped it; the program's memory is changed");
    return told(careless_call(linear), "the kernel calls a function of the program",
                "nothing stopped it; the program's code ran in ring 0");
}
