/* SPDX-License-Identifier: MIT */
#include "object/s3_sign.h"

#include "base/time.h"
#include "test.h"

/*
 * AWS's published examples ("Examples: Signature Calculations" in the Amazon S3 API reference), and
 * four more requests that another implementation has signed with the same keys.
 */
static const char access_key_id[] = "AKIAIOSFODNN7EXAMPLE";
static const char secret_access_key[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
static const char no_payload[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static struct s3_signing_key key;

struct example {
    const char *method, *path;
    const char *query[8];   /* name, value, ..., NULL */
    const char *fields[10]; /* the same, without x-amz-content-sha256 and x-amz-date */
    const char *payload;
    const char *date;
    const char *signed_fields, *signature;
};

static unsigned pairs(const char *const *texts, struct s3_pair *out)
{
    unsigned count = 0;
    for (; texts[2 * count] != NULL; count++)
        out[count] = (struct s3_pair){slice_of(texts[2 * count]), slice_of(texts[2 * count + 1])};
    return count;
}

static void check(const struct example *e)
{
    struct s3_pair query[S3_PAIRS_MAX], fields[S3_PAIRS_MAX];
    struct buf path = {0}, text = {0}, out = {0}, expected = {0};
    s3_encode(&path, slice_of(e->path), true);
    s3_encode_query(&text, query, pairs(e->query, query));
    unsigned count = pairs(e->fields, fields);
    fields[count++] = (struct s3_pair){slice_of("x-amz-date"), slice_of(e->date)};
    fields[count++] = (struct s3_pair){slice_of("x-amz-content-sha256"), slice_of(e->payload)};
    const struct s3_to_sign r = {
        .method = e->method,
        .path = buf_slice(&path),
        .query = buf_slice(&text),
        .fields = fields,
        .field_count = count,
        .payload = slice_of(e->payload),
        .date = e->date,
        .region = "us-east-1",
        .access_key_id = slice_of(access_key_id),
        .secret_access_key = slice_of(secret_access_key),
    };
    s3_sign(&out, &r, &key);
    buf_printf(&expected,
               "AWS4-HMAC-SHA256 Credential=%s/%.8s/us-east-1/s3/aws4_request, SignedHeaders=%s, "
               "Signature=%s",
               access_key_id, e->date, e->signed_fields, e->signature);
    EXPECT_TEXT(buf_text(&out), buf_text(&expected));
    buf_free(&path);
    buf_free(&text);
    buf_free(&out);
    buf_free(&expected);
}

#define AWS_HOST "host", "examplebucket.s3.amazonaws.com"
#define OWN_HOST "host", "127.0.0.1:9000"

TEST(s3_sign_like_the_examples_of_aws)
{
    static const char date[] = "20130524T000000Z";
    static const struct example examples[] = {
        {"GET",
         "/test.txt",
         {NULL},
         {AWS_HOST, "range", "bytes=0-9"},
         no_payload,
         date,
         "host;range;x-amz-content-sha256;x-amz-date",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
        {"PUT",
         "/test$file.text",
         {NULL},
         {AWS_HOST, "x-amz-storage-class", "REDUCED_REDUNDANCY", "date",
          "Fri, 24 May 2013 00:00:00 GMT"},
         "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
         date,
         "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
        {"GET",
         "/",
         {"lifecycle", ""},
         {AWS_HOST},
         no_payload,
         date,
         "host;x-amz-content-sha256;x-amz-date",
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
        {"GET",
         "/",
         {"prefix", "J", "max-keys", "2"},
         {AWS_HOST},
         no_payload,
         date,
         "host;x-amz-content-sha256;x-amz-date",
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    };
    uint8_t expected[] = {0xdb, 0xb8, 0x93, 0xac, 0xc0, 0x10, 0x96, 0x49, 0x18, 0xf1, 0xfd,
                          0x43, 0x3a, 0xdd, 0x87, 0xc7, 0x0e, 0x8b, 0x0d, 0xb6, 0xbe, 0x30,
                          0xc1, 0xfb, 0xea, 0xfe, 0xfa, 0x5e, 0xc6, 0xba, 0x83, 0x78};
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        check(&examples[i]);
    EXPECT_BYTES(key.key, sizeof(key.key), expected, sizeof(expected));
}

TEST(s3_sign_requests_of_our_own)
{
    static const char date[] = "20261126T120000Z";
    static const char fields[] = "host;x-amz-content-sha256;x-amz-date";
    static const struct example examples[] = {
        {"PUT",
         "/varve-test/_delta_log/00000000000000000007.json",
         {NULL},
         {"x-amz-security-token", "TOKEN/EXAMPLE==", "if-none-match", "*", OWN_HOST},
         "0beff100ff52665adadee9c22e4cc8d34a6d67d99bf83e64ad37eab9f3ab3515",
         date,
         "host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-security-token",
         "9de5ce6696e5ec22669b0dd22cffaaaedbe1ec749211ad6188928744f5e31113"},
        {"GET",
         "/varve-test",
         {"start-after", "sim_logs/_delta_log/00000000000000000007.json", "prefix",
          "sim_logs/_delta_log/", "list-type", "2"},
         {OWN_HOST},
         no_payload,
         date,
         fields,
         "0ce1a518a93b6ff1c43b377c46836a81996440f7f28ecb2a0a1d4b56efa97112"},
        {"PUT",
         "/varve-test/sim=a b/%empty/\xc3\xa9+.parquet",
         {NULL},
         {OWN_HOST},
         "UNSIGNED-PAYLOAD",
         date,
         fields,
         "54169eb8f5652a7aa10c8f481358efc84c02443182f642fd786589c4a81440e6"},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        check(&examples[i]);
}

TEST(s3_sign_date)
{
    char text[S3_DATE_MAX];
    int64_t ns = 0;
    EXPECT(time_parse(slice_of("2026-11-26T12:00:59.999Z"), &ns));
    s3_date(ns, text);
    EXPECT_TEXT(text, "20261126T120059Z");
}
