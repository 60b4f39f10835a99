// Makes and checks files with the real bbolt, for the tests of this crate.
//
//	fixtures DIRECTORY  writes one file of each kind, and what is in it as NAME.txt
//	list FILE           writes what is in a file
//	check FILE          the same, after bbolt's own check; then changes everything in it, and checks it again
//	hold FILE           keeps a file open for writing until its input ends
//
// What is in a file is one line for each key: its depth, "bucket" and its sequence, or "value", its length and
// the FNV-1a of it; the key comes last, in hexadecimal.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	verb, path := os.Args[1], os.Args[2]
	switch verb {
	case "fixtures":
		fixtures(path)
	case "list":
		db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
		must(err)
		list(db, os.Stdout)
		must(db.Close())
	case "check":
		check(path)
	case "hold":
		db, err := bolt.Open(path, 0o600, nil)
		must(err)
		fmt.Println("held")
		_, err = io.Copy(io.Discard, os.Stdin)
		must(err)
		must(db.Close())
	default:
		must(fmt.Errorf("unknown verb %q", verb))
	}
}

func list(db *bolt.DB, output io.Writer) {
	writer := bufio.NewWriter(output)
	must(db.View(func(tx *bolt.Tx) error {
		cursor := tx.Cursor()
		for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
			if value != nil {
				return fmt.Errorf("a value in the root bucket")
			}
			listBucket(writer, 0, key, tx.Bucket(key))
		}
		return nil
	}))
	must(writer.Flush())
}

func listBucket(writer io.Writer, depth int, name []byte, bucket *bolt.Bucket) {
	fmt.Fprintf(writer, "%d bucket %d %x\n", depth, bucket.Sequence(), name)
	must(bucket.ForEach(func(key, value []byte) error {
		if nested := bucket.Bucket(key); nested != nil {
			listBucket(writer, depth+1, key, nested)
			return nil
		}
		sum := fnv.New64a()
		_, _ = sum.Write(value)
		fmt.Fprintf(writer, "%d value %d %016x %x\n", depth+1, len(value), sum.Sum64(), key)
		return nil
	}))
}

func consistent(db *bolt.DB) {
	must(db.View(func(tx *bolt.Tx) error {
		var first error
		for err := range tx.Check() {
			if first == nil {
				first = err
			}
		}
		return first
	}))
}

func check(path string) {
	db, err := bolt.Open(path, 0o600, nil)
	must(err)
	consistent(db)
	list(db, os.Stdout)
	// Every bucket takes new keys, before, between and behind the others; every other key is deleted.
	must(db.Update(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, bucket *bolt.Bucket) error { return change(bucket) })
	}))
	consistent(db)
	// Whatever is left goes, one key after the other.
	must(db.Update(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, bucket *bolt.Bucket) error { return empty(bucket) })
	}))
	consistent(db)
	must(db.Close())
}

func keysOf(bucket *bolt.Bucket) (keys, nested [][]byte) {
	must(bucket.ForEach(func(key, value []byte) error {
		key = append([]byte{}, key...)
		if value == nil && bucket.Bucket(key) != nil {
			nested = append(nested, key)
		} else {
			keys = append(keys, key)
		}
		return nil
	}))
	return keys, nested
}

func change(bucket *bolt.Bucket) error {
	keys, nested := keysOf(bucket)
	for _, name := range nested {
		if err := change(bucket.Bucket(name)); err != nil {
			return err
		}
	}
	for number, key := range keys {
		if number%2 == 0 {
			if err := bucket.Delete(key); err != nil {
				return err
			}
		}
		if number%5 == 0 && len(key) < 1000 {
			err := bucket.Put(append(append([]byte{}, key...), 0), bytes.Repeat([]byte{7}, number%99))
			if err != nil && err != bolt.ErrIncompatibleValue {
				return err
			}
		}
	}
	if _, err := bucket.CreateBucketIfNotExists([]byte("a new bucket")); err != nil && err != bolt.ErrIncompatibleValue {
		return err
	}
	_, err := bucket.NextSequence()
	return err
}

func empty(bucket *bolt.Bucket) error {
	keys, nested := keysOf(bucket)
	for _, name := range nested {
		if err := empty(bucket.Bucket(name)); err != nil {
			return err
		}
	}
	for _, key := range keys {
		if err := bucket.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

type fixture struct {
	name    string
	options bolt.Options
	fill    []func(tx *bolt.Tx) error
}

// Names that begin with "large" are made for each run, and not kept.
var all = []fixture{
	{"empty", bolt.Options{}, nil},
	{"one", bolt.Options{PageSize: 1024}, steps(func(tx *bolt.Tx) error {
		return put(tx, "one", 1, 3, 20)
	})},
	{"nested", bolt.Options{PageSize: 1024, NoFreelistSync: true}, steps(nested)},
	{"branch", bolt.Options{PageSize: 1024}, steps(func(tx *bolt.Tx) error {
		return put(tx, "branch", 1, 120, 9)
	})},
	{"overflow", bolt.Options{PageSize: 1024}, steps(func(tx *bolt.Tx) error {
		if err := put(tx, "values", 3, 3, 5000); err != nil {
			return err
		}
		bucket := tx.Bucket([]byte("values"))
		return bucket.Put(bytes.Repeat([]byte("k"), 1500), []byte("the key is long"))
	})},
	{"deleted", bolt.Options{PageSize: 1024}, deleted(100)},
	{"nofreelist", bolt.Options{PageSize: 1024, NoFreelistSync: true}, deleted(80)},
	{"page8k", bolt.Options{PageSize: 8192}, steps(func(tx *bolt.Tx) error {
		return put(tx, "pages", 2, 5, 40)
	})},
	{"large-branch", bolt.Options{}, steps(func(tx *bolt.Tx) error {
		return put(tx, "branch", 1, 100_000, 30)
	})},
	{"large-values", bolt.Options{NoFreelistSync: true}, steps(func(tx *bolt.Tx) error {
		return put(tx, "values", 1, 20, 3_000_000)
	})},
	{"large-deleted", bolt.Options{}, deleted(300_000)},
	{"large-16k-pages", bolt.Options{PageSize: 16384}, append(steps(nested), deleted(20_000)...)},
	{"large-64k-pages", bolt.Options{PageSize: 65536}, append(steps(nested), deleted(20_000)...)},
}

func steps(fill ...func(tx *bolt.Tx) error) []func(tx *bolt.Tx) error { return fill }

func put(tx *bolt.Tx, name string, first, count, length int) error {
	bucket, err := tx.CreateBucketIfNotExists([]byte(name))
	if err != nil {
		return err
	}
	return fill(bucket, first, count, length)
}

func fill(bucket *bolt.Bucket, first, count, length int) error {
	for number := first; number < first+count; number++ {
		value := bytes.Repeat([]byte{byte(number)}, length+number%7)
		if err := bucket.Put([]byte(fmt.Sprintf("key %08d", number)), value); err != nil {
			return err
		}
	}
	return nil
}

func nested(tx *bolt.Tx) error {
	top, err := tx.CreateBucket([]byte("v1"))
	if err != nil {
		return err
	}
	must(top.SetSequence(7))
	must(top.Put([]byte("version"), []byte{6}))
	must(top.Put([]byte("nothing"), []byte{}))
	for number := 0; number < 8; number++ {
		inner, err := top.CreateBucket([]byte(fmt.Sprintf("namespace %d", number)))
		must(err)
		must(inner.SetSequence(uint64(number)))
		must(fill(inner, 0, number*3, 8))
		if number%4 == 3 {
			deeper, err := inner.CreateBucket([]byte("deeper"))
			must(err)
			must(fill(deeper, 0, number*5, 11))
			_, err = deeper.CreateBucket([]byte("empty"))
			must(err)
		}
	}
	return nil
}

// Deletes most of what it made, in several commits.
func deleted(count int) []func(tx *bolt.Tx) error {
	some := func(remainder int) func(tx *bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			bucket := tx.Bucket([]byte("deleted"))
			for number := 0; number < count; number++ {
				if number%9 != 0 && (number < count/2) == (remainder == 0) {
					must(bucket.Delete([]byte(fmt.Sprintf("key %08d", number))))
				}
			}
			return nil
		}
	}
	return steps(
		func(tx *bolt.Tx) error { return put(tx, "deleted", 0, count, 20) },
		func(tx *bolt.Tx) error { return put(tx, "kept", 0, 9, 200) },
		some(0), some(1),
	)
}

func fixtures(directory string) {
	for _, fixture := range all {
		grown := filepath.Join(directory, "grown")
		options := fixture.options
		db, err := bolt.Open(grown, 0o600, &options)
		must(err)
		for _, fill := range fixture.fill {
			must(db.Update(fill))
		}
		consistent(db)
		path := filepath.Join(directory, fixture.name)
		// A copy has no more pages than are in use: bbolt lets a file grow ahead.
		must(db.View(func(tx *bolt.Tx) error { return tx.CopyFile(path+".db", 0o600) }))
		text, err := os.Create(path + ".txt")
		must(err)
		list(db, text)
		must(text.Close())
		must(db.Close())
		must(os.Remove(grown))
	}
}
