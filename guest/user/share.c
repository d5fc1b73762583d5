/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interface that a program negotiates with the kernel to share pages: what is refused, where the window comes to
 * lie, what each side sees of it, and how it ends.
 *   share [pages, default 2]
 */
#include "ulib.h"

enum { PAGES = 2, HOLES = 3, AREAS = 64, LETTER = 's' };

static const unsigned long KERNEL_TEXT = 0xffffffff80100000, DIRECT_MAP = 0xffff888000000000;

unsigned char *window;
unsigned char *holes[HOLES + 1];
unsigned long pages;

static void try(const char *what, enum ukshm_role role, unsigned long handler, unsigned long stack,
                unsigned long wanted, unsigned long version)
{
    void *result = ukshm_register(role, (void *)handler, (void *)stack, wanted, version);
    if (is_error(result))
        say("%s: error %ld", what, -(long)result);
    else
        say("%s: SHARED", what);
}

/* Each breaks one rule of the interface, and only that one. */
OBSERVABLE static void ask_for_nonsense(void)
{
    try("a version that does not exist", ROLE_BUFFER, 0, 0, pages, UKSHM_VERSION + 1);
    try("a role that does not exist", (enum ukshm_role)99, 0, 0, pages, UKSHM_VERSION);
    try("no page at all", ROLE_BUFFER, 0, 0, 0, UKSHM_VERSION);
    try("one page more than are allowed", ROLE_BUFFER, 0, 0, UKSHM_MAX_PAGES + 1, UKSHM_VERSION);
    try("2^52 pages, whose bytes are 0 in 64 bits", ROLE_BUFFER, 0, 0, 1ul << 52, UKSHM_VERSION);
    try("a handler that is the kernel's code", ROLE_FIREWALL, KERNEL_TEXT, (unsigned long)&pages, pages, UKSHM_VERSION);
    try("a stack that is the kernel's memory", ROLE_FIREWALL, (unsigned long)try, DIRECT_MAP, pages, UKSHM_VERSION);
}

OBSERVABLE static void ask_again(void)
{
    try("a second window", ROLE_BUFFER, 0, 0, pages, UKSHM_VERSION);
}

static void ask_as_the_other_user(void)
{
    int status, pid = fork();
    if (!pid) {
        setuid(UID_USER);
        try("the same, but not as root", ROLE_BUFFER, 0, 0, pages, UKSHM_VERSION);
        exit(0);
    }
    wait(pid, &status);
}

/* Holes of 1, 2 and 3 pages, lowest first, each followed by a page that stays. */
OBSERVABLE static void make_holes(void)
{
    for (int i = 0; i < HOLES; i++) {
        holes[i] = mmap((size_t)(i + 2) * PAGE, PROT_READ | PROT_WRITE);
        if (is_error(holes[i]))
            fail("no memory: error %ld", (long)holes[i]);
    }
    for (int i = 0; i < HOLES; i++)
        munmap(holes[i], (size_t)(i + 1) * PAGE);
}

/* Frames that come back in another order than they went: what the kernel hands out next is not a row. */
static void shuffle_frames(void)
{
    unsigned char *all = mmap(8 * PAGE, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 8; i++)
        all[i * PAGE] = LETTER;
    for (int i = 0; i < 8; i += 2)
        munmap(all + i * PAGE, PAGE);
}

OBSERVABLE static void fill_window(void)
{
    for (unsigned long i = 0; i < pages * PAGE; i += PAGE)
        ((volatile unsigned char *)window)[i] = LETTER;
}

/* The kernel reads all bytes, by its own address. */
OBSERVABLE static long kernel_reads(void) { return ukshm_ack(0, pages * PAGE, 0); }

/* So many small areas, with holes between, that the kernel has no place to note another. */
OBSERVABLE static void ask_with_a_full_list(void)
{
    unsigned char *small[AREAS];
    int made = 0;
    while (made < AREAS && !is_error(small[made] = mmap(PAGE, PROT_READ | PROT_WRITE)))
        made++;
    try("when the list of areas is full", ROLE_BUFFER, 0, 0, pages, UKSHM_VERSION);
    while (made)
        munmap(small[--made], PAGE);
}

OBSERVABLE static void look_after_fork(void)
{
    int status = -1, pid = fork();
    if (!pid)
        exit(*(volatile unsigned char *)window);
    wait(pid, &status);
    say("a child of mine that looks at the window: status %d", status);
}

OBSERVABLE static void touch_after_the_end(void)
{
    int status = -1, pid = fork();
    if (!pid) {
        *(volatile unsigned char *)window = LETTER;
        exit(0);
    }
    wait(pid, &status);
    say("a write to the window after the end: status %d", status);
}

int main(int argc, const char *argv[])
{
    pages = argc > 1 ? to_number(argv[1]) : PAGES;
    ask_for_nonsense();
    ask_as_the_other_user();
    ask_with_a_full_list();
    make_holes();
    shuffle_frames();
    window = ukshm_register(ROLE_BUFFER, 0, 0, pages, UKSHM_VERSION);
    if (is_error(window))
        fail("the kernel refused to share %lu pages: error %ld", pages, -(long)window);
    say("%lu pages are shared", pages);
    ask_again();
    fill_window();
    say("the kernel reads them: %s", kernel_reads() > 0 ? "yes" : "NO");
    look_after_fork();
    say("munmap of the window: error %d", -munmap(window, pages * PAGE));
    say("the end of it: %d", ukshm_unregister());
    say("the end of it, again: error %d", -ukshm_unregister());
    touch_after_the_end();
    return 0;
}
