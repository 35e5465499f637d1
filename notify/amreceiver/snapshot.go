package amreceiver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// readSnapshot calls each with every entry of one of Alertmanager's snapshot files: protobuf
// messages, each after its length. An entry that each refuses is left out; where the file itself is
// damaged reading ends, for the beginning of the next entry is not known then. The error names every
// entry that is missing.
func readSnapshot[M any, P interface {
	*M
	proto.Message
}](r io.Reader, each func(P) error) error {
	in := &counter{r: bufio.NewReader(r)}
	var problems []error
	for n := 1; ; n++ {
		at := in.n
		entry := P(new(M))
		err := protodelim.UnmarshalFrom(in, entry)
		if errors.Is(err, io.EOF) {
			return errors.Join(problems...)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("entry %d at byte %d, and all after it: %w", n, at, err))
			return errors.Join(problems...)
		}
		if err := each(entry); err != nil {
			problems = append(problems, fmt.Errorf("entry %d at byte %d: %w", n, at, err))
		}
	}
}

// A counter knows how many bytes were read.
type counter struct {
	r *bufio.Reader
	n int64
}

// Read reads and counts.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// ReadByte reads and counts one byte.
func (c *counter) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// expired says whether Alertmanager would have forgotten the entry by now.
func expired(at *timestamppb.Timestamp, now time.Time) (bool, error) {
	if err := at.CheckValid(); err != nil {
		return false, fmt.Errorf("expiry: %w", err)
	}
	return !at.AsTime().After(now), nil
}
