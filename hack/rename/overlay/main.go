// Command overlay writes a file for go build -overlay that gives the plugin
// another name, and prints its path.
//
//	overlay NAME FOLDER
//
// A folder inside of the module has to be hidden, as bin/.renamed: ./... would find
// its Go files.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/kubectl-wg/kubectl-wg/hack/rename"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: overlay NAME FOLDER")
		os.Exit(2)
	}
	path, err := write(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "overlay:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

func write(name, folder string) (string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(folder); err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	return rename.Overlay(".", folder, name)
}
