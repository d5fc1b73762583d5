/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building packets, and reading those parts of a server's that have a form. */
#include "packet.h"

static void put_number(struct packet *packet, unsigned number)
{
    packet->bytes[packet->length++] = (uint8_t)(number >> 8);
    packet->bytes[packet->length++] = (uint8_t)number;
}

/* With its zero byte. Requests are short: a name is, and the rest is ours. */
static void put_text(struct packet *packet, const char *text)
{
    size_t length = strlen(text) + 1;
    memcpy(packet->bytes + packet->length, text, length);
    packet->length += (uint32_t)length;
}

void packet_request(struct packet *packet, const char *name, bool is_read)
{
    char block_bytes[8];
    snprintf(block_bytes, sizeof block_bytes, "%d", TFTP_BLOCK_ASKED);
    packet->length = 0;
    put_number(packet, is_read ? TFTP_RRQ : TFTP_WRQ);
    put_text(packet, name);
    put_text(packet, "octet");
    put_text(packet, "blksize");
    put_text(packet, block_bytes);
    if (is_read) {                  /* who writes does not know yet how much there will be */
        put_text(packet, "tsize");
        put_text(packet, "0");
    }
}

void packet_block(struct packet *packet, enum tftp_opcode opcode, uint64_t block, const uint8_t *data, uint32_t length)
{
    packet->length = 0;
    put_number(packet, opcode);
    put_number(packet, (unsigned)block & 0xffff);
    memcpy(packet->bytes + packet->length, data, length);
    packet->length += length;
}

void packet_error(struct packet *packet, enum tftp_error error, const char *text)
{
    packet->length = 0;
    put_number(packet, TFTP_ERROR);
    put_number(packet, error);
    put_text(packet, text);
}

/* The string that begins at *at, which goes behind its zero byte; 0 if it has none. */
static const char *take_text(const struct packet *packet, uint32_t *at)
{
    const char *text = (const char *)packet->bytes + *at;
    while (*at < packet->length && packet->bytes[*at])
        ++*at;
    return (*at)++ < packet->length ? text : 0;
}

/* The options' names do not care for case (RFC 2347). */
static bool is_word(const char *text, const char *word)
{
    while (*word && (*text | 0x20) == *word)
        text++, word++;
    return !*text && !*word;
}

/* Decimal digits and nothing else, no more than a file can have bytes. */
static bool take_number(const char *text, uint64_t *number)
{
    size_t length = strlen(text);
    *number = to_number(text);
    for (size_t i = 0; i < length; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return length && length <= 12;
}

bool packet_options(const struct packet *packet, struct tftp_options *options)
{
    *options = (struct tftp_options){0, NO_SIZE};
    for (uint32_t at = 2; at < packet->length;) {
        const char *name = take_text(packet, &at), *value = name ? take_text(packet, &at) : 0;
        uint64_t number;
        if (!value || !take_number(value, &number))
            return false;
        if (is_word(name, "tsize"))
            options->size = number;
        else if (is_word(name, "blksize") && number >= 8 && number <= TFTP_BLOCK_ASKED)
            options->block_bytes = number;
        else
            return false;
    }
    return true;
}

int packet_error_number(const struct packet *packet)
{
    switch (packet_number(packet, 2)) {
    case TFTP_NOT_FOUND: return -ENOENT;
    case TFTP_ACCESS: return -EACCES;
    case TFTP_FULL: return -ENOSPC;
    default: return -EIO;
    }
}
