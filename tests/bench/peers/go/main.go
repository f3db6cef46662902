// SPDX-License-Identifier: MIT

// The same job as a good engineer would write it in Go: nats.go, protowire and parquet-go.
//
//	peer URL STREAM CONSUMER none|explicit COUNT FOLDER
//
// A file for 250,000 rows, which is durable before its messages are acked. No partitions, no
// table, nothing against duplicates, no checksums.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	pull        = 5_000
	rowsPerFile = 250_000
)

type row struct {
	TimestampNs       int64   `parquet:"timestamp_ns"`
	EventID           string  `parquet:"event_id"`
	EventTypeKey      string  `parquet:"event_type_key,dict"`
	EventPayload      []byte  `parquet:"event_payload"`
	WorkerID          string  `parquet:"worker_id,dict"`
	SimulationID      string  `parquet:"simulation_id,dict"`
	PayloadFormatHint string  `parquet:"payload_format_hint,dict"`
	CorrelationID     *string `parquet:"correlation_id,optional"`
	StreamSeq         int64   `parquet:"stream_seq"`
	StreamTime        int64   `parquet:"stream_time,timestamp(microsecond)"`
	NatsSubject       string  `parquet:"nats_subject,dict"`
}

func (r *row) decode(data []byte) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if number == 4 && kind == protowire.VarintType {
			value, n := protowire.ConsumeVarint(data)
			if n < 0 {
				return protowire.ParseError(n)
			}
			r.TimestampNs = int64(value)
			data = data[n:]
			continue
		}
		if kind != protowire.BytesType {
			n := protowire.ConsumeFieldValue(number, kind, data)
			if n < 0 {
				return protowire.ParseError(n)
			}
			data = data[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		switch number {
		case 1:
			r.EventID = string(value)
		case 2:
			r.EventTypeKey = string(value)
		case 3:
			r.EventPayload = value
		case 5:
			r.WorkerID = string(value)
		case 6:
			r.SimulationID = string(value)
		case 7:
			r.PayloadFormatHint = string(value)
		case 8:
			if len(value) > 0 {
				correlation := string(value)
				r.CorrelationID = &correlation
			}
		}
	}
	return nil
}

type output struct {
	file   *os.File
	writer *parquet.GenericWriter[row]
}

func create(folder string, number int) (*output, error) {
	file, err := os.Create(filepath.Join(folder, fmt.Sprintf("%d.parquet", number)))
	if err != nil {
		return nil, err
	}
	codec := &zstd.Codec{Level: zstd.SpeedFastest}
	return &output{file, parquet.NewGenericWriter[row](file, parquet.Compression(codec))}, nil
}

func (o *output) close() error {
	return errors.Join(o.writer.Close(), o.file.Sync(), o.file.Close())
}

func acknowledge(ctx context.Context, owed []jetstream.Msg) error {
	for i, message := range owed {
		if i+1 == len(owed) {
			return message.DoubleAck(ctx)
		}
		if err := message.Ack(); err != nil {
			return err
		}
	}
	return nil
}

func drain(ctx context.Context, consumer jetstream.Consumer, explicit bool, count int, folder string) error {
	messages, err := consumer.Messages(jetstream.PullMaxMessages(pull))
	if err != nil {
		return err
	}
	defer messages.Stop()
	rows := make([]row, 0, pull)
	var owed []jetstream.Msg
	out, err := create(folder, 0)
	if err != nil {
		return err
	}
	for got := 1; got <= count; got++ {
		message, err := messages.Next()
		if err != nil {
			return err
		}
		about, err := message.Metadata()
		if err != nil {
			return err
		}
		rows = append(rows, row{
			StreamSeq:   int64(about.Sequence.Stream),
			StreamTime:  about.Timestamp.UnixMicro(),
			NatsSubject: message.Subject(),
		})
		if err := rows[len(rows)-1].decode(message.Data()); err != nil {
			return err
		}
		if explicit {
			owed = append(owed, message)
		}
		if len(rows) == pull || got == count {
			if _, err := out.writer.Write(rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
		if got%rowsPerFile != 0 && got != count {
			continue
		}
		if err := out.close(); err != nil {
			return err
		}
		if err := acknowledge(ctx, owed); err != nil {
			return err
		}
		owed = owed[:0]
		if got == count {
			break
		}
		if out, err = create(folder, got); err != nil {
			return err
		}
	}
	return nil
}

func run(url, stream, name, policy, number, folder string) error {
	ctx := context.Background()
	count, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	connection, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer connection.Close()
	js, err := jetstream.New(connection)
	if err != nil {
		return err
	}
	acks := jetstream.AckNonePolicy
	if policy == "explicit" {
		acks = jetstream.AckExplicitPolicy
	}
	consumer, err := js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Name: name, AckPolicy: acks, MaxAckPending: -1,
	})
	if err != nil {
		return err
	}
	return drain(ctx, consumer, policy == "explicit", count, folder)
}

func main() {
	if len(os.Args) != 7 {
		log.Fatal("peer URL STREAM CONSUMER none|explicit COUNT FOLDER")
	}
	a := os.Args[1:]
	if err := run(a[0], a[1], a[2], a[3], a[4], a[5]); err != nil {
		log.Fatal(err)
	}
}
