/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include "test.h"

static const struct {
    const char *plain;
    const char *text;
} vectors[] = {
    /* RFC 4648 section 10 */
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    /* the last two letters of the alphabet */
    {"\xF8\xF9\xFA\xFB\xFC\xFD\xFE\xFF", "+Pn6+/z9/v8="},
    {"\xFB\xFF\xBF", "+/+/"},
};

TEST(base64_known_vectors_both_ways)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct buf text = {0};
        struct buf back = {0};
        base64_append(&text, slice_of(vectors[i].plain));
        EXPECT_TEXT(buf_text(&text), vectors[i].text);
        EXPECT(base64_decode(&back, slice_of(vectors[i].text)));
        EXPECT_TEXT(buf_text(&back), vectors[i].plain);
        buf_reset(&back);
        /* without padding */
        EXPECT(base64_decode(&back, (struct slice){text.data, strcspn(vectors[i].text, "=")}));
        EXPECT_TEXT(buf_text(&back), vectors[i].plain);
        buf_free(&text);
        buf_free(&back);
    }
}

TEST(base64_both_directions_append)
{
    struct buf b = {0};
    buf_append_text(&b, "x:");
    base64_append(&b, slice_of("foo"));
    EXPECT_TEXT(buf_text(&b), "x:Zm9v");
    EXPECT(base64_decode(&b, slice_of("YmFy")));
    EXPECT_TEXT(buf_text(&b), "x:Zm9vbar");
    base64_append(&b, (struct slice){NULL, 0});
    EXPECT(base64_decode(&b, (struct slice){NULL, 0}));
    EXPECT_TEXT(buf_text(&b), "x:Zm9vbar");
    buf_free(&b);
}

TEST(base64_random_bytes_round_trip)
{
    struct buf text = {0};
    struct buf back = {0};
    for (size_t len = 0; len < 600; len++) {
        uint8_t data[600];
        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)test_random();
        buf_reset(&text);
        buf_reset(&back);
        base64_append(&text, (struct slice){data, len});
        EXPECT_U64(text.len, (len + 2) / 3 * 4);
        EXPECT(base64_decode(&back, buf_slice(&text)));
        EXPECT_BYTES(back.data, back.len, data, len);
    }
    buf_free(&text);
    buf_free(&back);
}

static void expect_refused(struct slice text)
{
    struct buf out = {0};
    buf_append_text(&out, "kept");
    EXPECT(!base64_decode(&out, text));
    EXPECT_TEXT(buf_text(&out), "kept");
    buf_free(&out);
}

TEST(base64_refuses_all_else)
{
    static const char *const bad[] = {
        "A",    "AAAAA", "=",       "==",      "===",         "====",     "A===",
        "A=",   "AA=",   "AAA==",   "AAAA=",   "AAAA====",    "AA==AAAA", "AAA=AAAA",
        "A=AA", "=AAA",  "AAA A",   " AAAA",   "AAAA ",       "AAAA\n",   "AA\nAA",
        "AA-_", "AAA*",  "AAA\x80", "AAA\xC3", "AAAAAAAA=AAA"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_refused(slice_of(bad[i]));
    expect_refused((struct slice){(const uint8_t *)"AAA\0", 4});
}

TEST(base64_every_byte_outside_the_alphabet_is_refused)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int c = 0; c < 256; c++) {
        uint8_t text[4] = {'A', (uint8_t)c, 'A', 'A'};
        const char *found = c == 0 ? NULL : strchr(alphabet, c);
        if (found == NULL) {
            expect_refused((struct slice){text, 4});
            continue;
        }
        struct buf out = {0};
        EXPECT(base64_decode(&out, (struct slice){text, 4}));
        uint32_t value = (uint32_t)(found - alphabet) << 12;
        uint8_t expected[3] = {(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
        EXPECT_BYTES(out.data, out.len, expected, 3);
        buf_free(&out);
    }
}

/* RFC 4648 section 3.5: an encoder leaves the unused bits zero, so these are no encoder's work, and
 * two texts must not stand for the same bytes. */
TEST(base64_refuses_bits_left_over)
{
    expect_refused(slice_of("Zh=="));
    expect_refused(slice_of("Zh"));
    expect_refused(slice_of("Zm9="));
    expect_refused(slice_of("Zm9vYh"));
    expect_refused(slice_of("/////w="));
    expect_refused(slice_of("//=="));
}

/* RFC 4648 section 5. */
TEST(base64_url_safe_both_ways)
{
    struct buf text = {0};
    struct buf back = {0};
    base64_append_url(&text, slice_of("\xFB\xFF\xBF\xF8"));
    EXPECT_TEXT(buf_text(&text), "-_-_-A");
    EXPECT(base64_decode_url(&back, buf_slice(&text)));
    EXPECT_TEXT(buf_text(&back), "\xFB\xFF\xBF\xF8");
    EXPECT(!base64_decode_url(&back, slice_of("+_-_")));
    EXPECT(!base64_decode_url(&back, slice_of("-/-_")));
    EXPECT(!base64_decode_url(&back, slice_of("-_-_-A==")));
    EXPECT(!base64_decode_url(&back, slice_of("-_-_-B")));
    EXPECT_U64(back.len, 4);
    buf_free(&text);
    buf_free(&back);
}
