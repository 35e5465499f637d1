package cache

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
)

var errIndex = errors.New("the index is damaged")

// encode returns a version as a blob: JSON, compressed by S2.
func (v *version) encode() ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the index: %w", err)
	}
	return s2.Encode(nil, text), nil
}

func decodeVersion(data []byte) (*version, error) {
	size, err := s2.DecodedLen(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIndex, err)
	}
	if size > maxDetail {
		return nil, fmt.Errorf("%w: it has %d bytes", errIndex, size)
	}
	text, err := s2.Decode(nil, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIndex, err)
	}
	var v version
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("%w: %w", errIndex, err)
	}
	return &v, nil
}
