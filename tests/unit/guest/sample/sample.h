/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel in miniature: one of each shape that the symbol reader must understand. */
typedef unsigned char uint8_t;
typedef unsigned int uint32_t;
typedef unsigned long uint64_t;

enum syscall_number { SYS_exit = 0, SYS_write = 1, SYS_ukshm_register = 40 };
enum owner { OWNER_FREE, OWNER_KERNEL, OWNER_SHARED = 7 };

struct kernel_switch {
    const char *name;
    const char *values[8];
    const char *purpose;
};

struct frame {
    enum owner owner;
    uint32_t flags;
    uint64_t uses;
};

struct process {
    int pid;
    char name[16];
    uint64_t root;
    struct process *parent;
    struct {
        uint32_t low, high;
    } range;
    union {
        uint64_t word;
        uint8_t bytes[8];
    } any;
    union {
        int left;
        uint32_t right;
    };
    uint32_t dirty : 1;
    uint32_t age : 7;
    void (*entry)(int);
};

extern struct frame frames[8];
extern struct process procs[4];
extern struct process *current;
void trace_frame_owner(uint64_t frame, enum owner owner, const char *why, int pid, struct process *process,
                       uint8_t small, long seventh);
void trace_nothing(void);
