/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints files, whatever kind: cat NAME... */
#include "ulib.h"

static char bytes[PAGE];

static long print(int file)
{
    long count;
    while ((count = read(file, bytes, sizeof bytes)) > 0)
        for (long done = 0, part; done < count; done += part)
            if ((part = write(1, bytes + done, (size_t)(count - done))) <= 0)
                return part;
    return count;
}

int main(int argc, const char *argv[])
{
    if (argc < 2)
        fail("cat: name the files to print");
    int status = 0;
    for (int i = 1; i < argc; i++) {
        int file = open(argv[i], O_RDONLY);
        long result = file < 0 ? file : print(file);
        if (file >= 0)
            close(file);
        if (result < 0)
            say("cat: %s: error %ld", argv[i], result);
        status |= result < 0;
    }
    return status;
}
