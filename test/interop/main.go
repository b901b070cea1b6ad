// Command interop reads a topic to its end and prints each record as one line of JSON, in the order of the partitions.
//
// It knows of kubedelta nothing but schemas/record.avsc and the wire contract: keys are text, a null value is a tombstone, an
// Avro value is a single-object frame. It stands for any reader in another language.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type line struct {
	Partition int32 `json:"partition"`
	// GoPartition is where franz-go's own default partitioner would have put the key.
	GoPartition int               `json:"goPartition"`
	Offset      int64             `json:"offset"`
	Timestamp   int64             `json:"timestamp"`
	Key         string            `json:"key"`
	Tombstone   bool              `json:"tombstone"`
	Headers     map[string]string `json:"headers"`
	// Format is "avro", "json" or "" for a tombstone.
	Format string `json:"format"`
	// Fingerprint of the Avro schema, most significant digit first.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Value by field name; `object` is the JSON text as it was written.
	Value map[string]any `json:"value"`
}

func main() {
	brokers := flag.String("brokers", "", "host:port, comma-separated")
	topic := flag.String("topic", "", "topic to read to its end")
	schemaPath := flag.String("schema", "", "path of record.avsc")
	timeout := flag.Duration("timeout", time.Minute, "how long reading may take")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	if err := run(ctx, strings.Split(*brokers, ","), *topic, *schemaPath); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, brokers []string, topic, schemaPath string) error {
	text, err := os.ReadFile(schemaPath)
	if err != nil {
		return err
	}
	codec, err := canonicalCodec(string(text))
	if err != nil {
		return err
	}
	records, partitions, err := readToEnd(ctx, brokers, topic)
	if err != nil {
		return err
	}
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(topic)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, record := range records {
		l, err := toLine(record, codec)
		l.GoPartition = partitioner.Partition(record, partitions)
		if err != nil {
			return fmt.Errorf("partition %d offset %d: %w", record.Partition, record.Offset, err)
		}
		if err := encoder.Encode(l); err != nil {
			return err
		}
	}
	return out.Flush()
}

// canonicalCodec is the codec of a schema's parsing canonical form, whose fingerprint stands in single-object frames.
//
// The library leaves {"type":"long"} where it has stripped a logical type. The form has "long" there, as Avro's own
// implementations write it, and without that step the fingerprint would be another.
func canonicalCodec(schema string) (*goavro.Codec, error) {
	codec, err := goavro.NewCodec(schema)
	if err != nil {
		return nil, err
	}
	return goavro.NewCodec(strings.ReplaceAll(codec.CanonicalSchema(), `{"type":"long"}`, `"long"`))
}

// readToEnd returns the records that stand before the ends the partitions have now, partition by partition, and the number of
// partitions.
//
// Compaction may have emptied the last batch of a partition; then no record marks its end, and a fetch that brings nothing
// for idleTimeout does.
func readToEnd(ctx context.Context, brokers []string, topic string) ([]*kgo.Record, int, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return nil, 0, err
	}
	defer client.Close()
	starts, startsErr := kadm.NewClient(client).ListStartOffsets(ctx, topic)
	ends, endsErr := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err := errors.Join(startsErr, endsErr, starts.Error(), ends.Error()); err != nil {
		return nil, 0, err
	}
	unfinished := map[int32]int64{}
	for partition, end := range ends[topic] {
		if starts[topic][partition].Offset < end.Offset {
			unfinished[partition] = end.Offset
		}
	}
	var records []*kgo.Record
	for len(unfinished) > 0 {
		poll, cancel := context.WithTimeout(ctx, idleTimeout)
		fetches := client.PollFetches(poll)
		cancel()
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if errors.Is(fetches.Err(), context.DeadlineExceeded) {
			break
		}
		if err := fetches.Err(); err != nil {
			return nil, 0, err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			end, ok := unfinished[record.Partition]
			if !ok {
				return
			}
			records = append(records, record)
			if record.Offset >= end-1 {
				delete(unfinished, record.Partition)
			}
		})
	}
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return cmp.Compare(a.Partition, b.Partition) })
	return records, len(ends[topic]), nil
}

const idleTimeout = 5 * time.Second

func toLine(record *kgo.Record, codec *goavro.Codec) (line, error) {
	l := line{
		Partition: record.Partition,
		Offset:    record.Offset,
		Timestamp: record.Timestamp.UnixMilli(),
		Key:       string(record.Key),
		Tombstone: record.Value == nil,
		Headers:   map[string]string{},
	}
	for _, header := range record.Headers {
		l.Headers[header.Key] = string(header.Value)
	}
	if l.Tombstone {
		return l, nil
	}
	if record.Value[0] == '{' {
		l.Format = "json"
		return l, decodeJSON(record.Value, &l)
	}
	l.Format = "avro"
	return l, decodeAvro(record.Value, codec, &l)
}

func decodeJSON(value []byte, l *line) error {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	if err := decoder.Decode(&l.Value); err != nil {
		return err
	}
	var raw struct {
		Object json.RawMessage `json:"object"`
	}
	if err := json.Unmarshal(value, &raw); err != nil {
		return err
	}
	if l.Value["object"] != nil {
		l.Value["object"] = string(raw.Object)
	}
	return nil
}

// decodeAvro leaves the frame to the library, which compares the fingerprint with that of its own canonical form.
func decodeAvro(value []byte, codec *goavro.Codec, l *line) error {
	native, rest, err := codec.NativeFromSingle(value)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%d bytes behind the value", len(rest))
	}
	// Written again it must be the same bytes: nothing was read in another way than it was meant.
	again, err := codec.SingleFromNative(nil, native)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, value) {
		return errors.New("the value, encoded again, is other bytes")
	}
	l.Fingerprint = fmt.Sprintf("%016x", codec.Rabin)
	l.Value = map[string]any{}
	for name, field := range native.(map[string]any) {
		l.Value[name] = plain(field)
	}
	return nil
}

// plain undoes what the library makes of the branches of unions.
func plain(field any) any {
	if union, ok := field.(map[string]any); ok {
		for _, branch := range []string{"string", "kubedelta.Previous"} {
			if value, ok := union[branch]; ok {
				return value
			}
		}
	}
	return field
}
