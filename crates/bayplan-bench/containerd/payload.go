package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/containerd/containerd/containers"
	"github.com/gogo/protobuf/types"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// payload is a container as it comes, on a line of JSON; all of it is text.
type payload struct {
	ID, Image, RuntimeName, Snapshotter, SnapshotKey string

	RuntimeOptions, Spec value
	Labels               map[string]string
	Extensions           map[string]value
}

type value struct{ TypeURL, Value string }

func (a value) proto() types.Any {
	return types.Any{TypeUrl: a.TypeURL, Value: []byte(a.Value)}
}

func decode(line []byte) (containers.Container, error) {
	var p payload
	if err := json.Unmarshal(line, &p); err != nil {
		return containers.Container{}, err
	}
	options, spec := p.RuntimeOptions.proto(), p.Spec.proto()
	extensions := make(map[string]types.Any, len(p.Extensions))
	for name, extension := range p.Extensions {
		extensions[name] = extension.proto()
	}
	return containers.Container{
		ID:          p.ID,
		Labels:      p.Labels,
		Image:       p.Image,
		Runtime:     containers.RuntimeInfo{Name: p.RuntimeName, Options: &options},
		Spec:        &spec,
		Snapshotter: p.Snapshotter,
		SnapshotKey: p.SnapshotKey,
		Extensions:  extensions,
	}, nil
}

// verify fails unless the spec is, byte for byte, what Go makes of the types of runtime-spec.
func verify(c containers.Container) error {
	var spec specs.Spec
	if err := json.Unmarshal(c.Spec.Value, &spec); err != nil {
		return err
	}
	written, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if !bytes.Equal(written, c.Spec.Value) {
		return fmt.Errorf("the spec of %s is not as Go writes it: %s", c.ID, written)
	}
	return nil
}
