package main

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/bits"
	"strings"

	"github.com/containerd/containerd/containers"
	"github.com/gogo/protobuf/types"
)

// The payload of all contestants; benches/common/mod.rs has the same in Rust, and both sides compare
// their checksums before a run.

const (
	namespace = "k8s.io"
	specBytes = 6 * 1024
	rareKey   = "io.kubernetes.pod.uid"
	rareValue = "rare"
	changed   = "tier"
)

func id(number int) string {
	seed := (uint64(number) + 1) * 0x9e3779b97f4a7c15
	var text strings.Builder
	for _, turn := range []int{0, 17, 31, 47} {
		fmt.Fprintf(&text, "%016x", bits.RotateLeft64(seed, turn))
	}
	return text.String()
}

func container(number int) containers.Container {
	uid := fmt.Sprintf("uid-%032d", number)
	if number%100 == 0 {
		uid = rareValue
	}
	options := types.Any{TypeUrl: "containerd.runc.v1.Options", Value: bytes.Repeat([]byte{7}, 100)}
	spec := types.Any{
		TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Spec",
		Value:   spec(number),
	}
	return containers.Container{
		ID: id(number),
		Labels: map[string]string{
			"io.cri-containerd.kind":       "container",
			"io.kubernetes.container.name": "kube-apiserver",
			"io.kubernetes.pod.name":       fmt.Sprintf("kube-apiserver-node-%04d", number%5000),
			"io.kubernetes.pod.namespace":  "kube-system",
			rareKey:                        uid,
			"app.kubernetes.io/managed-by": "kubelet",
		},
		Image:       "registry.k8s.io/kube-apiserver:v1.34.2",
		Runtime:     containers.RuntimeInfo{Name: "io.containerd.runc.v2", Options: &options},
		Spec:        &spec,
		Snapshotter: "overlayfs",
		SnapshotKey: id(number),
		Extensions: map[string]types.Any{
			"io.cri-containerd.container.metadata": {
				TypeUrl: "metadata",
				Value:   bytes.Repeat([]byte{9}, 300),
			},
		},
	}
}

// spec does not repeat, so that nothing gains by compressing it.
func spec(number int) []byte {
	state := uint64(number) + 1
	value := make([]byte, specBytes)
	for at := range value {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		value[at] = byte(state)
	}
	return value
}

// checksum covers every field, labels and extensions in the order of their names.
func checksum(number int) int64 {
	c := container(number)
	sum := crc32.NewIEEE()
	text := func(texts ...string) {
		for _, text := range texts {
			sum.Write([]byte(text))
			sum.Write([]byte{0})
		}
	}
	text(c.ID, c.Image, c.Runtime.Name, c.Snapshotter, c.SnapshotKey)
	for _, key := range []string{
		"app.kubernetes.io/managed-by", "io.cri-containerd.kind", "io.kubernetes.container.name",
		"io.kubernetes.pod.name", "io.kubernetes.pod.namespace", rareKey,
	} {
		text(key, c.Labels[key])
	}
	text(c.Runtime.Options.TypeUrl, string(c.Runtime.Options.Value))
	text(c.Spec.TypeUrl, string(c.Spec.Value))
	for key, extension := range c.Extensions {
		text(key, extension.TypeUrl, string(extension.Value))
	}
	return int64(sum.Sum32())
}
