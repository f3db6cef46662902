/* SPDX-License-Identifier: MIT */
#include "nats/creds.h"

#include "base/base64.h"
#include "test.h"

#define SEED "SUAJUZC2GOWLFRMCWBYXN3U5BDCURGHFTQ55BU7APHHPYBY4JW2BIL4EKY"
#define USER "UC76L2T72GJWH747IYN7JJCRVSKSB3RBFYG74SDHP6MVJRQG6CUK3DZX"

static void expect_creds(const char *file, const char *jwt, const char *seed)
{
    struct nats_creds creds;
    struct err err = {0};
    EXPECT(nats_creds_parse(&creds, slice_of(file), &err) == 0);
    EXPECT(slice_is(creds.jwt, jwt));
    EXPECT(slice_is(creds.seed, seed));
}

TEST(nats_creds_as_nsc_writes_them)
{
    expect_creds("-----BEGIN NATS USER JWT-----\n"
                 "eyJ0.eyJq.-x_Y\n"
                 "------END NATS USER JWT------\n"
                 "\n"
                 "************************* IMPORTANT *************************\n"
                 "NKEY Seed printed below can be used to sign and prove identity.\n"
                 "NKEYs are sensitive and should be treated as secrets.\n"
                 "\n"
                 "-----BEGIN USER NKEY SEED-----\n" SEED "\n"
                 "------END USER NKEY SEED------\n"
                 "\n"
                 "*************************************************************\n",
                 "eyJ0.eyJq.-x_Y", SEED);
}

TEST(nats_creds_as_others_do)
{
    expect_creds("--- a ---\r\n eyJ0.a.b \r\n--- b ---\r\n--- c ---\r\n" SEED "\r\n--- d ---",
                 "eyJ0.a.b", SEED);
    expect_creds("text ---\n---x---\n---y---\neyJ0.a.b\n------\nSU\n", "eyJ0.a.b", "");
    expect_creds("\n  eyJ0.a.b\r\n\n", "eyJ0.a.b", "");
}

TEST(nats_creds_that_are_none)
{
    static const char *const files[] = {
        "",
        "\n",
        "---\n",
        SEED,
        "------\neyJ0.a.b\n",           /* no second fence */
        "------\neyJ0.a.b c\n------\n", /* a blank */
        "------\n\neyJ0.a.b\n------\n",
        "user: x\npassword: y\n",
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct nats_creds creds;
        struct err err = {0};
        EXPECT(nats_creds_parse(&creds, slice_of(files[i]), &err) == -1);
        EXPECT_U64(err.code, ERR_FORMAT);
        EXPECT(strncmp(err.text, "it is not a credentials file", 28) == 0);
    }
}

TEST(nats_creds_seed_among_other_lines)
{
    struct slice seed;
    struct err err = {0};
    EXPECT(nats_creds_find_seed(&seed, slice_of(SEED), &err) == 0 && slice_is(seed, SEED));
    EXPECT(nats_creds_find_seed(&seed, slice_of("# of varve\nS\n\t" SEED " \r\n" USER "\n"),
                                &err) == 0);
    EXPECT(slice_is(seed, SEED));
    EXPECT(nats_creds_find_seed(&seed, slice_of("# nothing\n" USER "\n"), &err) == -1);
    EXPECT_TEXT(err.text, "no line of it is a seed: SU and 56 more characters");
}

static int parse(struct nats_jwt *jwt, const char *claims, struct err *err)
{
    struct buf text = {0};
    buf_append_text(&text, "eyJ0.");
    base64_append_url(&text, slice_of(claims));
    buf_append_text(&text, ".c2ln");
    int result = nats_jwt_parse(jwt, buf_slice(&text), err);
    buf_free(&text);
    return result;
}

TEST(nats_jwt_claims)
{
    struct nats_jwt jwt;
    struct err err = {0};
    EXPECT(parse(&jwt,
                 "{\"jti\":\"X\",\"iat\":1795000000,\"exp\":1795003600,\"nbf\":1795000001,"
                 "\"sub\":\"" USER "\",\"nats\":{\"type\":\"user\",\"bearer_token\":true}}",
                 &err) == 0);
    EXPECT_TEXT(jwt.subject, USER);
    EXPECT_I64(jwt.issued, 1795000000);
    EXPECT_I64(jwt.not_before, 1795000001);
    EXPECT_I64(jwt.expires, 1795003600);
    EXPECT(jwt.bearer);
    EXPECT(parse(&jwt, "{\"sub\":\"" USER "\",\"exp\":-1}", &err) == 0);
    EXPECT_I64(jwt.expires, 0);
    EXPECT(parse(&jwt, "{\"sub\":\"" USER "\",\"exp\":18446744073709551615}", &err) == 0);
    EXPECT_I64(jwt.expires, 0);
    EXPECT(!jwt.bearer);
}

static void expect_no_jwt(const char *claims, const char *text)
{
    struct nats_jwt jwt;
    struct err err = {0};
    EXPECT(parse(&jwt, claims, &err) == -1);
    EXPECT_TEXT(err.text, text);
}

TEST(nats_jwt_that_is_none)
{
    struct nats_jwt jwt;
    struct err err = {0};
    expect_no_jwt("", "its JWT is damaged: its claims are not JSON");
    expect_no_jwt("[]", "its JWT is damaged: its claims are not JSON");
    expect_no_jwt("{\"secret\":", "its JWT is damaged: its claims are not JSON");
    expect_no_jwt("{}", "its JWT does not name a user's key");
    expect_no_jwt("{\"sub\":\"" SEED "\"}", "its JWT does not name a user's key");
    expect_no_jwt("{\"sub\":\"A" USER "\",\"nats\":{\"type\":\"account\"}}",
                  "its JWT is not that of a user");
    EXPECT(nats_jwt_parse(&jwt, slice_of("eyJ0.x"), &err) == -1);
    EXPECT_TEXT(err.text, "its JWT is damaged: it has no three parts");
    err_clear(&err);
    EXPECT(nats_jwt_parse(&jwt, slice_of("eyJ0.e30+.x"), &err) == -1);
    EXPECT_TEXT(err.text, "its JWT is damaged: its claims are not JSON");
}
