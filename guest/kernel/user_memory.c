/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The range check in front of copy_user: without it, a kernel address would be copied from quite happily. */
#include "user_memory.h"

/* copy_user.S */
int copy_user(void *to, const void *from, uint64_t length);

static bool is_user_range(uint64_t start, uint64_t length)
{
    return start < USER_TOP && length <= USER_TOP - start;
}

OBSERVABLE int copy_from_user(void *to, uint64_t from, uint64_t length)
{
    return is_user_range(from, length) ? copy_user(to, (const void *)from, length) : -EFAULT;
}

OBSERVABLE int copy_to_user(uint64_t to, const void *from, uint64_t length)
{
    return is_user_range(to, length) ? copy_user((void *)to, from, length) : -EFAULT;
}

int copy_string_from_user(char *to, uint64_t from, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        int error = copy_from_user(&to[i], from + i, 1);
        if (error)
            return error;
        if (!to[i])
            return (int)i;
    }
    return -ENAMETOOLONG;
}
