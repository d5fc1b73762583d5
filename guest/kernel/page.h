/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pages of processes: what an entry of the user half can say, and who has which frame.
 *
 *   63 XD                 12 frame         10   9   8 .. 3    2    1   0
 *  | XD | physical address of the frame | ... | G ... A D | U/S | R/W | 1 |   present
 *  |      physical address of the frame | 0 1 |                       | 0 |   PTE_HELD: PROT_NONE keeps its frame
 *  |      slot of the swap area         | 1 0 |                       | 0 |   PTE_SWAPPED
 *  |      0                                                             0 |   nothing yet: the area says what comes
 */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include "frame.h"
#include "vm.h"

static const uint64_t PTE_HELD = 1 << 9;
static const uint64_t PTE_SWAPPED = 1 << 10;

struct proc;
struct area;

static inline bool has_frame(uint64_t entry) { return entry & (PTE_P | PTE_HELD); }
static inline bool is_swapped(uint64_t entry) { return !has_frame(entry) && entry & PTE_SWAPPED; }
static inline uint64_t slot_of(uint64_t entry) { return entry >> 12; }
static inline uint64_t swapped_entry(uint64_t slot) { return slot << 12 | PTE_SWAPPED; }

/* The bits of a user page's entry. */
uint64_t page_rights(enum protection protection);

/* Puts a frame behind an entry that holds none, and counts the mapping. */
void page_map(uint64_t *entry, uint64_t physical, enum protection protection);

/* Takes away what an entry stands for; the last mapping of an anonymous frame frees it. The TLB is the caller's. */
void page_drop(uint64_t *entry);

/* Gives back a frame that nothing maps any more, and the slot that has its bytes. */
void page_free(uint64_t physical);

/* A range of a process, TLB included. The frames of page_forget_range are somebody else's and stay as they are. */
void page_unmap_range(struct proc *proc, uint64_t start, uint64_t end);
void page_forget_range(struct proc *proc, uint64_t start, uint64_t end);
void page_protect_range(struct proc *proc, uint64_t start, uint64_t end, enum protection protection);

/* fork: the child gets what the parent has; both may only read it until one of them writes. 0, or -ENOMEM. */
int page_share_range(struct proc *child, struct proc *parent, uint64_t start, uint64_t end);

/* The most pages that memory and swap area could ever hold: no single request may be larger. */
uint64_t most_pages(void);

/*
 * Who maps a frame? It is searched, not noted: an anonymous page has one address in all processes that share it
 * since a fork, and a page of an object is where an area of that object says.
 *   struct place place = {0};
 *   while (next_place(frame, &place)) ...place.entry may or may not map it...
 */
struct place {
    struct proc *proc;
    uint64_t linear;
    uint64_t *entry;
    int next_proc, next_area;
};
bool next_place(const struct frame *frame, struct place *place);

#endif
