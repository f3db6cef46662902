/* SPDX-License-Identifier: MIT */
#include "object/s3_client.h"

#include "base/clock.h"
#include "bucket_model.h"
#include "object/open.h"
#include "test.h"

static struct s3_client *open_client(void)
{
    struct s3_options options = *object_reached();
    struct err err = {0};
    options.bucket = "bucket";
    options.prefix = "";
    struct s3_client *client = s3_client_open(&options, &err);
    EXPECT_TEXT(err.text, "");
    return client;
}

static bool put(struct s3_client *client)
{
    struct s3_condition any = {.kind = S3_ANY};
    struct err err = {0};
    return s3_put(client, "a", slice_of("x"), any, NULL, &err) == S3_DONE;
}

/* S3 closes what has been idle for 20 s: a request that is just on its way then is lost. */
TEST(s3_client_leaves_a_connection_that_was_idle)
{
    struct bucket_model *m = bucket_model_new();
    struct s3_client *client = open_client();
    EXPECT(put(client) && put(client));
    EXPECT_U64(bucket_model_connects(m), 1);
    bucket_model_wait(m, clock_monotonic() + 14 * CLOCK_SECOND);
    EXPECT(put(client));
    EXPECT_U64(bucket_model_connects(m), 1);
    bucket_model_wait(m, clock_monotonic() + 15 * CLOCK_SECOND);
    EXPECT(put(client));
    EXPECT_U64(bucket_model_connects(m), 2);
    s3_client_close(client);
    bucket_model_free(m);
}
