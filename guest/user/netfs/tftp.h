/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TFTP (RFC 1350, with the options blksize and tsize), as the side that asks. A transfer is one file on its way, in
 * one direction; the protocol knows no other order than from front to back. Nothing the server says is believed
 * before it was checked, and no wait is longer than a few tries.
 */
#ifndef NETFS_TFTP_H
#define NETFS_TFTP_H

#include "../ulib.h"

enum {
    TFTP_PORT = 69,
    TFTP_NAME_MAX = 64,
    TFTP_BLOCK_ASKED = 1024,        /* a page is four of them */
    TFTP_BLOCK_DEFAULT = 512,       /* of a server without options */
    TFTP_TRIES = 5,                 /* so often the same is sent, */
    TFTP_PATIENCE = 100,            /* and so many ticks pass before it is sent again */
    TFTP_JUNK_MAX = 16,             /* packets without use that one try puts up with */
};

struct tftp_server {
    uint32_t address;
    uint16_t port;
};

struct transfer {
    bool is_read;
    bool has_ended;                 /* the last block has come, or was acknowledged */
    char name[TFTP_NAME_MAX];
    int socket;                     /* -1: none any more */
    uint16_t tid;                   /* the server's port for this transfer; 0: not known yet */
    uint32_t block_bytes;
    uint64_t block;                 /* the last that came, or was acknowledged */
    uint64_t position;              /* how many bytes were handed on, or taken */
    uint64_t size;                  /* what the server said; NO_SIZE: nothing */
    uint32_t length, used;          /* bytes in data[], and how many of them were handed on */
    uint8_t data[TFTP_BLOCK_ASKED];
};

static const uint64_t NO_SIZE = ~0ull;

/* The server that all transfers go to. */
extern struct tftp_server tftp_server;

/*
 * What follows may take half of so many ticks (0: any time), so that there is time left for the rest: whoever is asked
 * by the kernel and answers too late finds the page gone under its hands. Then the error is -ETIMEDOUT.
 */
void tftp_hurry(uint64_t ticks);

/* 0 when the server has said that it will give, or take, the file. Everywhere: or a negative error. */
int tftp_open(struct transfer *transfer, const char *name, bool is_read);

/* The bytes from offset on: as many as fit, fewer at the end, 0 behind it. Going back begins the transfer anew. */
long tftp_read(struct transfer *transfer, uint64_t offset, uint8_t *to, uint32_t capacity);

/* All of them; offset must be where the last write ended. */
long tftp_write(struct transfer *transfer, uint64_t offset, const uint8_t *from, uint32_t length);

/* The end: of a file that is written, its last block too. */
int tftp_close(struct transfer *transfer);

#endif
