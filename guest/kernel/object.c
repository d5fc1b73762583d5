/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory objects: one list of them, each with a table of its pages. */
#include "object.h"
#include "frame.h"
#include "page.h"
#include "proc.h"
#include "slab.h"
#include "swap.h"

struct object *objects;

static struct object *object_create(const struct file *file, uint64_t pages)
{
    unsigned order = order_for(pages * sizeof(uint64_t));
    struct object *object = kmalloc(sizeof *object, GFP_KERNEL);
    if (!object)
        return 0;
    uint64_t table = frames_alloc(FRAME_KERNEL, 0, GFP_KERNEL | GFP_ZERO, order);
    if (!table) {
        kfree(object);
        return 0;
    }
    *object = (struct object){
        .page_count = pages, .pages = direct_map(table), .table = table, .order = order, .references = 1,
        .next = objects,
    };
    if (file)
        object->file = *file;
    objects = object;
    return object;
}

static struct object *find(const struct file *file)
{
    for (struct object *object = objects; object; object = object->next)
        if (object->file.bytes == file->bytes)
            return object;
    return 0;
}

struct object *object_of_file(const struct file *file)
{
    struct object *object = find(file);
    if (object) {
        object->references++;
        return object;
    }
    object = object_create(file, (file->length + PAGE_SIZE - 1) / PAGE_SIZE);
    /* Making it may have slept: if somebody else made one meanwhile, two objects of one file do no harm. */
    return object;
}

struct object *object_of_memory(uint64_t pages)
{
    return object_create(0, pages);
}

void object_get(struct object *object)
{
    object->references++;
}

static void drop_page(uint64_t entry)
{
    if (is_swapped(entry))
        slot_put(slot_of(entry));
    if (has_frame(entry))
        page_free(entry & PTE_ADDRESS);
}

void object_put(struct object *object)
{
    if (--object->references)
        return;
    struct object **link = &objects;
    while (*link != object)
        link = &(*link)->next;
    *link = object->next;
    for (uint64_t i = 0; i < object->page_count; i++)
        drop_page(object->pages[i]);
    frames_free(object->table, object->order);
    kfree(object);
}

static int fill(struct object *object, uint64_t index, uint64_t physical, uint64_t entry)
{
    if (is_swapped(entry))
        return swap_read(slot_of(entry), physical);
    uint8_t *to = direct_map(physical);
    uint64_t done = 0;
    if (object->file.bytes) {
        uint64_t from = index * PAGE_SIZE;
        done = object->file.length - from < PAGE_SIZE ? object->file.length - from : PAGE_SIZE;
        memcpy(to, object->file.bytes + from, done);
    }
    memset(to + done, 0, PAGE_SIZE - done);
    return 0;
}

uint64_t object_page(struct object *object, uint64_t index, int pid, int *error)
{
    for (;;) {
        uint64_t old = object->pages[index];
        if (has_frame(old)) {
            struct frame *frame = frame_of(old & PTE_ADDRESS);
            if (!(frame->flags & FRAME_LOCKED))
                return old & PTE_ADDRESS;
            sleep_on(frame);        /* somebody else brings it in */
            continue;
        }
        if (is_swapped(old) && swap_wait(slot_of(old)))
            continue;
        uint64_t physical = frame_alloc(FRAME_FILE, pid, GFP_KERNEL);
        *error = -ENOMEM;
        if (!physical)
            return 0;
        if (object->pages[index] != old) {
            frame_free(physical);   /* it slept, and the page came meanwhile */
            continue;
        }
        struct frame *frame = frame_of(physical);
        frame->object = object;
        frame->index = index;
        frame->slot = is_swapped(old) ? (uint32_t)slot_of(old) : 0;
        frame->flags |= FRAME_LOCKED;
        object->pages[index] = physical | PTE_P;
        *error = fill(object, index, physical, old);
        frame->flags &= ~FRAME_LOCKED;
        wake_up(frame);
        if (!*error)
            return physical;
        object->pages[index] = old;
        frame_free(physical);
        return 0;
    }
}
