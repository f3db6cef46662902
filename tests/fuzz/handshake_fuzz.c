/* SPDX-License-Identifier: MIT */
/* What a client says to the HTTP endpoint where it has TLS: records, which are the input. */
#include "net/tls.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"

#include "../unit/script_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of this target alone; until 2126. */
static const char key_and_certificate[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXUjI1+98wJwSw9Jy\n"
    "1MGE2HrWOkxyUGgYyMfY35ljR5ChRANCAATHRwRmQb2SkIy4HlJ+1LGUHnm9zQNw\n"
    "1a8kZ+QbXdzjboUuyG1zVGiBiLUeJaMVix5LPVoNa+MBGbj9GdzoX23J\n"
    "-----END PRIVATE KEY-----\n"
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBfzCCASWgAwIBAgIUF5WwiAcGrS4+qsMZsm/ALus2PogwCgYIKoZIzj0EAwIw\n"
    "FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNzEzMjYyNloYDzIxMjYxMTAz\n"
    "MTMyNjI2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n"
    "PQMBBwNCAATHRwRmQb2SkIy4HlJ+1LGUHnm9zQNw1a8kZ+QbXdzjboUuyG1zVGiB\n"
    "iLUeJaMVix5LPVoNa+MBGbj9GdzoX23Jo1MwUTAdBgNVHQ4EFgQUIkrxzrb9Pdpl\n"
    "SAcfL/J7tp3oW2gwHwYDVR0jBBgwFoAUIkrxzrb9PdplSAcfL/J7tp3oW2gwDwYD\n"
    "VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiB/l4NRjLIX+tEPJ+FvYj9l\n"
    "KV/LTYAAV+/mqqU4bJUKcgIhAJaobxP7tWW/kM6+Qd6TSBXMNnQCq3gnltyFdgas\n"
    "IoBf\n"
    "-----END CERTIFICATE-----\n";

static struct tls_server *server(void)
{
    static struct tls_server *made;
    if (made == NULL) {
        size_t len = sizeof(key_and_certificate) - 1;
        char path[32];
        int fd = memfd_create("key", MFD_CLOEXEC);
        ASSERT(fd >= 0 && write(fd, key_and_certificate, len) == (ssize_t)len);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        struct tls_options options = {.section = "",
                                      .ca_file = "",
                                      .cert_file = path,
                                      .key_file = path,
                                      .key_password = "",
                                      .key_password_file = ""};
        struct tls_facts facts;
        struct err err = {0};
        made = tls_server_new(&options, &facts, &err);
        ASSERT(made != NULL && !err_is_set(&err));
    }
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script client = {.stream = {&script_kind}, .room = SIZE_MAX, .said = {data, size}};
    struct err err = {0};
    struct stream *s = stream_tls_accept(&client.stream, server());
    ASSERT(s != NULL);
    enum net_io got = stream_handshake(s, &err);
    ASSERT(got != NET_IO_DONE); /* the server's random bytes are new each time */
    ASSERT((got == NET_IO_DEAD) == err_is_set(&err));
    ASSERT(strchr(err.text, '\n') == NULL);
    /* It says nothing in the clear but what a handshake has: records of type 20 to 22. */
    ASSERT(client.taken.len == 0 || (client.taken.data[0] >= 20 && client.taken.data[0] <= 22));
    stream_close(&s);
    buf_free(&client.taken);
    return 0;
}
