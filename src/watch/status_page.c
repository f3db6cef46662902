/* SPDX-License-Identifier: MIT */
#include "watch/pages.h"

#define STYLE                                                                                 \
    "\n"                                                                                      \
    ":root { color-scheme: light dark; --line: #8886; --good: #1a7f37; --bad: #cf222e }\n"    \
    "@media (prefers-color-scheme: dark) { :root { --good: #4ac26b; --bad: #ff7b72 } }\n"     \
    "* { box-sizing: border-box }\n"                                                          \
    "body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem;\n"           \
    "  max-width: 70rem; overflow-wrap: anywhere }\n"                                         \
    "h1 { font-size: 1.3rem; margin: 0 }\n"                                                   \
    "h2 { font-size: 1rem; margin: 2rem 0 .5rem }\n"                                          \
    "#summary { border-left: .5rem solid var(--good); padding: .5rem 1rem; margin: 1rem 0;\n" \
    "  font-size: 1.1rem; font-weight: 600; white-space: pre-line }\n"                        \
    "[data-level=bad] #summary { border-left: .5rem double var(--bad) }\n"                    \
    "dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr));\n"     \
    "  gap: .5rem 1.5rem; margin: 0 }\n"                                                      \
    "dl div { border-top: 1px solid var(--line); padding-top: .25rem }\n"                     \
    "dt { font-size: .85rem }\n"                                                              \
    "dd { margin: 0; font-variant-numeric: tabular-nums }\n"                                  \
    "svg { display: block; width: 100%; height: 2.5rem }\n"                                   \
    "polyline { fill: none; stroke: currentColor; stroke-width: 1.5;\n"                       \
    "  vector-effect: non-scaling-stroke }\n"                                                 \
    ".wide { overflow-x: auto }\n"                                                            \
    "table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }\n"  \
    "th, td { text-align: left; padding: .25rem 1rem .25rem 0; vertical-align: top;\n"        \
    "  border-top: 1px solid var(--line); overflow-wrap: normal }\n"                          \
    "th { font-size: .85rem; font-weight: 400; border: 0; white-space: nowrap }\n"            \
    "tbody:empty::after { content: 'none' }\n"                                                \
    "footer { margin-top: 2rem; font-size: .85rem }\n"

#define SCRIPT                                                                                   \
    "\n"                                                                                         \
    "'use strict';\n"                                                                            \
    "const period = 2000, patience = 5000;\n"                                                    \
    "function row(cells) {\n"                                                                    \
    "  const tr = document.createElement('tr');\n"                                               \
    "  for (const text of cells)\n"                                                              \
    "    tr.appendChild(document.createElement('td')).textContent = text;\n"                     \
    "  return tr;\n"                                                                             \
    "}\n"                                                                                        \
    "function show(status) {\n"                                                                  \
    "  document.body.dataset.level = status.level;\n"                                            \
    "  for (const [id, value] of Object.entries(status)) {\n"                                    \
    "    const element = document.getElementById(id);\n"                                         \
    "    if (!element) continue;\n"                                                              \
    "    if (Array.isArray(value)) element.replaceChildren(...value.map(row));\n"                \
    "    else if (element.tagName === 'polyline') element.setAttribute('points', value);\n"      \
    "    else if (element.textContent !== value) element.textContent = value;\n"                 \
    "  }\n"                                                                                      \
    "}\n"                                                                                        \
    "async function refresh() {\n"                                                               \
    "  const cut = new AbortController();\n"                                                     \
    "  const timer = setTimeout(() => cut.abort(), patience);\n"                                 \
    "  try {\n"                                                                                  \
    "    show(await (await fetch('status.json', { signal: cut.signal })).json());\n"             \
    "  } catch (e) {\n"                                                                          \
    "    show({ level: 'bad', summary: '\\u2717 varve does not answer; what stands below is '\n" \
    "      + 'what it said last' });\n"                                                          \
    "  }\n"                                                                                      \
    "  clearTimeout(timer);\n"                                                                   \
    "  setTimeout(refresh, period);\n"                                                           \
    "}\n"                                                                                        \
    "setTimeout(refresh, period);\n"

const char status_page_head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<link rel=\"icon\" href=\"data:,\">\n"
    "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n"
    "<title>varve</title>\n"
    "<style>" STYLE "</style>\n"
    "</head>\n";

const char status_page_tail[] =
    "<footer><a href=\"metrics\">metrics</a> <a href=\"readyz\">readiness</a>. All times are UTC."
    "</footer>\n"
    "<script>" SCRIPT "</script>\n"
    "</body>\n"
    "</html>\n";

const char status_page_policy[] =
    "Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "style-src 'sha256-yCle4gkBDjdVRmu225vO/qx0fq+lJaHGkYazpYq4w8c='; "
    "script-src 'sha256-fPO7zyQ0BkSdDnLN46lGA3hVZ9/MolPt7//fBl4DOF8='\r\n";
