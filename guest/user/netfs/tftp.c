/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A transfer, step by step: something is sent, again and again if need be, until the one right answer comes. */
#include "packet.h"

struct tftp_server tftp_server;

/* The handler runs once at a time, so one of each will do. */
static struct packet out, in;

/* ---- time ---- */

static const uint64_t CYCLES_PER_TICK = 100000, NEVER = ~0ull;      /* a machine that is faster hurries more */

static uint64_t time_limit;

static uint64_t now(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

void tftp_hurry(uint64_t ticks) { time_limit = ticks ? now() + ticks * CYCLES_PER_TICK / 2 : NEVER; }

/* How many ticks to wait for the next packet; 0: there is no time left. */
static uint64_t patience(void)
{
    uint64_t time = now(), left = time < time_limit ? (time_limit - time) / CYCLES_PER_TICK : 0;
    return left < TFTP_PATIENCE ? left : TFTP_PATIENCE;
}

/* ---- packets ---- */

static void send_to(const struct transfer *transfer, uint16_t port, const struct packet *packet)
{
    sendto(transfer->socket, packet->bytes, packet->length, tftp_server.address, port);
}

static void drop_socket(struct transfer *transfer)
{
    if (transfer->socket >= 0)
        close(transfer->socket);
    transfer->socket = -1;
}

/* The transfer is over, and the server is told why, so that it need not wait for us. */
static int give_up(struct transfer *transfer, int error, enum tftp_error reason, const char *text)
{
    packet_error(&out, reason, text);
    if (transfer->tid && transfer->socket >= 0)
        send_to(transfer, transfer->tid, &out);
    drop_socket(transfer);
    return error;
}

static int lie(struct transfer *transfer, const char *text)
{
    return give_up(transfer, -EIO, TFTP_ILLEGAL, text);
}

/* ---- answers ---- */

/* What an answer comes to beside 0 and errors: it is of no use, wait on. */
enum { JUNK = 1 };

static int take_options(struct transfer *transfer)
{
    struct tftp_options options;
    if (!packet_options(&in, &options))
        return give_up(transfer, -EIO, TFTP_BAD_OPTION, "options that were not asked for");
    if (options.block_bytes)
        transfer->block_bytes = (uint32_t)options.block_bytes;
    if (transfer->size != NO_SIZE && options.size != transfer->size)
        return lie(transfer, "the file is not the one it was");
    transfer->size = options.size;
    return 0;
}

static int take_data(struct transfer *transfer)
{
    uint32_t length = in.length - TFTP_HEADER;
    if (length > transfer->block_bytes)
        return lie(transfer, "a block is too large");
    memcpy(transfer->data, in.bytes + TFTP_HEADER, length);
    transfer->length = length;
    transfer->used = 0;
    transfer->block++;
    transfer->has_ended = length < transfer->block_bytes;
    return 0;
}

/* An old block or acknowledgement again is a duplicate; one that is ahead of its time is a lie. */
static int take_number(struct transfer *transfer, uint64_t wanted)
{
    int16_t ahead = (int16_t)(packet_number(&in, 2) - (uint16_t)wanted);
    if (ahead > 0)
        return lie(transfer, "a block is missing");
    return ahead ? JUNK : 0;
}

/* In is from the right address and port. */
static int take_answer(struct transfer *transfer, bool to_request)
{
    if (in.length < TFTP_HEADER)
        return lie(transfer, "a packet is too short");
    unsigned opcode = packet_number(&in, 0);
    if (opcode == TFTP_ERROR) {
        drop_socket(transfer);
        return packet_error_number(&in);
    }
    if (opcode == TFTP_OACK)
        return to_request ? take_options(transfer) : JUNK;
    if (opcode != (transfer->is_read ? TFTP_DATA : TFTP_ACK))
        return lie(transfer, "not what follows");
    uint64_t wanted = transfer->is_read || !to_request ? transfer->block + 1 : 0;
    int result = take_number(transfer, wanted);
    if (result || !transfer->is_read)
        return result;
    return take_data(transfer);
}

/* The first answer says which port the server has taken for us; what comes from elsewhere is not for us. */
static int take_packet(struct transfer *transfer, const struct socket_address *from, bool to_request)
{
    if (from->address != tftp_server.address)
        return JUNK;
    if (!transfer->tid)
        transfer->tid = from->port;
    if (from->port == transfer->tid)
        return take_answer(transfer, to_request);
    static struct packet refusal;
    packet_error(&refusal, TFTP_UNKNOWN_TID, "this port is not part of the transfer");
    send_to(transfer, from->port, &refusal);
    return JUNK;
}

static int await_answer(struct transfer *transfer, bool to_request)
{
    for (int i = 0; i < TFTP_JUNK_MAX; i++) {
        struct socket_address from;
        long length = recvfrom(transfer->socket, in.bytes, sizeof in.bytes, &from, patience());
        if (length < 0)
            return length == -EAGAIN ? -ETIMEDOUT : (int)length;
        in.length = length < PACKET_BYTES ? (uint32_t)length : PACKET_BYTES;
        int result = take_packet(transfer, &from, to_request);
        if (result != JUNK)
            return result;
    }
    return -ETIMEDOUT;              /* it talks, but says nothing */
}

/* Sends out until the answer to it has come. */
static int ask(struct transfer *transfer, bool to_request)
{
    if (transfer->socket < 0)
        return -EIO;
    for (int tries = 0; tries < TFTP_TRIES && patience(); tries++) {
        send_to(transfer, to_request ? tftp_server.port : transfer->tid, &out);
        int result = await_answer(transfer, to_request);
        if (!result)
            return 0;
        if (result != -ETIMEDOUT && result != -EINTR) {
            drop_socket(transfer);
            return result;
        }
    }
    return give_up(transfer, -ETIMEDOUT, TFTP_UNDEFINED, "no answer in time");
}

/* ---- files ---- */

static int begin(struct transfer *transfer)
{
    transfer->socket = socket();
    if (transfer->socket < 0)
        return transfer->socket;
    transfer->tid = 0;
    transfer->block_bytes = TFTP_BLOCK_DEFAULT;
    transfer->block = transfer->position = transfer->length = transfer->used = 0;
    transfer->has_ended = false;
    packet_request(&out, transfer->name, transfer->is_read);
    int error = ask(transfer, true);
    if (error)
        drop_socket(transfer);
    return error;
}

int tftp_open(struct transfer *transfer, const char *name, bool is_read)
{
    *transfer = (struct transfer){.is_read = is_read, .size = NO_SIZE};
    memcpy(transfer->name, name, strlen(name) + 1);
    return begin(transfer);
}

/* The last acknowledgement is not answered, and the server may forget us. */
static int end_of_file(struct transfer *transfer)
{
    uint64_t size = (transfer->block - 1) * transfer->block_bytes + transfer->length;
    packet_block(&out, TFTP_ACK, transfer->block, 0, 0);
    send_to(transfer, transfer->tid, &out);
    drop_socket(transfer);
    if (transfer->size == NO_SIZE || transfer->size == size)
        return 0;
    transfer->length = transfer->used = 0;      /* more or less than was promised: nothing of it is handed on */
    transfer->has_ended = false;
    return -EIO;
}

/* Data holds bytes that were not handed on, or the file has ended. */
static int fill(struct transfer *transfer)
{
    while (transfer->used == transfer->length && !transfer->has_ended) {
        packet_block(&out, TFTP_ACK, transfer->block, 0, 0);
        int error = ask(transfer, false);
        if (error)
            return error;
    }
    return transfer->has_ended && transfer->socket >= 0 ? end_of_file(transfer) : 0;
}

/* To offset, which others may have left: from the front again if need be. */
static int go_to(struct transfer *transfer, uint64_t offset)
{
    int error = 0;
    if (offset < transfer->position || (transfer->socket < 0 && !transfer->has_ended)) {
        drop_socket(transfer);
        error = begin(transfer);
    }
    while (!error && transfer->position < offset) {
        error = fill(transfer);
        uint64_t left = transfer->length - transfer->used, part = offset - transfer->position;
        if (error || !left)
            break;                  /* behind the end there is nothing to skip */
        part = part < left ? part : left;
        transfer->used += (uint32_t)part;
        transfer->position += part;
    }
    return error;
}

long tftp_read(struct transfer *transfer, uint64_t offset, uint8_t *to, uint32_t capacity)
{
    uint32_t done = 0;
    int error = go_to(transfer, offset);
    while (!error && done < capacity && transfer->position == offset + done) {
        error = fill(transfer);
        uint32_t left = transfer->length - transfer->used, part = capacity - done < left ? capacity - done : left;
        if (error || !part)
            break;
        memcpy(to + done, transfer->data + transfer->used, part);
        transfer->used += part;
        transfer->position += part;
        done += part;
    }
    return error ? error : (long)done;
}

/* What is in data[], as the next block. */
static int send_block(struct transfer *transfer)
{
    packet_block(&out, TFTP_DATA, transfer->block + 1, transfer->data, transfer->length);
    int error = ask(transfer, false);
    if (error)
        return error;
    transfer->block++;
    transfer->has_ended = transfer->length < transfer->block_bytes;
    transfer->length = 0;
    return 0;
}

long tftp_write(struct transfer *transfer, uint64_t offset, const uint8_t *from, uint32_t length)
{
    if (offset != transfer->position)
        return -EINVAL;             /* the protocol has no other order */
    for (uint32_t done = 0; done < length;) {
        uint32_t room = transfer->block_bytes - transfer->length, part = length - done < room ? length - done : room;
        memcpy(transfer->data + transfer->length, from + done, part);
        transfer->length += part;
        done += part;
        int error = transfer->length == transfer->block_bytes ? send_block(transfer) : 0;
        if (error)
            return error;
    }
    transfer->position += length;
    return length;
}

int tftp_close(struct transfer *transfer)
{
    int error = transfer->is_read ? 0 : send_block(transfer);
    if (!error && !transfer->has_ended)
        give_up(transfer, 0, TFTP_UNDEFINED, "closed");
    drop_socket(transfer);
    return error;
}
