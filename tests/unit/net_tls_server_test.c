/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "net/http.h"
#include "tls_pair.h"

/* For host.test, signed by itself, good until 2120. */
static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBLzCB16ADAgECAgEBMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCWhvc3QudGVz\n"
    "dDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFDESMBAGA1UEAwwJ\n"
    "aG9zdC50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEO15hmyxDi7f7H6/J\n"
    "KLjvTIq6HNmKLm6dkcsJWbaylEQour+W94qIquQAuqwAlA0j1AFpwHubR/n+psUu\n"
    "wELW86MYMBYwFAYDVR0RBA0wC4IJaG9zdC50ZXN0MAoGCCqGSM49BAMCA0cAMEQC\n"
    "IDiGyyKrJ3bHA8uNqMJgR1DMSswTlzIne++floVgRng4AiBubf4XP7gjD+f2dPD/\n"
    "OBFiR0b9kX/xIoc7YgP/kElsJQ==\n"
    "-----END CERTIFICATE-----\n";
static const char key[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggFgmf7RR/Myt2h26\n"
                          "gbJoFOecE18BXeGL2+7pH1VkUKChRANCAAQ7XmGbLEOLt/sfr8kouO9Miroc2You\n"
                          "bp2RywlZtrKURCi6v5b3ioiq5AC6rACUDSPUAWnAe5tH+f6mxS7AQtbz\n"
                          "-----END PRIVATE KEY-----\n";

static const struct tls_options shown = {.section = "metrics.tls",
                                         .ca_file = "",
                                         .cert_file = "own.pem",
                                         .key_file = "own.key",
                                         .key_password = "",
                                         .key_password_file = ""};
static const struct tls_options trusting = {.section = "",
                                            .ca_file = "own.pem",
                                            .cert_file = "",
                                            .key_file = "",
                                            .key_password = "",
                                            .key_password_file = ""};

static struct tls_server *new_server(void)
{
    struct tls_facts facts = {0};
    struct err err = {0};
    write_file("own.pem", certificate);
    write_file("own.key", key);
    struct tls_server *server = tls_server_new(&shown, &facts, &err);
    EXPECT(server != NULL);
    EXPECT_I64(facts.expires, INT64_C(4733510400) * CLOCK_SECOND); /* date -d 2120-01-01Z +%s */
    return server;
}

TEST(tls_server_and_client_in_any_pieces)
{
    const size_t pieces[] = {1, 7, 100000};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct tls_server *server = new_server();
        struct pair p;
        struct err err = {0};
        char byte;
        size_t done;
        make_pair(&p, server, &trusting, pieces[i]);
        tls_server_free(server); /* the stream keeps what it needs */
        shake_hands(&p);
        EXPECT_TEXT(stream_tls_version(p.served), "TLSv1.3");
        expect_said(p.client, p.served, "GET / HTTP/1.0");
        expect_said(p.served, p.client, "HTTP/1.1 200 OK");
        stream_finish(p.served);
        EXPECT(p.ends[1].finished);
        EXPECT(stream_read(p.client, &byte, 1, &done, &err) == NET_IO_DEAD);
        EXPECT_TEXT(err.text, "the server closed the connection");
        free_pair(&p);
    }
}

/* A peer that sends more and more of what means nothing gets a turn, and no more. */
TEST(tls_server_reads_so_much_at_once)
{
    static const uint8_t change_cipher_spec[] = {20, 3, 3, 0, 1, 1};
    struct tls_server *server = new_server();
    struct pair p;
    struct err err = {0};
    make_pair(&p, server, &trusting, 100000);
    EXPECT(stream_handshake(p.client, &err) == NET_IO_AGAIN);
    EXPECT(stream_handshake(p.served, &err) == NET_IO_AGAIN); /* its answer is out */
    for (int i = 0; i < 500000; i++)
        buf_append(&p.up, change_cipher_spec, sizeof(change_cipher_spec));
    size_t before = p.ends[1].taken;
    enum net_io io = stream_handshake(p.served, &err);
    EXPECT(io == NET_IO_AGAIN || io == NET_IO_DEAD);
    EXPECT(p.ends[1].taken - before < 300 * 1024);
    free_pair(&p);
    tls_server_free(server);
}

/* Whatever it is for; that it takes no other is in tests/watch/test_endpoint_tls.py. */
TEST(tls_pinned_asks_for_no_name)
{
    struct tls_server *server = new_server();
    struct tls_options pinned = trusting;
    struct pair p;
    struct err err = {0};
    pinned.pinned = true;
    make_pair(&p, server, &trusting, 100000);
    stream_close(&p.client);
    p.client = stream_tls(&p.ends[0].stream, &pinned, "another.test", &err);
    EXPECT(p.client != NULL);
    shake_hands(&p);
    free_pair(&p);
    tls_server_free(server);
}

TEST(tls_server_needs_files_that_fit)
{
    struct tls_facts facts;
    struct err err = {0};
    tls_server_free(new_server());
    write_file("own.key", certificate);
    EXPECT(tls_server_new(&shown, &facts, &err) == NULL);
    EXPECT(strncmp(err.text, "own.key: ", 9) == 0);
    tls_server_free(NULL);
}

static void *shake_often(void *context)
{
    (void)context;
    struct tls_facts facts;
    struct err err = {0};
    for (int i = 0; i < 4; i++) {
        struct tls_server *server = tls_server_new(&shown, &facts, &err);
        struct pair p;
        EXPECT(server != NULL);
        make_pair(&p, server, &trusting, 100000);
        shake_hands(&p);
        expect_said(p.client, p.served, "hello");
        free_pair(&p);
        tls_server_free(server);
    }
    return NULL;
}

/* The writer of an object store has connections beside those of the network's thread. */
TEST(tls_of_several_threads)
{
    pthread_t threads[3];
    tls_server_free(new_server()); /* its files */
    for (int i = 0; i < 3; i++)
        EXPECT(pthread_create(&threads[i], NULL, shake_often, NULL) == 0);
    for (int i = 0; i < 3; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
}

static struct http_response answer(void *context, struct slice path, int64_t when)
{
    (void)context, (void)path, (void)when;
    return (struct http_response){.status = 200, .type = "text/plain", .fields = ""};
}

static int dial(const struct http_server *s)
{
    uint64_t port = 0;
    EXPECT(num_parse_u64(slice_of(strrchr(s->address, ':') + 1), &port));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT(fd >= 0);
    (void)connect(fd, (struct sockaddr *)&to, sizeof(to)); /* goes on by itself */
    return fd;
}

static int64_t slow_time; /* a step of a handshake takes 10 ms of it */

static int64_t slow_monotonic(void *context)
{
    (void)context;
    return slow_time += 10 * CLOCK_MILLISECOND;
}

static int64_t wall(void *context)
{
    (void)context;
    return INT64_C(1800000000) * CLOCK_SECOND;
}

/* Turn until somebody's handshake took its time; what the server waits for then. */
static size_t turn_until_pause(struct http_server *s, struct net_wait list[static HTTP_WAITS_MAX])
{
    for (int i = 0; i < 2000 && s->secure_after == 0; i++) {
        size_t count = http_waits(s, list);
        net_wait(list, count, slow_time + 20 * CLOCK_MILLISECOND);
        (void)http_turn(s, list, count, slow_time);
    }
    EXPECT(s->secure_after > slow_time);
    return http_waits(s, list);
}

/* Two want a handshake: behind the first's costly step comes a pause of four times as long, in
 * which nobody is taken and nobody is waited for. */
TEST(http_handshakes_leave_time_for_others)
{
    static const struct clock slow = {slow_monotonic, wall, NULL};
    struct net_wait list[HTTP_WAITS_MAX];
    struct stream *clients[2];
    struct http_server s;
    struct err err = {0};
    struct tls_server *server = new_server();
    EXPECT(http_listen(&s, "127.0.0.1:0", answer, NULL, &err) == 0);
    s.tls = server;
    for (int i = 0; i < 2; i++) {
        clients[i] = stream_tls(stream_plain(dial(&s)), &trusting, "host.test", &err);
        EXPECT(clients[i] != NULL);
        for (int k = 0; k < 100 && stream_handshake(clients[i], &err) != NET_IO_AGAIN; k++)
            net_wait(NULL, 0, clock_monotonic() + CLOCK_MILLISECOND);
    }
    clock_replace(&slow);
    slow_time = CLOCK_SECOND;
    size_t count = turn_until_pause(&s, list);
    EXPECT(s.secure_after - slow_time <= 5 * 10 * CLOCK_MILLISECOND);
    for (size_t i = 0; i < count; i++)
        EXPECT_I64(list[i].handle, -1);
    EXPECT_I64(http_turn(&s, list, count, slow_time), s.secure_after);
    slow_time = s.secure_after;
    (void)http_turn(&s, list, count, slow_time);
    count = http_waits(&s, list);
    EXPECT(list[0].handle >= 0);
    clock_replace(NULL);
    for (int i = 0; i < 2; i++)
        stream_close(&clients[i]);
    http_close(&s);
    tls_server_free(server);
}
