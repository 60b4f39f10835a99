// Drives containerd's own metadata store, over bbolt as containerd opens it, for the comparison.
//
// It reads commands from its input, one a line, and answers each with one line: "ok" and numbers,
// or "error" and a text. Times are nanoseconds, taken around each call in this process. Containers
// follow their command, one a line (payload.go).
//
//	open DIR              opens the store, making it if there is none
//	close
//	verify COUNT          fails unless the specs of these containers are as Go writes them
//	fill COUNT            creates these in one transaction
//	remove ID...          deletes these in one transaction
//	create COUNT          creates each; a time for each
//	update VALUE ID...    sets a label of each
//	delete ID...
//	get ID...
//	list TIMES FILTER     lists, as often as this; how many were found, and a time for each
//	threads THREADS COUNT creates these from goroutines; the time of all, and of each
//	reopen DIR ID         opens, reads this one; the time of both
//	peak                  the most memory that this process has held, in kibibytes
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/containers"
	"github.com/containerd/containerd/metadata"
	"github.com/containerd/containerd/namespaces"
	bolt "go.etcd.io/bbolt"
)

const (
	namespace = "k8s.io"
	changed   = "tier"
)

// driver is an open store.
type driver struct {
	in    *bufio.Reader
	ctx   context.Context
	bolt  *bolt.DB
	store containers.Store
}

func main() {
	d := &driver{
		in:  bufio.NewReaderSize(os.Stdin, 1<<20),
		ctx: namespaces.WithNamespace(context.Background(), namespace),
	}
	for {
		line, err := d.in.ReadString('\n')
		if err != nil {
			return
		}
		numbers, err := d.command(strings.Fields(line))
		if err != nil {
			fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		var answer strings.Builder
		answer.WriteString("ok")
		for _, number := range numbers {
			answer.WriteByte(' ')
			answer.WriteString(strconv.FormatInt(number, 10))
		}
		fmt.Println(answer.String())
	}
}

func (d *driver) command(words []string) ([]int64, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("an empty command")
	}
	verb, words := words[0], words[1:]
	switch verb {
	case "open":
		return nil, d.open(words[0])
	case "close":
		return nil, d.bolt.Close()
	case "peak":
		return peak()
	case "list":
		return d.list(words)
	case "reopen":
		return d.reopen(words[0], words[1])
	case "remove":
		return nil, d.together(func(ctx context.Context) error {
			for _, id := range words {
				if err := d.store.Delete(ctx, id); err != nil {
					return err
				}
			}
			return nil
		})
	case "update":
		labels := map[string]string{changed: words[0]}
		return each(words[1:], func(id string) error {
			c := containers.Container{ID: id, Labels: labels}
			_, err := d.store.Update(d.ctx, c, "labels."+changed)
			return err
		})
	case "delete":
		return each(words, func(id string) error { return d.store.Delete(d.ctx, id) })
	case "get":
		return each(words, func(id string) error {
			_, err := d.store.Get(d.ctx, id)
			return err
		})
	}
	sent, err := d.receive(words[len(words)-1])
	if err != nil {
		return nil, err
	}
	switch verb {
	case "verify":
		for _, c := range sent {
			if err := verify(c); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case "fill":
		return nil, d.together(func(ctx context.Context) error {
			for _, c := range sent {
				if _, err := d.store.Create(ctx, c); err != nil {
					return err
				}
			}
			return nil
		})
	case "create":
		return each(sent, func(c containers.Container) error {
			_, err := d.store.Create(d.ctx, c)
			return err
		})
	case "threads":
		threads, err := strconv.Atoi(words[0])
		if err != nil {
			return nil, err
		}
		return d.threads(threads, sent)
	}
	return nil, fmt.Errorf("there is no command %q", verb)
}

// receive reads so many containers, a line each.
func (d *driver) receive(count string) ([]containers.Container, error) {
	number, err := strconv.Atoi(count)
	if err != nil {
		return nil, err
	}
	sent := make([]containers.Container, number)
	for at := range sent {
		line, err := d.in.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		if sent[at], err = decode(line); err != nil {
			return nil, err
		}
	}
	return sent, nil
}

// open does what containerd does when it starts (services/server/server.go).
func (d *driver) open(directory string) error {
	options := *bolt.DefaultOptions
	db, err := bolt.Open(filepath.Join(directory, "meta.db"), 0644, &options)
	if err != nil {
		return err
	}
	mdb := metadata.NewDB(db, nil, nil)
	if err := mdb.Init(d.ctx); err != nil {
		return err
	}
	d.bolt, d.store = db, metadata.NewContainerStore(mdb)
	return nil
}

func (d *driver) reopen(directory, id string) ([]int64, error) {
	start := time.Now()
	if err := d.open(directory); err != nil {
		return nil, err
	}
	_, err := d.store.Get(d.ctx, id)
	return []int64{time.Since(start).Nanoseconds()}, err
}

// together works in one transaction.
func (d *driver) together(work func(context.Context) error) error {
	return d.bolt.Update(func(tx *bolt.Tx) error {
		return work(metadata.WithTransactionContext(d.ctx, tx))
	})
}

// each times the work on each of these.
func each[T any](items []T, work func(T) error) ([]int64, error) {
	times := make([]int64, len(items))
	for at, item := range items {
		start := time.Now()
		if err := work(item); err != nil {
			return nil, err
		}
		times[at] = time.Since(start).Nanoseconds()
	}
	return times, nil
}

func (d *driver) list(words []string) ([]int64, error) {
	count, err := strconv.Atoi(words[0])
	if err != nil {
		return nil, err
	}
	answer := make([]int64, 1, count+1)
	for turn := 0; turn < count; turn++ {
		start := time.Now()
		found, err := d.store.List(d.ctx, words[1:]...)
		if err != nil {
			return nil, err
		}
		answer = append(answer, time.Since(start).Nanoseconds())
		answer[0] = int64(len(found))
	}
	return answer, nil
}

func (d *driver) threads(threads int, created []containers.Container) ([]int64, error) {
	share := len(created) / threads
	answer := make([]int64, 1+len(created))
	failed := make([]error, threads)
	var group sync.WaitGroup
	group.Add(threads)
	begin := make(chan struct{})
	for thread := 0; thread < threads; thread++ {
		go func(thread int) {
			defer group.Done()
			<-begin
			for at := thread * share; at < (thread+1)*share; at++ {
				start := time.Now()
				if _, err := d.store.Create(d.ctx, created[at]); err != nil {
					failed[thread] = err
					return
				}
				answer[1+at] = time.Since(start).Nanoseconds()
			}
		}(thread)
	}
	start := time.Now()
	close(begin)
	group.Wait()
	answer[0] = time.Since(start).Nanoseconds()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return answer, nil
}

func peak() ([]int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "VmHWM:" {
			kibibytes, err := strconv.ParseInt(words[1], 10, 64)
			return []int64{kibibytes}, err
		}
	}
	return nil, fmt.Errorf("no peak in the status of the process")
}
