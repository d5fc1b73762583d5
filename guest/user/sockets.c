/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every answer that the calls for sockets have, by talking to nobody but this machine itself. */
#include "ulib.h"

static const uint32_t OURS = 0x0a000001, NOBODY = 0x7f000001;
enum { LONGEST = 1472, QUEUE_MAX = 16 };

static char out[LONGEST + 1], in[LONGEST + 1];

static void names_and_numbers(int socket_file, int file)
{
    say("bind, sendto, recvfrom of no descriptor: %d %ld %ld", bind(9, 2000), sendto(9, out, 1, OURS, 7),
        recvfrom(9, in, 1, 0, 0));
    say("of a file: %d %ld %ld", bind(file, 2000), sendto(file, out, 1, OURS, 7), recvfrom(file, in, 1, 0, 0));
    say("read and write of a socket: %ld %ld", read(socket_file, in, 1), write(socket_file, out, 1));
    say("ports 0 and 65536: %d %d", bind(socket_file, 0), bind(socket_file, 65536));
    say("port 2000, twice: %d %d", bind(socket_file, 2000), bind(socket_file, 2001));
}

static void what_cannot_be_sent(int from)
{
    say("too long: %ld", sendto(from, out, LONGEST + 1, OURS, 2000));
    say("to port 0: %ld", sendto(from, out, 1, OURS, 0));
    say("from nowhere: %ld", sendto(from, (void *)8, 1, OURS, 2000));
    say("to where nothing leads: %ld", sendto(from, out, 1, NOBODY, 2000));
}

static void exchange(int from, int to, size_t length)
{
    struct socket_address sender = {0};
    memset(in, 0, sizeof in);
    long sent = sendto(from, out, length, OURS, 2000), came = recvfrom(to, in, sizeof in, &sender, 0);
    say("%lu bytes: sent %ld, came %ld, %s, from 0x%x port %u", length, sent, came,
        memcmp(in, out, length) ? "others" : "the same", sender.address, sender.port);
}

static void waiting(int socket_file)
{
    say("nothing there: %ld, after 5 ticks %ld", recvfrom(socket_file, in, 1, 0, 0), recvfrom(socket_file, in, 1, 0, 5));
    int child = fork();
    if (!child) {
        sleep(3);
        sendto(socket_file, out, 4, OURS, 2000);
        exit(0);
    }
    say("waited for: %ld", recvfrom(socket_file, in, sizeof in, 0, 1000));
    wait(child, 0);
}

static void bad_news(int from)
{
    long sent = sendto(from, out, 1, OURS, 3000);
    say("to a closed port: sent %ld, then %ld, then %ld", sent, recvfrom(from, in, 1, 0, 0), recvfrom(from, in, 1, 0, 0));
}

static void full_queue(int from, int to)
{
    int count = 0;
    for (int i = 0; i < QUEUE_MAX + 4; i++)
        sendto(from, &i, sizeof i, OURS, 2000);
    while (recvfrom(to, in, sizeof in, 0, 0) >= 0)
        count++;
    say("of %d datagrams %d found room", QUEUE_MAX + 4, count);
}

static void cut_and_wild(int from, int to)
{
    sendto(from, out, 100, OURS, 2000);
    say("into 10 bytes: %ld, the rest: %ld", recvfrom(to, in, 10, 0, 0), recvfrom(to, in, 100, 0, 0));
    sendto(from, out, 100, OURS, 2000);
    say("to nowhere: %ld, then %ld", recvfrom(to, (void *)8, 100, 0, 0), recvfrom(to, in, 100, 0, 0));
}

static void as_the_user(void)
{
    int child = fork();
    if (!child) {
        setuid(UID_USER);
        int s = socket();
        say("a user: port 53 %d, port 5353 %d", bind(s, 53), bind(s, 5353));
        exit(0);
    }
    wait(child, 0);
}

static void many(void)
{
    int last, count = 0;
    while ((last = socket()) >= 0)
        count++;
    say("%d more sockets, then %d", count, last);
}

int main(void)
{
    int to = socket(), from = socket(), file = open("hello", O_RDONLY), other = socket();
    if (to < 0)
        fail("no socket: error %d", to);
    for (int i = 0; i < LONGEST; i++)
        out[i] = (char)(i * 7 + 1);
    names_and_numbers(to, file);
    say("port 2000 of another: %d", bind(other, 2000));
    what_cannot_be_sent(from);
    exchange(from, to, 0);
    exchange(from, to, 1);
    exchange(from, to, LONGEST);
    waiting(to);
    bad_news(from);
    cut_and_wild(from, to);
    full_queue(from, to);
    as_the_user();
    sendto(from, out, 1, OURS, 2000);
    say("closed with one waiting: %d", close(to));
    say("port 2000 again: %d", bind(other, 2000));
    many();
    return 0;
}
