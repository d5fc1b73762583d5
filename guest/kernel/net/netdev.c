/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of cards: which slot and which addresses belong to which name. */
#include "netdev.h"
#include "arp.h"
#include "nat.h"
#include "socket.h"
#include "virtio_net.h"
#include "../proc.h"

enum { ETH0_SLOT = 1, ETH1_SLOT = 2 };

struct net_device net_devices[INTERFACES] = {
    [INTERFACE_ETH0] = {.number = INTERFACE_ETH0, .name = "eth0", .address = 0x0a000001, .mask = 0xffffff00},
    [INTERFACE_ETH1] = {.number = INTERFACE_ETH1, .name = "eth1", .address = 0xc0000201, .mask = 0xffffff00,
                        .gateway = 0xc00002fe},
};

static bool is_started;

void net_init(void)
{
    bool eth0 = virtio_net_find(&net_devices[INTERFACE_ETH0], ETH0_SLOT);
    bool eth1 = virtio_net_find(&net_devices[INTERFACE_ETH1], ETH1_SLOT);
    if (eth0 || eth1) {
        packet_init();
        nat_init();
    }
}

void net_start(void)
{
    for (int i = INTERFACE_ETH0; i < INTERFACES; i++)
        if (net_devices[i].card) {
            virtio_net_start(&net_devices[i]);
            is_started = true;
        }
}

void net_stop(void)
{
    if (!is_started)
        return;
    is_started = false;
    for (int i = INTERFACE_ETH0; i < INTERFACES; i++)
        if (net_devices[i].card)
            virtio_net_stop(&net_devices[i]);
    arp_forget();
    packet_pool_drain();
}

void net_tick(void)
{
    if (is_started)
        arp_tick();
}

struct net_device *net_device(unsigned number)
{
    return number < INTERFACES && net_devices[number].card ? &net_devices[number] : 0;
}

bool net_is_over(void)
{
    for (int i = INTERFACE_ETH0; i < INTERFACES; i++)
        if (net_devices[i].card && net_devices[i].link_up)
            return false;
    return !packet_statistics.in_flight;
}

int net_wait_until_over(void)
{
    while (!net_is_over())
        if (!sleep_on_interruptible(net_devices))
            return -EINTR;
    return 0;
}

void net_look_if_over(void)
{
    if (!net_is_over())
        return;
    wake_up(net_devices);
    socket_wake_all();
}
