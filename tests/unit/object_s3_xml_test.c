/* SPDX-License-Identifier: MIT */
#include "object/s3_xml.h"

#include <stdio.h>

#include "test.h"

static bool note(void *context, const char *path, struct slice text)
{
    struct buf *out = context;
    buf_printf(out, "%s=%.*s|", path, (int)text.len, (const char *)text.data);
    return true;
}

static void expect(const char *document, const char *found)
{
    struct buf out = {0};
    struct err err = {0};
    EXPECT_I64(xml_walk(slice_of(document), note, &out, &err), 0);
    EXPECT_TEXT(buf_text(&out), found);
    buf_free(&out);
}

static void expect_refused(struct slice document)
{
    struct buf out = {0};
    struct err err = {0};
    EXPECT_I64(xml_walk(document, note, &out, &err), -1);
    EXPECT_U64(err.code, ERR_PROTOCOL);
    buf_free(&out);
}

TEST(s3_xml_elements_and_text)
{
    expect("<a>x</a>", "a=x|");
    expect("\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- > --><a  b='>' c=\"<\">\n <b/>\n</a>\n",
           "a/b=|a=\n|");
    expect("<s:R xmlns:s='u'><s:Key>a&amp;b&lt;&gt;&quot;&apos;&#34;&#x22;&#233;&#x1F600;</s:Key>"
           "<s:Key> </s:Key></s:R>",
           "R/Key=a&b<>\"'\"\"\xc3\xa9\xf0\x9f\x98\x80|R/Key= |R=|");
}

TEST(s3_xml_what_is_refused)
{
    static const char *const documents[] = {
        "",
        "text",
        "<a>",
        "<a></b>",
        "<a></a",
        "</a>",
        "<a></a><b></b>",
        "<a></a>x",
        "<>x</>",
        "<a>&nbsp;</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x110000;</a>",
        "<a>&#99999999999999999999;</a>",
        "<a>&#;</a>",
        "<a>&#x;</a>",
        "<a>&lt</a>",
        "<a><![CDATA[x]]></a>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<a><!-- </a>",
        "<1></1>",
        "<p:/>",
        "<a b='></a>",
    };
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
        expect_refused(slice_of(documents[i]));
}

TEST(s3_xml_limits)
{
    struct buf text = {0};
    for (int i = 0; i <= XML_DEPTH_MAX; i++)
        buf_append_text(&text, "<a>");
    expect_refused(buf_slice(&text));
    buf_reset(&text);
    buf_append_text(&text, "<a>");
    for (int i = 0; i <= XML_TEXT_MAX; i++)
        buf_append_byte(&text, 'x');
    buf_append_text(&text, "</a>");
    expect_refused(buf_slice(&text));
    buf_reset(&text);
    buf_append_byte(&text, '<');
    for (int i = 0; i <= XML_PATH_MAX; i++)
        buf_append_byte(&text, 'x');
    buf_append_text(&text, "/>");
    expect_refused(buf_slice(&text));
    buf_free(&text);
}

/* Every cut of a document is noticed: it never looks like a shorter one. */
TEST(s3_xml_cut_off)
{
    static const char document[] = "<?xml version='1.0'?><L a='b'><C><K>a&amp;b</K></C><T/></L>";
    for (size_t len = 0; len + 1 < sizeof(document); len++)
        expect_refused((struct slice){(const uint8_t *)document, len});
}

TEST(s3_xml_find)
{
    struct buf out = {0};
    EXPECT(xml_find(slice_of("<E><X><Code>no</Code></X><Code>A</Code><Code>B</Code></E>"), "E/Code",
                    &out));
    EXPECT_TEXT(buf_text(&out), "A");
    buf_reset(&out);
    EXPECT(!xml_find(slice_of("<E><Code>A</Code></E>"), "E/Region", &out));
    EXPECT(!xml_find(slice_of("<E><Code>A"), "E/Code", &out));
    EXPECT_U64(out.len, 0);
    buf_free(&out);
}
