/* SPDX-License-Identifier: MIT */
#include "watch/pages.h"

#include "base/json.h"
#include "test.h"

static const char hostile[] = "<script>&\"'</dd>\\\n";

/* The same story in both forms. */
static void tell(struct buf *out, enum status_form form)
{
    static const char *const headings[] = {"A", "B", NULL};
    struct status_curve curve = {.values = {0, 5, 10}, .count = 3};
    struct status_writer w;
    status_begin(&w, out, form, false);
    status_line(&w, "line", hostile);
    status_heading(&w, "Heading");
    status_facts_begin(&w);
    status_fact(&w, "fact", "Label", "%s %d", hostile, 7);
    status_curve_fact(&w, "rate", "Rate", &curve, "%d", 10);
    status_facts_end(&w);
    status_table_begin(&w, "table", headings);
    status_row(&w);
    status_cell(&w, "%s", hostile);
    status_cell(&w, "b");
    status_row(&w);
    status_cell(&w, "c");
    status_cell(&w, "%d", 1);
    status_table_end(&w);
    status_table_begin(&w, "empty", headings);
    status_table_end(&w);
    status_end(&w);
}

TEST(status_write_page)
{
    struct buf out = {0};
    tell(&out, STATUS_PAGE);
    EXPECT_TEXT(buf_text(&out),
                "<body data-level=\"bad\">\n"
                "<p id=\"line\">&lt;script&gt;&amp;&quot;&#39;&lt;/dd&gt;\\\n</p>\n"
                "<h2>Heading</h2>\n"
                "<dl>\n"
                "<div><dt>Label</dt><dd id=\"fact\">&lt;script&gt;&amp;&quot;&#39;&lt;/dd&gt;\\\n "
                "7</dd></div>\n"
                "<div><dt>Rate</dt><dd id=\"rate\">10</dd><dd><svg viewBox=\"0 -1 240 42\" "
                "preserveAspectRatio=\"none\" aria-hidden=\"true\"><polyline id=\"rate-curve\" "
                "points=\"231.9,40.0 235.9,20.0 240.0,0.0\"/></svg></dd></div>\n"
                "</dl>\n"
                "<div class=\"wide\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">A</th>"
                "<th scope=\"col\">B</th></tr></thead>\n"
                "<tbody id=\"table\"><tr><td>&lt;script&gt;&amp;&quot;&#39;&lt;/dd&gt;\\\n</td>"
                "<td>b</td></tr>\n"
                "<tr><td>c</td><td>1</td></tr>\n</tbody></table></div>\n"
                "<div class=\"wide\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">A</th>"
                "<th scope=\"col\">B</th></tr></thead>\n"
                "<tbody id=\"empty\"></tbody></table></div>\n");
    buf_free(&out);
}

TEST(status_write_json)
{
    struct buf out = {0};
    struct arena arena = {0};
    struct err err = {0};
    struct slice text;
    tell(&out, STATUS_JSON);
    const struct json *root = json_parse(&arena, buf_slice(&out), &err);
    EXPECT(root != NULL);
    EXPECT(json_get_text(root, "level", &text) && slice_is(text, "bad"));
    EXPECT(json_get_text(root, "line", &text) && slice_is(text, hostile));
    EXPECT(json_get_text(root, "fact", &text) && slice_starts_with(text, hostile));
    EXPECT(json_get_text(root, "rate", &text) && slice_is(text, "10"));
    EXPECT(json_get_text(root, "rate-curve", &text) &&
           slice_is(text, "231.9,40.0 235.9,20.0 240.0,0.0"));
    const struct json *table = json_member(root, "table");
    EXPECT(table != NULL && table->type == JSON_ARRAY && table->first->type == JSON_ARRAY);
    EXPECT(slice_is(table->first->first->text, hostile));
    EXPECT(slice_is(table->first->next->first->next->text, "1"));
    EXPECT(table->first->next->next == NULL);
    EXPECT(json_member(root, "empty") != NULL && json_member(root, "empty")->first == NULL);
    arena_free(&arena);
    buf_free(&out);
}

TEST(status_write_cuts_long_texts)
{
    struct buf out = {0};
    struct status_writer w;
    status_begin(&w, &out, STATUS_PAGE, true);
    size_t before = out.len;
    status_fact(&w, "x", "X", "%*d", 100000, 1);
    EXPECT(out.len - before < STATUS_TEXT_MAX + 100);
    buf_free(&out);
}

TEST(status_write_flat_curve)
{
    struct buf out = {0};
    struct status_writer w;
    struct status_curve curve = {.count = 2};
    status_begin(&w, &out, STATUS_JSON, true);
    status_curve_fact(&w, "x", "X", &curve, "0");
    curve.count = 0;
    status_curve_fact(&w, "y", "Y", &curve, "0");
    status_end(&w);
    EXPECT_TEXT(buf_text(&out), "{\"level\":\"good\",\"x\":\"0\",\"x-curve\":\"235.9,40.0 "
                                "240.0,40.0\",\"y\":\"0\",\"y-curve\":\"\"}\n");
    buf_free(&out);
}
