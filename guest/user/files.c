/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open, read and close: a file of the archive, texts of the kernel, devices, and what is refused. */
#include "ulib.h"

static int checks, failures;

static void expect(const char *what, long result, long wanted)
{
    checks++;
    failures += result != wanted;
    say("%s: %ld, %s", what, result, result == wanted ? "as it must be" : "WRONG");
}

static void archive(void)
{
    char magic[4] = {0}, rest[PAGE];
    int file = open("hello", O_RDONLY), other = open("/hello", O_RDONLY);
    expect("open: the lowest free descriptor", file, 3);
    expect("open: once more, with a slash", other, 4);
    expect("read: four bytes", read(file, magic, sizeof magic), sizeof magic);
    expect("they are an ELF file's", memcmp(magic, "\177ELF", sizeof magic), 0);
    expect("read: it goes on behind them", read(file, magic, 1) == 1 && magic[0] == 2, 1);
    expect("read: the other has its own place", read(other, magic, 1) == 1 && magic[0] == '\177', 1);
    long count, length = 5;
    while ((count = read(file, rest, sizeof rest)) > 0)
        length += count;
    expect("read: the end", count, 0);
    expect("it was longer than a page", length > PAGE, 1);
    expect("read: still the end", read(file, rest, sizeof rest), 0);
    expect("write: open for reading only", write(file, rest, 1), -EBADF);
    expect("close", close(file), 0);
    expect("close: twice", close(file), -EBADF);
    expect("read: closed", read(file, rest, 1), -EBADF);
    expect("open: the place is free again", open("init", O_RDONLY), 3);
    expect("close", close(3) + close(4), 0);
}

static void say_text(const char *name)
{
    char line[80];
    int file = open(name, O_RDONLY);
    while (read_line(file, line, sizeof line) > 0)
        say("%s: %s", name, line);
    expect("close", close(file), 0);
}

static bool has_line(const char *name, const char *wanted)
{
    char line[80];
    bool found = false;
    int file = open(name, O_RDONLY);
    while (read_line(file, line, sizeof line) > 0)
        found |= !strcmp(line, wanted);
    close(file);
    return found;
}

static void texts(void)
{
    say_text("/proc/processes");
    expect("/proc/switches: a line of it", has_line("/proc/switches", "ukshm.guard on"), 1);
    expect("/proc/switches: no such line", has_line("/proc/switches", "ukshm.guard off"), 0);
    expect("/proc/meminfo: a line of it", has_line("/proc/meminfo", "ukshm 0"), 1);
    expect("open: a text, for writing", open("/proc/meminfo", O_RDWR), -EACCES);
    expect("open: no such text", open("/proc/nothing", O_RDONLY), -ENOENT);
}

static void devices(void)
{
    static char page[PAGE];
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
    memset(page, 1, sizeof page);
    expect("/dev/null: read", read(null, page, sizeof page), 0);
    expect("/dev/null: write", write(null, page, sizeof page), PAGE);
    expect("/dev/zero: read", read(zero, page, 9), 9);
    expect("nine zeros, and no more", !page[0] && !page[8] && page[9], 1);
    expect("/dev/zero: write", write(zero, page, 7), 7);
    expect("close", close(null) + close(zero), 0);
    int console = open("/dev/console", O_WRONLY);
    static const char line[] = "2: straight to the console\n";
    expect("/dev/console: write", write(console, line, sizeof line - 1), sizeof line - 1);
    expect("close", close(console), 0);
    expect("open: no such device", open("/dev/nothing", O_RDONLY), -ENOENT);
    expect("open: a device that cannot be read", open("/dev/careless", O_RDONLY), -EACCES);
}

static void refusals(void)
{
    expect("open: nothing of that name", open("nothing", O_RDONLY), -ENOENT);
    expect("open: no name", open("", O_RDONLY), -ENOENT);
    expect("open: the archive's end", open("TRAILER!!!", O_RDONLY), -ENOENT);
    expect("open: for writing", open("hello", O_WRONLY), -EACCES);
    expect("open: a directory", open("/proc", O_RDONLY), -EISDIR);
    expect("open: the root", open("/", O_RDONLY), -EISDIR);
    int count = 0, last;
    while ((last = open("hello", O_RDONLY)) >= 0)
        count++;
    expect("open: until nothing is free", last, -EMFILE);
    expect("so many could be opened", count, 13);
    for (int file = 3; file < 3 + count; file++)
        close(file);
}

/* A spawned program gets descriptors 0, 1 and 2, and shares the place of reading with its parent. */
static void inheritance(void)
{
    char c = 0;
    int status = -1, extra = open("/dev/null", O_RDONLY);
    close(0);
    expect("open: as descriptor 0", open("hello", O_RDONLY), 0);
    expect("read: one byte", read(0, &c, 1), 1);
    int child = spawn("files", (const char *const[]){"files", "child", 0});
    expect("wait for the child", wait(child, &status) == child, 1);
    expect("its status", status, 0);
    expect("read: where the child stopped", read(0, &c, 1) == 1 && c == 'F', 1);
    expect("close", close(0) + close(extra), 0);
    expect("open: the console, as descriptor 0", open("/dev/console", O_RDONLY), 0);
}

static int child(void)
{
    char two[2] = {0};
    expect("the child: read on", read(0, two, sizeof two) == 2 && two[0] == 'E' && two[1] == 'L', 1);
    expect("the child: descriptor 3 is not inherited", read(3, two, 1), -EBADF);
    expect("the child: close", close(0), 0);
    return failures != 0;
}

int main(int argc, const char *argv[])
{
    if (argc > 1 && !strcmp(argv[1], "child"))
        return child();
    archive();
    texts();
    devices();
    refusals();
    inheritance();
    say("%d checks, %d wrong", checks, failures);
    return failures != 0;
}
