/* SPDX-License-Identifier: MIT */
/* Certificates as varve takes them: those of a server in its handshake, and our own in files. The
 * input is a byte that says which, and parts, each with its length in two bytes before it. */
#include "net/tls.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/base64.h"

#include "../unit/script_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum how {
    OUR_FILES = 1 << 0,   /* the parts are the CAs, our certificate and its key, as PEM or not */
    RAW_RECORDS = 1 << 1, /* the second part is all that the server says; else certificates */
    BY_ADDRESS = 1 << 2,
    INSECURE = 1 << 3,
    RSA_SUITE = 1 << 4,
    AS_PEM = 1 << 5, /* wrap the first part, which is DER */
};

enum { FILES = 3, MESSAGE_MAX = 16000 };

static struct slice take_part(struct slice *input)
{
    if (input->len < 2)
        return (struct slice){input->data, 0};
    size_t len = (size_t)input->data[0] << 8 | input->data[1];
    input->data += 2;
    input->len -= 2;
    struct slice part = {input->data, len < input->len ? len : input->len};
    input->data += part.len;
    input->len -= part.len;
    return part;
}

/* A file for a part, in memory; `path` names it. */
static void put_file(int number, struct slice part, bool as_pem, char path[static 32])
{
    static int fds[FILES] = {-1, -1, -1};
    struct buf text = {0};
    if (fds[number] < 0)
        fds[number] = memfd_create("part", MFD_CLOEXEC);
    if (as_pem) {
        buf_append_text(&text, "-----BEGIN CERTIFICATE-----\n");
        base64_append(&text, part);
        buf_append_text(&text, "\n-----END CERTIFICATE-----\n");
        part = buf_slice(&text);
    }
    snprintf(path, 32, "/proc/self/fd/%d", fds[number]);
    ASSERT(ftruncate(fds[number], 0) == 0);
    ASSERT(pwrite(fds[number], part.data, part.len, 0) == (ssize_t)part.len);
    buf_free(&text);
}

static void append_number(struct buf *out, size_t value, int bytes)
{
    while (bytes-- > 0)
        buf_append_byte(out, (uint8_t)(value >> (8 * bytes)));
}

/* What a server of TLS 1.2 says up to its certificates (RFC 5246, section 7.4), in the clear. */
static void append_handshake(struct buf *out, struct slice certificates, uint8_t how)
{
    static const uint8_t hello[] = {22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3};
    struct buf list = {0};
    buf_append(out, hello, sizeof(hello));
    for (uint8_t i = 0; i < 32; i++)
        buf_append_byte(out, i);
    buf_append_byte(out, 0);                                  /* no session */
    append_number(out, how & RSA_SUITE ? 0xc02f : 0xc02b, 2); /* ECDHE, AES-128-GCM, SHA-256 */
    buf_append_byte(out, 0);                                  /* no compression */
    while (certificates.len >= 2) {
        struct slice der = take_part(&certificates);
        if (list.len + der.len > MESSAGE_MAX)
            break;
        append_number(&list, der.len, 3);
        buf_append_slice(&list, der);
    }
    append_number(out, 22 << 16 | 0x303, 3);
    append_number(out, list.len + 7, 2);
    buf_append_byte(out, 11);
    append_number(out, list.len + 3, 3);
    append_number(out, list.len, 3);
    buf_append_slice(out, buf_slice(&list));
    buf_free(&list);
}

static void meet_server(struct slice input, uint8_t how, const struct tls_options *options)
{
    struct buf said = {0};
    struct err err = {0};
    if (how & RAW_RECORDS)
        buf_append_slice(&said, input);
    else
        append_handshake(&said, input, how);
    struct script script = {.stream = {&script_kind}, .room = SIZE_MAX, .said = buf_slice(&said)};
    const char *name = how & BY_ADDRESS ? "127.0.0.1" : "localhost";
    struct stream *s = stream_tls(&script.stream, options, name, &err);
    ASSERT((s == NULL) == err_is_set(&err));
    if (s != NULL) {
        enum net_io got = stream_handshake(s, &err);
        ASSERT(got != NET_IO_DONE); /* the server has no key */
        ASSERT((got == NET_IO_DEAD) == err_is_set(&err));
        /* What was not refused so far was looked at. */
        ASSERT(how & (RAW_RECORDS | INSECURE) || got == NET_IO_DEAD || stream_tls_expires(s) != 0);
        ASSERT(strchr(err.text, '\n') == NULL);
        stream_close(&s);
    }
    buf_free(&said);
    buf_free(&script.taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char paths[FILES][32] = {"", "", ""};
    if (size == 0)
        return 0;
    uint8_t how = data[0];
    struct slice input = {data + 1, size - 1};
    struct err err = {0};
    for (int i = 0; i < (how & OUR_FILES ? FILES : 1); i++)
        put_file(i, take_part(&input), i == 0 && how & AS_PEM, paths[i]);
    const struct tls_options options = {.section = "",
                                        .ca_file = paths[0],
                                        .cert_file = paths[1],
                                        .key_file = paths[2],
                                        .key_password = "",
                                        .key_password_file = "",
                                        .insecure = (how & INSECURE) != 0};
    if (how & OUR_FILES) {
        struct tls_facts facts;
        ASSERT((tls_check(&options, &facts, &err) == 0) != err_is_set(&err));
        ASSERT(strchr(err.text, '\n') == NULL);
    } else {
        meet_server(input, how, &options);
    }
    return 0;
}
