# SPDX-License-Identifier: MIT
"""Spark, as a program that is asked: see interop/judges/spark.py."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from support import ROOT, end

SCRIPT = ROOT / "tests/interop/judges/spark.py"
JARS = ROOT / "build/judges"
S3_JARS = ROOT / "build/judges-s3"


def has(module):
    return importlib.util.find_spec(module) is not None


def is_here(s3=False):
    """What it takes: see tools/setup. `s3`: to read tables in buckets."""
    jars = list(JARS.glob("delta-spark*.jar")) and (not s3 or list(S3_JARS.glob("hadoop-aws*.jar")))
    return bool(has("pyspark") and shutil.which("java") and jars)


class Spark:
    """One process for many questions. `settings` beside those of the program; "master" is where it
    works, local[1] unless said otherwise."""

    def __init__(self, directory, jars=(JARS,), **settings):
        if not is_here(S3_JARS in jars):
            pytest.skip("Spark is not here: see tools/setup")
        self.directory = directory
        self.folders = 0
        self.log = (directory / "spark.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT, json.dumps(settings), *jars],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            cwd=directory,
            # local-cluster: its workers write there, and talk over the loopback.
            env={
                **os.environ,
                "SPARK_WORKER_DIR": str(directory / "spark-workers"),
                "SPARK_LOCAL_IP": "127.0.0.1",
            },
        )
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        assert line, (self.directory / "spark.log").read_text(errors="replace")[-4000:]
        out = json.loads(line)
        assert "error" not in out, out["error"]
        return out

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question, default=str) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def rows(self, **question):
        self.folders += 1
        to = self.directory / f"spark-{self.folders}"
        self.ask(to=to, **question)
        return pq.read_table(to)

    def read(self, root, version=None):
        return self.rows(read=root, **({} if version is None else {"version": version}))

    def maintain(self, root):
        self.ask(sql=f"OPTIMIZE delta.`{root}`")
        self.ask(sql=f"VACUUM delta.`{root}` RETAIN 0 HOURS")
        self.ask(checkpoint=root)

    def close(self):
        self.process.stdin.close()
        end(self.process)
        self.log.close()
