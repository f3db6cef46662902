# SPDX-License-Identifier: MIT
"""Files of varve's writer, judged by readers that are not ours: every value of every case, what the
metadata says, and filters that trust it. PITFALLS.md says which test stands for which pitfall."""

import dataclasses
import os
import pathlib
import random
import re
import subprocess

import duckdb
import numpy as np
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import readers
from generate import Column, expected

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))
PROGRAM = os.environ.get("WRITER_CASES", BUILD / "interop" / "writer_cases")
SEED = int(os.environ.get("TEST_SEED", "20261124"))
STRIPE = 20480
NODE_FILES = 12

# ---- cases ---------------------------------------------------------------------------------------

EVENT = """
n,int64,bounds+ordered,step:1:1,none
ts,int64,bounds,jitter:1780000000000000000:1000:700,none
at,micros,bounds,step:-5000000:1700,none
id,text,random,uuid,none
type,text,dictionary+bounds,keys:4,none
hint,text,dictionary+bounds,keys:1,none
maybe,text,dictionary+bounds+optional,keys:300,percent:40
payload,raw,,bytes:0:90:63,none
rest,raw,optional,bytes:1:9:255,percent:90
"""

DICTIONARY_SIZES = [1, 2, 3, 4, 5, 8, 9, 16, 17, 128, 129, 255, 256, 257, 65535, 65536, 65537]


def parse(text):
    return [Column(*line.split(",")) for line in text.strip().splitlines()]


@dataclasses.dataclass
class Case:
    columns: list
    rows: int
    stripe: int = STRIPE
    options: tuple = ()


CASES = {}


def case(name, text, rows, stripe=STRIPE, *options):
    CASES[name] = Case(parse(text), rows, stripe, options)


for rows in (0, 1, 7, 8, 9, 503, 504, 505, STRIPE - 1, STRIPE, STRIPE + 1, 50000):
    case(f"rows-{rows}", EVENT, rows)
for rows in (4999, 5000, 5001, 10000, 10001):
    case(f"group-rows-{rows}", EVENT, rows, 1000, "row_group_rows=5000")
for name, options in {
    "delta": ("delta=1",),
    "level-3": ("level=3",),
    "level-19": ("level=19",),
    "level-minus-7": ("level=-7",),
    "small-pages": ("page_bytes=4096",),
}.items():
    case(name, EVENT, 30000, STRIPE, *options)
case("tiny-stripes", EVENT, 3000, 7)
case("single-row-stripes", EVENT, 300, 1)
case("hundred-groups", EVENT, 10000, 100, "row_group_rows=100")
case("thousand-pages", "n,int64,bounds+ordered,step:1:1,none", 10000, 10)
case("group-bytes", EVENT, 30000, 500, "row_group_bytes=300000")
case("small-pages-delta", EVENT, 30000, STRIPE, "page_bytes=4096", "delta=1")

NULLABLE = """
n,int64,bounds+optional,random,{0}
m,micros,bounds+optional,edges,{0}
plain,text,optional,uuid,{0}
dict,text,optional+dictionary+bounds,keys:3,{0}
raw,raw,optional+bounds,bytes:0:20:255,{0}
"""
for nulls in (
    "all",
    "first:1000",
    "first:1001",
    "from:1000",
    "every:2",
    "every:1000",
    "percent:99",
):
    for profile in ("plain", "delta=1"):
        options = (profile,) if profile != "plain" else ()
        case(f"nulls-{nulls}-{profile}", NULLABLE.format(nulls), 4000, 500, *options)

for size in DICTIONARY_SIZES:
    rows = max(2 * size + 100, 3 * min(size, 20000))
    case(f"dictionary-{size}", f"k,text,dictionary+bounds,cycle:{size},none", rows)
case("dictionary-grows", "k,text,dictionary+bounds,growing:40,percent:0", 60000, 4000)
for at in (0, 100, 12000, 39999):
    case(f"dictionary-until-{at}", f"k,text,dictionary+bounds,until:{at}:20,none", 40000, 4000)
case(
    "dictionary-ends-at-last",
    "k,text,dictionary+bounds+optional,until:39999:5,every:7",
    40000,
    4000,
)
case(
    "dictionary-gives-up-then-returns",
    "k,text,dictionary+bounds,until:2000:9,none",
    40000,
    1000,
    "row_group_rows=1000",
)
case("runs", "k,text,dictionary+bounds,runs:37:11,none\nj,text,dictionary,runs:5:3,every:11", 20000)
CASES["runs"].columns[1].flags += "+optional"

STRINGS = """
empty,text,dictionary+bounds,repeated:0:78,none
nothing,raw,bounds,repeated:0:78,none
unicode,text,bounds,characters:0:40,none
unicode_dict,text,dictionary+bounds,characters:1:1,none
edge,text,dictionary+bounds,edge,none
edge_plain,text,bounds,edge,percent:10
last,text,bounds,repeated:80:f48fbfbf,none
ff,raw,bounds,repeated:80:ff,none
ff_dict,raw,dictionary+bounds,repeated:80:ff,none
binary,raw,bounds,bytes:60:68:255,none
"""
case("strings", STRINGS, 3000, 1000)
CASES["strings"].columns[5].flags += "+optional"
case("strings-delta", STRINGS, 3000, 1000, "delta=1")
CASES["strings-delta"].columns[5].flags += "+optional"
case(
    "long-x",
    "s,text,bounds,repeated:70000:78,none\nd,text,dictionary+bounds,repeated:70000:78,none",
    40,
    20,
)
for size in (65535, 65536, 65537, 1 << 20):
    case(
        f"long-{size}",
        f"s,raw,bounds,large:20:{size},none\nt,raw,optional,large:3:{size},every:5",
        60,
        40,
    )
case(
    "wide",
    "p,raw,,large:50:100000,none\nn,int64,bounds+ordered,step:0:1,none",
    3000,
    STRIPE,
    "page_bytes=65536",
)
case(
    "larger-than-page",
    "p,raw,,bytes:5000:9000,none".replace("9000", "9000:63"),
    300,
    100,
    "page_bytes=4096",
)
case(
    "incompressible", "p,raw,,bytes:200:200:255,none\nq,raw,optional,bytes:0:200:255,every:3", 20000
)
case("constant", "p,raw,,repeated:20:6162,none\nn,int64,bounds,step:7:0,none", 30000)
case(
    "tiny-then-large",
    "p,raw,,large:400:3000,none\nk,text,dictionary+bounds,until:3000:2,none",
    20000,
    40,
)

NUMBERS = """
edges,int64,bounds,edges,none
random,int64,bounds,random,none
falling,int64,bounds+ordered,step:100:-3,none
ties,int64,bounds+ordered,step:5:0,none
again,int64,bounds+ordered,again:100,none
micros,micros,bounds,edges,none
"""
case("numbers", NUMBERS, 30000, 6000)
case("numbers-delta", NUMBERS, 30000, 6000, "delta=1")
for rows in (1, 2, 31, 32, 33, 127, 128, 129, 130, 257):
    case(f"delta-rows-{rows}", EVENT, rows, STRIPE, "delta=1")
case(
    "three-hundred-columns",
    "\n".join(
        f"c{i},{('int64', 'text', 'raw', 'micros')[i % 4]},"
        f"{('bounds', 'dictionary+bounds')[i % 2]},"
        f"{('step:1:%d' % i, 'keys:%d' % (i + 1), 'bytes:0:9:255', 'edges')[i % 4]},none"
        for i in range(300)
    ),
    200,
)


INTEGERS = ["step:-9:1", "step:0:0", "jitter:1000:-3:50", "random", "edges", "again:7"]
STRING_KINDS = ["cycle:3", "keys:40", "growing:9", "until:300:4", "runs:20:6", "uuid", "edge"]
STRING_KINDS += ["characters:0:30", "repeated:3:c3a4", "repeated:70:f48fbfbf"]
RAW_KINDS = [
    *STRING_KINDS,
    "bytes:0:300:255",
    "bytes:90:130:15",
    "large:30:20000",
    "repeated:80:ff",
]
NULL_KINDS = ["none", "all", "first:400", "from:700", "every:3", "percent:50", "percent:99"]


def random_case(seed):
    """Any columns, any limits. The number is the whole case: TEST_SEED and the name repeat it."""
    r = random.Random(seed)
    columns = []
    for i in range(r.randint(1, 8)):
        kind = r.choice(["int64", "micros", "text", "raw"])
        values = INTEGERS if kind in ("int64", "micros") else RAW_KINDS
        nulls = r.choice(NULL_KINDS)
        flags = [f for f in ("bounds", "dictionary", "ordered", "random") if r.random() < 0.5]
        flags += ["optional"] if nulls != "none" or r.random() < 0.2 else []
        value = r.choice(STRING_KINDS if kind == "text" else values)
        columns.append(Column(f"c{i}", kind, "+".join(flags), value, nulls))
    options = [
        f"level={r.choice([-7, -1, 1, 3, 9])}",
        f"page_bytes={r.choice([4096, 20000, 1 << 20])}",
    ]
    options += [f"row_group_rows={r.choice([1, 100, 3000, 1 << 20])}"] if r.random() < 0.7 else []
    options += ["delta=1"] if r.random() < 0.4 else []
    rows = r.choice([1, 50, 1000, 4000])
    stripe = r.choice([1, 13, 500, STRIPE]) if rows <= 1000 else r.choice([500, STRIPE])
    return Case(columns, rows, stripe, tuple(options))


for number in range(24):
    CASES[f"random-{number}"] = random_case(SEED * 1000 + number)


# ---- files ---------------------------------------------------------------------------------------


class Files:
    """Files of cases, made when they are first asked for."""

    def __init__(self, folder):
        self.folder = folder
        self.values, self.digests, self.hyparquet = {}, {}, {}

    def path(self, name):
        path = self.folder / f"{name.replace(':', '-')}.parquet"
        if not path.exists():
            c = CASES[name]
            specs = [column.spec() for column in c.columns]
            command = [PROGRAM, path, SEED, c.rows, c.stripe, *c.options, "--", *specs]
            subprocess.run([str(word) for word in command], check=True, timeout=60)
        return path

    def expected(self, name):
        if name not in self.values:
            c = CASES[name]
            self.values[name] = expected(c.columns, SEED, c.rows)
        return self.values[name]

    def expected_digests(self, name):
        if name not in self.digests:
            self.digests[name] = readers.digests(self.expected(name))
        return self.digests[name]

    def by_hyparquet(self, name):
        """Some files in one go, since starting Node takes longer than most files do."""
        if name not in self.hyparquet:
            names = list(CASES)
            first = names.index(name) // NODE_FILES * NODE_FILES
            names = names[first : first + NODE_FILES]
            found = readers.hyparquet(*[self.path(n) for n in names])
            if found is None:
                pytest.skip("hyparquet is not installed")
            self.hyparquet.update(zip(names, found, strict=True))
        return self.hyparquet[name]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("cases"))


# ---- every value ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", readers.READERS)
@pytest.mark.parametrize("name", CASES)
def test_values(files, name, reader):
    found = readers.READERS[reader](files.path(name))
    assert readers.digests(found) == files.expected_digests(name)


@pytest.mark.parametrize("name", CASES)
def test_values_by_hyparquet(files, name):
    found = files.by_hyparquet(name)
    assert found["rows"] == CASES[name].rows
    assert found["digests"] == files.expected_digests(name)


@pytest.mark.parametrize("name", CASES)
def test_verify_finds_nothing(files, name):
    """Our own reader, which looks at every byte: a second opinion on sizes, CRCs and indexes."""
    binary = pathlib.Path(os.environ.get("VARVE", BUILD / "varve"))
    if not binary.exists():
        pytest.skip("build/varve is not there")
    done = subprocess.run([binary, "verify", files.path(name)], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- filters that trust statistics and indexes ---------------------------------------------------

FILTERED = [
    "rows-50000",
    "delta",
    "small-pages",
    "group-rows-10001",
    "hundred-groups",
    "numbers",
    "nulls-every:2-plain",
    "nulls-first:1000-plain",
    "strings",
    "dictionary-until-12000",
    "dictionary-grows",
    "tiny-stripes",
]


def probes(array):
    """Values to compare with: some that are there, the least and the greatest among them."""
    present = array.drop_null()
    if len(present) == 0:
        return []
    order = pc.sort_indices(present)
    places = sorted({0, len(order) // 3, len(order) // 2, len(order) - 1})
    return [present[order[place].as_py()].as_py() for place in places]


def columns_with_bounds(name):
    c = CASES[name]
    return [column for column in c.columns if "bounds" in column.flags]


def compare(values, operator, probe):
    found = {"=": pc.equal, ">=": pc.greater_equal, "<": pc.less}[operator](values, probe)
    return pc.sum(found).as_py() or 0


def cast_probe(column, probe):
    """As the type that readers see."""
    if column.type == "text":
        return probe.decode()
    return probe


@pytest.mark.parametrize("name", FILTERED)
def test_filters_equal_a_full_scan(files, name):
    """A bound that is too narrow loses rows silently: P14, P29, P30."""
    path, values = files.path(name), files.expected(name)
    connection = duckdb.connect(config={"threads": 2})
    lazy = polars.scan_parquet(path)
    for column in columns_with_bounds(name):
        if column.type == "micros":
            continue  # years that Python's datetime does not have
        array = values[column.name]
        for probe in probes(array):
            seen = cast_probe(column, probe)
            scalar = pa.scalar(seen)
            for operator in ("=", ">=", "<"):
                wanted = compare(array, operator, pa.scalar(probe, array.type))
                sql = f'select count(*) from read_parquet(?) where "{column.name}" {operator} ?'
                found = {"duckdb": connection.execute(sql, [str(path), seen]).fetchone()[0]}
                arrow = pq.read_table(
                    path,
                    columns=[column.name],
                    filters=[(column.name, {"=": "=="}.get(operator, operator), scalar)],
                )
                found["pyarrow"] = arrow.num_rows
                expression = {
                    "=": polars.col(column.name) == seen,
                    ">=": polars.col(column.name) >= seen,
                    "<": polars.col(column.name) < seen,
                }[operator]
                found["polars"] = lazy.filter(expression).select(polars.len()).collect().item()
                assert found == dict.fromkeys(found, wanted), (column.name, operator, probe)


@pytest.mark.parametrize("name", ["rows-50000", "strings", "dictionary-until-12000"])
def test_min_and_max_equal_a_full_scan(files, name):
    """P15, P16: engines that answer from statistics must not answer with a cut bound."""
    path, values = files.path(name), files.expected(name)
    with duckdb.connect() as connection:
        for column in columns_with_bounds(name):
            if column.type == "micros":
                continue
            sql = f'select min("{column.name}"), max("{column.name}") from read_parquet(?)'
            found = connection.execute(sql, [str(path)]).fetchone()
            present = values[column.name].drop_null()
            order = pc.sort_indices(present)
            wanted = [present[order[i].as_py()].as_py() for i in (0, -1 % len(order))]
            assert list(found) == [cast_probe(column, value) for value in wanted], column.name


# ---- what the metadata says ----------------------------------------------------------------------


def metadata(files, name):
    return pq.read_metadata(files.path(name))


def rows_of(table):
    return table.to_arrow_table().to_pylist()


def test_p1_created_by_can_be_parsed(files):
    found = metadata(files, "rows-1").created_by
    # parquet-java, VersionParser.FORMAT
    pattern = r"(.*?)\s+version\s*(?:([^(]*?)\s*(?:\(\s*build\s*([^)]*?)\s*\))?)?"
    match = re.fullmatch(pattern, found)
    assert match and match[1] == "varve" and re.fullmatch(r"\d+\.\d+\.\d+", match[2]) and match[3]


def test_p2_every_leaf_has_a_column_order(files):
    for name in ("rows-1", "rows-0", "three-hundred-columns"):
        sql = f"select * from parquet_file_metadata('{files.path(name)}')"
        found = rows_of(duckdb.sql(sql))[0]
        orders = found["column_orders"]
        assert len(orders) == len(CASES[name].columns)
        assert all("TYPE" in str(order).upper() for order in orders)
        assert found["format_version"] == 1


def test_p3_p4_p5_p6_p7_schema(files):
    """Both annotations of text and time, none on bytes and raw numbers; nothing readers lack."""
    sql = f"select * from parquet_schema('{files.path('rows-1')}')"
    found = {row["name"]: row for row in rows_of(duckdb.sql(sql))}
    assert found["schema"]["type"] is None and found["schema"]["num_children"] == 9
    kinds = {"int64": None, "micros": "TIMESTAMP_MICROS", "text": "UTF8", "raw": None}
    for i, column in enumerate(CASES["rows-1"].columns):
        row = found[column.name]
        assert row["type"] == ("INT64" if column.is_int64 else "BYTE_ARRAY")
        assert row["converted_type"] == kinds[column.type]
        assert (row["logical_type"] is None) == (kinds[column.type] is None)
        optional = "optional" in column.flags
        assert row["repetition_type"] == ("OPTIONAL" if optional else "REQUIRED")
        assert row["field_id"] == i + 1


@pytest.mark.parametrize("name", CASES)
def test_p9_p19_p28_chunks_and_encodings(files, name):
    """No empty row group; dictionary pages exactly where pages refer to them; encodings of the
    profile; the sizes of all chunks fill the row groups."""
    found = metadata(files, name)
    delta = "delta=1" in CASES[name].options
    assert (found.num_row_groups == 0) == (found.num_rows == 0)
    at = 4
    for g in range(found.num_row_groups):
        group = found.row_group(g)
        assert group.num_rows > 0
        chunks = [group.column(i) for i in range(group.num_columns)]
        assert sum(c.total_uncompressed_size for c in chunks) == group.total_byte_size
        for column, c in zip(CASES[name].columns, chunks, strict=True):
            indexed = "RLE_DICTIONARY" in c.encodings
            assert c.has_dictionary_page == indexed
            first = c.dictionary_page_offset if indexed else c.data_page_offset
            assert first == at  # P17, P18: dictionary first, no gaps, headers counted
            at += c.total_compressed_size
            assert c.compression in ("ZSTD", "UNCOMPRESSED")
            allowed = {"PLAIN", "RLE", "RLE_DICTIONARY"}
            if delta:
                allowed |= {"DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY"}
            assert set(c.encodings) <= allowed
            if c.statistics is None or c.statistics.null_count == c.num_values:
                assert not indexed
            if "dictionary" not in column.flags:
                assert not indexed
    assert at <= files.path(name).stat().st_size


def test_p13_large_values_leave_footers_small(files):
    for name in ("long-1048576", "long-x", "wide"):
        found = metadata(files, name)
        assert found.serialized_size < 1500
        for i in range(found.num_columns):
            statistics = found.row_group(0).column(i).statistics
            if statistics.has_min_max and isinstance(statistics.max, (str, bytes)):
                assert len(statistics.max) <= 67 and len(statistics.min) <= 64


@pytest.mark.parametrize("name", CASES)
def test_p14_p29_p30_page_indexes(files, name):
    """The page index by hyparquet against the values: bounds hold, null counts are right, the order
    is as stated, and each stripe ends a page in every column."""
    found, values = files.by_hyparquet(name), files.expected(name)
    start = 0
    for group, chunks in zip(found["metadata"]["row_groups"], found["indexes"], strict=True):
        rows = group["num_rows"]
        boundaries = []
        for column, chunk in zip(CASES[name].columns, chunks, strict=True):
            locations = chunk["offsets"]["page_locations"]
            firsts = [location["first_row_index"] for location in locations]
            assert firsts[0] == 0 and firsts == sorted(set(firsts)) and firsts[-1] < rows
            boundaries.append(set(firsts))
            assert (chunk["bounds"] is None) or "bounds" in column.flags
            if chunk["bounds"] is not None:
                pages = [
                    values[column.name].slice(start + a, b - a)
                    for a, b in zip(firsts, [*firsts[1:], rows], strict=True)
                ]
                check_column_index(column, chunk["bounds"], pages)
        stripes = set(range(0, rows, CASES[name].stripe))
        assert all(stripes <= boundary for boundary in boundaries)
        start += rows
    assert start == CASES[name].rows


def bound(column, value):
    raw = bytes.fromhex(value)
    return int.from_bytes(raw, "little", signed=True) if column.is_int64 else raw


def check_column_index(column, bounds, pages):
    present = []
    for i, page in enumerate(pages):
        assert bounds["null_counts"][i] == page.null_count
        assert bounds["null_pages"][i] == (page.null_count == len(page))
        if bounds["null_pages"][i]:
            assert bounds["min_values"][i] == bounds["max_values"][i] == ""
            continue
        low, high = (bound(column, bounds[key][i]) for key in ("min_values", "max_values"))
        present.append((low, high))
        kept = page.drop_null()
        if column.is_int64:
            assert (low, high) == (np.asarray(kept).min(), np.asarray(kept).max())
            continue
        texts = kept.to_pylist()
        assert low <= min(texts) and max(texts) <= high
        assert len(low) <= 64 and len(high) <= 67
        if column.type == "text":
            assert low.decode().encode() == low and high.decode().encode() == high
    rising = all(a[0] <= b[0] and a[1] <= b[1] for a, b in zip(present, present[1:], strict=False))
    assert bounds["boundary_order"] == (1 if rising else 0)


def test_sorting_is_declared_only_where_it_holds(files):
    def sorted_by(name):
        found = metadata(files, name)
        groups = [found.row_group(g).sorting_columns for g in range(found.num_row_groups)]
        return [[s.column_index for s in group] for group in groups]

    assert sorted_by("group-rows-10001") == [[0], [0], [0]]
    assert sorted_by("numbers") == [[3]]  # the columns before fall, or come again
    assert sorted_by("incompressible") == [[]]


def test_p31_key_value_metadata_is_utf8(files):
    found = metadata(files, "rows-1").metadata
    assert found[b"cases"] == b"writer"
    assert found[b"not.utf8"] == "a\N{REPLACEMENT CHARACTER}b".encode()


def test_p36_p43_limits_on_groups_and_pages(files):
    assert metadata(files, "hundred-groups").num_row_groups == 100
    offsets = files.by_hyparquet("thousand-pages")["indexes"][0][0]["offsets"]
    assert len(offsets["page_locations"]) == 1000


def test_codec_follows_the_data(files):
    def codecs(name):
        group = metadata(files, name).row_group(0)
        return [group.column(i).compression for i in range(group.num_columns)]

    # but for lengths that are all the same, of which there are too few here
    assert codecs("incompressible") == ["UNCOMPRESSED", "UNCOMPRESSED"]
    assert codecs("rows-1") == ["UNCOMPRESSED"] * 9  # pages too small for a frame
    # tiny pages first, then some worth compressing: those before are compressed as well
    assert codecs("tiny-then-large")[0] == "ZSTD"
    assert codecs("rows-50000")[7] == "ZSTD"


def test_dictionary_comes_back_after_giving_up(files):
    found = metadata(files, "dictionary-gives-up-then-returns")
    indexed = [
        found.row_group(g).column(0).has_dictionary_page for g in range(found.num_row_groups)
    ]
    # two good row groups; in the third each value is new, so 15 go by before another try
    assert indexed == [True, True] + [False] * 38
