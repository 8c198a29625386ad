// Checks a served log with Go's own note and tlog packages, which know nothing of Avow. Only two things are Avow's to
// say: that a tile's path has no height in it (c2sp.org/tlog-tiles), and that a checkpoint is three lines.
//
// usage: interop URL VKEY STATE
//
// STATE is a folder with the checkpoints seen earlier, each of which must be a prefix of this one.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A tile of 2^8 hashes.
const height = 8

func get(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}

func open(signed []byte, verifiers note.Verifiers, origin string) (tlog.Tree, error) {
	opened, err := note.Open(signed, verifiers)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != origin || lines[3] != "" {
		return tlog.Tree{}, errors.New("the checkpoint is not three lines under its origin")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("the root is not a hash")
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

// tiles reads tiles over HTTP. tlog itself checks every hash it takes out of them.
type tiles struct{ url string }

func (tiles) Height() int { return height }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := get(t.url + "/" + path)
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s is %d bytes", path, len(data))
		}
		all = append(all, data)
	}
	return all, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// entries reads the entry bundle that an index is in, and answers the entry.
func entry(url string, index, size int64) ([]byte, error) {
	n := index >> height
	width := size - n<<height
	tile := tlog.Tile{H: height, L: -1, N: n, W: 1 << height}
	if width < 1<<height {
		tile.W = int(width)
	}
	path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
	bundle, err := get(url + "/" + path)
	if err != nil {
		return nil, err
	}
	var found []byte
	count := 0
	for ; len(bundle) > 0; count++ {
		if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
			return nil, fmt.Errorf("%s is cut short", path)
		}
		length := int(binary.BigEndian.Uint16(bundle))
		if int64(count) == index&(1<<height-1) {
			found = bundle[2 : 2+length]
		}
		bundle = bundle[2+length:]
	}
	if count != tile.W {
		return nil, fmt.Errorf("%s has %d entries, not %d", path, count, tile.W)
	}
	return found, nil
}

func check(url, vkey, state string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	verifiers := note.VerifierList(verifier)
	signed, err := get(url + "/checkpoint")
	if err != nil {
		return err
	}
	tree, err := open(signed, verifiers, verifier.Name())
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, tiles{url})
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return fmt.Errorf("tree of size %d: %v", tree.N, err)
	}
	// Go's tree of no leaves has a hash of zeros, where RFC 6962 has that of nothing.
	if tree.N > 0 && root != tree.Hash {
		return fmt.Errorf("tree of size %d: another root", tree.N)
	}
	proofs, growths := 0, 0
	seen := map[int64]bool{}
	for _, index := range []int64{0, 1, 2, 254, 255, 256, 257, 511, 512, 65534, 65535, 65536, 69999, tree.N / 3, tree.N / 2, tree.N - 1} {
		if index < 0 || index >= tree.N || seen[index] {
			continue
		}
		seen[index] = true
		data, err := entry(url, index, tree.N)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		if err != nil {
			return fmt.Errorf("inclusion of %d in %d: %v", index, tree.N, err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(data)); err != nil {
			return fmt.Errorf("inclusion of %d in %d: %v", index, tree.N, err)
		}
		proofs++
	}
	earlier, err := filepath.Glob(filepath.Join(state, "*.checkpoint"))
	if err != nil {
		return err
	}
	for _, file := range earlier {
		signed, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		older, err := open(signed, verifiers, verifier.Name())
		if err != nil {
			return err
		}
		// From nothing there is nothing to prove.
		if older.N == 0 {
			continue
		}
		proof, err := tlog.ProveTree(tree.N, older.N, reader)
		if err != nil {
			return fmt.Errorf("from %d to %d: %v", older.N, tree.N, err)
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash); err != nil {
			return fmt.Errorf("from %d to %d: %v", older.N, tree.N, err)
		}
		growths++
	}
	if err := os.WriteFile(filepath.Join(state, fmt.Sprintf("%d.checkpoint", tree.N)), signed, 0o600); err != nil {
		return err
	}
	fmt.Printf("size %d: %d inclusion proofs, %d consistency proofs\n", tree.N, proofs, growths)
	return nil
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: interop URL VKEY STATE")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
