/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "route.h"

static const uint32_t LIMITED_BROADCAST = 0xffffffff;

bool route_is_local(uint32_t address)
{
    for (int i = INTERFACE_ETH0; i < INTERFACES; i++)
        if (net_devices[i].card && net_devices[i].address == address)
            return true;
    return false;
}

static bool is_on_link(const struct net_device *device, uint32_t address)
{
    return device->card && !((address ^ device->address) & device->mask);
}

bool route_is_broadcast(uint32_t address)
{
    for (int i = INTERFACE_ETH0; i < INTERFACES; i++)
        if (is_on_link(&net_devices[i], address) && (address | net_devices[i].mask) == LIMITED_BROADCAST)
            return true;
    return address == LIMITED_BROADCAST;
}

/* 0/8 is nobody yet, 127/8 is inside a machine, from 224 on it is many. */
bool route_is_source(uint32_t address)
{
    uint32_t first = address >> 24;
    return first && first != 127 && first < 224 && !route_is_local(address) && !route_is_broadcast(address);
}

void route_through(struct packet *packet, struct net_device *out, uint32_t destination)
{
    packet->out = out;
    packet->next_hop = is_on_link(out, destination) || !out->gateway ? destination : out->gateway;
}

bool route_find(struct packet *packet, uint32_t destination)
{
    struct net_device *way = 0;
    uint32_t first = destination >> 24;
    if (!first || first == 127 || (first >= 224 && !route_is_broadcast(destination)))
        return false;
    for (int i = INTERFACE_ETH0; i < INTERFACES; i++) {
        struct net_device *device = &net_devices[i];
        if (is_on_link(device, destination)) {
            way = device;
            break;
        }
        if (device->card && device->gateway)
            way = device;
    }
    if (way)
        route_through(packet, way, destination);
    return way;
}
