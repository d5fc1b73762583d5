/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "socket.h"
#include "ethernet.h"
#include "ipv4.h"
#include "udp.h"
#include "../file.h"
#include "../proc.h"
#include "../slab.h"
#include "../timer.h"
#include "../user_memory.h"

enum { QUEUE_MAX = 16, PORT_PRIVILEGED = 1024, PORT_FIRST = 32768, PORT_LAST = 60999, PORT_MOST = 65535 };
enum { DATAGRAM_MAX = ETHERNET_MTU - IP_HEADER - UDP_HEADER };

static struct udp_socket *sockets;
static uint16_t last_port = PORT_LAST;

struct udp_socket *socket_of_port(uint16_t port)
{
    struct udp_socket *socket = sockets;
    while (socket && (socket->port != port || !port))
        socket = socket->next;
    return socket;
}

/* ---- datagrams that come ---- */

bool socket_deliver(struct udp_socket *socket, struct packet *packet)
{
    if (socket->count == QUEUE_MAX)
        return false;
    packet->next = 0;
    if (socket->last)
        socket->last->next = packet;
    else
        socket->first = packet;
    socket->last = packet;
    socket->count++;
    packet_end(packet, PACKET_DELIVERED);
    wake_up(socket);
    return true;
}

void socket_fail(struct udp_socket *socket, int error)
{
    socket->error = error;
    wake_up(socket);
}

void socket_wake_all(void)
{
    for (struct udp_socket *socket = sockets; socket; socket = socket->next)
        wake_up(socket);
}

static struct packet *take(struct udp_socket *socket)
{
    struct packet *packet = socket->first;
    if (!packet)
        return 0;
    socket->first = packet->next;
    if (!socket->first)
        socket->last = 0;
    socket->count--;
    return packet;
}

/* ---- life ---- */

struct udp_socket *socket_create(void)
{
    struct udp_socket *socket = kmalloc(sizeof *socket, GFP_KERNEL);
    if (!socket)
        return 0;
    *socket = (struct udp_socket){.next = sockets};
    sockets = socket;
    return socket;
}

void socket_destroy(struct udp_socket *socket)
{
    struct udp_socket **link = &sockets;
    while (*link != socket)
        link = &(*link)->next;
    *link = socket->next;
    for (struct packet *packet; (packet = take(socket));)
        packet_free(packet);
    kfree(socket);
}

/* ---- system calls ---- */

int socket_open(void)
{
    if (!net_device(INTERFACE_ETH0) && !net_device(INTERFACE_ETH1))
        return -ENETDOWN;
    struct udp_socket *socket = socket_create();
    return socket ? file_open_socket(socket) : -ENOMEM;
}

int socket_bind(uint64_t descriptor, uint64_t port)
{
    struct udp_socket *socket;
    int error = file_socket(descriptor, &socket);
    if (error)
        return error;
    if (!port || port > PORT_MOST || socket->port)
        return -EINVAL;
    if (port < PORT_PRIVILEGED && current->uid != UID_ROOT)
        return -EACCES;
    if (socket_of_port((uint16_t)port))
        return -EADDRINUSE;
    socket->port = (uint16_t)port;
    return 0;
}

/* A port that nobody asked for: the next one behind the last that was given. */
static bool bind_any(struct udp_socket *socket)
{
    for (int tries = PORT_FIRST; tries <= PORT_LAST; tries++) {
        last_port = last_port == PORT_LAST ? PORT_FIRST : (uint16_t)(last_port + 1);
        if (!socket_of_port(last_port)) {
            socket->port = last_port;
            return true;
        }
    }
    return false;
}

int64_t socket_send(uint64_t descriptor, uint64_t from, uint64_t length, uint64_t address, uint64_t port)
{
    struct udp_socket *socket;
    int error = file_socket(descriptor, &socket);
    if (error)
        return error;
    if (!port || port > PORT_MOST || address > UINT32_MAX)
        return -EINVAL;
    if (length > DATAGRAM_MAX)
        return -EMSGSIZE;
    if (!socket->port && !bind_any(socket))
        return -EAGAIN;
    struct packet *packet = packet_alloc(GFP_KERNEL);
    if (!packet)
        return -ENOMEM;
    if (copy_from_user(packet_bytes(packet) + IP_HEADER + UDP_HEADER, from, length)) {
        packet_free(packet);
        return -EFAULT;
    }
    error = udp_output(packet, socket->port, (uint32_t)address, (uint16_t)port, (uint32_t)length);
    return error ? error : (int64_t)length;
}

/* Waits until there is one: 0, or why not. */
static int wait_for_datagram(struct udp_socket *socket, uint64_t timeout)
{
    uint64_t deadline = ticks + timeout < ticks ? SLEEP_FOREVER : ticks + timeout;
    while (!socket->first && !socket->error) {
        if (!timeout)
            return -EAGAIN;
        if (ticks >= deadline)
            return -ETIMEDOUT;
        bool for_ever = deadline == SLEEP_FOREVER;
        if (for_ever && net_is_over())
            return -ENETDOWN;
        bool undisturbed = for_ever ? sleep_on_interruptible(socket) : sleep_on_until(socket, deadline);
        if (!undisturbed && !socket->first)
            return -EINTR;
    }
    return 0;
}

int64_t socket_receive(uint64_t descriptor, uint64_t to, uint64_t length, uint64_t sender, uint64_t timeout)
{
    struct udp_socket *socket;
    int error = file_socket(descriptor, &socket);
    if (!error)
        error = wait_for_datagram(socket, timeout);
    if (error)
        return error;
    struct packet *packet = take(socket);
    if (!packet) {                  /* not a datagram came but bad news */
        error = socket->error;
        socket->error = 0;
        return error;
    }
    const uint8_t *ip = packet_bytes(packet), *udp = ip + ip_header_bytes(ip);
    struct socket_address from = {.address = ip_source(ip), .port = get16(udp + UDP_SOURCE)};
    uint64_t there = get16(udp + UDP_LENGTH) - (uint64_t)UDP_HEADER, count = length < there ? length : there;
    bool bad = copy_to_user(to, udp + UDP_HEADER, count) || (sender && copy_to_user(sender, &from, sizeof from));
    packet_free(packet);
    return bad ? -EFAULT : (int64_t)count;
}
