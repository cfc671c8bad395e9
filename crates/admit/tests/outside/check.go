// Checks a log and its receipts with Go's own implementation of transparency logs,
// golang.org/x/mod/sumdb, which the Go toolchain carries and checks its modules with.
//
//	check log FOLDER VKEY OLDER_CHECKPOINT    every entry, and that the log continues the older one
//	check receipts VKEY FILE...               each file, one line for each: its name, then ok or why not
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A log in files. Go's paths have the height of tiles in them, those of C2SP have not.
type folder string

func (f folder) read(tile tlog.Tile, entries bool) ([]byte, error) {
	path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
	if entries {
		path = strings.Replace(path, "tile/0/", "tile/entries/", 1)
	}
	return os.ReadFile(filepath.Join(string(f), path))
}

func (f folder) Height() int { return 8 }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := f.read(tile, false)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// The tree in a signed checkpoint. The text has three lines, as Go's own, but another first one.
func open(signed []byte, vkey string) (tree tlog.Tree, err error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	origin, rest, _ := strings.Cut(opened.Text, "\n")
	if origin != verifier.Name() {
		return tree, errors.New("the origin is not the name of the key")
	}
	return tlog.ParseTree([]byte("go.sum database tree\n" + rest))
}

func checkLog(path, vkey, older string) error {
	signed, err := os.ReadFile(filepath.Join(path, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := open(signed, vkey)
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tree, folder(path))
	for index := int64(0); index < tree.N; index += 256 {
		if err := checkBundle(folder(path), hashes, index, tree.N); err != nil {
			return err
		}
	}
	if signed, err = os.ReadFile(older); err != nil {
		return err
	}
	old, err := open(signed, vkey)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return err
	}
	fmt.Printf("%d entries, continues %d\n", tree.N, old.N)
	return nil
}

// The entries from index on, compared with hashes that lead to the signed root.
func checkBundle(f folder, hashes tlog.HashReader, index, size int64) error {
	width := int(min(256, size-index))
	data, err := f.read(tlog.Tile{H: 8, L: 0, N: index / 256, W: width}, true)
	if err != nil {
		return err
	}
	for n := index; n < index+int64(width); n++ {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return fmt.Errorf("entry %d is cut off", n)
		}
		length := int(binary.BigEndian.Uint16(data))
		wanted, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
		if err != nil {
			return err
		}
		if tlog.RecordHash(data[2:2+length]) != wanted[0] {
			return fmt.Errorf("entry %d is not the one that was signed", n)
		}
		data = data[2+length:]
	}
	if len(data) != 0 {
		return errors.New("bytes behind the last entry")
	}
	return nil
}

// A receipt: C2SP tlog-proof, whose extra data are the entry.
func checkReceipt(path, vkey string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, signed, _ := strings.Cut(string(text), "\n\n")
	tree, err := open([]byte(signed), vkey)
	if err != nil {
		return err
	}
	lines := strings.Split(head, "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a receipt")
	}
	entry, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

func main() {
	if len(os.Args) == 5 && os.Args[1] == "log" {
		if err := checkLog(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) < 3 || os.Args[1] != "receipts" {
		os.Exit(2)
	}
	for _, path := range os.Args[3:] {
		verdict := "ok"
		if err := checkReceipt(path, os.Args[2]); err != nil {
			verdict = err.Error()
		}
		fmt.Println(filepath.Base(path), verdict)
	}
}
