/* SPDX-License-Identifier: MIT */
#include "net/tls.h"

#include "tls_pair.h"

/* An old CA, as hosts have many, and a server's certificate of it for host.test: both signed with
 * SHA-1, good until 2120. */
static const char old_ca[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBQzCB6qADAgECAgEBMAkGByqGSM49BAEwETEPMA0GA1UEAwwGb2xkIENBMCAX\n"
                             "DTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjARMQ8wDQYDVQQDDAZvbGQg\n"
                             "Q0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR6Cnk26aXtQWt2i/0IvikQze97\n"
                             "g0A5u2IWnLPsvfFXWQzpK/SK5bYM4cAyniTg7m9ZkoxxF6yx4BT/f1tje7nkozIw\n"
                             "MDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBS+V+Sd4FVF+7sceZC5IyWAt5X6\n"
                             "lzAJBgcqhkjOPQQBA0kAMEYCIQDoDW+AgX8bS7geRyCmx6vvGMk1MVSnaXizb9tm\n"
                             "9XwNqAIhAKUHe/Ic8Ns6688IBs69DqqRgMUvlkhGcW4iDVfoM5zx\n"
                             "-----END CERTIFICATE-----\n";
static const char old_leaf[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBbDCCAROgAwIBAgIBAjAJBgcqhkjOPQQBMBExDzANBgNVBAMMBm9sZCBDQTAg\n"
                               "Fw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFDESMBAGA1UEAwwJaG9z\n"
                               "dC50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElit5EkVzcPmOHkysnLYs\n"
                               "Z2DNIC7gaZlbpb6ZBc6e163SAIj4cPr02LS64/JBN8gGtuCjSvcFCMp+RcjVFXtX\n"
                               "T6NYMFYwFAYDVR0RBA0wC4IJaG9zdC50ZXN0MB0GA1UdDgQWBBS+wL9SImV1HsWU\n"
                               "uoMWbJywSM9xVjAfBgNVHSMEGDAWgBS+V+Sd4FVF+7sceZC5IyWAt5X6lzAJBgcq\n"
                               "hkjOPQQBA0gAMEUCIQDamuUTdLuXZlh916Zt4pkRa3ttJCbKETNETJrfNvPi+QIg\n"
                               "YQPOv1U5haVJeTRT0piTIhqzwDXstHel5ajG2Mc+YXs=\n"
                               "-----END CERTIFICATE-----\n";
static const char old_key[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0uyuVxHaG7n3UfSq\n"
                              "c0txd9RKjuOnOL2HmpbYXQXUXmuhRANCAASWK3kSRXNw+Y4eTKyctixnYM0gLuBp\n"
                              "mVulvpkFzp7XrdIAiPhw+vTYtLrj8kE3yAa24KNK9wUIyn5FyNUVe1dP\n"
                              "-----END PRIVATE KEY-----\n";

/* And one that is signed with Ed25519. */
static const char new_ca[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBBDCBt6ADAgECAgEDMAUGAytlcDARMQ8wDQYDVQQDDAZuZXcgQ0EwIBcNMjAw\n"
                             "MTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBExDzANBgNVBAMMBm5ldyBDQTAq\n"
                             "MAUGAytlcAMhAMh+i4WoaOUfAwECaOBwbfL1mmwOjKX/vnv2ctnRACKFozIwMDAP\n"
                             "BgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBT84ZyosQBSV0nUFQyCgv6vbCuZGjAF\n"
                             "BgMrZXADQQBJYGRL3j8GQ8kBoZPEXvHMupduHDSA9zMn4pDNnv6oQOVLXlSPbfBw\n"
                             "3Y0eprx1ttCM15/ZTdrdGpfzO+aBTrcM\n"
                             "-----END CERTIFICATE-----\n";

static const struct tls_options shown = {.section = "nats.tls",
                                         .ca_file = "",
                                         .cert_file = "leaf.pem",
                                         .key_file = "leaf.key",
                                         .key_password = "",
                                         .key_password_file = ""};
static const struct tls_options trusting = {.section = "nats.tls",
                                            .ca_file = "ca.pem",
                                            .cert_file = "",
                                            .key_file = "",
                                            .key_password = "",
                                            .key_password_file = ""};
/* Whoever it is. */
static const struct tls_options careless = {.section = "nats.tls",
                                            .ca_file = "",
                                            .cert_file = "",
                                            .key_file = "",
                                            .key_password = "",
                                            .key_password_file = "",
                                            .insecure = true};

static struct tls_server *new_server(void)
{
    struct tls_facts facts;
    struct err err = {0};
    write_file("ca.pem", old_ca);
    write_file("leaf.pem", old_leaf);
    write_file("leaf.key", old_key);
    struct tls_server *server = tls_server_new(&shown, &facts, &err);
    EXPECT(server != NULL);
    return server;
}

/* How many of the certificates in this file are not understood. */
static unsigned not_read(const char *first, const char *second)
{
    struct tls_facts facts = {0};
    struct err err = {0};
    char both[4096];
    snprintf(both, sizeof(both), "%s%s", first, second);
    write_file("ca.pem", both);
    EXPECT(tls_check(&trusting, &facts, &err) == 0);
    return facts.not_read;
}

/* What signed a CA's own certificate does not matter, as long as it can be read: of the bundle of
 * Debian a fifth is that old. */
TEST(tls_reads_cas_that_are_old)
{
    EXPECT_U64(not_read(old_ca, ""), 0);
    EXPECT_U64(not_read(old_ca, new_ca), 1);
    EXPECT_U64(not_read(new_ca, old_ca), 1);
}

TEST(tls_takes_no_certificate_that_is_weakly_signed)
{
    struct tls_server *server = new_server();
    struct pair p;
    struct err err = {0};
    make_pair(&p, server, &trusting, 100000);
    enum net_io client = NET_IO_AGAIN, served = NET_IO_AGAIN;
    for (int i = 0; i < 100 && client == NET_IO_AGAIN; i++) {
        struct err of_server = {0};
        client = stream_handshake(p.client, &err);
        if (served == NET_IO_AGAIN)
            served = stream_handshake(p.served, &of_server);
    }
    EXPECT(client == NET_IO_DEAD && err.code == ERR_REFUSED);
    EXPECT(strstr(err.text, "(CN=host.test) has a signature or key that is too weak") != NULL);
    free_pair(&p);
    tls_server_free(server);
}

/* What of a text the other side has. */
static void expect_heard(struct stream *by, const char *text)
{
    char heard[64] = "";
    size_t done;
    struct err err = {0};
    EXPECT(stream_read(by, heard, sizeof(heard) - 1, &done, &err) == NET_IO_DONE);
    EXPECT_TEXT(heard, text);
}

/* The library has sealed what it could not send. Asked again with more, as a buffer that grows
 * meanwhile has, it would say that all of it is on its way. */
TEST(tls_write_that_is_repeated_with_more_loses_nothing)
{
    static const char text[] = "CONNECT {} PING";
    struct tls_server *server = new_server();
    struct pair p;
    struct err err = {0};
    size_t done = 0;
    make_pair(&p, server, &careless, 100000);
    shake_hands(&p);
    p.ends[0].full = true;
    EXPECT(stream_write(p.client, text, 7, &done, &err) == NET_IO_AGAIN);
    EXPECT(stream_write(p.client, text, 10, &done, &err) == NET_IO_AGAIN);
    EXPECT((stream_wait(p.client, false).want & NET_WRITABLE) != 0);
    p.ends[0].full = false;
    EXPECT(stream_write(p.client, text, 15, &done, &err) == NET_IO_DONE);
    EXPECT_U64(done, 7);
    EXPECT((stream_wait(p.client, false).want & NET_WRITABLE) == 0);
    EXPECT(stream_write(p.client, text + 7, 8, &done, &err) == NET_IO_DONE);
    EXPECT_U64(done, 8);
    expect_heard(p.served, text);
    free_pair(&p);
    tls_server_free(server);
}

/* Two bytes come, and there are more that nobody below knows of, or not. */
static void expect_some(struct stream *s, const char *text, bool more)
{
    char two[2];
    size_t done;
    struct err err = {0};
    EXPECT(stream_read(s, two, sizeof(two), &done, &err) == NET_IO_DONE);
    EXPECT(done == sizeof(two) && memcmp(two, text, sizeof(two)) == 0);
    EXPECT((stream_wait(s, false).ready != 0) == more);
}

/* Bytes that were taken from below are known to nobody who waits there: the stream says itself that
 * there are some, in a record that was read in part as in one behind it. */
TEST(tls_is_ready_while_it_has_something)
{
    struct tls_server *server = new_server();
    struct pair p;
    struct err err = {0};
    char two[2];
    size_t done;
    make_pair(&p, server, &careless, 100000);
    shake_hands(&p);
    EXPECT(stream_read(p.client, two, 2, &done, &err) == NET_IO_AGAIN); /* tickets */
    EXPECT(stream_wait(p.client, false).ready == 0);
    EXPECT(stream_write(p.served, "1234", 4, &done, &err) == NET_IO_DONE);
    expect_some(p.client, "12", true);
    expect_some(p.client, "34", false);
    EXPECT(stream_write(p.served, "56", 2, &done, &err) == NET_IO_DONE);
    EXPECT(stream_write(p.served, "78", 2, &done, &err) == NET_IO_DONE);
    expect_some(p.client, "56", true);
    EXPECT_U64(p.down.len, 0);
    expect_some(p.client, "78", false);
    EXPECT(stream_read(p.client, two, 2, &done, &err) == NET_IO_AGAIN);
    free_pair(&p);
    tls_server_free(server);
}

/* A record has 16 KiB at most: what is longer takes several calls on either side. */
TEST(tls_moves_more_than_a_record)
{
    enum { SIZE = 100000 };
    static uint8_t sent[SIZE], heard[SIZE];
    struct tls_server *server = new_server();
    struct pair p;
    struct err err = {0};
    size_t out = 0, in = 0, done;
    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (uint8_t)(i * 7 + i / 256);
    make_pair(&p, server, &careless, 3000);
    shake_hands(&p);
    for (int i = 0; i < 1000 && in < SIZE; i++) {
        if (out < SIZE &&
            stream_write(p.client, sent + out, SIZE - out, &done, &err) == NET_IO_DONE)
            out += done;
        while (in < SIZE &&
               stream_read(p.served, heard + in, SIZE - in, &done, &err) == NET_IO_DONE)
            in += done;
    }
    EXPECT_U64(out, SIZE);
    EXPECT_U64(in, SIZE);
    EXPECT(memcmp(sent, heard, SIZE) == 0);
    free_pair(&p);
    tls_server_free(server);
}
