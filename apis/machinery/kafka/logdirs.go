package kafka

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// logDirsConcurrency bounds the brokers that are asked for their log directories at the same time: each answer names
// every replica of the broker.
const logDirsConcurrency = 16

// LogDirs implements Admin.
func (c *client) LogDirs(ctx context.Context, brokers []int32) (map[int32][]LogDir, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var (
		wg    sync.WaitGroup
		slots = make(chan struct{}, logDirsConcurrency)
		dirs  = make([][]LogDir, len(brokers))
		errs  = make([]error, len(brokers))
	)
	for i, id := range brokers {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			dirs[i], errs[i] = c.logDirs(ctx, id)
		})
	}
	wg.Wait()
	byBroker := make(map[int32][]LogDir, len(brokers))
	for i, id := range brokers {
		if errs[i] == nil {
			byBroker[id] = dirs[i]
		}
	}
	return byBroker, joined(errs)
}

// logDirs reads the log directories of one broker.
func (c *client) logDirs(ctx context.Context, id int32) ([]LogDir, error) {
	resp, err := c.askBroker(ctx, id, kmsg.NewPtrDescribeLogDirsRequest())
	if err != nil {
		return nil, fmt.Errorf("describing log dirs of broker %d: %w", id, err)
	}
	answer := resp.(*kmsg.DescribeLogDirsResponse)
	if err := kafkaError(answer.ErrorCode, nil); err != nil {
		return nil, fmt.Errorf("describing log dirs of broker %d: %w", id, err)
	}
	dirs := make([]LogDir, 0, len(answer.Dirs))
	for _, d := range answer.Dirs {
		dirs = append(dirs, newLogDir(d))
	}
	return dirs, nil
}

// newLogDir counts what is in a directory. Future replicas count: they are moving in (KIP-113).
func newLogDir(d kmsg.DescribeLogDirsResponseDir) LogDir {
	dir := LogDir{Path: d.Dir, Err: kafkaError(d.ErrorCode, nil), Cordoned: d.IsCordoned}
	for _, t := range d.Topics {
		if t.Topic == metadataTopic {
			continue
		}
		dir.Replicas += len(t.Partitions)
		for _, p := range t.Partitions {
			dir.Bytes += p.Size
			if p.IsFuture {
				dir.Future++
			} else {
				dir.Partitions = append(dir.Partitions, TopicPartition{Topic: t.Topic, Partition: p.Partition})
			}
		}
	}
	return dir
}
