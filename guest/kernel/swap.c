/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slots of the swap area: given out next-fit, counted, read and written. */
#include "swap.h"
#include "disk.h"
#include "frame.h"
#include "proc.h"
#include "vm.h"

enum { SECTORS_PER_PAGE = PAGE_SIZE / 512, MARK_OFFSET = PAGE_SIZE - 10, SLOTS_MAX = 1 << 16 };

struct slot {
    uint16_t references;            /* 0: free */
    bool is_written;                /* a write is on its way */
};

static struct slot *slots;          /* slots[0] is never given out */
static uint64_t slot_count;         /* with slot 0 */
static uint64_t free_slots;
static uint64_t next_slot = 1;
static bool may_have_copies;        /* some frame may hold a slot that nobody else needs */

static bool may_be_used(const uint8_t *first_page)
{
    if (!memcmp(first_page + MARK_OFFSET, "SWAPSPACE2", 10))
        return true;
    for (uint64_t i = 0; i < PAGE_SIZE; i++)
        if (first_page[i])
            return false;
    return true;
}

void swap_init(void)
{
    uint64_t count = disk_sectors() / SECTORS_PER_PAGE;
    if (count < 2)
        return;
    if (count > SLOTS_MAX)
        count = SLOTS_MAX;
    uint64_t page = frame_alloc(FRAME_KERNEL, 0, GFP_KERNEL);
    if (!page)
        panic("no memory to look at the disk");
    int error = disk_read(0, page, PAGE_SIZE);
    bool usable = !error && may_be_used(direct_map(page));
    frame_free(page);
    if (!usable) {
        printk("0: swap: the disk is not used: %s\n",
               error ? "its first page cannot be read" : "it holds something (a blank disk, or mkswap's, would do)");
        return;
    }
    uint64_t table = frames_alloc(FRAME_KERNEL, 0, GFP_KERNEL | GFP_ZERO, order_for(count * sizeof(struct slot)));
    if (!table) {
        printk("0: swap: the disk is not used: no memory for its table\n");
        return;
    }
    slots = direct_map(table);
    slot_count = count;
    free_slots = count - 1;
}

uint64_t swap_slots(void) { return slot_count ? slot_count - 1 : 0; }
uint64_t swap_slots_free(void) { return free_slots; }
bool swap_has_room(void) { return free_slots || may_have_copies; }
uint64_t slot_references(uint64_t slot) { return slots[slot].references; }

/* The swap area is full: frames that keep a copy there can do without, at the price of writing it again one day. */
static void take_back_copies(void)
{
    may_have_copies = false;
    for (uint64_t n = 0; n < frame_count; n++) {
        struct frame *frame = &frames[n];
        bool has_copy = frame->owner == FRAME_USER || frame->owner == FRAME_FILE || frame->owner == FRAME_UKSHM;
        if (!has_copy || !frame->slot || slots[frame->slot].references > 1)
            continue;
        if (frame->flags & FRAME_LOCKED) {
            may_have_copies = true;
            continue;
        }
        slot_put(frame->slot);
        frame->slot = 0;
        frame->flags |= FRAME_DIRTY;
    }
}

uint64_t slot_alloc(void)
{
    if (!free_slots && may_have_copies)
        take_back_copies();
    for (uint64_t looked = 0; free_slots && looked < slot_count; looked++) {
        uint64_t slot = next_slot;
        next_slot = slot + 1 < slot_count ? slot + 1 : 1;
        if (slots[slot].references)
            continue;
        slots[slot].references = 1;
        free_slots--;
        return slot;
    }
    return 0;
}

void slot_get(uint64_t slot)
{
    slots[slot].references++;
}

void slot_put(uint64_t slot)
{
    if (!slots[slot].references)
        panic("swap slot %lu is given back twice", slot);
    if (!--slots[slot].references)
        free_slots++;
    may_have_copies |= slots[slot].references == 1;
}

bool swap_wait(uint64_t slot)
{
    if (!slots[slot].is_written)
        return false;
    sleep_on(&slots[slot]);
    return true;
}

int swap_read(uint64_t slot, uint64_t physical)
{
    int error = disk_read(slot * SECTORS_PER_PAGE, physical, PAGE_SIZE);
    may_have_copies = true;
    return error;
}

int swap_write(uint64_t slot, uint64_t physical)
{
    slots[slot].is_written = true;
    int error = disk_write(slot * SECTORS_PER_PAGE, physical, PAGE_SIZE);
    slots[slot].is_written = false;
    wake_up(&slots[slot]);
    return error;
}
