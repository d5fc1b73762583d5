/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver of a virtio block device. A request is a chain of three descriptors: what to do, the data, and a byte
 * for the outcome. Each request of the table owns three descriptors of the queue for ever.
 */
#include "disk.h"
#include "cpu.h"
#include "irq.h"
#include "proc.h"
#include "trace.h"
#include "virtio.h"
#include "vm.h"

enum { REQUESTS = 16, CHAIN = 3, QUEUE = 0, CONFIG_CAPACITY = 0 };
enum block_type { BLOCK_READ = 0, BLOCK_WRITE = 1 };
enum block_status { BLOCK_OK = 0, BLOCK_PENDING = 0xff };

_Static_assert(REQUESTS * CHAIN <= VIRTQ_SIZE, "each request needs descriptors of its own");

enum request_state { REQUEST_FREE, REQUEST_UNDER_WAY, REQUEST_DONE };

struct request {
    struct { uint32_t type, reserved; uint64_t sector; } header;    /* as the device reads it */
    volatile uint8_t status;                                        /* as the device writes it */
    volatile enum request_state state;
    int error;
    uint64_t frame_number;
};

static struct virtio device;
static struct virtqueue queue;
static struct request requests[REQUESTS];
static uint64_t sectors;

/* Who comes first is served first, also when the table is full: the turn goes from one number to the next. */
static uint64_t numbers_given;
static uint64_t number_served;

uint64_t disk_sectors(void) { return sectors; }

static void finish(struct request *request, int error)
{
    request->error = error;
    request->state = REQUEST_DONE;
    trace_disk_done(request->header.type == BLOCK_WRITE, request->header.sector, request->frame_number, error);
    wake_up(request);
}

/* The device lost its way. There is no disk from now on, and what was under way has failed. */
static void give_up(void)
{
    printk("0: the disk asked for a reset: it is not used any more\n");
    virtio_reset(&device);
    sectors = 0;
    for (int i = 0; i < REQUESTS; i++)
        if (requests[i].state == REQUEST_UNDER_WAY)
            finish(&requests[i], -EIO);
}

static void disk_interrupt(void)
{
    uint32_t head, written;
    virtio_acknowledge(&device);    /* first: what is used from here on interrupts again */
    while (virtqueue_take(&queue, &head, &written)) {
        struct request *request = &requests[head / CHAIN % REQUESTS];
        if (request->state == REQUEST_UNDER_WAY)
            finish(request, request->status == BLOCK_OK ? 0 : -EIO);
    }
    if (sectors && virtio_needs_reset(&device))
        give_up();
}

void disk_init(void)
{
    if (!virtio_find(&device, VIRTIO_BLOCK))
        return;
    if (virtio_begin(&device, 0) || virtio_queue_init(&device, QUEUE, &queue)) {
        printk("0: there is a disk, but no agreement with it: it is not used\n");
        return;
    }
    irq_register(device.irq, disk_interrupt);
    virtio_ready(&device);
    sectors = virtio_config(&device, CONFIG_CAPACITY);
}

/* The idle process has nobody to give the CPU to before the first process is there: it waits on the spot. */
static void wait_on(const void *channel)
{
    if (current->pid == PID_IDLE)
        wait_for_interrupt();
    else
        sleep_on(channel);
}

static struct request *free_request(void)
{
    for (int i = 0; i < REQUESTS; i++)
        if (requests[i].state == REQUEST_FREE)
            return &requests[i];
    return 0;
}

static struct request *wait_for_turn(void)
{
    struct request *request;
    uint64_t number = numbers_given++;
    while (number != number_served || !(request = free_request()))
        wait_on(&number_served);
    number_served++;
    wake_up(&number_served);
    return request;
}

static void submit(struct request *request, enum block_type type, uint64_t sector, uint64_t physical, uint64_t bytes)
{
    uint16_t head = (uint16_t)((request - requests) * CHAIN);
    struct descriptor *chain = &queue.descriptors[head];
    request->header.type = type;
    request->header.sector = sector;
    request->status = BLOCK_PENDING;
    request->state = REQUEST_UNDER_WAY;
    request->frame_number = physical / PAGE_SIZE;
    chain[0] = (struct descriptor){
        image_physical(&request->header), sizeof request->header, DESCRIPTOR_NEXT, (uint16_t)(head + 1),
    };
    chain[1] = (struct descriptor){
        physical, (uint32_t)bytes, DESCRIPTOR_NEXT | (type == BLOCK_READ ? DESCRIPTOR_WRITE : 0), (uint16_t)(head + 2),
    };
    chain[2] = (struct descriptor){image_physical(&request->status), 1, DESCRIPTOR_WRITE, 0};
    trace_disk_request(type == BLOCK_WRITE, sector, request->frame_number);
    virtqueue_publish(&device, QUEUE, &queue, head);
}

static int transfer(enum block_type type, uint64_t sector, uint64_t physical, uint64_t bytes)
{
    uint64_t count = bytes / SECTOR_SIZE;
    if (!count || bytes % SECTOR_SIZE || bytes > DISK_MOST_BYTES)
        return -EIO;
    struct request *request = wait_for_turn();
    int error = -EIO;
    /* Asked only now: the disk may have gone while others were served. */
    if (count <= sectors && sector <= sectors - count) {
        submit(request, type, sector, physical, bytes);
        while (request->state != REQUEST_DONE)
            wait_on(request);
        error = request->error;
    }
    request->state = REQUEST_FREE;
    wake_up(&number_served);
    return error;
}

OBSERVABLE int disk_read(uint64_t sector, uint64_t physical, uint64_t bytes)
{
    return transfer(BLOCK_READ, sector, physical, bytes);
}

OBSERVABLE int disk_write(uint64_t sector, uint64_t physical, uint64_t bytes)
{
    return transfer(BLOCK_WRITE, sector, physical, bytes);
}
