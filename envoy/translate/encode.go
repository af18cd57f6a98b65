package translate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// message is one of Envoy's, which know their own rules.
type message interface {
	proto.Message
	ValidateAll() error
}

// deterministic is for all bytes, those within an Any too: bytes that differ for no reason would close connections.
var deterministic = proto.MarshalOptions{Deterministic: true}

func newResource(t Type, name string, m message) (*Resource, error) {
	bytes, err := encode(m)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", t, name, err)
	}
	return &Resource{ResourceName: ResourceName{t, name}, Message: m, Bytes: bytes, Hash: hash(bytes)}, nil
}

// encode refuses what Envoy would refuse, often together with all that comes in the same response.
func encode(m message) ([]byte, error) {
	if err := m.ValidateAll(); err != nil {
		return nil, err
	}
	return deterministic.Marshal(m)
}

func hash(bytes []byte) string {
	sum := sha256.Sum256(bytes)
	return hex.EncodeToString(sum[:])
}

// packer packs messages into others, and keeps what went wrong for the end.
type packer struct {
	errs []error
}

func (p *packer) pack(m message) *anypb.Any {
	bytes, err := encode(m)
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("%s: %w", m.ProtoReflect().Descriptor().Name(), err))
	}
	return &anypb.Any{TypeUrl: "type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName()), Value: bytes}
}

func (p *packer) err() error {
	return errors.Join(p.errs...)
}
