/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn, wait and kill, and what becomes of orphans. */
#include "ulib.h"

static int checks, failures;

static void expect(const char *what, long result, long wanted)
{
    checks++;
    failures += result != wanted;
    say("%s: %ld, %s", what, result, result == wanted ? "as it must be" : "WRONG");
}

static int start(const char *role)
{
    return spawn("family", (const char *const[]){"family", role, 0});
}

static int child(const char *role)
{
    if (!strcmp(role, "seven"))
        return 7;
    if (!strcmp(role, "forever"))
        for (;;) {}
    if (!strcmp(role, "asleep"))
        sleep(SLEEP_FOREVER);
    if (!strcmp(role, "waiting")) {
        int grandchild = start("asleep");
        wait(grandchild, 0);
    }
    if (!strcmp(role, "parent"))
        return start("orphan") < 0;
    if (!strcmp(role, "orphan")) {
        sleep(3);
        say("orphan: still here after my parent");
        return 9;
    }
    return 1;
}

static void kill_one(const char *role)
{
    int status = -1, pid = start(role);
    sleep(3);
    expect("kill", kill(pid), 0);
    expect("wait for it", wait(pid, &status) == pid, 1);
    expect("its status", status, STATUS_KILLED);
}

int main(int argc, const char *argv[])
{
    int status = -1;
    if (argc > 1)
        return child(argv[1]);
    expect("wait without a child", wait(-1, &status), -ECHILD);
    expect("spawn what does not exist", spawn("nothing", 0), -ENOENT);
    int pid = start("seven");
    expect("wait for a stranger", wait(PAGE, &status), -ECHILD);
    expect("wait for any child", wait(-1, &status) == pid, 1);
    expect("its status", status, 7);
    expect("wait again", wait(pid, &status), -ECHILD);
    expect("kill the dead", kill(pid), -ESRCH);
    expect("kill init", kill(1), -EPERM);
    expect("kill the idle process", kill(0), -ESRCH);
    kill_one("forever");
    kill_one("asleep");
    pid = start("parent");
    expect("wait for a parent", wait(pid, &status) == pid, 1);
    expect("no child is left to me", wait(-1, &status), -ECHILD);
    say("%d checks, %d wrong", checks, failures);
    return failures != 0;
}
