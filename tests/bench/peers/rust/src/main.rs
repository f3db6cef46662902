// SPDX-License-Identifier: MIT
//! The same job as a good engineer would write it in Rust: async-nats, prost, arrow and parquet.
//!
//!     peer URL STREAM CONSUMER none|explicit COUNT FOLDER
//!
//! A file for 250,000 rows, which is durable before its messages are acked. No partitions, no
//! table, nothing against duplicates, no checksums.

use std::{error::Error, fs::File, path::Path, sync::Arc};

use arrow_array::builder::{
    BinaryBuilder, Int64Builder, StringBuilder, StringDictionaryBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{types::Int32Type, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use async_nats::jetstream::{self, consumer, Message};
use futures_util::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use prost::Message as _;

const PULL: usize = 5_000;
const ROWS_PER_FILE: usize = 250_000;

#[derive(Clone, PartialEq, prost::Message)]
struct Event {
    #[prost(string, tag = "1")]
    event_id: String,
    #[prost(string, tag = "2")]
    event_type_key: String,
    #[prost(bytes = "bytes", tag = "3")]
    event_payload: prost::bytes::Bytes,
    #[prost(int64, tag = "4")]
    timestamp_ns: i64,
    #[prost(string, tag = "5")]
    source_worker_id: String,
    #[prost(string, tag = "6")]
    simulation_id: String,
    #[prost(string, tag = "7")]
    payload_content_type: String,
    #[prost(string, tag = "8")]
    correlation_id: String,
}

type Dictionary = StringDictionaryBuilder<Int32Type>;

#[derive(Default)]
struct Rows {
    timestamp_ns: Int64Builder,
    event_id: StringBuilder,
    event_type_key: Dictionary,
    event_payload: BinaryBuilder,
    worker_id: Dictionary,
    simulation_id: Dictionary,
    payload_format_hint: Dictionary,
    correlation_id: StringBuilder,
    stream_seq: Int64Builder,
    stream_time: TimestampMicrosecondBuilder,
    nats_subject: Dictionary,
    count: usize,
}

fn schema() -> Arc<Schema> {
    let dictionary = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![
        Field::new("timestamp_ns", DataType::Int64, false),
        Field::new("event_id", DataType::Utf8, false),
        Field::new("event_type_key", dictionary(), false),
        Field::new("event_payload", DataType::Binary, false),
        Field::new("worker_id", dictionary(), false),
        Field::new("simulation_id", dictionary(), false),
        Field::new("payload_format_hint", dictionary(), false),
        Field::new("correlation_id", DataType::Utf8, true),
        Field::new("stream_seq", DataType::Int64, false),
        Field::new("stream_time", DataType::Timestamp(TimeUnit::Microsecond, None), false),
        Field::new("nats_subject", dictionary(), false),
    ]))
}

impl Rows {
    fn add(&mut self, message: &Message) -> Result<(), Box<dyn Error + Send + Sync>> {
        let event = Event::decode(message.payload.clone())?;
        let info = message.info()?;
        self.timestamp_ns.append_value(event.timestamp_ns);
        self.event_id.append_value(&event.event_id);
        self.event_type_key.append_value(&event.event_type_key);
        self.event_payload.append_value(&event.event_payload);
        self.worker_id.append_value(&event.source_worker_id);
        self.simulation_id.append_value(&event.simulation_id);
        self.payload_format_hint.append_value(&event.payload_content_type);
        let correlation = event.correlation_id;
        self.correlation_id.append_option(Some(correlation).filter(|id| !id.is_empty()));
        self.stream_seq.append_value(info.stream_sequence as i64);
        let micros = info.published.unix_timestamp_nanos() / 1000;
        self.stream_time.append_value(micros as i64);
        self.nats_subject.append_value(message.subject.as_str());
        self.count += 1;
        Ok(())
    }

    fn finish(&mut self, schema: &Arc<Schema>) -> Result<RecordBatch, Box<dyn Error + Send + Sync>> {
        self.count = 0;
        Ok(RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(self.timestamp_ns.finish()),
                Arc::new(self.event_id.finish()),
                Arc::new(self.event_type_key.finish()),
                Arc::new(self.event_payload.finish()),
                Arc::new(self.worker_id.finish()),
                Arc::new(self.simulation_id.finish()),
                Arc::new(self.payload_format_hint.finish()),
                Arc::new(self.correlation_id.finish()),
                Arc::new(self.stream_seq.finish()),
                Arc::new(self.stream_time.finish()),
                Arc::new(self.nats_subject.finish()),
            ],
        )?)
    }
}

fn new_file(folder: &Path, number: usize, schema: &Arc<Schema>)
    -> Result<ArrowWriter<File>, Box<dyn Error + Send + Sync>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .build();
    let file = File::create(folder.join(format!("{number}.parquet")))?;
    Ok(ArrowWriter::try_new(file, schema.clone(), Some(properties))?)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, stream, name, policy, count, folder] = arguments.as_slice() else {
        return Err("peer URL STREAM CONSUMER none|explicit COUNT FOLDER".into());
    };
    let explicit = policy == "explicit";
    let count: usize = count.parse()?;
    let jetstream = jetstream::new(async_nats::connect(url.as_str()).await?);
    let consumer = jetstream
        .get_stream(stream)
        .await?
        .create_consumer(consumer::pull::Config {
            name: Some(name.clone()),
            ack_policy: if explicit { consumer::AckPolicy::Explicit } else { consumer::AckPolicy::None },
            max_ack_pending: -1,
            ..Default::default()
        })
        .await?;
    let mut messages = consumer.stream().max_messages_per_batch(PULL).messages().await?;
    let schema = schema();
    let folder = Path::new(folder);
    let mut rows = Rows::default();
    let mut owed: Vec<Message> = Vec::new();
    let mut file = new_file(folder, 0, &schema)?;
    for got in 1..=count {
        let message = messages.next().await.ok_or("the stream of messages ended")??;
        rows.add(&message)?;
        if explicit {
            owed.push(message);
        }
        if rows.count == PULL || got == count {
            file.write(&rows.finish(&schema)?)?;
        }
        if got % ROWS_PER_FILE == 0 || got == count {
            file.into_inner()?.sync_all()?;
            let last = owed.pop();
            for message in owed.drain(..) {
                message.ack().await?;
            }
            if let Some(last) = last {
                last.double_ack().await?;
            }
            file = new_file(folder, got, &schema)?;
        }
    }
    Ok(())
}
