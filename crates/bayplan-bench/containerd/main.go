// Drives containerd's own metadata store, over bbolt as containerd opens it, for the comparison.
//
// It reads commands from its input, one a line, and answers each with one line: "ok" and numbers,
// or "error" and a text. Times are nanoseconds, taken around each call in this process.
//
//	open DIR              opens the store, making it if there is none
//	close
//	sum NUMBER            a checksum of this container, to compare the payloads
//	fill FROM TO          creates these in one transaction
//	remove FROM TO        deletes these in one transaction
//	create NUMBER...      creates each; a time for each
//	update VALUE NUMBER...
//	delete NUMBER...
//	get NUMBER...
//	list TIMES FILTER     lists, as often as this; how many were found, and a time for each
//	threads COUNT EACH FROM  creates from goroutines; the time of all, and of each
//	reopen DIR NUMBER     opens, reads this one; the time of both
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

// driver is an open store.
type driver struct {
	ctx   context.Context
	bolt  *bolt.DB
	store containers.Store
}

func main() {
	d := &driver{ctx: namespaces.WithNamespace(context.Background(), namespace)}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadString('\n')
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
	case "update":
		return d.update(words)
	case "reopen":
		return d.reopen(words)
	}
	numbers, err := parse(words)
	if err != nil {
		return nil, err
	}
	switch verb {
	case "sum":
		return []int64{checksum(numbers[0])}, nil
	case "fill":
		return nil, d.together(numbers, func(ctx context.Context, number int) error {
			_, err := d.store.Create(ctx, container(number))
			return err
		})
	case "remove":
		return nil, d.together(numbers, func(ctx context.Context, number int) error {
			return d.store.Delete(ctx, id(number))
		})
	case "create":
		return d.create(numbers)
	case "delete":
		return d.each(numbers, func(id string) error { return d.store.Delete(d.ctx, id) })
	case "get":
		return d.each(numbers, func(id string) error {
			_, err := d.store.Get(d.ctx, id)
			return err
		})
	case "threads":
		return d.threads(numbers[0], numbers[1], numbers[2])
	}
	return nil, fmt.Errorf("there is no command %q", verb)
}

func parse(words []string) ([]int, error) {
	numbers := make([]int, len(words))
	for at, word := range words {
		number, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		numbers[at] = number
	}
	return numbers, nil
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

func (d *driver) reopen(words []string) ([]int64, error) {
	number, err := strconv.Atoi(words[1])
	if err != nil {
		return nil, err
	}
	id := id(number)
	start := time.Now()
	if err := d.open(words[0]); err != nil {
		return nil, err
	}
	_, err = d.store.Get(d.ctx, id)
	return []int64{time.Since(start).Nanoseconds()}, err
}

// together works in one transaction.
func (d *driver) together(bounds []int, work func(context.Context, int) error) error {
	return d.bolt.Update(func(tx *bolt.Tx) error {
		ctx := metadata.WithTransactionContext(d.ctx, tx)
		for number := bounds[0]; number < bounds[1]; number++ {
			if err := work(ctx, number); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *driver) create(numbers []int) ([]int64, error) {
	created := make([]containers.Container, len(numbers))
	for at, number := range numbers {
		created[at] = container(number)
	}
	times := make([]int64, len(numbers))
	for at := range created {
		start := time.Now()
		if _, err := d.store.Create(d.ctx, created[at]); err != nil {
			return nil, err
		}
		times[at] = time.Since(start).Nanoseconds()
	}
	return times, nil
}

func (d *driver) update(words []string) ([]int64, error) {
	numbers, err := parse(words[1:])
	if err != nil {
		return nil, err
	}
	labels := map[string]string{changed: words[0]}
	return d.each(numbers, func(id string) error {
		_, err := d.store.Update(d.ctx, containers.Container{ID: id, Labels: labels}, "labels."+changed)
		return err
	})
}

func (d *driver) each(numbers []int, work func(id string) error) ([]int64, error) {
	ids := make([]string, len(numbers))
	for at, number := range numbers {
		ids[at] = id(number)
	}
	times := make([]int64, len(ids))
	for at, id := range ids {
		start := time.Now()
		if err := work(id); err != nil {
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

func (d *driver) threads(threads, each, from int) ([]int64, error) {
	created := make([]containers.Container, threads*each)
	for at := range created {
		created[at] = container(from + at)
	}
	answer := make([]int64, 1+len(created))
	failed := make([]error, threads)
	var group sync.WaitGroup
	group.Add(threads)
	begin := make(chan struct{})
	for thread := 0; thread < threads; thread++ {
		go func(thread int) {
			defer group.Done()
			<-begin
			for at := thread * each; at < (thread+1)*each; at++ {
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
