/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The six packets of TFTP: built into a buffer, and looked at. Numbers are big-endian on the wire. */
#ifndef NETFS_PACKET_H
#define NETFS_PACKET_H

#include "tftp.h"

enum tftp_opcode { TFTP_RRQ = 1, TFTP_WRQ, TFTP_DATA, TFTP_ACK, TFTP_ERROR, TFTP_OACK };

enum tftp_error {
    TFTP_UNDEFINED, TFTP_NOT_FOUND, TFTP_ACCESS, TFTP_FULL, TFTP_ILLEGAL, TFTP_UNKNOWN_TID, TFTP_EXISTS, TFTP_NO_USER,
    TFTP_BAD_OPTION,
};

/* One byte more than the largest that is allowed, so that one that is too large is seen. */
enum { TFTP_HEADER = 4, PACKET_BYTES = TFTP_HEADER + TFTP_BLOCK_ASKED + 1 };

struct packet {
    uint32_t length;
    uint8_t bytes[PACKET_BYTES];
};

struct tftp_options { uint64_t block_bytes, size; };    /* 0, NO_SIZE: was not among them */

static inline unsigned packet_number(const struct packet *packet, unsigned at)
{
    return (unsigned)packet->bytes[at] << 8 | packet->bytes[at + 1];
}

void packet_request(struct packet *packet, const char *name, bool is_read);
void packet_block(struct packet *packet, enum tftp_opcode opcode, uint64_t block, const uint8_t *data, uint32_t length);
void packet_error(struct packet *packet, enum tftp_error error, const char *text);

/* What an OACK grants. False if it is not well-formed, or grants what was not asked for. */
bool packet_options(const struct packet *packet, struct tftp_options *options);

/* An ERROR as one of our own errors: negative. */
int packet_error_number(const struct packet *packet);

#endif
