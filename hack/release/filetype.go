package main

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
)

var (
	elfMachines   = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_ARM: "arm"}
	machoMachines = map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}
	peMachines    = map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}
)

// builtFor reads from a program's header which platform it is for, so that no
// archive holds that of another.
func builtFor(program []byte) (platform, error) {
	r := bytes.NewReader(program)
	if file, err := elf.NewFile(r); err == nil {
		return platform{"linux", elfMachines[file.Machine]}, nil
	}
	if file, err := macho.NewFile(r); err == nil {
		return platform{"darwin", machoMachines[file.Cpu]}, nil
	}
	if file, err := pe.NewFile(r); err == nil {
		return platform{"windows", peMachines[file.Machine]}, nil
	}
	return platform{}, errors.New("not a program of Linux, macOS or Windows")
}
