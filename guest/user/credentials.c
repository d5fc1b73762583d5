/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may do what. Root may register for shared pages, step down to the one other user, and kill anybody; the other
 * user may not come back, not register (but for ukshm.privileged=off), and kill only its own.
 */
#include "ulib.h"

static int failures;

static void expect(const char *what, long result, long wanted)
{
    say("%s: %ld, %s", what, result, result == wanted ? "as it must be" : "WRONG");
    failures += result != wanted;
}

static int start(const char *role)
{
    return spawn("credentials", (const char *const[]){"credentials", role, 0});
}

/* 0, or the error; the window itself is of no interest here. */
static long try_to_register(void)
{
    void *window = ukshm_register(ROLE_BUFFER, 0, 0, 1, UKSHM_VERSION);
    return is_error(window) ? (long)window : ukshm_unregister();
}

static void say_registration(const char *who)
{
    long result = try_to_register();
    say("%s registers for a shared page: %ld, %s", who, result, result ? "refused" : "granted");
}

static void kill_own(void)
{
    int status = -1, pid = start("asleep");
    expect("kill a process of my own", kill(pid), 0);
    expect("wait for it", wait(pid, &status) == pid, 1);
    expect("its status", status, STATUS_KILLED);
}

static int user(int root_process)
{
    expect("setuid: 1001", setuid(1001), -EINVAL);
    expect("setuid: 1000", setuid(UID_USER), 0);
    expect("setuid: 1000 again", setuid(UID_USER), 0);
    expect("setuid: back to root", setuid(UID_ROOT), -EPERM);
    expect("setuid: somebody else", setuid(1001), -EPERM);
    say_registration("the user");
    expect("kill a process of root", kill(root_process), -EPERM);
    expect("kill init", kill(1), -EPERM);
    expect("kill nobody", kill(PAGE), -ESRCH);
    kill_own();
    int status = -1, heir = start("heir");
    expect("wait for my heir", wait(heir, &status) == heir, 1);
    expect("its status", status, 0);
    return failures != 0;
}

/* A program started by the user is the user's. */
static int heir(void)
{
    expect("the heir: setuid: root", setuid(UID_ROOT), -EPERM);
    return failures != 0;
}

int main(int argc, const char *argv[])
{
    const char *role = argc > 1 ? argv[1] : "root";
    if (!strcmp(role, "asleep"))
        sleep(SLEEP_FOREVER);
    if (!strcmp(role, "heir"))
        return heir();
    if (!strcmp(role, "user"))
        return user((int)to_number(argv[2]));

    char me[16];
    int status = -1;
    say_registration("root");
    expect("setuid: root is root", setuid(UID_ROOT), 0);
    snprintf(me, sizeof me, "%d", getpid());
    int pid = spawn("credentials", (const char *const[]){"credentials", "user", me, 0});
    expect("wait for the user", wait(pid, &status) == pid, 1);
    expect("its status", status, 0);
    say("%d wrong", failures);
    return failures != 0;
}
