/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The letter's claim, tried out: a program fills the page it shares with the kernel and runs on past the end.
 *   overrun [bytes past the end, default 16]
 */
#include "ulib.h"

enum { MINE_PAGES = 2, PATTERN = 'm', WRITTEN = 'U', DEFAULT_PAST = 16, PAST_MAX = 2 * PAGE };

unsigned char *window;      /* the page shared with the kernel */
unsigned char *mine;        /* this program's own data */
unsigned long length;       /* how many bytes it writes, from the window's start */

/* Own data behind a hole of exactly one page: first fit puts a window there if no guard page is asked for with it. */
static void lay_out_own_data(void)
{
    unsigned char *place = mmap((1 + MINE_PAGES) * PAGE, PROT_READ | PROT_WRITE);
    if (is_error(place) || munmap(place, PAGE))
        fail("no memory for my own data");
    mine = place + PAGE;
    memset(mine, PATTERN, MINE_PAGES * PAGE);
}

OBSERVABLE static void fill_window(void)
{
    for (unsigned long i = 0; i < length; i++)
        window[i] = WRITTEN;
}

OBSERVABLE static unsigned long count_lost(void)
{
    unsigned long lost = 0;
    for (unsigned long i = 0; i < MINE_PAGES * PAGE; i++)
        lost += mine[i] != PATTERN;
    return lost;
}

int main(int argc, const char *argv[])
{
    unsigned long past = argc > 1 ? to_number(argv[1]) : DEFAULT_PAST;
    if (past > PAST_MAX)
        fail("overrun: at most %d bytes past the end", PAST_MAX);
    lay_out_own_data();
    window = ukshm_register(ROLE_BUFFER, 0, 0, 1, UKSHM_VERSION);
    if (is_error(window))
        fail("the kernel refused to share a page (error %ld)", (long)window);
    say("the kernel shares one page with me at %p", window);
    say("my own data lies at %p", mine);

    length = PAGE + past;
    say("writing %d bytes into the page, and %lu bytes past its end", PAGE, past);
    fill_window();

    unsigned long lost = count_lost();
    say("still alive: %lu bytes of my own data are lost", lost);
    return 0;
}
