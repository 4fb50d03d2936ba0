package vm

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// libraryDirs are where Debian's dynamic linker finds libraries by default.
var libraryDirs = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"}

// residents lists the files of the host that the machine copies into its memory before its command starts: the named
// ones, all below named folders, the shared libraries and interpreters of all these, and every symbolic link that leads
// there. It is a matter of speed only, so what is not there is left out.
//
// The host's files come over 9p, which caches contents but asks again for every open and every link, and each question
// waits for four threads of the host: 0.3 ms, on a busy machine 3 ms. One start of iptables is fifty of them.
func residents(names []string) []string {
	r := residentList{seen: map[string]bool{}}
	for _, name := range names {
		if !filepath.IsAbs(name) {
			found, err := exec.LookPath(name)
			if err != nil {
				continue
			}
			name = found
		}
		r.add(name)
	}
	if len(r.files) > 0 {
		r.add("/etc/ld.so.cache")
	}
	return r.files
}

type residentList struct {
	files []string
	seen  map[string]bool // paths as they were asked for
}

func (r *residentList) add(path string) {
	if r.seen[path] {
		return
	}
	r.seen[path] = true
	path, info := r.follow(path, 0)
	switch {
	case info == nil || r.seen[path+"/"]: // the slash marks what is listed: no file's own name ends with one
	case info.IsDir():
		r.seen[path+"/"] = true
		entries, err := os.ReadDir(path)
		if err != nil {
			return
		}
		for _, entry := range entries {
			r.add(filepath.Join(path, entry.Name()))
		}
	case info.Mode().IsRegular():
		r.seen[path+"/"] = true
		r.files = append(r.files, path)
		r.addLibraries(path)
	}
}

// follow walks a path element by element, lists the symbolic links on its way, and returns where it leads.
func (r *residentList) follow(path string, depth int) (string, os.FileInfo) {
	const maxLinks = 40 // as the kernel's, so that a loop ends
	elements := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	at, info := "/", os.FileInfo(nil)
	for i, element := range elements {
		next := filepath.Join(at, element)
		var err error
		if info, err = os.Lstat(next); err != nil || depth > maxLinks {
			return "", nil
		}
		if info.Mode()&os.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", nil
		}
		if !r.seen[next+"/"] {
			r.seen[next+"/"] = true
			r.files = append(r.files, next)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(at, target)
		}
		return r.follow(filepath.Join(append([]string{target}, elements[i+1:]...)...), depth+1)
	}
	return at, info
}

// addLibraries adds what the dynamic linker would load with the file.
func (r *residentList) addLibraries(path string) {
	file, err := elf.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP {
			name := make([]byte, program.Filesz)
			if _, err := program.ReadAt(name, 0); err == nil {
				r.add(strings.TrimRight(string(name), "\x00"))
			}
		}
	}
	libraries, err := file.ImportedLibraries()
	if err != nil {
		return
	}
	for _, library := range libraries {
		for _, dir := range libraryDirs {
			if candidate := filepath.Join(dir, library); exists(candidate) {
				r.add(candidate)
				break
			}
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
