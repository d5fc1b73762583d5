/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The swap area: slots of one page each on the disk. Slot 0 is the disk's first page, which is only looked at: a
 * disk that holds anything but a blank there, or mkswap's mark, is not written to.
 *
 * A slot is counted once for each entry that stands for it, and once for a frame that has the same bytes in memory
 * (frame->slot): such a frame, unless it was written to since, can be dropped without writing it again.
 */
#ifndef KERNEL_SWAP_H
#define KERNEL_SWAP_H

#include "kernel.h"

void swap_init(void);               /* after disk_init */
uint64_t swap_slots(void);          /* how many there are; 0 without a swap area */
uint64_t swap_slots_free(void);
bool swap_has_room(void);           /* it is worth asking for a slot */

uint64_t slot_alloc(void);          /* a slot, counted once; 0: the swap area is full, or there is none */
void slot_get(uint64_t slot);
void slot_put(uint64_t slot);
uint64_t slot_references(uint64_t slot);

/*
 * Sleeps while the slot is written. true: it slept, and whoever pointed at the slot must look again, for if the disk
 * refused, the page is back in its frame.
 */
bool swap_wait(uint64_t slot);

/* Both sleep. Before a read: swap_wait. 0, or -EIO. */
int swap_read(uint64_t slot, uint64_t physical);
int swap_write(uint64_t slot, uint64_t physical);

#endif
