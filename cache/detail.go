package cache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/s2"

	"github.com/tocsin/tocsin/discovery"
)

// A Detail is all that is known of one environment: the last answer of each service, with its document.
type Detail struct {
	Key
	Environment string             `json:"environment"`
	Activity    discovery.Activity `json:"activity,omitzero"`
	At          time.Time          `json:"at"` // when it was built
	Services    []ServiceDetail    `json:"services"`
}

// A ServiceDetail is the last answer of a service. Raw is its document; Nodes and Data are read from it by
// [ServiceDetail.Tree].
type ServiceDetail struct {
	discovery.Health

	// Old means that the document is not of this answer but of an earlier one, at DocumentAt.
	Old bool `json:"old,omitempty"`

	DocumentAt     time.Time      `json:"documentAt,omitzero"`
	DocumentHash   discovery.Hash `json:"documentHash"` // of the answer that the document is of
	DocumentType   string         `json:"documentType,omitempty"`
	DocumentStatus int            `json:"documentStatus,omitempty"` // the HTTP code
	Size           int            `json:"size"`                     // of the document
	Packed         int            `json:"packed"`                   // in the blob
}

// Tree reads the document into its dependencies and data. A detail does not carry them, for they are twice as
// large as the document and are made in a millisecond.
func (s *ServiceDetail) Tree() discovery.Report {
	return discovery.Parse(discovery.Answer{
		Status: s.DocumentStatus, ContentType: s.DocumentType, Body: s.Raw,
		Format: s.Target.Format, Expect: s.Target.Expect, At: s.DocumentAt,
	})
}

// Service returns a service of the environment, or nil.
func (d *Detail) Service(name string) *ServiceDetail {
	for i := range d.Services {
		if d.Services[i].Target.Service == name {
			return &d.Services[i]
		}
	}
	return nil
}

// document takes over the document that comes with an answer, or else the one from before.
func (s *ServiceDetail) document(before *ServiceDetail) {
	s.Nodes, s.Data = nil, nil
	if len(s.Raw) > 0 {
		s.DocumentAt, s.DocumentHash, s.DocumentType, s.DocumentStatus = s.At, s.Hash, s.ContentType, s.HTTPStatus
	} else if before != nil && len(before.Raw) > 0 {
		s.Raw, s.DocumentAt, s.DocumentHash = before.Raw, before.DocumentAt, before.DocumentHash
		s.DocumentType, s.DocumentStatus = before.DocumentType, before.DocumentStatus
	}
	s.Old = len(s.Raw) > 0 && s.DocumentHash != s.Hash
	s.Size = len(s.Raw)
}

// encode returns a detail as a blob, whose key is of its content: the length of its head, the head (JSON
// without the documents) and then each document, all compressed by S2 (four to five times smaller, at a
// gigabyte per second).
func (d *Detail) encode() (Blob, error) {
	buf := packs.Get().(*[]byte)
	defer packs.Put(buf)
	packed := (*buf)[:0]
	for i := range d.Services {
		s := &d.Services[i]
		before := len(packed)
		packed = pack(packed, s.Raw)
		s.Size, s.Packed = len(s.Raw), len(packed)-before
	}
	*buf = packed
	text, err := json.Marshal(d)
	if err != nil {
		return Blob{}, err
	}
	head := s2.Encode(nil, text)
	data := make([]byte, 0, binary.MaxVarintLen64+len(head)+len(packed))
	data = binary.AppendUvarint(data, uint64(len(head)))
	data = append(append(data, head...), packed...)
	return Blob{Key: fmt.Sprintf("detail/%016x%016x", xxhash.Sum64(data), xxhash.Sum64(text)), Data: data}, nil
}

// packs are the buffers that documents are compressed into.
var packs = sync.Pool{New: func() any { return new([]byte) }}

// pack appends a document, compressed. An empty one is nothing.
func pack(to, raw []byte) []byte {
	if len(raw) == 0 {
		return to
	}
	to = slices.Grow(to, s2.MaxEncodedLen(len(raw)))
	return to[:len(to)+len(s2.Encode(to[len(to):cap(to)], raw))]
}

// maxDetail bounds what a head or a document may become.
const maxDetail = 256 << 20

var errDetail = errors.New("the detail is damaged")

// unpack decompresses a head or a document.
func unpack(data []byte) ([]byte, error) {
	size, err := s2.DecodedLen(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDetail, err)
	}
	if size > maxDetail {
		return nil, fmt.Errorf("%w: it has %d bytes", errDetail, size)
	}
	text, err := s2.Decode(nil, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDetail, err)
	}
	return text, nil
}

// decodeDetail reads what encode wrote.
func decodeDetail(data []byte) (*Detail, error) {
	length, n := binary.Uvarint(data)
	if n <= 0 || length > uint64(len(data)-n) {
		return nil, fmt.Errorf("%w: it is cut short", errDetail)
	}
	text, err := unpack(data[n : n+int(length)])
	if err != nil {
		return nil, err
	}
	var d Detail
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("%w: %w", errDetail, err)
	}
	packed := data[n+int(length):]
	for i := range d.Services {
		s := &d.Services[i]
		if s.Packed < 0 || s.Packed > len(packed) {
			return nil, fmt.Errorf("%w: a document is cut short", errDetail)
		}
		if s.Packed > 0 {
			if s.Raw, err = unpack(packed[:s.Packed]); err != nil {
				return nil, err
			}
		}
		packed = packed[s.Packed:]
		s.ContentType = s.DocumentType
	}
	return &d, nil
}
