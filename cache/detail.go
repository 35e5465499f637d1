package cache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

	packed []byte // the document as it is in a blob, until unpacked
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
		s.Size = len(s.Raw)
		s.DocumentAt, s.DocumentHash, s.DocumentType, s.DocumentStatus = s.At, s.Hash, s.ContentType, s.HTTPStatus
	} else if before.Size > 0 {
		s.Raw, s.packed, s.Size, s.DocumentAt, s.DocumentHash = before.Raw, before.packed, before.Size, before.DocumentAt, before.DocumentHash
		s.DocumentType, s.DocumentStatus = before.DocumentType, before.DocumentStatus
	}
	s.Old = s.Size > 0 && s.DocumentHash != s.Hash
}

// encode returns a detail as a blob, whose key is of its content: the length of its head, the head (JSON
// without the documents) and then each document, all compressed by S2 (four to five times smaller, at a
// gigabyte per second). The blob is in the buffer, which has to last as long. The head says how long the
// documents became and so is made after them, in a gap before them that is almost always wide enough.
func (d *Detail) encode(buf *[]byte) (Blob, error) {
	gap := 256 * (len(d.Services) + 8)
	data := slices.Grow((*buf)[:0], gap)[:gap]
	for i := range d.Services {
		s := &d.Services[i]
		before := len(data)
		if len(s.Raw) > 0 {
			data, s.Size = pack(data, s.Raw), len(s.Raw)
		} else {
			data = append(data, s.packed...) // what did not change is not compressed again
		}
		s.Packed = len(data) - before
	}
	text, err := json.Marshal(d)
	if err != nil {
		return Blob{}, err
	}
	head := s2.Encode(nil, text)
	head = slices.Insert(head, 0, binary.AppendUvarint(nil, uint64(len(head)))...)
	if len(head) > gap {
		data = slices.Insert(data, gap, make([]byte, len(head)-gap)...)
		gap = len(head)
	}
	*buf = data
	data = data[gap-len(head):]
	copy(data, head)
	return Blob{Key: fmt.Sprintf("detail/%016x%016x", xxhash.Sum64(data), xxhash.Sum64(text)), Data: data}, nil
}

// pack appends a document, compressed.
func pack(to, raw []byte) []byte {
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

// readDetail reads what encode wrote, and leaves the documents packed. They are parts of data.
func readDetail(data []byte) (*Detail, error) {
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
		if s.Packed < 0 || s.Packed > len(packed) || (s.Packed > 0) != (s.Size > 0) {
			return nil, fmt.Errorf("%w: a document is cut short", errDetail)
		}
		s.packed, packed = packed[:s.Packed:s.Packed], packed[s.Packed:]
		s.ContentType = s.DocumentType
	}
	return &d, nil
}

// decodeDetail reads what encode wrote, with the documents.
func decodeDetail(data []byte) (*Detail, error) {
	d, err := readDetail(data)
	if err != nil {
		return nil, err
	}
	for i := range d.Services {
		s := &d.Services[i]
		if s.Packed > 0 {
			if s.Raw, err = unpack(s.packed); err != nil {
				return nil, err
			}
		}
		s.packed = nil
	}
	return d, nil
}
