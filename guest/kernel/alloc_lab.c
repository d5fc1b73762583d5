/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One experiment, one function; the table at the end names them. What was seen goes to the console. */
#include "alloc_lab.h"
#include "frame.h"
#include "memory_report.h"
#include "proc.h"
#include "self_check.h"
#include "slab.h"
#include "ukshm_memory.h"
#include "vm.h"

enum { SHARED_BYTES = 1024, LEDGER_SUM = 1000, LEDGER_STEP = 10, LEDGER_FRAMES = 32, OBJECT_BYTES = 200, OBJECTS = 40 };
enum { DEVICE_BYTES = 512, DEVICE_BYTE = 0xd5 };

static const uint64_t DEVICE_LINES = (1 << 24) - 1;     /* the address lines of the old device */

/* ---- words ---- */

static bool read_number(const char **at, uint64_t *value)
{
    const char *first = *at;
    for (*value = 0; **at >= '0' && **at <= '9' && *value < 1 << 30; (*at)++)
        *value = *value * 10 + (uint64_t)(**at - '0');
    return *at != first && *(*at)++ == ' ';
}

static bool read_gfp(const char *at, enum gfp *gfp)
{
    static const struct { const char *name; enum gfp gfp; } NAMES[] = {
        {"WAIT", GFP_WAIT}, {"HIGH", GFP_HIGH}, {"DMA", GFP_DMA}, {"ZERO", GFP_ZERO}, {"KERNEL", GFP_KERNEL},
        {"ATOMIC", GFP_ATOMIC}, {"USER", GFP_USER}, {"UKSHM", GFP_UKSHM},
    };
    for (*gfp = 0;; at++) {
        size_t n = 0, length = 0;
        while (at[length] && at[length] != '|')
            length++;
        while (n < sizeof NAMES / sizeof *NAMES
               && (strlen(NAMES[n].name) != length || strncmp(NAMES[n].name, at, length)))
            n++;
        if (n == sizeof NAMES / sizeof *NAMES)
            return false;
        *gfp |= NAMES[n].gfp;
        at += length;
        if (!*at)
            return true;
    }
}

static const char *zone_name(uint64_t physical)
{
    return zones[physical < ZONE_DMA_END ? ZONE_DMA : ZONE_NORMAL].name;
}

/* Why there is nothing: ukshm_refuse was called meanwhile, or there was no memory. */
static int64_t refusal(const char *what, uint64_t refused_before)
{
    bool was_refused = ukshm_statistics.refused != refused_before;
    printk("%d: %s: %s\n", current->pid, what, was_refused ? "refused, and noted" : "no memory");
    return was_refused ? -EPERM : -ENOMEM;
}

/* ---- what is given to whom ---- */

static int64_t lab_kmalloc(const char *arguments)
{
    uint64_t bytes, refused = ukshm_statistics.refused;
    enum gfp gfp;
    if (!read_number(&arguments, &bytes) || !read_gfp(arguments, &gfp))
        return -EINVAL;
    void *pointer = kmalloc(bytes, gfp);
    if (!pointer)
        return refusal("kmalloc", refused);
    printk("%d: kmalloc: %lu bytes from zone %s\n", current->pid, bytes, zone_name((uint64_t)pointer - DIRECT_MAP));
    kfree(pointer);
    return 0;
}

static int64_t lab_frames(const char *arguments)
{
    uint64_t order, refused = ukshm_statistics.refused;
    enum gfp gfp;
    if (!read_number(&arguments, &order) || !read_gfp(arguments, &gfp))
        return -EINVAL;
    uint64_t physical = frames_alloc(FRAME_KERNEL, current->pid, gfp, (unsigned)order);
    if (!physical)
        return refusal("frames", refused);
    printk("%d: frames: %lu in a row from zone %s\n", current->pid, 1ul << order, zone_name(physical));
    frames_free(physical, (unsigned)order);
    return 0;
}

static uint64_t constructed;

static void construct(void *object)
{
    *(uint64_t *)object = LEDGER_SUM;
    constructed++;
}

/* Takes many objects, and tells how many of them are as the constructor left them. */
static uint64_t take_objects(struct kmem_cache *cache, void **taken)
{
    uint64_t good = 0;
    for (int i = 0; i < OBJECTS; i++) {
        taken[i] = kmem_cache_alloc(cache, GFP_KERNEL);
        good += taken[i] && *(uint64_t *)taken[i] == LEDGER_SUM;
    }
    return good;
}

static void give_objects_back(struct kmem_cache *cache, void *const *taken)
{
    for (int i = 0; i < OBJECTS; i++)
        if (taken[i])
            kmem_cache_free(cache, taken[i]);
}

static int64_t lab_objects(const char *arguments)
{
    static struct kmem_cache *cache;
    void *taken[OBJECTS];
    if (*arguments)
        return -EINVAL;
    if (!cache)
        cache = kmem_cache_create("lab", OBJECT_BYTES, SLAB_KERNEL, construct);
    constructed = 0;
    uint64_t good = take_objects(cache, taken), first = constructed;
    give_objects_back(cache, taken);
    good += take_objects(cache, taken);
    give_objects_back(cache, taken);
    printk("%d: objects: %lu of %d as constructed; the constructor ran %lu times for the first %d, %lu for the next\n",
           current->pid, good, 2 * OBJECTS, first, OBJECTS, constructed - first);
    kmem_cache_shrink(cache);
    return 0;
}

static int64_t lab_free_twice(const char *arguments)
{
    if (*arguments)
        return -EINVAL;
    void *pointer = kmalloc(OBJECT_BYTES, GFP_KERNEL), *other = kmalloc(OBJECT_BYTES, GFP_KERNEL);
    if (!pointer || !other)
        return -ENOMEM;
    kfree(pointer);
    kfree(pointer);
    return 0;
}

/* ---- the wrong doors ---- */

OBSERVABLE static int64_t lab_ukshm(const char *door)
{
    uint64_t refused = ukshm_statistics.refused;
    bool got;
    if (!strcmp(door, "by kmalloc"))
        got = kmalloc(SHARED_BYTES, GFP_UKSHM);
    else if (!strcmp(door, "by frames"))
        got = frame_alloc(FRAME_UKSHM, current->pid, GFP_KERNEL);
    else if (!strcmp(door, "by cache"))
        got = kmem_cache_alloc(ukshm_cache, GFP_KERNEL);
    else
        return -EINVAL;
    if (!got)
        return refusal("memory for sharing, by the wrong door", refused);
    panic("memory for sharing was given away %s", door);
}

/* ---- DMA ---- */

/* A frame more, in front of a chain of them; 0 if there is none. */
static uint64_t take_frame(uint64_t chain, enum gfp gfp)
{
    uint64_t physical = frame_alloc(FRAME_KERNEL, current->pid, gfp);
    if (physical)
        *(uint64_t *)direct_map(physical) = chain;
    return physical;
}

static void give_frames_back(uint64_t chain)
{
    while (chain) {
        uint64_t next = *(uint64_t *)direct_map(chain);
        frame_free(chain);
        chain = next;
    }
}

/* The device puts its lines' worth of the address on the bus; the rest of it nobody sees. */
static int64_t transfer(uint64_t physical)
{
    uint64_t reached = physical & DEVICE_LINES;
    if (reached != physical) {
        printk("%d: damage: the device was given frame %lu and reaches frame %lu, whose owner is: %s\n", current->pid,
               physical / PAGE_SIZE, reached / PAGE_SIZE, frame_owner_name(frame_of(reached)->owner));
        return -EIO;                /* the old device is not there, so nothing was written */
    }
    uint8_t *buffer = (uint8_t *)direct_map(physical) + DEVICE_BYTES;
    memset((uint8_t *)direct_map(reached) + DEVICE_BYTES, DEVICE_BYTE, DEVICE_BYTES);
    bool arrived = buffer[0] == DEVICE_BYTE && buffer[DEVICE_BYTES - 1] == DEVICE_BYTE;
    printk("%d: dma: the buffer is in zone %s; %s\n", current->pid, zone_name(physical),
           arrived ? "what the device wrote is in it" : "what the device wrote is not in it");
    return arrived ? 0 : -EIO;
}

/* So many buffers that, if the zone is not heeded, one of them leads the device to a frame the kernel relies on. */
static int64_t lab_dma(const char *arguments)
{
    uint64_t chain = 0;
    if (strcmp(arguments, "transfer"))
        return -EINVAL;
    for (uint64_t more; (more = take_frame(chain, GFP_KERNEL | GFP_DMA));) {
        chain = more;
        if (frame_of(more & DEVICE_LINES)->owner == FRAME_KERNEL)
            break;
    }
    int64_t result = chain ? transfer(chain) : -ENOMEM;
    give_frames_back(chain);
    return result;
}

/* ---- where nobody may sleep ---- */

static int64_t lab_atomic(const char *arguments)
{
    uint64_t chain = 0, reserve = frame_statistics.from_reserve, sleeps = atomic_sleeps;
    if (strcmp(arguments, "all"))
        return -EINVAL;
    atomic_enter();
    for (uint64_t more; atomic_sleeps == sleeps && (more = take_frame(chain, GFP_ATOMIC)); chain = more)
        ;
    atomic_leave();
    reserve = frame_statistics.from_reserve - reserve;
    give_frames_back(chain);
    if (atomic_sleeps == sleeps)
        printk("%d: atomic: frames without sleeping, at last %s, and then none\n", current->pid,
               reserve ? "from the reserve" : "but none from the reserve");
    return (int64_t)reserve;
}

/* What one account loses the other gains. In between the sum is wrong, and nobody may see that. */
static int64_t lab_ledger(const char *arguments)
{
    static uint64_t accounts[2] = {LEDGER_SUM, 0};
    uint64_t chain = 0;
    if (*arguments)
        return -EINVAL;
    if (accounts[0] + accounts[1] != LEDGER_SUM) {
        printk("%d: damage: two accounts of the kernel make %lu, not %d: another process sleeps in the middle\n",
               current->pid, accounts[0] + accounts[1], LEDGER_SUM);
        return -EIO;
    }
    bool turn = accounts[0] < accounts[1];
    atomic_enter();
    accounts[turn] -= LEDGER_STEP;
    for (int i = 0; i < LEDGER_FRAMES; i++) {       /* the change wants memory for its journal, say */
        uint64_t more = take_frame(chain, GFP_ATOMIC);
        if (!more)
            break;
        chain = more;
    }
    accounts[!turn] += LEDGER_STEP;
    atomic_leave();
    give_frames_back(chain);
    return 0;
}

static int64_t lab_self_check(const char *arguments)
{
    int findings = *arguments ? -EINVAL : kernel_self_check();
    if (findings >= 0)
        printk("%d: self-check: %d findings\n", current->pid, findings);
    return findings;
}

static const struct { const char *name; int64_t (*run)(const char *arguments); } experiments[] = {
    {"kmalloc", lab_kmalloc},       {"frames", lab_frames},         {"objects", lab_objects}, {"ukshm", lab_ukshm},
    {"dma", lab_dma},               {"atomic", lab_atomic},         {"ledger", lab_ledger},
    {"free twice", lab_free_twice}, {"self-check", lab_self_check},
};

OBSERVABLE int64_t alloc_lab(const char *command)
{
    for (size_t i = 0; i < sizeof experiments / sizeof *experiments; i++) {
        size_t length = strlen(experiments[i].name);
        if (!strncmp(command, experiments[i].name, length) && (!command[length] || command[length] == ' '))
            return experiments[i].run(command + length + (command[length] == ' '));
    }
    return -EINVAL;
}
