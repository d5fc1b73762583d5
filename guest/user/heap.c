/* SPDX-License-Identifier: GPL-2.0-or-later */
/* brk and mprotect: memory that grows at its end, and rights that change. Each forbidden access is a child's. */
#include "ulib.h"

enum { PAGES = 3, LETTER = 'h' };

static int failures;

static void expect(const char *what, long result, long wanted)
{
    failures += result != wanted;
    say("%s: %ld, %s", what, result, result == wanted ? "as it must be" : "WRONG");
}

/* The status of a child that runs one access; 0 if it was allowed. */
static int try(void (*access)(unsigned char *), unsigned char *at)
{
    int status = -1, pid = fork();
    if (!pid) {
        access(at);
        exit(0);
    }
    wait(pid, &status);
    return status;
}

static void read_byte(unsigned char *at) { (void)*(volatile unsigned char *)at; }
static void write_byte(unsigned char *at) { *(volatile unsigned char *)at = LETTER; }
static void call_code(unsigned char *at) { ((void (*)(void))at)(); }

static void grow_and_shrink(void)
{
    unsigned char *start = brk(0);
    expect("an empty heap ends where it starts", brk(start) == start, 1);
    expect("grow it", brk(start + PAGES * PAGE) == start + PAGES * PAGE, 1);
    memset(start, LETTER, PAGES * PAGE);
    expect("it holds what was written", start[PAGES * PAGE - 1], LETTER);
    expect("shrink it", brk(start + PAGE) == start + PAGE, 1);
    expect("what is gone cannot be read", try(read_byte, start + PAGE), 142);
    expect("grow it again", brk(start + 2 * PAGE) == start + 2 * PAGE, 1);
    expect("what comes back is zero", start[PAGE], 0);
    expect("below the heap", (long)brk(start - 1), -EINVAL);
    expect("more than there is", (long)brk(start + (1l << 40)), -ENOMEM);
}

static void change_rights(void)
{
    enum { RETURN = 0xc3 };         /* the machine code of RET */
    unsigned char *page = mmap(PAGES * PAGE, PROT_READ | PROT_WRITE);
    memset(page, RETURN, PAGES * PAGE);
    expect("data is not code", try(call_code, page), 142);
    expect("make the middle page read-only", mprotect(page + PAGE, PAGE, PROT_READ), 0);
    expect("reading it", try(read_byte, page + PAGE), 0);
    expect("writing it", try(write_byte, page + PAGE), 142);
    expect("writing its neighbour", try(write_byte, page + 2 * PAGE), 0);
    expect("make it code", mprotect(page + PAGE, PAGE, PROT_READ | PROT_EXEC), 0);
    expect("calling it", try(call_code, page + PAGE), 0);
    expect("forbid it altogether", mprotect(page + PAGE, PAGE, PROT_NONE), 0);
    expect("reading what is forbidden", try(read_byte, page + PAGE), 142);
    expect("the kernel may not either", write(1, page + PAGE, 1), -EFAULT);
    expect("allow it again", mprotect(page, PAGES * PAGE, PROT_READ | PROT_WRITE), 0);
    expect("it holds what it held", page[PAGE], RETURN);
    expect("and can be written", try(write_byte, page + PAGE), 0);
    expect("a range with a hole", mprotect(page, (PAGES + 1) * PAGE, PROT_READ), -ENOMEM);
    expect("write without read", mprotect(page, PAGE, PROT_WRITE), -EINVAL);
}

int main(void)
{
    grow_and_shrink();
    change_rights();
    say("%d wrong", failures);
    return failures != 0;
}
