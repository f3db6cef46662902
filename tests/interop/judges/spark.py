# SPDX-License-Identifier: MIT
"""Spark with delta-spark, as a program that is asked: a line of JSON comes in, one goes out. One of
them answers all questions of a test, since it takes long to start.

    spark.py SETTINGS FOLDER...        JSON: "master" and Spark's own; folders with jars
    {"sql": "OPTIMIZE delta.`/table`"}                             -> {"rows": [...]}, of few columns
    {"read": "/table", "version": 3, "to": "/folder"}              -> {}, rows as Parquet in folder
    {"files": "/table", "to": "/folder"}                           the same of the files, by directory
    {"checkpoint": "/table"}                                       -> {}
"""

import json
import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.retentionDurationCheck.enabled": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "640m",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    # Directories are texts: 007 is no 7.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def answer(spark, question):
    if "sql" in question:
        return {"rows": [list(row) for row in spark.sql(question["sql"]).collect()]}
    elif "checkpoint" in question:
        log = spark._jvm.org.apache.spark.sql.delta.DeltaLog
        log.forTable(spark._jsparkSession, question["checkpoint"]).checkpoint()
    else:
        if "read" in question:
            reader = spark.read.format("delta")
            if "version" in question:
                reader = reader.option("versionAsOf", question["version"])
            frame = reader.load(question["read"])
        else:
            frame = spark.read.parquet(question["files"])
        frame.coalesce(1).write.parquet(question["to"])
    return {}


# Short work pays neither for the best code nor for threads that collect garbage.
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def main():
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--driver-java-options '{JAVA}' pyspark-shell"
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Spark prints things
    given = {"master": "local[1]", **json.loads(sys.argv[1])}
    jars = [str(path) for folder in sys.argv[2:] for path in Path(folder).glob("*.jar")]
    builder = SparkSession.builder.master(given.pop("master")).config("spark.jars", ",".join(jars))
    for name, value in {**SETTINGS, **given}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        try:
            out = answer(spark, json.loads(line))
        except Exception as error:  # whatever it is, the test says it
            out = {"error": str(error)}
        print(json.dumps(out, default=str), file=answers, flush=True)
    spark.stop()


main()
