/* SPDX-License-Identifier: MIT */
#include "object/s3_credentials.h"

#include "test.h"

static const char file[] = "# a comment\n"
                           "aws_access_key_id = outside\n"
                           "[default]\n"
                           "aws_access_key_id=ONE\r\n"
                           "  aws_secret_access_key =  a=b/c  \n"
                           "; aws_session_token = no\n"
                           "\n"
                           "[ profile two ]\n"
                           "region = eu-west-1\n"
                           "region = eu-west-2\n"
                           "s3 =\n"
                           "  endpoint_url = nested\n"
                           "[default]\n"
                           "region = last";

static void expect(const char *section, const char *key, const char *expected)
{
    struct slice value = {0};
    bool found = s3_ini_find(slice_of(file), section, key, &value);
    EXPECT(found == (expected != NULL));
    if (expected != NULL)
        EXPECT(slice_is(value, expected));
}

TEST(s3_ini_values)
{
    expect("default", "aws_access_key_id", "ONE");
    expect("default", "aws_secret_access_key", "a=b/c");
    expect("default", "aws_session_token", NULL);
    expect("default", "region", "last");
    expect("profile two", "region", "eu-west-2");
    expect("profile two", "aws_access_key_id", NULL);
    expect("two", "region", NULL);
    expect("", "aws_access_key_id", NULL);
}
