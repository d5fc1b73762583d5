/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers, addresses and the names that stand for numbers. */
#include "reader.h"

struct name { const char *name; uint16_t number; };

static const struct name protocols[] = {
    {"all", 0}, {"icmp", PROTOCOL_ICMP}, {"igmp", 2}, {"tcp", PROTOCOL_TCP}, {"udp", PROTOCOL_UDP}, {"gre", 47},
    {"esp", 50}, {"ah", 51}, {"sctp", 132}, {0, 0},
};

static const struct name services[] = {
    {"ftp-data", 20}, {"ftp", 21}, {"ssh", 22}, {"telnet", 23}, {"smtp", 25}, {"domain", 53}, {"bootps", 67},
    {"bootpc", 68}, {"tftp", 69}, {"http", 80}, {"www", 80}, {"pop3", 110}, {"sunrpc", 111}, {"ntp", 123},
    {"imap2", 143}, {"snmp", 161}, {"https", 443}, {"syslog", 514}, {"nfs", 2049}, {0, 0},
};

enum { ANY_CODE = ICMP_ANY };

/* Type and code, as iptables names them. */
static const struct name icmp_types[] = {
    {"any", ICMP_ANY << 8 | ANY_CODE}, {"echo-reply", 0 << 8 | ANY_CODE}, {"pong", 0 << 8 | ANY_CODE},
    {"destination-unreachable", 3 << 8 | ANY_CODE}, {"network-unreachable", 3 << 8 | 0},
    {"host-unreachable", 3 << 8 | 1}, {"protocol-unreachable", 3 << 8 | 2}, {"port-unreachable", 3 << 8 | 3},
    {"fragmentation-needed", 3 << 8 | 4}, {"source-route-failed", 3 << 8 | 5}, {"network-unknown", 3 << 8 | 6},
    {"host-unknown", 3 << 8 | 7}, {"network-prohibited", 3 << 8 | 9}, {"host-prohibited", 3 << 8 | 10},
    {"TOS-network-unreachable", 3 << 8 | 11}, {"TOS-host-unreachable", 3 << 8 | 12},
    {"communication-prohibited", 3 << 8 | 13}, {"host-precedence-violation", 3 << 8 | 14},
    {"precedence-cutoff", 3 << 8 | 15}, {"source-quench", 4 << 8 | ANY_CODE}, {"redirect", 5 << 8 | ANY_CODE},
    {"network-redirect", 5 << 8 | 0}, {"host-redirect", 5 << 8 | 1}, {"TOS-network-redirect", 5 << 8 | 2},
    {"TOS-host-redirect", 5 << 8 | 3}, {"echo-request", 8 << 8 | ANY_CODE}, {"ping", 8 << 8 | ANY_CODE},
    {"router-advertisement", 9 << 8 | ANY_CODE}, {"router-solicitation", 10 << 8 | ANY_CODE},
    {"time-exceeded", 11 << 8 | ANY_CODE}, {"ttl-exceeded", 11 << 8 | ANY_CODE},
    {"ttl-zero-during-transit", 11 << 8 | 0}, {"ttl-zero-during-reassembly", 11 << 8 | 1},
    {"parameter-problem", 12 << 8 | ANY_CODE}, {"ip-header-bad", 12 << 8 | 0},
    {"required-option-missing", 12 << 8 | 1}, {"timestamp-request", 13 << 8 | ANY_CODE},
    {"timestamp-reply", 14 << 8 | ANY_CODE}, {"address-mask-request", 17 << 8 | ANY_CODE},
    {"address-mask-reply", 18 << 8 | ANY_CODE}, {0, 0},
};

static const struct name tcp_flag_names[] = {
    {"FIN", 1}, {"SYN", 2}, {"RST", 4}, {"PSH", 8}, {"ACK", 16}, {"URG", 32}, {"ALL", 63}, {"NONE", 0}, {0, 0},
};

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c; }

/* As iptables does, in capitals or not. */
static bool is_same(const char *a, size_t length, const char *b)
{
    for (size_t i = 0; i < length; i++)
        if (!b[i] || lower(a[i]) != lower(b[i]))
            return false;
    return !b[length];
}

static const struct name *find(const struct name *names, const char *word, size_t length)
{
    for (; names->name; names++)
        if (is_same(word, length, names->name))
            return names;
    return 0;
}

static bool is_end(char c, const char *ends)
{
    while (*ends && *ends != c)
        ends++;
    return !c || *ends;
}

const char *read_number(const char *text, unsigned long most, const char *ends, unsigned long *number)
{
    const char *at = text;
    for (*number = 0; *at >= '0' && *at <= '9'; at++) {
        *number = *number * 10 + (unsigned long)(*at - '0');
        if (*number > most)
            return 0;
    }
    return at > text && is_end(*at, ends) ? at : 0;
}

static const char *read_port(const char *text, char separator, uint16_t *port)
{
    size_t length = 0;
    unsigned long number;
    while (text[length] && text[length] != separator)
        length++;
    const struct name *service = find(services, text, length);
    if (service)
        number = service->number;
    else if (read_number(text, UINT16_MAX, (const char[]){separator, '\0'}, &number) != text + length)
        return 0;
    *port = (uint16_t)number;
    return text + length;
}

/* A name with a hyphen cannot begin or end a range that is parted by one: numbers can. */
bool read_ports(const char *word, char separator, uint16_t ports[2])
{
    const char *at = word;
    ports[0] = 0;
    if (*at != separator && !(at = read_port(at, separator, &ports[0])))
        return false;
    ports[1] = ports[0];
    if (!*at)
        return true;
    ports[1] = UINT16_MAX;
    if (*++at && !(at = read_port(at, separator, &ports[1])))
        return false;
    return word[1] && !*at;
}

static const char *read_dotted(const char *text, uint32_t *address)
{
    *address = 0;
    for (int i = 0; i < 4; i++) {
        unsigned long byte;
        text = read_number(text, 255, i < 3 ? "." : "/", &byte);
        if (!text || (i < 3 && *text++ != '.'))
            return 0;
        *address = *address << 8 | (uint32_t)byte;
    }
    return text;
}

static bool read_mask(const char *text, uint32_t *mask)
{
    unsigned long length;
    if (!read_number(text, 32, "", &length))
        return (text = read_dotted(text, mask)) && !*text;
    *mask = length ? ~0u << (32 - length) : 0;
    return true;
}

bool read_address(const char *word, uint32_t *address, uint32_t *mask)
{
    *mask = ~0u;
    if (!strcmp(word, "0/0") || !strcmp(word, "any/0")) {
        *address = *mask = 0;
        return true;
    }
    const char *at = read_dotted(word, address);
    if (!at || (*at && !read_mask(at + 1, mask)))
        return false;
    *address &= *mask;
    return true;
}

bool read_protocol(const char *word, uint8_t *protocol)
{
    const struct name *known = find(protocols, word, strlen(word));
    unsigned long number;
    if (!known && !read_number(word, 255, "", &number))
        return false;
    *protocol = (uint8_t)(known ? known->number : number);
    return true;
}

bool read_icmp_type(const char *word, uint8_t *type, uint8_t *code)
{
    const struct name *known = find(icmp_types, word, strlen(word));
    unsigned long first, second = ANY_CODE;
    if (known) {
        first = known->number >> 8;
        second = known->number & 0xff;
    } else {
        const char *at = read_number(word, ICMP_ANY, "/", &first);
        if (!at || (*at && !read_number(at + 1, ANY_CODE - 1, "", &second)))
            return false;
    }
    *type = (uint8_t)first;
    *code = (uint8_t)second;
    return true;
}

bool read_tcp_flags(const char *word, uint8_t *flags)
{
    *flags = 0;
    for (;;) {
        size_t length = 0;
        while (word[length] && word[length] != ',')
            length++;
        const struct name *flag = find(tcp_flag_names, word, length);
        if (!flag)
            return false;
        *flags |= (uint8_t)flag->number;
        if (!word[length])
            return true;
        word += length + 1;
    }
}
