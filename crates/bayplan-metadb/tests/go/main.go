// Checks and changes files with the real bbolt, for the tests of this crate.
//
//	check FILE       bbolt's own check
//	nofreelist FILE  writes to the file as containerd does since 1.7: without a freelist
package main

import (
	"fmt"
	"os"

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
	case "check":
		db, err := bolt.Open(path, 0o600, nil)
		must(err)
		must(db.View(func(tx *bolt.Tx) error {
			var first error
			for err := range tx.Check() {
				if first == nil {
					first = err
				}
			}
			return first
		}))
		must(db.Close())
	case "nofreelist":
		db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true})
		must(err)
		// Pages become free, and one is not.
		must(db.Update(func(tx *bolt.Tx) error {
			_, err := tx.CreateBucket([]byte("for a moment"))
			return err
		}))
		must(db.Update(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("for a moment")) }))
		must(db.Close())
	default:
		must(fmt.Errorf("unknown verb %q", verb))
	}
}
