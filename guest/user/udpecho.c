/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 862: what comes to UDP port 7 goes back to where it came from. Ends with the network, or after as many as it is told. */
#include "ulib.h"

enum { PORT_ECHO = 7, DATAGRAM_MAX = 1472 };

static void tell(const struct socket_address *from, long length)
{
    say("%ld bytes from %u.%u.%u.%u port %u", length, from->address >> 24, from->address >> 16 & 255,
        from->address >> 8 & 255, from->address & 255, from->port);
}

int main(int argc, char **argv)
{
    static char bytes[DATAGRAM_MAX];
    unsigned long wanted = argc > 1 ? to_number(argv[1]) : ~0ul;
    int echo = socket();
    if (echo < 0)
        fail("no socket: error %d", echo);
    int error = bind(echo, PORT_ECHO);
    if (error)
        fail("port %d: error %d", PORT_ECHO, error);
    say("echo on port %d", PORT_ECHO);
    for (unsigned long count = 0; count < wanted; count++) {
        struct socket_address from;
        long length = recvfrom(echo, bytes, sizeof bytes, &from, SLEEP_FOREVER);
        if (length == -ENETDOWN)
            break;
        if (length < 0)
            fail("recvfrom: error %ld", length);
        tell(&from, length);
        sendto(echo, bytes, (size_t)length, from.address, from.port);
    }
    return 0;
}
