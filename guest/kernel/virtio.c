/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The transport: eight slots of registers in one page, and split virtqueues. Stores of this CPU are seen in program
 * order, also by a device, so a barrier need only keep the compiler from moving them.
 */
#include "virtio.h"
#include "vm.h"

enum { SLOTS = 8, SLOT_BYTES = 0x200, FIRST_IRQ = 5, MAGIC = 0x74726976, VERSION = 2 };

enum {
    MAGIC_VALUE = 0x000, DEVICE_VERSION = 0x004, DEVICE_ID = 0x008, DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SELECT = 0x014, DRIVER_FEATURES = 0x020, DRIVER_FEATURES_SELECT = 0x024, QUEUE_SELECT = 0x030,
    QUEUE_SIZE_MAX = 0x034, QUEUE_SIZE = 0x038, QUEUE_READY = 0x044, QUEUE_NOTIFY = 0x050, INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACKNOWLEDGE = 0x064, STATUS = 0x070, QUEUE_DESCRIPTORS = 0x080, QUEUE_AVAILABLE = 0x090,
    QUEUE_USED = 0x0a0, CONFIG_GENERATION = 0x0fc, CONFIG = 0x100,
};

enum {
    STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8,
    STATUS_NEEDS_RESET = 64, STATUS_FAILED = 128,
};

static const uint64_t FEATURE_VERSION_1 = 1ull << 32;

static inline void barrier(void) { __asm__ volatile("" : : : "memory"); }

static uint32_t get(const struct virtio *device, uint32_t offset)
{
    return *(volatile uint32_t *)(device->registers + offset);
}

static void set(struct virtio *device, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(device->registers + offset) = value;
}

static void set_address(struct virtio *device, uint32_t offset, const volatile void *area)
{
    uint64_t at = (uint64_t)area, physical = at < KERNEL_BASE ? at - DIRECT_MAP : at - KERNEL_BASE;
    set(device, offset, (uint32_t)physical);
    set(device, offset + 4, (uint32_t)(physical >> 32));
}

static void add_status(struct virtio *device, uint32_t bits) { set(device, STATUS, get(device, STATUS) | bits); }

bool virtio_at(struct virtio *device, int slot, enum virtio_id id)
{
    *device = (struct virtio){.registers = VIRTIO_SLOTS + (uint64_t)slot * SLOT_BYTES, .irq = FIRST_IRQ + slot};
    return get(device, MAGIC_VALUE) == MAGIC && get(device, DEVICE_VERSION) == VERSION && get(device, DEVICE_ID) == id;
}

bool virtio_find(struct virtio *device, enum virtio_id id)
{
    for (int slot = 0; slot < SLOTS; slot++)
        if (virtio_at(device, slot, id))
            return true;
    *device = (struct virtio){0};
    return false;
}

static int give_up(struct virtio *device)
{
    add_status(device, STATUS_FAILED);
    return -EIO;
}

int virtio_begin(struct virtio *device, uint64_t wanted_features)
{
    uint64_t wanted = wanted_features | FEATURE_VERSION_1;
    virtio_reset(device);
    add_status(device, STATUS_ACKNOWLEDGE);
    add_status(device, STATUS_DRIVER);
    for (uint32_t word = 0; word < 2; word++) {
        set(device, DEVICE_FEATURES_SELECT, word);
        set(device, DRIVER_FEATURES_SELECT, word);
        uint32_t agreed = get(device, DEVICE_FEATURES) & (uint32_t)(wanted >> 32 * word);
        set(device, DRIVER_FEATURES, agreed);
        device->features |= (uint64_t)agreed << 32 * word;
    }
    add_status(device, STATUS_FEATURES_OK);
    return get(device, STATUS) & STATUS_FEATURES_OK ? 0 : give_up(device);
}

int virtio_queue_init(struct virtio *device, uint32_t number, struct virtqueue *queue)
{
    set(device, QUEUE_SELECT, number);
    if (get(device, QUEUE_SIZE_MAX) < VIRTQ_SIZE)
        return give_up(device);
    memset(queue, 0, sizeof *queue);
    set(device, QUEUE_SIZE, VIRTQ_SIZE);
    set_address(device, QUEUE_DESCRIPTORS, queue->descriptors);
    set_address(device, QUEUE_AVAILABLE, &queue->available);
    set_address(device, QUEUE_USED, &queue->used);
    set(device, QUEUE_READY, 1);
    return get(device, QUEUE_READY) == 1 ? 0 : give_up(device);
}

void virtio_ready(struct virtio *device) { add_status(device, STATUS_DRIVER_OK); }

void virtio_reset(struct virtio *device)
{
    set(device, STATUS, 0);
    while (get(device, STATUS) != 0) {}
}

bool virtio_needs_reset(const struct virtio *device) { return get(device, STATUS) & STATUS_NEEDS_RESET; }

uint32_t virtio_acknowledge(struct virtio *device)
{
    uint32_t causes = get(device, INTERRUPT_STATUS);
    set(device, INTERRUPT_ACKNOWLEDGE, causes);
    return causes;
}

/* Two halves: the generation tells if the device changed them in between. */
uint64_t virtio_config(const struct virtio *device, uint32_t offset)
{
    uint32_t before;
    uint64_t value;
    do {
        before = get(device, CONFIG_GENERATION);
        value = get(device, CONFIG + offset) | (uint64_t)get(device, CONFIG + offset + 4) << 32;
    } while (get(device, CONFIG_GENERATION) != before);
    return value;
}

void virtqueue_offer(struct virtqueue *queue, uint16_t head)
{
    queue->available.ring[queue->available.index % VIRTQ_SIZE] = head;
    barrier();                      /* the index says that all before it is there */
    queue->available.index++;
    barrier();
}

void virtio_notify(struct virtio *device, uint32_t number) { set(device, QUEUE_NOTIFY, number); }

void virtqueue_publish(struct virtio *device, uint32_t number, struct virtqueue *queue, uint16_t head)
{
    virtqueue_offer(queue, head);
    virtio_notify(device, number);
}

bool virtqueue_take(struct virtqueue *queue, uint32_t *head, uint32_t *written)
{
    if (queue->taken == queue->used.index)
        return false;
    barrier();                      /* what the index promised is read only now */
    *head = queue->used.ring[queue->taken % VIRTQ_SIZE].head;
    *written = queue->used.ring[queue->taken % VIRTQ_SIZE].length;
    queue->taken++;
    return true;
}
